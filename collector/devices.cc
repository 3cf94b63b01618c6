#include "collector/devices.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <tuple>

#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using signatures::Signature;
using signatures::WordKind;

// So many addresses of version 4 that are not in one subnet of 256 are a router's.
constexpr size_t kRouterSubnets = 4;
constexpr size_t kMaximumNames = 16;
constexpr size_t kMaximumClues = 64;

bool is_private_v4(const std::string& octets) {
    const auto at = [&octets](size_t i) { return static_cast<uint8_t>(octets[i]); };
    return octets.size() == 4 &&
           (at(0) == 10 || (at(0) == 172 && (at(1) & 0xf0) == 16) ||
            (at(0) == 192 && at(1) == 168) || (at(0) == 169 && at(1) == 254) ||
            (at(0) == 100 && (at(1) & 0xc0) == 64));
}

// Somebody, not everybody or nobody yet.
bool is_host(const std::string& octets) {
    if (octets.size() == 4) {
        const auto first = static_cast<uint8_t>(octets[0]);
        return first != 0 && first < 224;
    }
    return octets.size() == 16 && static_cast<uint8_t>(octets[0]) != 0xff &&
           octets != std::string(16, '\0');
}

std::optional<uint32_t> maker_octets(std::string_view mac) {
    uint32_t value = 0;
    for (const size_t at : {size_t{0}, size_t{3}, size_t{6}}) {
        uint32_t octet = 0;
        if (mac.size() < 8 ||
            std::from_chars(mac.data() + at, mac.data() + at + 2, octet, 16).ptr !=
                mac.data() + at + 2) {
            return std::nullopt;
        }
        value = value << 8 | octet;
    }
    return value;
}

bool is_random(std::string_view mac) {
    const auto maker = maker_octets(mac);
    return maker && (*maker & 0x020000) != 0;
}

// What a device gives itself as a name. Names of DHCP come as fields, with their owner.
bool is_own_name(const Fact& fact) {
    return fact.field == "mdns.answer" ||
           (fact.kind == EvidenceKind::field && fact.field == "dhcp.host_name");
}

}  // namespace

MacVendors MacVendors::parse(std::string text) {
    MacVendors vendors;
    vendors.text_ = std::move(text);
    // "00-0B-57   (hex)", two tabs, "Silicon Laboratories"
    constexpr std::string_view kMark = "   (hex)\t\t";
    constexpr size_t kMakerLetters = 8;
    const std::string_view all = vendors.text_;
    for (size_t at = all.find(kMark); at != std::string_view::npos; at = all.find(kMark, at + 1)) {
        const size_t begin = at + kMark.size();
        const size_t end = std::min(all.find_first_of("\r\n", begin), all.size());
        if (at >= kMakerLetters) {
            if (const auto maker = maker_octets(all.substr(at - kMakerLetters, kMakerLetters))) {
                vendors.vendors_.emplace(*maker, std::pair(begin, end - begin));
            }
        }
    }
    return vendors;
}

MacVendors MacVendors::load(const std::filesystem::path& file) {
    std::error_code failure;
    const auto octets = std::filesystem::file_size(file, failure);
    std::string text(failure ? 0 : octets, '\0');
    std::ifstream stream(file, std::ios::binary);
    stream.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
    return parse(std::move(text));
}

const MacVendors& MacVendors::installed() {
    static const MacVendors vendors = load();
    return vendors;
}

std::string MacVendors::vendor(std::string_view mac) const {
    const auto maker = maker_octets(mac);
    const auto found = maker ? vendors_.find(*maker) : vendors_.end();
    return found == vendors_.end() ? std::string()
                                   : wire_text(std::string_view(text_).substr(
                                         found->second.first, found->second.second));
}

std::string_view name_of(MacKind kind) noexcept {
    constexpr std::string_view kNames[] = {"none", "universal", "random", "router"};
    return kNames[static_cast<size_t>(kind)];
}

Devices::Presence* Devices::note_end(const End& end, const Ends& times) {
    key_.assign(1, static_cast<char>(end.mac.size()));
    key_.append(end.mac).append(end.address);
    auto found = presences_.find(key_);
    if (found == presences_.end()) {
        if (presences_.size() == kMaximumPresences) {
            return nullptr;
        }
        found = presences_.emplace(key_, Presence{{times.start_us, times.end_us}, {}, {}}).first;
    }
    AddressSpan& span = found->second.span;
    span.first_us = std::min(span.first_us, times.start_us);
    span.last_us = std::max(span.last_us, times.end_us);
    return &found->second;
}

