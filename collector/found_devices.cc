#include "collector/found_devices.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

using signatures::WordKind;

// So many addresses of version 4 that are not in one subnet of 256 are a router's.
constexpr size_t kRouterSubnets = 4;

bool is_private_v4(std::string_view octets) {
    const auto at = [octets](size_t i) { return static_cast<uint8_t>(octets[i]); };
    return octets.size() == 4 &&
           (at(0) == 10 || (at(0) == 172 && (at(1) & 0xf0) == 16) ||
            (at(0) == 192 && at(1) == 168) || (at(0) == 169 && at(1) == 254) ||
            (at(0) == 100 && (at(1) & 0xc0) == 64));
}

// Somebody, not everybody or nobody yet.
bool is_host(std::string_view octets) {
    if (octets.size() == 4) {
        const auto first = static_cast<uint8_t>(octets[0]);
        return first != 0 && first < 224;
    }
    return octets.size() == 16 && static_cast<uint8_t>(octets[0]) != 0xff &&
           octets.find_first_not_of('\0') != std::string_view::npos;
}

bool is_random(std::string_view mac) {
    constexpr size_t kMakerOctets = 3;
    return mac.size() >= kMakerOctets && (mac[0] & 2) != 0;
}

// Goes over the addresses of one MAC address.
class KindOfMac {
  public:
    explicit KindOfMac(std::string_view mac) : mac_(mac) {}

    void add(std::string_view address) {
        if (is_router_ || address.size() != 4 || !is_host(address)) {
            return;
        }
        ++version4_;
        any_public_ = any_public_ || !is_private_v4(address);
        subnets_.insert(address.substr(0, 3));
        is_router_ = (any_public_ && version4_ > 1) || subnets_.size() >= kRouterSubnets;
    }

    MacKind kind() const {
        if (mac_.empty()) {
            return MacKind::none;
        }
        if (is_router_) {
            return MacKind::router;
        }
        return is_random(mac_) ? MacKind::random : MacKind::universal;
    }

  private:
    std::string_view mac_;
    std::set<std::string_view> subnets_;
    size_t version4_ = 0;
    bool any_public_ = false;
    bool is_router_ = false;
};

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

// The first eight octets as a number that compares as they do; what is missing counts as zero.
uint64_t front_of(std::string_view text) {
    uint64_t front = 0;
    for (size_t i = 0; i < sizeof(front); ++i) {
        front = front << 8 | (i < text.size() ? static_cast<uint8_t>(text[i]) : 0);
    }
    return front;
}

}  // namespace

FoundDevices::FoundDevices(const Devices& devices, const signatures::GroupRules& group)
    : devices_(devices) {
    put_in_order();
    find();
    for (Found& found : found_) {
        found.is_known = is_known(found, group);
        if (found.is_known) {
            tell_role(group, known_.emplace_back(described(found)));
        }
    }
}

void FoundDevices::put_in_order() {
    placed_.reserve(devices_.presences().size());
    for (const auto& [key, presence] : devices_.presences()) {
        const auto mac_octets = static_cast<size_t>(key[0]);
        const std::string_view ends = std::string_view(key).substr(1);
        const std::string_view address = ends.substr(mac_octets);
        placed_.push_back({ends.substr(0, mac_octets), address, address_text(address), &presence});
    }
    // There may be many, and nearly all are told apart by their front: what is sorted is small.
    struct Place {
        uint64_t mac;                  // its front
        std::array<uint64_t, 2> text;  // likewise
        Placed* placed;
    };
    std::vector<Place> places;
    places.reserve(placed_.size());
    for (Placed& placed : placed_) {
        const std::string_view text = placed.text;
        const std::string_view rest = text.substr(std::min(sizeof(uint64_t), text.size()));
        places.push_back({front_of(placed.mac), {front_of(text), front_of(rest)}, &placed});
    }
    std::sort(places.begin(), places.end(), [](const Place& left, const Place& right) {
        if (left.mac != right.mac) {
            return left.mac < right.mac;
        }
        // DHCP's clients tell some of up to 16 octets, and there may be none.
        if (left.placed->mac != right.placed->mac) {
            return left.placed->mac < right.placed->mac;
        }
        return left.text != right.text ? left.text < right.text
                                       : left.placed->text < right.placed->text;
    });
    std::vector<Placed> in_order;
    in_order.reserve(placed_.size());
    for (const Place& place : places) {
        in_order.push_back(std::move(*place.placed));
    }
    placed_ = std::move(in_order);
}

