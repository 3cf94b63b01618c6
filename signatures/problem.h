#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace curlew::signatures {

// One thing wrong in a file, at its place. Files are read whole and all problems told together.
struct Problem {
    std::string file;
    uint32_t line = 0;    // from 1; 0: the file as a whole
    uint32_t column = 0;  // from 1
    std::string what;     // one sentence
};

// "file:line:column: what", or "file: what" for the file as a whole.
std::string to_string(const Problem& problem);

// As problems name what stands in a file.
std::string in_quotes(std::string_view text);

}  // namespace curlew::signatures