void Devices::forget_before(uint64_t time_us) {
    for (auto at = presences_.begin(); at != presences_.end();) {
        const uint64_t last_us = at->second.span.last_us;
        const auto next = std::next(at);
        if (last_us < time_us && time_us - last_us > kRemembered_us) {
            presences_.erase(at);
        }
        at = next;
    }
    if (presences_.size() <= kMaximumPresences / 2) {
        return;
    }
    const size_t too_many = presences_.size() - kMaximumPresences / 2;
    std::vector<std::pair<uint64_t, std::string>> silent;
    for (const auto& [key, presence] : presences_) {
        if (presence.names.empty() && presence.clues.empty()) {
            silent.emplace_back(presence.span.last_us, key);
        }
    }
    std::sort(silent.begin(), silent.end());
    silent.resize(std::min(silent.size(), too_many));
    for (const auto& [last_us, key] : silent) {
        presences_.erase(key);
    }
}

void Devices::note_clue(const Clue& clue, Presence& presence) {
    if (!clue.key.empty()) {
        const auto known = presence.clues.find(clue.key);
        if (known != presence.clues.end()) {
            ++known->second.flows;
        } else if (presence.clues.size() < kMaximumClues) {
            presence.clues.emplace(clue.key, clue.hit);
        }
    }
    if (!clue.name.empty() && presence.names.size() < kMaximumNames) {
        presence.names.insert(clue.name);
    }
}

void Devices::add_hit(const Fact& fact, uint16_t index, std::vector<Clue>& clues) const {
    if (index == signatures::ContentRules::kNone || (*rules_)[index].device.empty()) {
        return;
    }
    const Signature& signature = (*rules_)[index];
    Clue& clue = clues.emplace_back();
    clue.reverse = fact.reverse;
    clue.owner = fact.owner;
    clue.key = signature.id + '\n' + fact.field + '\n' + fact.value;
    clue.hit = {signature.device, fact, 1, false};
    clue.hit.fact.signature = signature.id;
    clue.hit.fact.packet = clue.hit.fact.offset = 0;
}

void Devices::add_clues(const Fact& fact, std::vector<Clue>& clues) const {
    if (fact.kind == EvidenceKind::payload) {
        add_hit(fact, rules_->with_id(fact.signature), clues);
    } else if (fact.kind == EvidenceKind::name && fact.field != "dhcp.host_name") {
        add_hit(fact, rules_->name(fact.value), clues);
    } else if (fact.kind == EvidenceKind::field) {
        std::vector<uint16_t> hits;
        rules_->fields(fact.field, fact.value, hits);
        for (const uint16_t index : hits) {
            add_hit(fact, index, clues);
        }
    }
    // A service's type, "_hap._tcp.local", is nobody's name.
    if (is_own_name(fact) && !fact.value.ends_with(".arpa") && !fact.value.starts_with('_')) {
        Clue& clue = clues.emplace_back();
        clue.reverse = fact.reverse;
        clue.owner = fact.owner;
        clue.name = fact.value;
    }
    // Whose presence is to be noted, though nothing is known of it.
    if (!fact.owner.empty() && (clues.empty() || clues.back().owner != fact.owner)) {
        Clue& clue = clues.emplace_back();
        clue.reverse = fact.reverse;
        clue.owner = fact.owner;
    }
}

std::vector<Devices::Clue> Devices::clues_of(const FlowFacts& facts) const {
    std::vector<Clue> clues;
    for (const auto* list : {&facts.facts, &facts.fields}) {
        for (const Fact& fact : *list) {
            add_clues(fact, clues);
        }
    }
    return clues;
}

void Devices::note(const Ends& ends, const std::vector<Clue>& clues) {
    for (const bool reverse : {false, true}) {
        const End& end = ends.ends[reverse ? 1 : 0];
        const bool sent_nothing = end.mac.empty() && reverse && !ends.ends[0].mac.empty();
        Presence* presence = sent_nothing ? nullptr : note_end(end, ends);
        for (const Clue& clue : clues) {
            if (clue.reverse != reverse) {
                continue;
            }
            const std::string owner = mac_octets(clue.owner);
            Presence* of =
                owner.empty() || owner == end.mac ? presence : note_end({owner, end.address}, ends);
            if (of != nullptr) {
                note_clue(clue, *of);
            }
        }
    }
}

