#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/problem.h"

// The published label rules as data: one file per group in groups/*.toml, an ordered list of
// conditions on sp, dp, sa, da and the two TTLs. A library of its own, without Hyperscan: the
// collector and `curlew annotate` use it. signatures/README.md is the manual of the files.

namespace curlew::signatures {

// What a published rule looks at, in the direction of the published record.
struct RuleView {
    int32_t sp = -1;  // -1: null, neither TCP nor UDP
    int32_t dp = -1;
    std::string_view sa;  // as text: rules compare its first character
    std::string_view da;
    uint32_t out_ttl = 0;
    bool has_in_ttl = false;  // false: the record has no packet in that direction
    uint32_t in_ttl = 0;
};

// Bounds on what is read.
inline constexpr size_t kMaximumRules = 256;
inline constexpr size_t kMaximumConditions = 64;  // of one rule
inline constexpr size_t kMaximumAddresses = 64;   // of one role
inline constexpr size_t kMaximumJoyIdp = 1300;

class GroupRules {
  public:
    // Reads one group file. Everything wrong is in problems(); a set with problems labels nothing.
    static GroupRules load(const std::filesystem::path& file);
    static GroupRules parse(std::string_view toml, const std::string& file_name);

    const std::vector<Problem>& problems() const noexcept { return problems_; }
    const std::string& name() const noexcept { return name_; }
    const std::string& title() const noexcept { return title_; }

    // True when the group has published rules; `any` has none.
    bool has_rules() const noexcept { return !rules_.empty(); }

    // Device roles and their addresses as the file gives them, overridable one by one.
    const std::map<std::string, std::vector<std::string>>& roles() const noexcept { return roles_; }
    // Which device a role is, a word of the vocabulary each.
    const std::map<std::string, std::string>& devices() const noexcept { return devices_; }
    // Gives the role this address, or several with commas between, in place of all it had. Throws
    // std::runtime_error when the role is not in the file or an address is none.
    void set_role(const std::string& role, const std::string& address);

    // The published `publish` rule: a selection expression such as "host 192.168.3.213", with the
    // roles filled in; empty: everything is published. "host @role" of a role with several
    // addresses becomes "(host A or host B)".
    std::string publish() const;

    // Joy's setting `idp` when the group was published: octets kept of first packets.
    size_t joy_idp() const noexcept { return joy_idp_; }

    // The label of the first rule that holds; "Flow Error" when a rule reached needs the in TTL,
    // its port condition holds and there is none. Empty when the group has no rules. The text
    // lives as long as these rules.
    std::string_view label(const RuleView& view) const noexcept;

    // Names the content as the manifest gives it, roles included: 16 hex digits.
    std::string content_hash() const;

    // One condition: everything present must hold. Public for the loader and the tests.
    struct Condition {
        int32_t sp = -2;  // -2: not asked
        int32_t dp = -2;
        int32_t sp_not = -2;
        bool no_ports = false;        // sp and dp are both null
        bool same_ports = false;      // sp equals dp, null included
        std::vector<std::string> sa;  // any of these, "@role" for a role's; empty: not asked
        std::vector<std::string> da;
        char da_first = 0;  // first character of da; 0: not asked
        char da_first_not = 0;
        int32_t out_ttl = -1;  // -1: not asked
        int32_t in_ttl = -1;   // when everything else holds and there is no in TTL: Flow Error
    };
    struct Rule {
        std::string label;
        std::vector<Condition> any_of;  // at least one; the rule holds if one holds
    };

  private:
    friend class GroupLoader;
    // Fills the roles into the rules, so that labelling only compares.
    void resolve_roles();

    std::string name_;
    std::string title_;
    std::string publish_;
    size_t joy_idp_ = kMaximumJoyIdp;
    std::vector<Rule> rules_;     // as the file gives them, with "@role"
    std::vector<Rule> resolved_;  // with addresses
    std::map<std::string, std::vector<std::string>> roles_;
    std::map<std::string, std::string> devices_;
    std::vector<Problem> problems_;
};

// The address as a computer writes it, or an empty text when it is neither IPv4 nor IPv6. Rules
// compare addresses as text, so every one from a file or an option goes through this.
std::string canonical_address(const std::string& text);

}  // namespace curlew::signatures
