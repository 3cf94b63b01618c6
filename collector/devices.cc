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

constexpr size_t kMaximumNames = 16;
constexpr size_t kMaximumClues = 64;

// Of more those that come first in their order, whichever were there first.
void keep_first(auto& ordered, size_t most) {
    if (ordered.size() > most) {
        ordered.erase(std::prev(ordered.end()));
    }
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

}  // namespace

void MacVendors::add(std::string_view lines) {
    // "00-0B-57   (hex)", two tabs, "Silicon Laboratories"
    constexpr std::string_view kMark = "   (hex)\t\t";
    constexpr size_t kMakerLetters = 8;
    // What is looked for is the mark's rarest letter.
    constexpr size_t kBracket = kMark.find('(');
    constexpr size_t kBefore = kMakerLetters + kBracket;
    for (size_t at = lines.find('('); at != std::string_view::npos; at = lines.find('(', at + 1)) {
        if (at < kBefore || !lines.substr(at - kBracket).starts_with(kMark)) {
            continue;
        }
        const auto maker = maker_octets(lines.substr(at - kBefore, kMakerLetters));
        const size_t begin = at - kBracket + kMark.size();
        const size_t end = std::min(lines.find_first_of("\r\n", begin), lines.size());
        if (maker) {
            vendors_.push_back(
                {*maker, static_cast<uint32_t>(names_.size()), static_cast<uint32_t>(end - begin)});
            names_.append(lines, begin, end - begin);
        }
    }
}

void MacVendors::put_in_order() {
    // Of one that stands there twice, what stands first.
    std::sort(vendors_.begin(), vendors_.end(), [](const Vendor& left, const Vendor& right) {
        return std::tie(left.maker, left.begin) < std::tie(right.maker, right.begin);
    });
    const auto is_same = [](const Vendor& left, const Vendor& right) {
        return left.maker == right.maker;
    };
    vendors_.erase(std::unique(vendors_.begin(), vendors_.end(), is_same), vendors_.end());
}

MacVendors MacVendors::parse(std::string_view text) {
    MacVendors vendors;
    vendors.add(text);
    vendors.put_in_order();
    return vendors;
}

// By pieces that a cache holds: of what is read one part in seven is kept.
MacVendors MacVendors::load(const std::filesystem::path& file) {
    constexpr size_t kPieceOctets = size_t{128} << 10;
    MacVendors vendors;
    std::ifstream stream(file, std::ios::binary);
    std::string piece;
    while (stream) {
        const size_t left = piece.size();
        piece.resize(left + kPieceOctets);
        stream.read(piece.data() + left, kPieceOctets);
        piece.resize(left + static_cast<size_t>(std::max<std::streamsize>(stream.gcount(), 0)));
        // What is behind the last line's end is a part of a line, but at the end of the file.
        const size_t whole = stream ? piece.rfind('\n') + 1 : piece.size();
        vendors.add(std::string_view(piece).substr(0, whole));
        piece.erase(0, whole);
    }
    vendors.put_in_order();
    return vendors;
}

const MacVendors& MacVendors::installed() {
    static const MacVendors vendors = load();
    return vendors;
}

std::string MacVendors::vendor(std::string_view mac) const {
    const auto maker = maker_octets(mac);
    const auto found = std::lower_bound(
        vendors_.begin(),
        vendors_.end(),
        maker.value_or(0),
        [](const Vendor& vendor, uint32_t wanted) { return vendor.maker < wanted; });
    return !maker || found == vendors_.end() || found->maker != *maker
               ? std::string()
               : wire_text(std::string_view(names_).substr(found->begin, found->octets));
}

std::string_view name_of(MacKind kind) noexcept {
    constexpr std::string_view kNames[] = {"none", "universal", "random", "router"};
    return kNames[static_cast<size_t>(kind)];
}

bool is_own_name(const Fact& fact) {
    return fact.field == "mdns.answer" ||
           (fact.kind == EvidenceKind::field && fact.field == "dhcp.host_name");
}

Devices::Presence* Devices::note_end(const End& end, const Ends& times) {
    key_.assign(1, static_cast<char>(end.mac.size()));
    key_.append(end.mac).append(end.address);
    Presence* const presence = presences_.find_or_add(
        key_,
        [&times] {
            return Presence{{times.start_us, times.end_us}, {}, {}};
        },
        [](const Presence&) {});
    if (presence != nullptr) {
        AddressSpan& span = presence->span;
        span.first_us = std::min(span.first_us, times.start_us);
        span.last_us = std::max(span.last_us, times.end_us);
    }
    return presence;
}

void Devices::forget_before(uint64_t time_us) {
    presences_.erase_if([time_us](const std::string&, const Presence& presence) {
        const uint64_t last_us = presence.span.last_us;
        return last_us < time_us && time_us - last_us > kRemembered_us;
    });
    if (presences().size() <= kMaximumPresences / 2) {
        return;
    }
    const size_t too_many = presences().size() - kMaximumPresences / 2;
    const auto told_nothing = [](const Presence& presence) {
        return presence.names.empty() && presence.clues.empty();
    };
    std::vector<std::pair<uint64_t, std::string>> silent;
    for (const auto& [key, presence] : presences()) {
        if (told_nothing(presence)) {
            silent.emplace_back(presence.span.last_us, key);
        }
    }
    if (silent.empty()) {
        return;
    }
    std::sort(silent.begin(), silent.end());
    const auto& last = silent[std::min(silent.size(), too_many) - 1];
    presences_.erase_if([&](const std::string& key, const Presence& presence) {
        return told_nothing(presence) &&
               std::tie(presence.span.last_us, key) <= std::tie(last.first, last.second);
    });
}

void Devices::note_clue(const Clue& clue, Presence& presence) {
    if (!clue.key.empty()) {
        const auto [known, is_new] = presence.clues.emplace(clue.key, clue.hit);
        known->second.flows += is_new ? 0 : clue.hit.flows;
        keep_first(presence.clues, kMaximumClues);
    }
    if (!clue.name.empty()) {
        presence.names.insert(clue.name);
        keep_first(presence.names, kMaximumNames);
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
        Presence* own = sent_nothing ? nullptr : note_end(end, ends);
        for (const Clue& clue : clues) {
            if (clue.reverse != reverse) {
                continue;
            }
            const std::string owner = mac_octets(clue.owner);
            if (!owner.empty() && owner != end.mac) {
                if (Presence* const of = note_end({owner, end.address}, ends)) {
                    note_clue(clue, *of);
                }
                // One that was added may have let this one go.
                own = sent_nothing ? nullptr : note_end(end, ends);
            } else if (own != nullptr) {
                note_clue(clue, *own);
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
