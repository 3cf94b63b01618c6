#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace curlew::cli {

// A sentence for people. That nobody can be told, as when stderr is closed, changes nothing of what
// was done: it is no failure.
template <typename... Values>
void say(std::FILE* out, fmt::format_string<Values...> sentence, Values&&... values) {
    const std::string text = fmt::format(sentence, std::forward<Values>(values)...);
    std::fwrite(text.data(), 1, text.size(), out);
}

}  // namespace curlew::cli
