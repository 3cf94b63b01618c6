#include "signatures/signature_set.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <unordered_map>
#include <utility>

#include "signatures/content_hash.h"
#include "signatures/example_text.h"
#include "signatures/host_names.h"
#include "signatures/toml_reader.h"

namespace curlew::signatures {
namespace {

static_assert(kMaximumSignatures < 0xffff);

constexpr std::array<std::string_view, kSignatureKinds> kKindNames = {
    "payload", "name", "field", "sequence", "behaviour", "port"};
constexpr std::array<std::string_view, 3> kTransportNames = {"any", "tcp", "udp"};
constexpr std::array<std::string_view, 3> kSenderNames = {"any", "initiator", "responder"};
constexpr std::array<std::string_view, 17> kFieldNames = {
    "dhcp.host_name",
    "dhcp.vendor_class",
    "http.path",
    "http.server",
    "http.user_agent",
    "icmp.type",
    "igmp.type",
    "ip.protocol",
    "mdns.service",
    "ssdp.nt",
    "ssdp.server",
    "ssdp.st",
    "ssdp.usn",
    "ssh.software",
    "tls.certificate_issuer",
    "tls.certificate_subject",
    "tls.ja4",
};
constexpr std::array<std::string_view, 3> kBehaviourNames = {"empty", "refused", "unanswered"};

// Where `word` stands in a list, or its size.
template <typename Words>
size_t position_of(const Words& words, std::string_view word) {
    return static_cast<size_t>(std::find(words.begin(), words.end(), word) - words.begin());
}

template <typename Words>
std::string one_of(const Words& words) {
    std::string text;
    for (const std::string_view word : words) {
        text += (text.empty() ? "'" : ", '") + std::string(word) + "'";
    }
    return text;
}

bool is_word(std::string_view text) noexcept {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    };
    return !text.empty() && text.size() <= kMaximumWordOctets &&
           std::all_of(text.begin(), text.end(), fits);
}

std::string wrong_with_regex(const std::string& pattern) {
    if (pattern.size() > kMaximumPatternOctets) {
        return "the pattern is longer than " + std::to_string(kMaximumPatternOctets) + " octets";
    }
    // Hyperscan takes a pattern up to its first NUL and would compile another one than written.
    return pattern.find('\0') == std::string::npos
               ? std::string()
               : "the pattern holds the octet NUL: write it as \\x00";
}

bool is_port(const std::string& text) {
    return !text.empty() && text.size() <= 5 && text[0] != '0' &&
           text.find_first_not_of("0123456789") == std::string::npos && std::stoi(text) <= 65535;
}

// One sentence, or nothing.
std::string wrong_with_pattern(const Signature& signature) {
    const std::string& pattern = signature.pattern;
    switch (signature.kind) {
        case SignatureKind::name:
            return is_lower_case_host_name(pattern)
                       ? ""
                       : in_quotes(pattern) + " is no host name in lower case";
        case SignatureKind::behaviour:
            return position_of(kBehaviourNames, pattern) < kBehaviourNames.size()
                       ? ""
                       : "the behaviour " + in_quotes(pattern) + " is none of " +
                             one_of(kBehaviourNames);
        case SignatureKind::port:
            return is_port(pattern) ? "" : in_quotes(pattern) + " is no port from 1 to 65535";
        default:
            return wrong_with_regex(pattern);
    }
}

// The name, port or behaviour that the signature speaks of: two of them would say two things of one
// fact. Empty: of another kind, of which several may hit.
std::string fact_of(const Signature& signature) {
    switch (signature.kind) {
        case SignatureKind::name:
            return (signature.suffix ? "*." : "") + signature.pattern;
        case SignatureKind::behaviour:
            return "behaviour " + signature.pattern;
        case SignatureKind::port:
            return "port " + signature.pattern + '/' + std::string(name_of(signature.transport));
        default:
            return {};
    }
}

// In the place of the one that has its id, for of several that hit the first ones win; whoever
// speaks of the same fact gives way.
void put(Signature signature, std::vector<Signature>& all) {
    const std::string fact = fact_of(signature);
    std::erase_if(all, [&](const Signature& one) {
        return one.id != signature.id && !fact.empty() && fact_of(one) == fact;
    });
    const auto same = std::find_if(
        all.begin(), all.end(), [&](const Signature& one) { return one.id == signature.id; });
    if (same == all.end()) {
        all.push_back(std::move(signature));
    } else {
        *same = std::move(signature);
    }
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
    void read_transport(TableReader& table, Signature& signature);
    void read_field(TableReader& table, Signature& signature);
    void note_once(TableReader& table, const Signature& signature);
    void read_meaning(TableReader& table, Signature& signature);
    void read_examples(TableReader& table, Signature& signature);
    void read_measured(TableReader& table, Signature& signature);
    void add_examples(TableReader& examples,
                      std::string_view key,
                      bool must_match,
                      Signature& signature);

    std::vector<Signature>& signatures_;
    std::vector<Problem>& problems_;
    std::unordered_map<std::string, std::string> id_places_;  // id -> "file:line"
    std::unordered_map<std::string, std::string> places_;     // see note_once
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
    }
    read_meaning(table, signature);
    read_examples(table, signature);
    read_measured(table, signature);
    if (has_kind) {
        table.finish("signature");
    }

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
    const size_t found = position_of(kKindNames, kind->text);
    if (found == kKindNames.size()) {
        table.problem(kind->place,
                      "the kind " + in_quotes(kind->text) + " is none of " + one_of(kKindNames));
        return false;
    }
    signature.kind = static_cast<SignatureKind>(found);
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
    const std::string wrong = wrong_with_pattern(signature);
    if (!wrong.empty()) {
        table.problem(pattern->place, wrong);
    }
    return wrong.empty();
}

