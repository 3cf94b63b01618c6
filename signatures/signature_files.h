#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/problem.h"

// The files of a set, read and not yet understood.

namespace curlew::signatures {

inline constexpr const char* kVocabularyFile = "vocabulary.toml";

struct SignatureFile {
    std::string path;
    std::string text;
    bool is_vocabulary = false;
};

struct SignatureFiles {
    std::vector<SignatureFile> files;  // in order of name
    std::vector<Problem> problems;     // folder or file that cannot be read, too many, none

    // The text of vocabulary.toml; empty when there is none.
    std::string_view vocabulary() const noexcept;
};

// Every *.toml directly in `folder`.
SignatureFiles read_signature_files(const std::filesystem::path& folder);

}  // namespace curlew::signatures
