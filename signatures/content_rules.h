#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "signatures/host_names.h"
#include "signatures/signature_set.h"

// The signatures that need no payload, ready to be asked: names, fields, sequences, behaviours and
// ports. No Hyperscan: RE2 holds the patterns, because what they look at comes seldom and is short,
// and its time is linear in that whatever the pattern. Const once made, asked by any thread.

namespace curlew::signatures {

class ContentRules {
  public:
    static constexpr uint16_t kNone = 0xffff;

    // Throws std::runtime_error with one sentence that names the signature whose pattern RE2
    // refuses. Requires: the set outlives this.
    explicit ContentRules(const SignatureSet& set);
    ~ContentRules();
    ContentRules(const ContentRules&) = delete;
    ContentRules& operator=(const ContentRules&) = delete;

    const SignatureSet& set() const noexcept { return *set_; }
    const Signature& operator[](uint16_t index) const { return set_->signatures()[index]; }

    // All of these give indexes into the set, or kNone.
    uint16_t with_id(std::string_view id) const;
    // See HostNames. A port behind a name, as HTTP has it, is passed over.
    uint16_t name(std::string_view name) const noexcept;
    uint16_t behaviour(std::string_view word) const;
    // Of the responder; one for this transport before one for any.
    uint16_t port(Transport transport, uint16_t port) const;

    // Appends those that match, in order of index. `value` is any octets.
    void fields(std::string_view field, std::string_view value, std::vector<uint16_t>& hits) const;
    void sequences(Transport transport,
                   std::string_view symbols,
                   std::vector<uint16_t>& hits) const;

  private:
    class PatternSet;

    void add_pattern(std::unique_ptr<PatternSet>& patterns, uint16_t index);

    const SignatureSet* set_;
    HostNames names_;
    std::unordered_map<std::string_view, uint16_t> ids_;
    std::map<std::string, std::unique_ptr<PatternSet>, std::less<>> fields_;  // by field
    std::unique_ptr<PatternSet> sequences_;
    std::map<std::string, uint16_t, std::less<>> behaviours_;
    std::array<std::unordered_map<uint16_t, uint16_t>, 3> ports_;  // by transport
};

// Compiles the pattern of a signature of kind field or sequence. Empty when RE2 takes it, else one
// sentence.
std::string check_content_pattern(const Signature& signature);

// Whether the pattern of a signature of kind field matches anywhere in the value.
bool matches_in_part(const Signature& signature, std::string_view value);

}  // namespace curlew::signatures
