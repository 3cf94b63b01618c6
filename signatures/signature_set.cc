#include "signatures/signature_set.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <utility>

#include "signatures/content_hash.h"
#include "signatures/example_text.h"
#include "signatures/toml_reader.h"

namespace curlew::signatures {
namespace {

static_assert(kMaximumSignatures < 0xffff);

constexpr std::array<std::string_view, 2> kKindNames = {"payload", "name"};
constexpr std::array<std::string_view, 3> kTransportNames = {"any", "tcp", "udp"};

bool is_word(std::string_view text) noexcept {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !text.empty() && text.size() <= kMaximumWordOctets &&
           std::all_of(text.begin(), text.end(), fits);
}

std::string in_quotes(std::string_view text) {
    return "'" + std::string(text) + "'";
}

// Reads [[signature]] tables of one file after the other into one set.
class Loader {
  public:
    Loader(std::vector<Signature>& signatures, std::vector<Problem>& problems)
        : signatures_(signatures), problems_(problems) {}

    void read(std::string_view text, const std::string& file_name);

  private:
    void read_signature(TableReader& table, const std::string& file_name);
    std::string read_word(TableReader& table, std::string_view key);
    bool read_id(TableReader& table, Signature& signature);
    bool read_kind(TableReader& table, Signature& signature);
    bool read_pattern(TableReader& table, Signature& signature);
    void read_kind_only_keys(TableReader& table, Signature& signature);
    void read_meaning(TableReader& table, Signature& signature);
    void read_examples(TableReader& table, Signature& signature);
    void add_examples(TableReader& examples,
                      std::string_view key,
                      bool must_match,
                      Signature& signature);

