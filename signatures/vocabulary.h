#pragma once

#include <array>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/problem.h"

// The words of content labels: vocabulary.toml beside the signatures. signatures/README.md is its
// manual.

namespace curlew::signatures {

enum class WordKind : uint8_t { category, protocol, type, activity, device };
inline constexpr size_t kWordKinds = 5;

// "category", "protocol", "type", "activity", "device".
std::string_view name_of(WordKind kind) noexcept;

struct Word {
    std::string definition;
    std::string parent;                // a category, or another word of the kind; empty: none
    std::vector<std::string> vendors;  // device: beginnings of names in IEEE's registry
};

// What a published label means in these words.
struct PublishedMeaning {
    std::string group;
    std::string label;
    std::string type;
    std::string protocol;
    std::string service;
    std::string activity;
};

class Vocabulary {
  public:
    using Words = std::map<std::string, Word, std::less<>>;

    // The text of a file. Everything wrong is appended to `problems`, a word twice among it.
    static Vocabulary parse(std::string_view toml,
                            const std::string& file_name,
                            std::vector<Problem>& problems);

    int64_t version() const noexcept { return version_; }
    // Without a file nothing is known, and nothing is checked.
    bool empty() const noexcept { return version_ == 0; }
    const Words& words(WordKind kind) const noexcept { return words_[static_cast<size_t>(kind)]; }
    const Word* find(WordKind kind, std::string_view word) const noexcept;
    // A protocol's word is a type as well.
    bool is_type(std::string_view word) const noexcept;
    const std::vector<PublishedMeaning>& published() const noexcept { return published_; }

  private:
    friend class VocabularyLoader;

    int64_t version_ = 0;
    std::array<Words, kWordKinds> words_;
    std::vector<PublishedMeaning> published_;
};

}  // namespace curlew::signatures