void Devices::add(const FlowFacts& facts) {
    const std::string octets[] = {mac_octets(facts.initiator_mac),
                                  address_octets(facts.initiator),
                                  mac_octets(facts.responder_mac),
                                  address_octets(facts.responder)};
    note(
        {{End{octets[0], octets[1]}, End{octets[2], octets[3]}}, facts.flow_start_us, facts.end_us},
        clues_of(facts));
}

namespace {

// The vocabulary lists the maker of the device's MAC address for this word.
bool is_of_maker(const signatures::ContentRules& rules,
                 const Device& device,
                 const std::string& word) {
    const signatures::Word* entry = rules.set().vocabulary().find(WordKind::device, word);
    return entry != nullptr && device.mac_kind == MacKind::universal &&
           std::any_of(entry->vendors.begin(), entry->vendors.end(), [&](const auto& vendor) {
               return lower_case(device.vendor).starts_with(lower_case(vendor));
           });
}

// From the clues to what is discovered: what a device says outweighs whatever it asks for; of two
// that say as much, none.
void weigh(const signatures::ContentRules& rules, Device& device) {
    constexpr uint64_t kSaidItself = uint64_t{1} << 32;
    std::map<std::string, uint64_t> weights;
    for (DeviceClue& clue : device.clues) {
        const bool said_itself = clue.fact.kind != EvidenceKind::name || is_own_name(clue.fact);
        clue.believed = said_itself || is_of_maker(rules, device, clue.device);
        weights[clue.device] += clue.believed ? clue.flows + (said_itself ? kSaidItself : 0) : 0;
    }
    uint64_t best = 0;
    device.discovered.clear();
    for (const auto& [word, weight] : weights) {
        if (weight > best) {
            device.discovered = word;
        } else if (weight == best) {
            device.discovered.clear();
        }
        best = std::max(best, weight);
    }
}

}  // namespace

void Devices::describe(Found found, Device& device) const {
    device.id = std::move(found.id);
    device.mac = found.kind == MacKind::router ? std::string() : found.begin->mac;
    device.mac_kind = found.kind;
    if (found.kind == MacKind::universal) {
        device.vendor = vendors_->vendor(device.mac);
    }
    for (auto at = found.begin; at != found.end; ++at) {
        const Presence& presence = *at->presence;
        if (is_host(address_octets(at->address))) {
            device.addresses.emplace(at->address, presence.span);
        }
        device.names.insert(presence.names.begin(), presence.names.end());
        for (const auto& [key, clue] : presence.clues) {
            device.clues.push_back(clue);
        }
    }
    weigh(*rules_, device);
}

namespace {

MacKind kind_of(const std::string& mac, const std::vector<std::string>& addresses) {
    if (mac.empty()) {
        return MacKind::none;
    }
    std::set<std::string> subnets;
    size_t version4 = 0;
    bool any_public = false;
    for (const std::string& address : addresses) {
        const std::string octets = address_octets(address);
        if (octets.size() == 4 && is_host(octets)) {
            ++version4;
            subnets.insert(octets.substr(0, 3));
            any_public = any_public || !is_private_v4(octets);
        }
    }
    if ((any_public && version4 > 1) || subnets.size() >= kRouterSubnets) {
        return MacKind::router;
    }
    return is_random(mac) ? MacKind::random : MacKind::universal;
}

// The role is that of an address, the device what the group tells of the role, else what was
// discovered.
void tell_role(const signatures::GroupRules& group, Device& device) {
    device.role.clear();
    device.device = device.discovered;
    device.device_source = device.device.empty() ? "" : "discovered";
    for (const auto& [role, addresses] : group.roles()) {
        const bool holds = std::any_of(addresses.begin(), addresses.end(), [&](const auto& one) {
            return device.addresses.contains(one);
        });
        if (!holds) {
            continue;
        }
        device.role = role;
        const auto told = group.devices().find(role);
        if (told != group.devices().end()) {
            device.device = told->second;
            device.device_source = "told";
        }
        return;
    }
}

}  // namespace

// By MAC address, then by address.
Devices::InOrder Devices::in_order() const {
    InOrder presences;
    presences.reserve(presences_.size());
    for (const auto& [key, presence] : presences_) {
        const auto mac_octets = static_cast<size_t>(key[0]);
        const std::string_view ends = std::string_view(key).substr(1);
        presences.push_back({mac_text(ends.substr(0, mac_octets)),
                             address_text(ends.substr(mac_octets)),
                             &presence});
    }
    std::sort(presences.begin(), presences.end(), [](const Placed& left, const Placed& right) {
        return std::tie(left.mac, left.address) < std::tie(right.mac, right.address);
    });
    return presences;
}

