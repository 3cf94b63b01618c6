#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "collector/bounded_map.h"
#include "collector/hash_map.h"
#include "collector/sorted_map.h"
#include "proto/flow.pb.h"

// Which names a client was told for an address: A and AAAA records in the answer section of DNS,
// through chains of CNAME, from the moment of the answer until its time to live has passed. Decided
// by the times of packets alone, so the order in which flows are added does not matter; but past
// kMaximumTimes.
//
// And which services stand behind a port, as their host announces them by multicast DNS (SRV, RFC
// 6763 section 4.1): for everybody, from and until as above.

namespace curlew::collector {

class AddressNames {
  public:
    // Addresses of clients, and services, that may have names.
    static constexpr size_t kDefaultCapacity = 1'000'000;
    // Names of one, so that nobody makes this slow. Of more the first in the order of the text.
    static constexpr size_t kMaximumOfOne = 64;
    // Of one address at one moment, likewise.
    static constexpr size_t kMaximumFound = 16;
    // Times from which until which all names are valid. Those that come then are left out.
    static constexpr size_t kMaximumTimes = 4'000'000;

    explicit AddressNames(size_t capacity = kDefaultCapacity, size_t most_times = kMaximumTimes)
        : bound_(capacity), most_times_(most_times) {}

    // Takes the answers of a flow of DNS; any other flow has none. Requires: it passed the batch
    // decoder.
    void add(const proto::FlowSummary& flow);

    // Names asked by `client` that are valid for `address` at that moment, in order of the text.
    // Addresses as octets in network order.
    std::vector<std::string> find(std::string_view client,
                                  std::string_view address,
                                  uint64_t time_us) const;

    // Names of services that were announced for this address and port, for a flow from `start_us`
    // to `end_us`: one that begins before the announcement has the same service behind it.
    std::vector<std::string> find_services(std::string_view address,
                                           uint16_t port,
                                           uint64_t start_us,
                                           uint64_t end_us) const;

    // Forgets what is valid no longer at that moment.
    void forget_before(uint64_t time_us);

    // Those that can be found.
    size_t size() const noexcept { return bound_.entries().size(); }
    // Nothing was left out since the last forget_before().
    bool complete() const noexcept { return !left_out_ && !bound_.left_out(); }

  private:
    struct Time {
        uint64_t from_us;
        uint64_t until_us;
    };
    // Until which by from which; none touches the next. No order in which they come makes it slow.
    using Times = SortedMap<uint64_t, uint64_t>;

    // Of a client and an address, or of a service.
    struct Bound {
        std::map<std::string, Times> names;
        uint64_t address_hash;
        bool is_service;
    };

    void add_answers(const proto::FlowSummary& flow, const proto::ProtocolMessage& message);
    void add_services(const proto::FlowSummary& flow, const proto::ProtocolMessage& message);
    void bind(std::string_view key,
              std::string_view address,
              bool is_service,
              std::string name,
              Time time);
    void add_time(Times& times, Time time);
    std::vector<std::string> names_of(std::string_view key, uint64_t from, uint64_t to) const;

    BoundedMap<Bound> bound_;  // by client and address, or by service
    // Hashes of the addresses that have names, and of those with services: most have none.
    FlatSet<uint64_t> named_;
    FlatSet<uint64_t> hosts_;
    size_t most_times_;
    size_t times_ = 0;  // of all names
    bool left_out_ = false;
};

}  // namespace curlew::collector
