#include "collector/device_groups.h"
#include "signatures/config_file.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <unordered_map>

namespace curlew::collector {
namespace {

constexpr size_t kMacOctets = 6;

// An address with its first bits; all of them for a single one.
struct Prefix {
    std::string octets;  // 4 or 16, in network order
    size_t bits = 0;
    size_t group = 0;

    bool holds(std::string_view address) const {
        if (address.size() != octets.size()) {
            return false;
        }
        const size_t whole = bits / 8;
        if (address.substr(0, whole) != std::string_view(octets).substr(0, whole)) {
            return false;
        }
        const size_t rest = bits % 8;
        const auto mask = static_cast<uint8_t>(0xff00u >> rest);
        return rest == 0 ||
               ((static_cast<uint8_t>(address[whole]) ^ static_cast<uint8_t>(octets[whole])) &
                mask) == 0;
    }
};

std::optional<std::string> octets_if_address(const std::string& text) {
    std::string octets(sizeof(in6_addr), '\0');
    if (inet_pton(AF_INET, text.c_str(), octets.data()) == 1) {
        octets.resize(sizeof(in_addr));
        return octets;
    }
    if (inet_pton(AF_INET6, text.c_str(), octets.data()) == 1) {
        return octets;
    }
    return std::nullopt;
}

std::optional<std::string> octets_if_mac(std::string_view text) {
    constexpr size_t kTextOctets = 3 * kMacOctets - 1;
    if (text.size() != kTextOctets) {
        return std::nullopt;
    }
    std::string octets;
    for (size_t i = 0; i < kMacOctets; ++i) {
        const char* at = text.data() + 3 * i;
        uint8_t octet = 0;
        const auto [end, error] = std::from_chars(at, at + 2, octet, 16);
        const bool separated = i + 1 == kMacOctets || at[2] == ':' || at[2] == '-';
        if (error != std::errc() || end != at + 2 || !separated) {
            return std::nullopt;
        }
        octets.push_back(static_cast<char>(octet));
    }
    return octets;
}

std::optional<Prefix> prefix_of(const std::string& text) {
    const size_t slash = text.find('/');
    const auto octets = octets_if_address(text.substr(0, slash));
    if (!octets) {
        return std::nullopt;
    }
    size_t bits = octets->size() * 8;
    if (slash != std::string::npos) {
        const char* begin = text.data() + slash + 1;
        const char* end = text.data() + text.size();
        size_t told = 0;
        const auto [rest, error] = std::from_chars(begin, end, told);
        if (error != std::errc() || rest != end || told > bits) {
            return std::nullopt;
        }
        bits = told;
    }
    return Prefix{*octets, bits, 0};
}

signatures::GroupRules load_rules(const std::string& name, const std::filesystem::path& folder) {
    const auto file = folder / "groups" / (name + ".toml");
    std::error_code failure;  // a name may be too long to be one
    if (name.find('/') != std::string::npos || !std::filesystem::is_regular_file(file, failure)) {
        throw signatures::ConfigError(fmt::format(
            "group {}: there is no such group file in {}", name, file.parent_path().string()));
    }
    signatures::GroupRules rules = signatures::GroupRules::load(file);
    if (!rules.problems().empty()) {
        throw signatures::ConfigError(to_string(rules.problems().front()));
    }
    return rules;
}

signatures::SignatureSet load_signatures(const std::filesystem::path& folder) {
    signatures::SignatureSet set = signatures::SignatureSet::load(folder);
    if (!set.problems().empty()) {
        throw signatures::ConfigError(to_string(set.problems().front()));
    }
    return set;
}

}  // namespace

struct DeviceGroups::Implementation {
    void add(const GroupConfig& config, const std::filesystem::path& folder) {
        const size_t group = rules.size();
        rules.push_back(load_rules(config.name, folder));
        for (const auto& [role, address] : config.roles) {
            try {
                rules.back().set_role(role, address);
            } catch (const std::runtime_error& error) {
                throw signatures::ConfigError(
                    fmt::format("group {}: {}", config.name, error.what()));
            }
        }
        for (const std::string& device : config.devices) {
            if (const auto mac = octets_if_mac(device)) {
                exact.try_emplace(*mac, group);
            } else if (auto prefix = prefix_of(device)) {
                prefix->group = group;
                if (prefix->bits == prefix->octets.size() * 8) {
                    exact.try_emplace(prefix->octets, group);
                } else {
                    prefixes.push_back(std::move(*prefix));
                }
            } else {
                throw signatures::ConfigError(fmt::format(
                    "group {}: device {} is neither an address, a prefix nor a MAC address",
                    config.name,
                    device));
            }
        }
    }

    // The first group that the octets belong to; as many as there are groups when there is none.
    size_t first_group(const std::string& octets) const {
        size_t group = rules.size();
        if (const auto found = exact.find(octets); found != exact.end()) {
            group = found->second;
        }
        for (const Prefix& prefix : prefixes) {
            if (prefix.group >= group) {
                break;
            }
            if (prefix.holds(octets)) {
                return prefix.group;
            }
        }
        return group;
    }

    explicit Implementation(const std::filesystem::path& folder)
        : set(load_signatures(folder)), content(set) {}

    signatures::SignatureSet set;
    signatures::ContentRules content;
    std::vector<signatures::GroupRules> rules;
    std::unordered_map<std::string, size_t> exact;  // address or MAC address to its first group
    std::vector<Prefix> prefixes;                   // in order of groups
};

DeviceGroups::DeviceGroups(const CollectorConfig& config,
                           const std::filesystem::path& signatures_folder)
    : implementation_(std::make_unique<Implementation>(signatures_folder)) {
    for (const GroupConfig& group : config.groups) {
        implementation_->add(group, signatures_folder);
    }
    implementation_->add({.name = config.default_group}, signatures_folder);
}

DeviceGroups::~DeviceGroups() = default;

size_t DeviceGroups::group_of(const proto::FlowSummary& flow) const {
    const Implementation& self = *implementation_;
    size_t group = std::min(self.first_group(flow.initiator_address()),
                            self.first_group(flow.responder_address()));
    for (const proto::Direction* direction : {&flow.forward(), &flow.reverse()}) {
        for (const std::string* mac : {&direction->source_mac(), &direction->destination_mac()}) {
            if (mac->size() == kMacOctets) {
                group = std::min(group, self.first_group(*mac));
            }
        }
    }
    return std::min(group, self.rules.size() - 1);
}

size_t DeviceGroups::size() const noexcept {
    return implementation_->rules.size();
}

const std::string& DeviceGroups::name(size_t group) const {
    return implementation_->rules[group].name();
}

const signatures::GroupRules& DeviceGroups::rules(size_t group) const {
    return implementation_->rules[group];
}

LabelRules DeviceGroups::label_rules(size_t group) const {
    return {implementation_->rules[group], implementation_->content, MacVendors::installed()};
}

}  // namespace curlew::collector
