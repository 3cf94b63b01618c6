#include "signatures/group_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "signatures/content_hash.h"

namespace curlew::signatures {
namespace {

constexpr std::string_view kFlowError = "Flow Error";

bool is_one_of(std::string_view address, const std::vector<std::string>& addresses) noexcept {
    return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

// Everything but the in TTL, which decides only once the rest holds.
bool holds_without_in_ttl(const GroupRules::Condition& condition, const RuleView& view) noexcept {
    const bool ports_hold = (condition.sp == -2 || condition.sp == view.sp) &&
                            (condition.dp == -2 || condition.dp == view.dp) &&
                            (condition.sp_not == -2 || condition.sp_not != view.sp) &&
                            (!condition.no_ports || (view.sp == -1 && view.dp == -1)) &&
                            (!condition.same_ports || view.sp == view.dp);
    const char first = view.da.empty() ? '\0' : view.da.front();
    return ports_hold && (condition.sa.empty() || is_one_of(view.sa, condition.sa)) &&
           (condition.da.empty() || is_one_of(view.da, condition.da)) &&
           (condition.da_first == 0 || condition.da_first == first) &&
           (condition.da_first_not == 0 || condition.da_first_not != first) &&
           (condition.out_ttl == -1 || static_cast<uint32_t>(condition.out_ttl) == view.out_ttl);
}

void resolve(std::vector<std::string>& addresses,
             const std::map<std::string, std::vector<std::string>>& roles) {
    std::vector<std::string> resolved;
    for (const std::string& address : addresses) {
        if (address.starts_with('@')) {
            const std::vector<std::string>& of_role = roles.at(address.substr(1));
            resolved.insert(resolved.end(), of_role.begin(), of_role.end());
        } else {
            resolved.push_back(address);
        }
    }
    addresses = std::move(resolved);
}

void add_texts(ContentHash& hash, const std::vector<std::string>& texts) {
    hash.add(uint64_t{texts.size()});
    for (const std::string& text : texts) {
        hash.add(text);
    }
}

void add_condition(ContentHash& hash, const GroupRules::Condition& condition) {
    const std::array<int64_t, 9> numbers = {condition.sp,
                                            condition.dp,
                                            condition.sp_not,
                                            condition.no_ports,
                                            condition.same_ports,
                                            condition.da_first,
                                            condition.da_first_not,
                                            condition.out_ttl,
                                            condition.in_ttl};
    for (const int64_t number : numbers) {
        hash.add(static_cast<uint64_t>(number));
    }
    add_texts(hash, condition.sa);
    add_texts(hash, condition.da);
}

std::string hosts(const std::vector<std::string>& addresses) {
    std::string text;
    for (const std::string& address : addresses) {
        text += (text.empty() ? "host " : " or host ") + address;
    }
    return addresses.size() == 1 ? text : "(" + text + ")";
}

}  // namespace

std::string canonical_address(const std::string& text) {
    std::array<unsigned char, 16> octets{};
    std::array<char, INET6_ADDRSTRLEN> written{};
    for (const int family : {AF_INET, AF_INET6}) {
        if (inet_pton(family, text.c_str(), octets.data()) == 1 &&
            inet_ntop(family, octets.data(), written.data(), written.size()) != nullptr) {
            return written.data();
        }
    }
    return {};
}

void GroupRules::resolve_roles() {
    resolved_ = rules_;
    for (Rule& rule : resolved_) {
        for (Condition& condition : rule.any_of) {
            resolve(condition.sa, roles_);
            resolve(condition.da, roles_);
        }
    }
}

void GroupRules::set_role(const std::string& role, const std::string& address) {
    const auto found = roles_.find(role);
    if (found == roles_.end()) {
        throw std::runtime_error("the group '" + name_ + "' has no role '" + role + "'");
    }
    std::vector<std::string> addresses;
    for (size_t begin = 0; begin <= address.size();) {
        const size_t end = std::min(address.find(',', begin), address.size());
        const std::string one = address.substr(begin, end - begin);
        addresses.push_back(canonical_address(one));
        if (addresses.back().empty()) {
            throw std::runtime_error("the role '" + role + "' cannot be '" + one +
                                     "': that is no IP address");
        }
        begin = end + 1;
    }
    if (addresses.size() > kMaximumAddresses) {
        throw std::runtime_error("the role '" + role + "' cannot have more than " +
                                 std::to_string(kMaximumAddresses) + " addresses");
    }
    found->second = std::move(addresses);
    resolve_roles();
}

std::string GroupRules::publish() const {
    constexpr std::string_view kHostRole = "host @";
    std::string text;
    std::string_view rest = publish_;
    // The loader made sure that '@' stands after "host " and before a role.
    for (size_t at; (at = rest.find(kHostRole)) != std::string_view::npos;) {
        text += rest.substr(0, at);
        rest.remove_prefix(at + kHostRole.size());
        const size_t end = std::min(rest.find_first_of(" ()"), rest.size());
        text += hosts(roles_.at(std::string(rest.substr(0, end))));
        rest.remove_prefix(end);
    }
    return text + std::string(rest);
}

std::string_view GroupRules::label(const RuleView& view) const noexcept {
    for (const Rule& rule : resolved_) {
        for (const Condition& condition : rule.any_of) {
            if (!holds_without_in_ttl(condition, view)) {
                continue;
            }
            if (condition.in_ttl == -1) {
                return rule.label;
            }
            if (!view.has_in_ttl) {
                return kFlowError;
            }
            if (static_cast<uint32_t>(condition.in_ttl) == view.in_ttl) {
                return rule.label;
            }
        }
    }
    return {};
}

std::string GroupRules::content_hash() const {
    ContentHash hash;
    hash.add(name_);
    hash.add(publish_);
    if (joy_idp_ != kMaximumJoyIdp) {
        hash.add(uint64_t{joy_idp_});
    }
    for (const auto& [role, addresses] : roles_) {
        hash.add(role);
        add_texts(hash, addresses);
    }
    for (const auto& [role, device] : devices_) {
        hash.add(role);
        hash.add(device);
    }
    hash.add(uint64_t{rules_.size()});
    for (const Rule& rule : rules_) {
        hash.add(rule.label);
        hash.add(uint64_t{rule.any_of.size()});
        for (const Condition& condition : rule.any_of) {
            add_condition(hash, condition);
        }
    }
    return hash.text();
}

}  // namespace curlew::signatures
