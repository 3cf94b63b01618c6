#include "collector/archive_name.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "collector/device_file.h"
#include "collector/index.h"
#include "collector/label_overlay.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// With what is put behind it a file system still takes it.
constexpr size_t kLongestName = 180;

// A file's suffix without ".json".
std::string_view stem_of(std::string_view suffix) {
    return suffix.substr(0, suffix.rfind(".json"));
}

}  // namespace

std::string archive_name_problem(const std::string& name) {
    if (name.empty()) {
        return "it is empty";
    }
    if (name == "." || name == "..") {
        return "it is another folder's";
    }
    if (name.size() > kLongestName) {
        return fmt::format("it is longer than {} octets", kLongestName);
    }
    if (name.find('/') != std::string::npos) {
        return "it has a slash";
    }
    const bool has_controls = std::any_of(name.begin(), name.end(), [](char character) {
        return static_cast<unsigned char>(character) < 0x20 || character == 0x7f;
    });
    if (has_controls) {
        return "it has control characters";
    }
    return is_utf8(name) ? "" : "it is not UTF-8";
}

std::string dataset_name_problem(const std::string& name) {
    std::string problem = archive_name_problem(name);
    if (problem.empty() &&
        (name.ends_with(stem_of(kManifestSuffix)) || name.ends_with(stem_of(kDevicesSuffix)) ||
         name.find(kOverlayMark) != std::string::npos)) {
        problem = "it would be taken for a file beside another dataset";
    }
    return problem;
}

}  // namespace curlew::collector
