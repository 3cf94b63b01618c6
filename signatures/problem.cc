#include "signatures/problem.h"

namespace curlew::signatures {

namespace {

// One line, for a terminal: a key, or a file's name, may hold any octet.
std::string visible(std::string text) {
    for (char& octet : text) {
        const auto value = static_cast<unsigned char>(octet);
        octet = value < 0x20 || value == 0x7f ? '?' : octet;
    }
    return text;
}

}  // namespace

std::string to_string(const Problem& problem) {
    std::string text = problem.file;
    if (problem.line != 0) {
        text += ':' + std::to_string(problem.line) + ':' + std::to_string(problem.column);
    }
    return visible(text + ": " + problem.what);
}

std::string in_quotes(std::string_view text) {
    return "'" + std::string(text) + "'";
}

}  // namespace curlew::signatures