    std::vector<Signature>& signatures_;
    std::vector<Problem>& problems_;
    std::map<std::string, std::string> id_places_;    // id -> "file:line"
    std::map<std::string, std::string> name_places_;  // host name -> "file:line"
};

void Loader::read(std::string_view text, const std::string& file_name) {
    std::vector<Problem> found;
    std::swap(found, problems_);
    const std::optional<toml::table> document = parse_toml(text, file_name, problems_);
    if (document) {
        TableReader file(*document, file_name, problems_);
        if (!file.has("signature")) {
            problems_.push_back({file_name, 0, 0, "holds no [[signature]]"});
        }
        for (TableReader& table : file.optional_tables("signature")) {
            read_signature(table, file_name);
        }
        file.finish("signature file");
    }
    sort_by_place(problems_);
    problems_.insert(problems_.begin(),
                     std::make_move_iterator(found.begin()),
                     std::make_move_iterator(found.end()));
}

void Loader::read_signature(TableReader& table, const std::string& file_name) {
    Signature signature;
    signature.file = file_name;
    signature.line = table.place().line;
    signature.column = table.place().column;

    const bool has_id = read_id(table, signature);
    signature.title = table.required_text("title").value_or(PlacedText{}).text;
    signature.reference = table.required_text("reference").value_or(PlacedText{}).text;
    const bool has_kind = read_kind(table, signature);
    // What a pattern or example must be depends on the kind; without one only syntax is looked at.
    const bool has_pattern = read_pattern(table, signature) && has_kind;
    if (has_kind) {
        read_kind_only_keys(table, signature);
    } else {
        table.optional_flag("suffix");
        table.optional_text("transport");
    }
    read_meaning(table, signature);
    read_examples(table, signature);
    table.finish("signature");

    if (!has_id || !has_pattern) {
        return;
    }
    if (signatures_.size() == kMaximumSignatures) {
        table.problem(table.place(),
                      "there are more than " + std::to_string(kMaximumSignatures) + " signatures");
        return;
    }
    signatures_.push_back(std::move(signature));
}

bool Loader::read_id(TableReader& table, Signature& signature) {
    const auto id = table.required_text("id");
    if (!id) {
        return false;
    }
    if (!is_word(id->text)) {
        table.problem(id->place, "the id is no word of lower-case letters, digits, '-' and '_'");
        return false;
    }
    const auto [first, is_new] =
        id_places_.try_emplace(id->text, signature.file + ":" + std::to_string(id->place.line));
    if (!is_new) {
        table.problem(id->place, "the id " + in_quotes(id->text) + " is taken at " + first->second);
        return false;
    }
    signature.id = id->text;
    return true;
}

bool Loader::read_kind(TableReader& table, Signature& signature) {
    const auto kind = table.required_text("kind");
    if (!kind) {
        return false;
    }
    const auto found = std::find(kKindNames.begin(), kKindNames.end(), kind->text);
    if (found == kKindNames.end()) {
        table.problem(kind->place,
                      "the kind " + in_quotes(kind->text) + " is neither 'payload' nor 'name'");
        return false;
    }
    signature.kind = static_cast<SignatureKind>(found - kKindNames.begin());
    return true;
}

bool Loader::read_pattern(TableReader& table, Signature& signature) {
    const auto pattern = table.required_text("pattern");
    if (!pattern) {
        return false;
    }
    signature.pattern = pattern->text;
    signature.pattern_line = pattern->place.line;
    signature.pattern_column = pattern->place.column;
    if (signature.kind == SignatureKind::name) {
        if (!is_lower_case_host_name(pattern->text)) {
            table.problem(pattern->place,
                          in_quotes(pattern->text) + " is no host name in lower case");
            return false;
        }
        return true;
    }
    if (pattern->text.size() > kMaximumPatternOctets) {
        table.problem(
            pattern->place,
            "the pattern is longer than " + std::to_string(kMaximumPatternOctets) + " octets");
        return false;
    }
    // Hyperscan takes a pattern up to its first NUL and would compile another one than written.
    if (pattern->text.find('\0') != std::string::npos) {
        table.problem(pattern->place, "the pattern holds the octet NUL: write it as \\x00");
        return false;
    }
    return true;
}

void Loader::read_kind_only_keys(TableReader& table, Signature& signature) {
    const auto suffix = table.optional_flag("suffix");
    const auto transport = table.optional_text("transport");
    if (signature.kind == SignatureKind::payload) {
        if (suffix) {
            table.problem(table.place_of_value("suffix"), "only a name can be a suffix");
        }
        const std::string_view word = transport ? std::string_view(transport->text) : "any";
        const auto found = std::find(kTransportNames.begin(), kTransportNames.end(), word);
        if (found == kTransportNames.end()) {
            table.problem(transport->place,
                          "the transport " + in_quotes(word) + " is none of 'any', 'tcp', 'udp'");
            return;
        }
        signature.transport = static_cast<Transport>(found - kTransportNames.begin());
        return;
    }
    if (transport) {
        table.problem(transport->place, "a name is looked for on every transport");
    }
    signature.suffix = suffix.value_or(false);
    const std::string key = (signature.suffix ? "*." : "") + signature.pattern;
    const auto [first, is_new] = name_places_.try_emplace(
        key, signature.file + ":" + std::to_string(signature.pattern_line));
    if (!is_new && !signature.pattern.empty()) {
        table.problem(table.place_of_value("pattern"),
                      "the name " + in_quotes(signature.pattern) + " is taken at " + first->second);
    }
}

std::string Loader::read_word(TableReader& table, std::string_view key) {
    const auto word = table.optional_text(key);
    if (!word || word->text.empty()) {
        return {};
    }
    if (!is_word(word->text)) {
        table.problem(word->place,
                      in_quotes(key) + " is no word of lower-case letters, digits, '-' and '_'");
    }
    return word->text;
}

void Loader::read_meaning(TableReader& table, Signature& signature) {
    signature.protocol = read_word(table, "protocol");
    signature.service = read_word(table, "service");
    signature.label = read_word(table, "label");
    if (signature.kind == SignatureKind::name && !signature.label.empty()) {
        table.problem(table.place_of_value("label"),
                      "a name gives a service; the label type stays its protocol's");
    }
    if (!table.has("protocol") && !table.has("service") && !table.has("label")) {
        table.problem(table.place(), "a hit would say nothing: no protocol, service or label");
    }
}

void Loader::read_examples(TableReader& table, Signature& signature) {
    std::optional<TableReader> examples = table.optional_table("examples");
    if (!examples) {
        if (!table.has("examples")) {
            table.problem(table.place(), "'examples' is missing");
        }
        return;
    }
    add_examples(*examples, "match", true, signature);
    add_examples(*examples, "no_match", false, signature);
    examples->finish("table of examples");
}

void Loader::add_examples(TableReader& examples,
                          std::string_view key,
                          bool must_match,
                          Signature& signature) {
    const auto texts = examples.optional_text_list(key);
    if (!texts) {
        return;
    }
    if (texts->empty()) {
        examples.problem(examples.place_of_value(key), "there is no example in " + in_quotes(key));
    }
    if (texts->size() > kMaximumExamples) {
        examples.problem(examples.place_of_value(key),
                         "there are more than " + std::to_string(kMaximumExamples) +
                             " examples in " + in_quotes(key));
        return;
    }
    for (const PlacedText& text : *texts) {
        Example example{text.text, must_match, text.place.line, text.place.column};
        if (signature.kind == SignatureKind::payload) {
            const std::string wrong = decode_example(text.text, example.octets);
            if (!wrong.empty()) {
                examples.problem(text.place, wrong);
                continue;
            }
        }
        signature.examples.push_back(std::move(example));
    }
}

std::vector<std::filesystem::path> signature_files(const std::filesystem::path& folder,
                                                   std::vector<Problem>& problems) {
    std::error_code failure;
    std::vector<std::filesystem::path> files;
    std::filesystem::directory_iterator entry(folder, failure);
    for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
        std::error_code unreadable;
        if (entry->path().extension() == ".toml" && !entry->is_directory(unreadable)) {
            files.push_back(entry->path());
        }
    }
    if (failure) {
        problems.push_back({folder.string(), 0, 0, "cannot be read: " + failure.message()});
        return {};
    }
    if (files.empty()) {
        problems.push_back({folder.string(), 0, 0, "holds no file *.toml"});
    }
    if (files.size() > kMaximumSignatureFiles) {
        problems.push_back(
            {folder.string(),
             0,
             0,
             "holds more than " + std::to_string(kMaximumSignatureFiles) + " files *.toml"});
        return {};
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::string_view name_of(SignatureKind kind) noexcept {
    return kKindNames[static_cast<size_t>(kind)];
}

std::string_view name_of(Transport transport) noexcept {
    return kTransportNames[static_cast<size_t>(transport)];
}

SignatureSet SignatureSet::load(const std::filesystem::path& folder) {
    SignatureSet set;
    Loader loader(set.signatures_, set.problems_);
    for (const std::filesystem::path& file : signature_files(folder, set.problems_)) {
        const std::optional<std::string> text = read_file(file, set.problems_);
        if (text) {
            loader.read(*text, file.string());
        }
    }
    return set;
}

SignatureSet SignatureSet::parse(std::string_view toml, const std::string& file_name) {
    SignatureSet set;
    Loader(set.signatures_, set.problems_).read(toml, file_name);
    return set;
}

SignatureSet SignatureSet::of(std::vector<Signature> signatures) {
    assert(signatures.size() <= kMaximumSignatures);
    SignatureSet set;
    set.signatures_ = std::move(signatures);
    return set;
}

std::string SignatureSet::content_hash() const {
    ContentHash hash;
    for (const Signature& signature : signatures_) {
        hash.add(signature.id);
        hash.add(name_of(signature.kind));
        hash.add(signature.pattern);
        hash.add(uint64_t{signature.suffix});
        hash.add(name_of(signature.transport));
        hash.add(signature.protocol);
        hash.add(signature.service);
        hash.add(signature.label);
    }
    return hash.text();
}

bool is_lower_case_host_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > kMaximumHostNameOctets) {
        return false;
    }
    size_t label_begin = 0;
    for (size_t at = 0; at <= name.size(); ++at) {
        if (at < name.size() && name[at] != '.') {
            const char c = name[at];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
                return false;
            }
            continue;
        }
        const std::string_view label = name.substr(label_begin, at - label_begin);
        if (label.empty() || label.size() > kMaximumLabelOctets || label.front() == '-' ||
            label.back() == '-') {
            return false;
        }
        label_begin = at + 1;
    }
    return true;
}

}  // namespace curlew::signatures
