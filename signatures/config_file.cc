#include "signatures/config_file.h"

#include <fmt/format.h>

namespace curlew::signatures {

void read_config_file(
    const std::filesystem::path& file,
    const std::function<void(
        const toml::table& document, const std::string& file_name, std::vector<Problem>&)>& read) {
    std::vector<Problem> problems;
    const std::string name = file.string();
    if (const auto text = read_file(file, problems)) {
        if (const auto document = parse_toml(*text, name, problems)) {
            read(*document, name, problems);
        }
    }
    if (problems.empty()) {
        return;
    }
    sort_by_place(problems);
    std::string told;
    for (const Problem& problem : problems) {
        told += (told.empty() ? "" : "\n") + to_string(problem);
    }
    throw ConfigError(told);
}

std::string toml_string(const std::string& text) {
    std::string out = "\"";
    for (const char one : text) {
        const auto octet = static_cast<unsigned char>(one);
        if (one == '"' || one == '\\') {
            out += '\\';
            out += one;
        } else if (octet < 0x20 || octet == 0x7f) {
            out += fmt::format("\\u{:04x}", octet);
        } else {
            out += one;
        }
    }
    return out + '"';
}

}  // namespace curlew::signatures
