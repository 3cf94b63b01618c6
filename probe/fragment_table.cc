// Hot path.
#include "probe/fragment_table.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <stdexcept>
#include <string>
#include <utility>

namespace curlew::probe {

namespace {

constexpr uint64_t kMillisecond = 1'000'000;

}  // namespace

FragmentTable::FragmentTable(const FragmentTableConfig& config, const KeyedHash::Key& key)
    : hash_(key), timeout_ns_(config.timeout_ns) {
    if (config.capacity == 0 || config.capacity > kMaximumCapacity) {
        throw std::runtime_error("fragment table: a capacity of " +
                                 std::to_string(config.capacity) + " is not between 1 and " +
                                 std::to_string(kMaximumCapacity));
    }
    entries_.resize(std::max(std::bit_ceil(config.capacity), kWays));
    set_mask_ = entries_.size() / kWays - 1;
}

// Sender and receiver in place of low and high: identifications are the sender's. The fragment's
// identification takes the place of the ports, which a later fragment does not have.
FlowKey FragmentTable::identity_of(const ParsedPacket& packet) noexcept {
    FlowKey identity = packet.key;
    if (!packet.from_low) {
        std::swap(identity.low_address, identity.high_address);
    }
    identity.low_port = static_cast<uint16_t>(packet.fragment_id >> 16);
    identity.high_port = static_cast<uint16_t>(packet.fragment_id & 0xffff);
    identity.protocol = packet.key.ip_version == 4 ? packet.key.protocol : uint8_t{0};
    return identity;
}

// Packets out of order may be older than the entry; far older ones are of another time.
bool FragmentTable::is_valid(const Entry& entry, uint64_t now_ns) const noexcept {
    const uint64_t distance =
        now_ns > entry.time_ns ? now_ns - entry.time_ns : entry.time_ns - now_ns;
    return entry.identity.ip_version != 0 && distance <= timeout_ns_;
}

bool FragmentTable::has_paused(const Entry& entry, uint64_t now_ns) noexcept {
    return now_ns > entry.time_ns + entry.joined_after_ms * kMillisecond + kPause_ns;
}

FragmentTable::Entry* FragmentTable::find(Entry* set,
                                          const FlowKey& identity,
                                          uint64_t now_ns) const noexcept {
    Entry* const end = set + kWays;
    Entry* const found = std::find_if(set, end, [&](const Entry& entry) {
        return entry.identity == identity && is_valid(entry, now_ns);
    });
    return found == end ? nullptr : found;
}

void FragmentTable::remember(Entry* set,
                             const FlowKey& identity,
                             const ParsedPacket& packet) noexcept {
    const FlowKey& key = packet.key;
    const Entry fresh{identity,
                      packet.time_ns,
                      packet.from_low ? key.low_port : key.high_port,
                      packet.from_low ? key.high_port : key.low_port,
                      0,
                      key.protocol};
    if (Entry* const known = find(set, identity, packet.time_ns); known != nullptr) {
        const bool same = known->sender_port == fresh.sender_port &&
                          known->receiver_port == fresh.receiver_port &&
                          known->protocol == fresh.protocol;
        if (!same && has_paused(*known, packet.time_ns)) {
            ++counters_.remembered;
            *known = fresh;
            return;
        }
        ++(same ? counters_.repeated : counters_.contradicted);
        if (same && fresh.time_ns > known->time_ns) {
            *known = fresh;
        }
        return;
    }
    // An entry that is no longer valid goes first, then the oldest.
    Entry* const oldest = std::min_element(set, set + kWays, [&](const Entry& a, const Entry& b) {
        const bool a_valid = is_valid(a, packet.time_ns);
        const bool b_valid = is_valid(b, packet.time_ns);
        return a_valid == b_valid ? a.time_ns < b.time_ns : b_valid;
    });
    counters_.evicted += is_valid(*oldest, packet.time_ns) ? 1 : 0;
    ++counters_.remembered;
    *oldest = fresh;
}

bool FragmentTable::join(Entry* set, const FlowKey& identity, ParsedPacket& packet) noexcept {
    Entry* const first = find(set, identity, packet.time_ns);
    if (first == nullptr) {
        ++counters_.orphaned;
        return false;
    }
    if (packet.time_ns > first->time_ns) {
        const uint64_t after_ms = (packet.time_ns - first->time_ns) / kMillisecond;
        first->joined_after_ms = static_cast<uint16_t>(
            std::clamp<uint64_t>(after_ms, first->joined_after_ms, UINT16_MAX));
    }
    FlowKey& key = packet.key;
    key.protocol = first->protocol;
    // Between equal addresses the ports decide who is low.
    if (key.low_address == key.high_address) {
        packet.from_low = first->sender_port <= first->receiver_port;
    }
    key.low_port = packet.from_low ? first->sender_port : first->receiver_port;
    key.high_port = packet.from_low ? first->receiver_port : first->sender_port;
    ++counters_.joined;
    return true;
}

bool FragmentTable::resolve(ParsedPacket& packet) noexcept {
    assert((packet.notes & kNoteFragment) != 0);
    const FlowKey identity = identity_of(packet);
    Entry* const set = entries_.data() + (hash_(identity) & set_mask_) * kWays;
    if ((packet.notes & kNoteLaterFragment) != 0) {
        return join(set, identity, packet);
    }
    remember(set, identity, packet);
    return false;
}

}  // namespace curlew::probe