// What only some kinds have. A key of another kind is left unread, and so told as unknown.
void Loader::read_kind_only_keys(TableReader& table, Signature& signature) {
    switch (signature.kind) {
        case SignatureKind::payload:
            read_transport(table, signature);
            for (const int64_t port : table.optional_integers("ports", 1, 65535)) {
                signature.ports.push_back(static_cast<uint16_t>(port));
            }
            if (signature.ports.size() > kMaximumPorts) {
                table.problem(table.place_of_value("ports"),
                              "there are more than " + std::to_string(kMaximumPorts) + " ports");
            }
            if (std::optional<TableReader> length = table.optional_table("length")) {
                signature.length = read_length_field(*length);
            }
            signature.packets = static_cast<uint8_t>(
                table.optional_number("packets", 1, kMaximumScannedPackets).value_or(0));
            break;
        case SignatureKind::name:
            signature.suffix = table.optional_flag("suffix").value_or(false);
            note_once(table, signature);
            break;
        case SignatureKind::field:
            read_field(table, signature);
            break;
        case SignatureKind::sequence:
            read_transport(table, signature);
            return;
        case SignatureKind::behaviour:
            note_once(table, signature);
            return;
        case SignatureKind::port:
            read_transport(table, signature);
            note_once(table, signature);
            return;
    }
    if (const auto sender = table.optional_text("sender")) {
        const size_t found = position_of(kSenderNames, sender->text);
        if (found == kSenderNames.size()) {
            table.problem(
                sender->place,
                "the sender " + in_quotes(sender->text) + " is none of " + one_of(kSenderNames));
            return;
        }
        signature.sender = static_cast<Sender>(found);
    }
}

void Loader::read_transport(TableReader& table, Signature& signature) {
    const auto transport = table.optional_text("transport");
    if (!transport) {
        return;
    }
    const size_t found = position_of(kTransportNames, transport->text);
    if (found == kTransportNames.size()) {
        table.problem(transport->place,
                      "the transport " + in_quotes(transport->text) + " is none of " +
                          one_of(kTransportNames));
        return;
    }
    signature.transport = static_cast<Transport>(found);
}

