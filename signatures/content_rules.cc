#include "signatures/content_rules.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <algorithm>
#include <stdexcept>

namespace curlew::signatures {
namespace {

// A set of patterns becomes one automaton; this is what it may take.
constexpr int64_t kAutomatonOctets = int64_t{64} << 20;

RE2::Options pattern_options() {
    RE2::Options options;
    options.set_encoding(RE2::Options::EncodingLatin1);  // any octet is a character
    options.set_dot_nl(true);
    options.set_log_errors(false);
    options.set_max_mem(kAutomatonOctets);
    return options;
}

// A field is matched whole, a sequence from its beginning.
RE2::Anchor anchor_of(SignatureKind kind) {
    return kind == SignatureKind::field ? RE2::ANCHOR_BOTH : RE2::ANCHOR_START;
}

std::string_view without_port(std::string_view host) noexcept {
    const size_t colon = host.rfind(':');
    if (colon == std::string_view::npos ||
        host.find_first_not_of("0123456789", colon + 1) != std::string_view::npos) {
        return host;
    }
    return host.substr(0, colon);
}

}  // namespace

class ContentRules::PatternSet {
  public:
    explicit PatternSet(SignatureKind kind) : set_(pattern_options(), anchor_of(kind)) {}

    // One sentence when RE2 refuses the pattern.
    std::string add(const std::string& pattern, uint16_t index) {
        std::string error;
        if (set_.Add(pattern, &error) < 0) {
            return error;
        }
        indexes_.push_back(index);
        return {};
    }

    void compile() {
        if (!set_.Compile()) {
            throw std::runtime_error("the patterns of fields need more memory than they may have");
        }
    }

    void match(std::string_view text, std::vector<uint16_t>& hits) const {
        std::vector<int> found;
        if (!set_.Match({text.data(), text.size()}, &found)) {
            return;
        }
        std::sort(found.begin(), found.end());
        for (const int one : found) {
            hits.push_back(indexes_[static_cast<size_t>(one)]);
        }
    }

  private:
    RE2::Set set_;
    std::vector<uint16_t> indexes_;
};

ContentRules::ContentRules(const SignatureSet& set) : set_(&set), names_(set) {
    const std::vector<Signature>& signatures = set.signatures();
    ids_.reserve(signatures.size());
    for (size_t i = 0; i < signatures.size(); ++i) {
        const auto index = static_cast<uint16_t>(i);
        const Signature& signature = signatures[i];
        ids_.emplace(signature.id, index);
        switch (signature.kind) {
            case SignatureKind::field:
                add_pattern(fields_[signature.field], index);
                break;
            case SignatureKind::sequence:
                add_pattern(sequences_, index);
                break;
            case SignatureKind::behaviour:
                behaviours_.emplace(signature.pattern, index);
                break;
            case SignatureKind::port:
                ports_[static_cast<size_t>(signature.transport)].emplace(
                    static_cast<uint16_t>(std::stoi(signature.pattern)), index);
                break;
            case SignatureKind::payload:
            case SignatureKind::name:
                break;
        }
    }
    for (auto& [field, patterns] : fields_) {
        patterns->compile();
    }
    if (sequences_) {
        sequences_->compile();
    }
}

ContentRules::~ContentRules() = default;

void ContentRules::add_pattern(std::unique_ptr<PatternSet>& patterns, uint16_t index) {
    const Signature& signature = set_->signatures()[index];
    if (!patterns) {
        patterns = std::make_unique<PatternSet>(signature.kind);
    }
    const std::string wrong = patterns->add(signature.pattern, index);
    if (!wrong.empty()) {
        throw std::runtime_error("the signature '" + signature.id +
                                 "' cannot be compiled: " + wrong);
    }
}

uint16_t ContentRules::with_id(std::string_view id) const {
    const auto found = ids_.find(id);
    return found == ids_.end() ? kNone : found->second;
}

uint16_t ContentRules::name(std::string_view name) const noexcept {
    return names_.match(without_port(name));
}

uint16_t ContentRules::behaviour(std::string_view word) const {
    const auto found = behaviours_.find(word);
    return found == behaviours_.end() ? kNone : found->second;
}

uint16_t ContentRules::port(Transport transport, uint16_t port) const {
    for (const Transport one : {transport, Transport::any}) {
        const auto& ports = ports_[static_cast<size_t>(one)];
        if (const auto found = ports.find(port); found != ports.end()) {
            return found->second;
        }
    }
    return kNone;
}

void ContentRules::fields(std::string_view field,
                          std::string_view value,
                          std::vector<uint16_t>& hits) const {
    if (const auto found = fields_.find(field); found != fields_.end()) {
        found->second->match(value, hits);
    }
}

void ContentRules::sequences(Transport transport,
                             std::string_view symbols,
                             std::vector<uint16_t>& hits) const {
    if (!sequences_ || symbols.empty()) {
        return;
    }
    const size_t before = hits.size();
    sequences_->match(symbols, hits);
    std::erase_if(hits, [&, at = size_t{0}](uint16_t index) mutable {
        const Transport wanted = set_->signatures()[index].transport;
        return at++ >= before && wanted != Transport::any && wanted != transport;
    });
}

bool matches_in_part(const Signature& signature, std::string_view value) {
    const RE2 pattern(signature.pattern, pattern_options());
    return pattern.ok() && RE2::PartialMatch({value.data(), value.size()}, pattern);
}

std::string check_content_pattern(const Signature& signature) {
    const RE2 pattern(signature.pattern, pattern_options());
    return pattern.ok() ? std::string() : pattern.error();
}

}  // namespace curlew::signatures
