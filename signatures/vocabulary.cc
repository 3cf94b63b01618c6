#include "signatures/vocabulary.h"

#include "signatures/toml_reader.h"

namespace curlew::signatures {
namespace {

constexpr std::array<std::string_view, kWordKinds> kWordKindNames = {
    "category", "protocol", "type", "activity", "device"};
constexpr int64_t kHighestVersion = 1'000'000;

}  // namespace

std::string_view name_of(WordKind kind) noexcept {
    return kWordKindNames[static_cast<size_t>(kind)];
}

class VocabularyLoader {
  public:
    VocabularyLoader(Vocabulary& vocabulary, std::vector<Problem>& problems)
        : vocabulary_(vocabulary), problems_(problems) {}

    void read(const toml::table& document, const std::string& file_name) {
        TableReader file(document, file_name, problems_);
        vocabulary_.version_ = file.optional_integer("version", 1, kHighestVersion).value_or(0);
        if (vocabulary_.version_ == 0 && !file.has("version")) {
            problems_.push_back({file_name, 0, 0, "'version' is missing"});
        }
        for (size_t kind = 0; kind < kWordKinds; ++kind) {
            for (TableReader& table : file.optional_tables(kWordKindNames[kind])) {
                read_word(static_cast<WordKind>(kind), table);
            }
        }
        check_parents();
        for (TableReader& table : file.optional_tables("published")) {
            read_published(table);
        }
        file.finish("vocabulary");
    }

  private:
    struct Parent {
        WordKind kind;
        std::string word;
        TableReader table;
    };

    void read_word(WordKind kind, TableReader& table) {
        const auto word = table.required_text("word");
        Word entry;
        entry.definition = table.required_text("definition").value_or(PlacedText{}).text;
        entry.parent = table.optional_text("parent").value_or(PlacedText{}).text;
        if (kind == WordKind::device) {
            for (const PlacedText& vendor : table.optional_texts("vendors")) {
                entry.vendors.push_back(vendor.text);
            }
        }
        table.finish(name_of(kind));
        if (!word) {
            return;
        }
        const bool is_new =
            vocabulary_.words_[static_cast<size_t>(kind)].emplace(word->text, entry).second;
        if (!is_new) {
            table.problem(word->place,
                          "the " + std::string(name_of(kind)) + ' ' + in_quotes(word->text) +
                              " is there already");
        }
        if (!entry.parent.empty()) {
            parents_.push_back({kind, entry.parent, table});
        }
    }

    void check_parents() {
        for (Parent& parent : parents_) {
            if (vocabulary_.find(WordKind::category, parent.word) == nullptr &&
                vocabulary_.find(parent.kind, parent.word) == nullptr &&
                vocabulary_.find(WordKind::protocol, parent.word) == nullptr) {
                parent.table.problem(parent.table.place_of_value("parent"),
                                     "the parent " + in_quotes(parent.word) + " is no word here");
            }
        }
    }

    void read_published(TableReader& table) {
        const auto text = [&table](std::string_view key) {
            return table.optional_text(key).value_or(PlacedText{}).text;
        };
        PublishedMeaning meaning;
        meaning.group = table.required_text("group").value_or(PlacedText{}).text;
        meaning.label = table.required_text("label").value_or(PlacedText{}).text;
        meaning.type = text("type");
        meaning.protocol = text("protocol");
        meaning.service = text("service");
        meaning.activity = text("activity");
        table.finish("published label");
        require(table, "type", meaning.type.empty() || vocabulary_.is_type(meaning.type));
        require_word(table, "protocol", WordKind::protocol, meaning.protocol);
        require_word(table, "activity", WordKind::activity, meaning.activity);
        vocabulary_.published_.push_back(std::move(meaning));
    }

    void require_word(TableReader& table,
                      std::string_view key,
                      WordKind kind,
                      const std::string& word) {
        require(table, key, word.empty() || vocabulary_.find(kind, word) != nullptr);
    }

    static void require(TableReader& table, std::string_view key, bool known) {
        if (!known) {
            table.problem(table.place_of_value(key), in_quotes(key) + " is no word here");
        }
    }

    Vocabulary& vocabulary_;
    std::vector<Problem>& problems_;
    std::vector<Parent> parents_;
};

Vocabulary Vocabulary::parse(std::string_view toml,
                             const std::string& file_name,
                             std::vector<Problem>& problems) {
    Vocabulary vocabulary;
    std::vector<Problem> found;
    const std::optional<toml::table> document = parse_toml(toml, file_name, found);
    if (document) {
        VocabularyLoader(vocabulary, found).read(*document, file_name);
    }
    sort_by_place(found);
    problems.insert(problems.end(), found.begin(), found.end());
    return vocabulary;
}

const Word* Vocabulary::find(WordKind kind, std::string_view word) const noexcept {
    const Words& all = words(kind);
    const auto found = all.find(word);
    return found == all.end() ? nullptr : &found->second;
}

bool Vocabulary::is_type(std::string_view word) const noexcept {
    return find(WordKind::type, word) != nullptr || find(WordKind::protocol, word) != nullptr;
}

}  // namespace curlew::signatures