void Loader::read_field(TableReader& table, Signature& signature) {
    const auto field = table.required_text("field");
    if (!field) {
        return;
    }
    if (position_of(kFieldNames, field->text) == kFieldNames.size()) {
        table.problem(field->place,
                      "the field " + in_quotes(field->text) + " is none of " + one_of(kFieldNames));
        return;
    }
    signature.field = field->text;
}

void Loader::note_once(TableReader& table, const Signature& signature) {
    if (signature.pattern.empty()) {
        return;
    }
    const auto [first, is_new] = places_.try_emplace(
        fact_of(signature), signature.file + ":" + std::to_string(signature.pattern_line));
    if (!is_new) {
        table.problem(table.place_of_value("pattern"),
                      "the " + std::string(name_of(signature.kind)) + ' ' +
                          in_quotes(signature.pattern) + " is taken at " + first->second);
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
    signature.activity = read_word(table, "activity");
    signature.device = read_word(table, "device");
    if (signature.kind == SignatureKind::name && !signature.label.empty()) {
        table.problem(table.place_of_value("label"),
                      "a name gives a service; the label type stays its protocol's");
    }
    if (signature.protocol.empty() && signature.service.empty() && signature.label.empty() &&
        signature.activity.empty() && signature.device.empty()) {
        table.problem(table.place(),
                      "a hit would say nothing: no protocol, service, label, activity or device");
    }
}

void Loader::read_examples(TableReader& table, Signature& signature) {
    // What is no text from the wire needs none.
    const bool wanted =
        signature.kind != SignatureKind::behaviour && signature.kind != SignatureKind::port;
    std::optional<TableReader> examples = table.optional_table("examples");
    if (!examples) {
        if (wanted && !table.has("examples")) {
            table.problem(table.place(), "'examples' is missing");
        }
        return;
    }
    add_examples(*examples, "match", true, signature);
    add_examples(*examples, "no_match", false, signature);
    examples->finish("table of examples");
}

void Loader::read_measured(TableReader& table, Signature& signature) {
    std::optional<TableReader> measured = table.optional_table("measured");
    if (!measured) {
        return;
    }
    const auto count = [&measured](std::string_view key) {
        return static_cast<uint32_t>(
            measured->optional_number(key, 0, std::numeric_limits<int32_t>::max()).value_or(0));
    };
    signature.measured = Measured{count("flows"), count("judged"), count("right")};
    measured->finish("table of what was measured");
    if (signature.measured->right > signature.measured->judged ||
        signature.measured->judged > signature.measured->flows) {
        table.problem(table.place_of_value("measured"),
                      "more are right than judged, or than flows");
    }
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

}  // namespace

std::string_view name_of(SignatureKind kind) noexcept {
    return kKindNames[static_cast<size_t>(kind)];
}

std::string_view name_of(Transport transport) noexcept {
    return kTransportNames[static_cast<size_t>(transport)];
}

std::string_view name_of(Sender sender) noexcept {
    return kSenderNames[static_cast<size_t>(sender)];
}

std::span<const std::string_view> known_fields() noexcept {
    return kFieldNames;
}

std::span<const std::string_view> known_behaviours() noexcept {
    return kBehaviourNames;
}

SignatureSet SignatureSet::load(const std::filesystem::path& folder) {
    return of_files(read_signature_files(folder));
}

SignatureSet SignatureSet::of_files(const SignatureFiles& files) {
    SignatureSet set;
    set.problems_ = files.problems;
    Loader loader(set.signatures_, set.problems_);
    for (const SignatureFile& file : files.files) {
        if (file.is_vocabulary) {
            set.vocabulary_ = Vocabulary::parse(file.text, file.path, set.problems_);
        } else {
            loader.read(file.text, file.path);
        }
    }
    set.check_words();
    return set;
}

SignatureSet SignatureSet::load_with(const std::filesystem::path& folder,
                                     const std::filesystem::path& file) {
    SignatureSet set = load(folder);
    SignatureSet more;
    if (const std::optional<std::string> text = read_file(file, more.problems_)) {
        Loader(more.signatures_, more.problems_).read(*text, file.string());
    }
    more.vocabulary_ = set.vocabulary_;
    more.check_words();
    for (Signature& signature : more.signatures_) {
        put(std::move(signature), set.signatures_);
    }
    set.problems_.insert(set.problems_.end(), more.problems_.begin(), more.problems_.end());
    if (set.signatures_.size() > kMaximumSignatures) {
        set.problems_.push_back({file.string(), 0, 0, "with it there are too many signatures"});
        set.signatures_.resize(kMaximumSignatures);
    }
    return set;
}

void SignatureSet::add_problems(std::vector<Problem> problems) {
    problems_.insert(problems_.end(),
                     std::make_move_iterator(problems.begin()),
                     std::make_move_iterator(problems.end()));
}

// Every word of a signature is one of the vocabulary, but for the service, which is an open set.
void SignatureSet::check_words() {
    if (vocabulary_.empty()) {
        return;
    }
    for (const Signature& signature : signatures_) {
        const auto check = [&](std::string_view key, const std::string& word, bool known) {
            if (!word.empty() && !known) {
                problems_.push_back({signature.file,
                                     signature.line,
                                     signature.column,
                                     "the " + std::string(key) + ' ' + in_quotes(word) + " of " +
                                         in_quotes(signature.id) + " is not in the vocabulary"});
            }
        };
        const auto is_word = [this](WordKind kind, const std::string& word) {
            return vocabulary_.find(kind, word) != nullptr;
        };
        check("protocol", signature.protocol, is_word(WordKind::protocol, signature.protocol));
        check("label", signature.label, vocabulary_.is_type(signature.label));
        check("activity", signature.activity, is_word(WordKind::activity, signature.activity));
        check("device", signature.device, is_word(WordKind::device, signature.device));
    }
}

SignatureSet SignatureSet::parse(std::string_view toml, const std::string& file_name) {
    SignatureSet set;
    Loader(set.signatures_, set.problems_).read(toml, file_name);
    return set;
}

SignatureSet SignatureSet::of(std::vector<Signature> signatures, Vocabulary vocabulary) {
    assert(signatures.size() <= kMaximumSignatures);
    SignatureSet set;
    set.signatures_ = std::move(signatures);
    set.vocabulary_ = std::move(vocabulary);
    return set;
}

std::string SignatureSet::content_hash() const {
    ContentHash hash;
    for (const auto& [word, device] : vocabulary_.words(WordKind::device)) {
        hash.add(word);
        for (const std::string& vendor : device.vendors) {
            hash.add(vendor);
        }
    }
    for (const Signature& signature : signatures_) {
        hash.add(signature.id);
        hash.add(name_of(signature.kind));
        hash.add(signature.pattern);
        hash.add(uint64_t{signature.suffix});
        hash.add(name_of(signature.transport));
        for (const uint16_t port : signature.ports) {
            hash.add(uint64_t{port});
        }
        if (const LengthField& length = signature.length; length.octets != 0) {
            hash.add(uint64_t{length.at} << 8 | length.octets);
            hash.add(uint64_t{length.low_first});
            hash.add(static_cast<uint64_t>(length.plus));
        }
        hash.add(name_of(signature.sender));
        hash.add(uint64_t{signature.packets});
        hash.add(signature.field);
        hash.add(signature.protocol);
        hash.add(signature.service);
        hash.add(signature.label);
        hash.add(signature.activity);
        hash.add(signature.device);
    }
    return hash.text();
}

}  // namespace curlew::signatures
