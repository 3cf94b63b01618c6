#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/bounded_map.h"
#include "collector/flow_facts.h"
#include "collector/hash_map.h"
#include "signatures/content_rules.h"

// The devices of one line: who they are by MAC address, address, and what they say of themselves.
// What that makes of them is decided in found_devices.h.
//
// The order in which flows are added does not matter, of more than there is room for neither.

namespace curlew::collector {

// Makers by the first three octets of a MAC address: IEEE's registry, Debian's package ieee-data.
class MacVendors {
  public:
    // Empty when there is no such file.
    static MacVendors load(const std::filesystem::path& file = "/usr/share/ieee-data/oui.txt");
    static MacVendors parse(std::string_view text);
    // The installed registry, read when it is first asked for.
    static const MacVendors& installed();

    // Empty when not registered. `mac` as text, "00:0b:57:...".
    std::string vendor(std::string_view mac) const;
    bool empty() const noexcept { return vendors_.empty(); }

  private:
    struct Vendor {
        uint32_t maker;  // the first three octets
        uint32_t begin;  // of its name, in names_
        uint32_t octets;
    };

    void add(std::string_view lines);
    void put_in_order();

    std::string names_;
    std::vector<Vendor> vendors_;  // in order of maker, each once
};

enum class MacKind : uint8_t { none, universal, random, router };
// "none", "universal", "random", "router".
std::string_view name_of(MacKind kind) noexcept;

// How often a signature's fact was seen of a device.
struct DeviceClue {
    std::string device;
    Fact fact;  // with its signature
    uint64_t flows = 0;
    bool believed = false;
};

// What a device gives itself as a name. Names of DHCP come as fields, with their owner.
bool is_own_name(const Fact& fact);

struct AddressSpan {
    uint64_t first_us = 0;
    uint64_t last_us = 0;
};

struct Device {
    std::string id;   // "mac-..." or "address-...": the same whatever address DHCP gives
    std::string mac;  // empty: none, or a router's
    MacKind mac_kind = MacKind::none;
    std::string vendor;
    std::map<std::string, AddressSpan> addresses;
    std::set<std::string> names;  // that it gave itself by DHCP or mDNS
    std::string device;           // a word of the vocabulary; empty: not known
    std::string device_source;    // "told" by the group, "discovered", or empty
    std::string discovered;       // what was discovered, where the group told another
    std::string role;             // of the group; empty: none
    std::vector<DeviceClue> clues;
};

class Devices {
  public:
    // Requires: the rules outlive this.
    Devices(const signatures::ContentRules& rules, const MacVendors& vendors)
        : rules_(&rules), vendors_(&vendors) {}

    // `facts` with the fields of its messages.
    void add(const FlowFacts& facts);

    // The same in two parts: clues are the same wherever facts and fields are.
    struct Clue {
        bool reverse = false;  // of the responder
        std::string owner;     // MAC address as text of whom it tells; empty: of the end itself
        std::string name;      // that it gives itself; empty: none
        std::string key;       // what identifies the fact that hit; empty: none hit
        DeviceClue hit;        // flows: 1
    };
    std::vector<Clue> clues_of(const FlowFacts& facts) const;

    // Who the ends of a flow are, in octets: MAC address (at most 16, none: not known) and address.
    struct End {
        std::string_view mac;
        std::string_view address;
    };
    struct Ends {
        std::array<End, 2> ends;  // initiator, responder
        uint64_t start_us = 0;
        uint64_t end_us = 0;
    };
    void note(const Ends& ends, const std::vector<Clue>& clues);

    // For a line that goes on: forgets ends of flows that were last seen a week before `time_us`.
    // Of more than half of what there is room for, those that told nothing of themselves go too,
    // the longest silent ones first, so that new ones find room.
    void forget_before(uint64_t time_us);

    // Ends of flows, each once. Of more so many are looked at.
    static constexpr size_t kMaximumPresences = 100'000;
    static constexpr uint64_t kRemembered_us = uint64_t{7} * 24 * 3600 * 1'000'000;

    // A MAC address with one of its addresses.
    struct Presence {
        AddressSpan span;
        std::set<std::string> names;
        std::map<std::string, DeviceClue> clues;  // by what identifies them
    };
    // By one octet with the length of the MAC address, the MAC address, the address. All stay where
    // they are until the next call that adds or forgets.
    using Presences = BoundedMap<Presence>;
    const Presences::Map& presences() const noexcept { return presences_.entries(); }
    // All there were, since the last forget_before().
    bool complete() const noexcept { return !presences_.left_out(); }

    const signatures::ContentRules& rules() const noexcept { return *rules_; }
    const MacVendors& vendors() const noexcept { return *vendors_; }

  private:
    Presence* note_end(const End& end, const Ends& times);
    static void note_clue(const Clue& clue, Presence& presence);
    void add_clues(const Fact& fact, std::vector<Clue>& clues) const;
    void add_hit(const Fact& fact, uint16_t index, std::vector<Clue>& clues) const;

    const signatures::ContentRules* rules_;
    const MacVendors* vendors_;
    Presences presences_{kMaximumPresences};
    std::string key_;  // of the presence looked for
};

// Which device the ends of a flow are, by what was found.
class DeviceWords {
  public:
    DeviceWords() = default;
    explicit DeviceWords(const std::vector<Device>& devices);

    bool empty() const noexcept {
        return by_mac_.empty() && by_address_.empty() && by_owned_address_.empty();
    }

    // The initiator's word before the responder's; empty when neither is known.
    std::string of(const std::array<Devices::End, 2>& ends) const;
    std::string of(const FlowFacts& facts) const;

  private:
    std::string find(const Devices::End& end) const;

    // By octets.
    OctetMap<std::string> by_mac_;
    OctetMap<std::string> by_address_;  // of devices without a MAC address
    // Addresses of devices with one, for ends whose MAC address was not seen.
    OctetMap<std::string> by_owned_address_;
};

}  // namespace curlew::collector
