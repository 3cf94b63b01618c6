#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "probe/flow_key.h"
#include "probe/keyed_hash.h"
#include "probe/packet_parser.h"

// Gives later IP fragments the ports of their first fragment, so that both meet in one flow. What
// belongs together is told by addresses, identification and, for IPv4, protocol (RFC 791 section
// 3.2; RFC 8200 section 4.5: fragments of one IPv6 packet may name different next headers, and the
// first one's counts).
//
// A fragment that comes before its first one finds nothing and stays a flow without ports: nothing
// is held back. When first fragments contradict each other the first one remembered wins as long as
// fragments of it come; after a pause the other one is of a packet that uses the identification
// again (RFC 6864 section 4.3: fast senders do so within seconds).

namespace curlew::probe {

struct FragmentTableConfig {
    size_t capacity = 4096;  // first fragments remembered at once; rounded up to a power of two
    // An IPv6 receiver gives up after 60 s (RFC 8200 section 4.5), an IPv4 one after 60 s to 120 s
    // (RFC 1122 section 3.3.2). Longer would join reused IPv4 identifications (RFC 4963).
    uint64_t timeout_ns = 60'000'000'000;
};

// fragments resolved = remembered + repeated + contradicted + joined + orphaned
struct FragmentCounters {
    uint64_t remembered = 0;    // first fragments
    uint64_t repeated = 0;      // first fragments remembered already, with the same ports
    uint64_t contradicted = 0;  // first fragments with other ports than the remembered one's
    uint64_t joined = 0;        // later fragments that got their flow
    uint64_t orphaned = 0;      // later fragments whose first one is not remembered
    uint64_t evicted = 0;       // of the remembered: replaced while still valid

    void add(const FragmentCounters& other) noexcept {
        remembered += other.remembered;
        repeated += other.repeated;
        contradicted += other.contradicted;
        joined += other.joined;
        orphaned += other.orphaned;
        evicted += other.evicted;
    }
};

// One thread's. Memory is fixed at construction; time is the packets'.
class FragmentTable {
  public:
    static constexpr size_t kMaximumCapacity = size_t{1} << 24;
    // Fragments of one packet follow each other faster, on slow links too.
    static constexpr uint64_t kPause_ns = 500'000'000;

    // Throws std::runtime_error where the capacity is 0 or above the maximum.
    FragmentTable(const FragmentTableConfig& config, const KeyedHash::Key& key);

    // Remembers a first fragment, or gives a later one the protocol and ports of its first: key
    // and from_low are then as if the parser had seen them. True when a later one was joined.
    // Requires: the packet is noted as a fragment.
    bool resolve(ParsedPacket& packet) noexcept;

    const FragmentCounters& counters() const noexcept { return counters_; }

  private:
    static constexpr size_t kWays = 8;

    struct Entry {
        FlowKey identity;  // ip_version 0: unused
        uint64_t time_ns;  // of the first fragment seen last
        uint16_t sender_port;
        uint16_t receiver_port;
        uint16_t joined_after_ms;  // the last later one, from time_ns on
        uint8_t protocol;
    };
    static_assert(sizeof(Entry) == 64);

    static FlowKey identity_of(const ParsedPacket& packet) noexcept;
    bool is_valid(const Entry& entry, uint64_t now_ns) const noexcept;
    static bool has_paused(const Entry& entry, uint64_t now_ns) noexcept;
    Entry* find(Entry* set, const FlowKey& identity, uint64_t now_ns) const noexcept;
    void remember(Entry* set, const FlowKey& identity, const ParsedPacket& packet) noexcept;
    bool join(Entry* set, const FlowKey& identity, ParsedPacket& packet) noexcept;

    KeyedHash hash_;
    uint64_t timeout_ns_;
    std::vector<Entry> entries_;  // sets of kWays
    uint64_t set_mask_ = 0;
    FragmentCounters counters_;
};

}  // namespace curlew::probe
