#include "signatures/problem.h"

namespace curlew::signatures {

std::string to_string(const Problem& problem) {
    std::string text = problem.file;
    if (problem.line != 0) {
        text += ':' + std::to_string(problem.line) + ':' + std::to_string(problem.column);
    }
    return text + ": " + problem.what;
}

std::string in_quotes(std::string_view text) {
    return "'" + std::string(text) + "'";
}

}  // namespace curlew::signatures