std::vector<Devices::Found> Devices::by_id(const InOrder& presences) {
    std::vector<Found> found;
    for (auto begin = presences.begin(); begin != presences.end();) {
        const std::string& mac = begin->mac;
        auto end = begin;
        std::vector<std::string> addresses;
        for (; end != presences.end() && end->mac == mac; ++end) {
            addresses.push_back(end->address);
        }
        const MacKind kind = kind_of(mac, addresses);
        if (kind == MacKind::universal || kind == MacKind::random) {
            found.push_back({"mac-" + mac, kind, begin, end});
        } else {
            for (auto at = begin; at != end; ++at) {
                if (is_private_v4(address_octets(at->address))) {
                    found.push_back({"address-" + at->address, kind, at, std::next(at)});
                }
            }
        }
        begin = end;
    }
    // An address that two routers have stays in their order.
    std::stable_sort(found.begin(), found.end(), [](const Found& left, const Found& right) {
        return left.id < right.id;
    });
    return found;
}

std::vector<Device> Devices::found(const signatures::GroupRules& group) const {
    const InOrder presences = in_order();
    std::vector<Found> found = by_id(presences);
    std::vector<Device> devices;
    // A device is large: each is described where it stays.
    devices.reserve(found.size());
    for (Found& one : found) {
        Device& device = devices.emplace_back();
        describe(std::move(one), device);
        tell_role(group, device);
    }
    return devices;
}

std::vector<Device> of_dataset(std::vector<Device> devices, const AddressSpan& span) {
    std::erase_if(devices, [&span](const Device& device) {
        const bool is_known =
            !device.clues.empty() || !device.names.empty() || !device.role.empty();
        return !is_known && !device.addresses.empty() &&
               std::none_of(
                   device.addresses.begin(), device.addresses.end(), [&span](const auto& address) {
                       return address.second.first_us <= span.last_us &&
                              address.second.last_us >= span.first_us;
                   });
    });
    return devices;
}

void decide_again(const signatures::ContentRules& rules,
                  const signatures::GroupRules& group,
                  std::vector<Device>& devices) {
    for (Device& device : devices) {
        std::vector<DeviceClue> clues;
        for (DeviceClue& clue : device.clues) {
            std::vector<uint16_t> hits;
            if (clue.fact.kind == EvidenceKind::payload) {
                hits = {rules.with_id(clue.fact.signature)};
            } else if (clue.fact.kind == EvidenceKind::name) {
                hits = {rules.name(clue.fact.value)};
            } else {
                rules.fields(clue.fact.field, clue.fact.value, hits);
            }
            for (const uint16_t index : hits) {
                if (index != signatures::ContentRules::kNone && !rules[index].device.empty()) {
                    DeviceClue& fresh = clues.emplace_back(clue);
                    fresh.device = rules[index].device;
                    fresh.fact.signature = rules[index].id;
                }
            }
        }
        device.clues = std::move(clues);
        weigh(rules, device);
        tell_role(group, device);
    }
}

DeviceWords::DeviceWords(const std::vector<Device>& devices) {
    for (const Device& device : devices) {
        if (device.device.empty()) {
            continue;
        }
        auto& addresses = device.mac.empty() ? by_address_ : by_owned_address_;
        for (const auto& [address, span] : device.addresses) {
            addresses.emplace(address_octets(address), device.device);
        }
        if (!device.mac.empty()) {
            by_mac_.emplace(mac_octets(device.mac), device.device);
        }
    }
}

std::string DeviceWords::find(const Devices::End& end) const {
    const auto look = [](const OctetMap<std::string>& words, std::string_view octets) {
        const auto found = octets.empty() ? words.end() : words.find(octets);
        return found == words.end() ? std::string() : found->second;
    };
    std::string word = look(by_mac_, end.mac);
    if (word.empty()) {
        word = look(by_address_, end.address);
    }
    return word.empty() && end.mac.empty() ? look(by_owned_address_, end.address) : word;
}

std::string DeviceWords::of(const std::array<Devices::End, 2>& ends) const {
    std::string word = find(ends[0]);
    return word.empty() ? find(ends[1]) : word;
}

std::string DeviceWords::of(const FlowFacts& facts) const {
    const std::array<std::string, 2> macs = {mac_octets(facts.initiator_mac),
                                             mac_octets(facts.responder_mac)};
    const std::array<std::string, 2> addresses = {address_octets(facts.initiator),
                                                  address_octets(facts.responder)};
    return of({Devices::End{macs[0], addresses[0]}, Devices::End{macs[1], addresses[1]}});
}

}  // namespace curlew::collector
