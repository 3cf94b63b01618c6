#include "collector/protocols/ssdp.h"

#include <utility>

#include "collector/wire_text.h"

namespace curlew::collector {

void write_ssdp(JsonLine& json, const HttpHead& head) {
    static constexpr std::pair<const char*, const char*> kFields[] = {
        {"host", "host"},
        {"st", "st"},
        {"nt", "nt"},
        {"nts", "nts"},
        {"usn", "usn"},
        {"server", "server"},
        {"location", "location"},
        {"man", "man"},
        {"mx", "mx"},
    };
    if (head.is_response || !head.method.empty()) {
        json.text("method", head.is_response ? "response" : wire_text(head.method));
    }
    for (const auto& [member, field] : kFields) {
        if (head.has(field)) {
            json.text(member, wire_text(head.value_of(field)));
        }
    }
}

}  // namespace curlew::collector
