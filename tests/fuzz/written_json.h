#pragma once

#include <rapidjson/document.h>

#include <cstdlib>
#include <string_view>

#include "collector/json_line.h"

namespace curlew::tests {

// Whatever was read, what is written of it is JSON in valid UTF-8. Requires: one object is begun.
inline void require_json(collector::JsonLine& json) {
    json.end_object();
    const std::string_view line = json.finish();
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag>(
        line.data(), line.size());
    if (document.HasParseError() || !document.IsObject()) {
        std::abort();
    }
}

}  // namespace curlew::tests
