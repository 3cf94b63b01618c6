#pragma once

#include <filesystem>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "signatures/toml_reader.h"

// A service's configuration: one TOML file, read whole, with every problem told at its place.

namespace curlew::signatures {

// Every problem, one a line: "file:line:column: what".
class ConfigError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// Hands the document to `read`, which adds what it finds wrong. Throws ConfigError.
void read_config_file(
    const std::filesystem::path& file,
    const std::function<void(
        const toml::table& document, const std::string& file_name, std::vector<Problem>&)>& read);

// The text as a TOML string in quotation marks.
std::string toml_string(const std::string& text);

}  // namespace curlew::signatures
