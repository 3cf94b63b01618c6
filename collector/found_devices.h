#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/devices.h"
#include "signatures/content_rules.h"
#include "signatures/group_rules.h"

// Which devices a line has, from the ends of its flows and what they said.
//
// What a device says (a field or payload whose signature names a device) is believed. That it asks
// for its maker's names is believed only where the registry says that its MAC address is the
// maker's: an app on a phone asks for the same names. Random MAC addresses (the bit for local
// administration) have no maker. Behind a router's MAC address are many: there each private address
// is a device of its own, and nothing is concluded from names asked.

namespace curlew::collector {

// What a dataset tells of the devices of its line.
struct DeviceList {
    std::vector<Device> devices;  // in order of id
    uint64_t found = 0;           // with those that are not described
    bool complete = true;         // false: there were more ends of flows than are looked at
};

class FoundDevices {
  public:
    // Decides, from what was added so far. Roles are those of the group. Requires: nothing is added
    // or forgotten as long as this is used; what it refers to outlives it.
    FoundDevices(const Devices& devices, const signatures::GroupRules& group);

    // Those of which something is known: a clue, a name, a role. In order of id.
    const std::vector<Device>& known() const noexcept { return known_; }

    // Those with an address that was seen within `span`, and the known ones: of a line that goes on
    // there are more. At most `most` of them are described, the known ones before others. Leaves
    // none.
    DeviceList of_dataset(const AddressSpan& span, size_t most);

  private:
    // The end of a flow, in octets that stand in Devices.
    struct Placed {
        std::string_view mac;
        std::string_view address;
        std::string text;  // of the address
        const Devices::Presence* presence;
    };
    // The places of one device, before it is described.
    struct Found {
        size_t begin;
        size_t end;
        MacKind kind;
        bool is_known;
    };

    void put_in_order();
    void find();
    bool is_known(const Found& found, const signatures::GroupRules& group) const;
    bool is_of(const Found& found, const AddressSpan& span) const;
    Device described(const Found& found) const;

    const Devices& devices_;
    std::vector<Placed> placed_;  // by MAC address, then by address
    std::vector<Found> found_;    // in order of id
    std::vector<Device> known_;
};

// Decides anew by other rules, from the clues that were kept: what no signature hit before is not
// among them.
void decide_again(const signatures::ContentRules& rules,
                  const signatures::GroupRules& group,
                  std::vector<Device>& devices);

}  // namespace curlew::collector
