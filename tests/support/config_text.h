#pragma once

#include <fstream>
#include <string>

#include "signatures/config_file.h"
#include "tests/support/temporary_folder.h"

namespace curlew::tests {

// A configuration file with this text, as `load` reads it.
template <typename Load>
auto load_text(const std::string& text, Load load) {
    const TemporaryFolder folder;
    const auto file = folder.path() / "config.toml";
    std::ofstream(file) << text;
    return load(file);
}

// What is said against it; empty: nothing.
template <typename Load>
std::string refusal_of(const std::string& text, Load load) {
    try {
        load_text(text, load);
    } catch (const signatures::ConfigError& error) {
        return error.what();
    }
    return "";
}

}  // namespace curlew::tests