// Ids are "address-..." and "mac-...": the order of MAC addresses is that of their texts.
void FoundDevices::find() {
    std::vector<Found> by_mac;
    for (size_t begin = 0; begin < placed_.size();) {
        KindOfMac mac(placed_[begin].mac);
        size_t end = begin;
        for (; end < placed_.size() && placed_[end].mac == placed_[begin].mac; ++end) {
            mac.add(placed_[end].address);
        }
        const MacKind kind = mac.kind();
        if (kind == MacKind::universal || kind == MacKind::random) {
            by_mac.push_back({begin, end, kind, false});
        } else {
            for (size_t at = begin; at < end; ++at) {
                if (is_private_v4(placed_[at].address)) {
                    found_.push_back({at, at + 1, kind, false});
                }
            }
        }
        begin = end;
    }
    // An address that two routers have stays in their order.
    const auto is_before = [this](const Found& left, const Found& right) {
        return placed_[left.begin].text < placed_[right.begin].text;
    };
    if (!std::is_sorted(found_.begin(), found_.end(), is_before)) {
        std::stable_sort(found_.begin(), found_.end(), is_before);
    }
    found_.insert(found_.end(), by_mac.begin(), by_mac.end());
}

bool FoundDevices::is_known(const Found& found, const signatures::GroupRules& group) const {
    const auto has_role = [&group](const Placed& placed) {
        return std::any_of(group.roles().begin(), group.roles().end(), [&](const auto& role) {
            return is_host(placed.address) &&
                   std::find(role.second.begin(), role.second.end(), placed.text) !=
                       role.second.end();
        });
    };
    for (size_t at = found.begin; at < found.end; ++at) {
        const Devices::Presence& presence = *placed_[at].presence;
        if (!presence.clues.empty() || !presence.names.empty() || has_role(placed_[at])) {
            return true;
        }
    }
    return false;
}

Device FoundDevices::described(const Found& found) const {
    const Placed& first = placed_[found.begin];
    const bool is_by_mac = found.kind == MacKind::universal || found.kind == MacKind::random;
    Device device;
    device.mac = found.kind == MacKind::router ? std::string() : mac_text(first.mac);
    device.id = is_by_mac ? "mac-" + device.mac : "address-" + first.text;
    device.mac_kind = found.kind;
    if (found.kind == MacKind::universal) {
        device.vendor = devices_.vendors().vendor(device.mac);
    }
    for (size_t at = found.begin; at < found.end; ++at) {
        const Devices::Presence& presence = *placed_[at].presence;
        if (is_host(placed_[at].address)) {
            device.addresses.emplace(placed_[at].text, presence.span);
        }
        device.names.insert(presence.names.begin(), presence.names.end());
        for (const auto& [key, clue] : presence.clues) {
            device.clues.push_back(clue);
        }
    }
    weigh(devices_.rules(), device);
    return device;
}

bool FoundDevices::is_of(const Found& found, const AddressSpan& span) const {
    bool has_address = false;
    for (size_t at = found.begin; at < found.end; ++at) {
        const AddressSpan& seen = placed_[at].presence->span;
        const bool is_address = is_host(placed_[at].address);
        if (is_address && seen.first_us <= span.last_us && seen.last_us >= span.first_us) {
            return true;
        }
        has_address = has_address || is_address;
    }
    return found.is_known || !has_address;
}

DeviceList FoundDevices::of_dataset(const AddressSpan& span, size_t most) {
    DeviceList list{.complete = devices_.complete()};
    size_t known = 0;
    size_t others = 0;
    for (const Found& found : found_) {
        if (found.is_known && known < most) {
            list.devices.push_back(std::move(known_[known++]));
        } else if (is_of(found, span)) {
            if (!found.is_known && known_.size() + others < most) {
                list.devices.push_back(described(found));
            }
            ++others;
        }
    }
    list.found = known + others;
    known_.clear();
    found_.clear();
    return list;
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

}  // namespace curlew::collector
