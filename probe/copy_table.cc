// Hot path.
#include "probe/copy_table.h"

#include <algorithm>
#include <bit>
#include <cassert>

#include "probe/port.h"

namespace curlew::probe {

namespace {

// For how long an identification is expected not to come again. A flow that has all 65,536 of them
// in this time pushes them out of its table before.
constexpr uint64_t kNumberReuse = 1'000'000'000;

// By what a packet is known that its sender sent once.
enum class Number : uint8_t { none, identification, fragment, sequence };

// Of a capture without stamps, or whose stamps are out of bounds.
bool tells_no_time(const ParsedPacket& packet) noexcept {
    return packet.time_ns == 0 || packet.time_ns >= kLatestTimeNs ||
           (packet.notes & kNoteUntimed) != 0;
}

Number number_of(const ParsedPacket& packet) noexcept {
    if (tells_no_time(packet)) [[unlikely]] {
        return Number::none;
    }
    if ((packet.notes & (kNoteFragment | kNoteLaterFragment)) != 0) [[unlikely]] {
        return Number::fragment;
    }
    if (packet.ip_id != 0) {
        return Number::identification;
    }
    // A header cut before its end tells no sequence number.
    const bool is_segment = packet.key.protocol == kProtocolTcp && packet.payload_octets != 0 &&
                            packet.tcp_header_octets != 0;
    return is_segment ? Number::sequence : Number::none;
}

// Every bit of the value moves every bit that is used, the lowest, which are the bucket, too:
// sequence numbers go by the length of a segment, which has factors of two.
uint64_t mixed(uint64_t value) noexcept {
    value *= 0x9e3779b97f4a7c15;
    value ^= value >> 32;
    value *= 0xd6e8feb86659fd93;
    return value ^ value >> 32;
}

// Where a packet is remembered: equal for packets of one flow, direction and number. What a router
// passed on under another TTL, or a switch marked, has a place of its own: it does not show that
// the number counts nothing.
struct Place {
    uint64_t bucket;  // modulo their number
    uint64_t name;
};

Place place_of(const ParsedPacket& packet, uint64_t hash, Number number) noexcept {
    const uint64_t sent = uint64_t{packet.ttl} << 9 | uint64_t{packet.class_of_service} << 1 |
                          (packet.from_low ? 1 : 0);
    const uint64_t value = number == Number::identification ? packet.ip_id
                           : number == Number::fragment     ? packet.fragment_id
                                                            : packet.tcp_sequence;
    const uint64_t place = (hash ^ (sent * 0x9e3779b97f4a7c15)) + value;
    const uint64_t name = mixed(place);
    // Identifications ascend: side by side as many as can be are remembered of one fast flow.
    return {number == Number::identification ? place : name, name};
}

uint64_t distance(uint64_t one_ns, uint64_t other_ns) noexcept {
    return one_ns > other_ns ? one_ns - other_ns : other_ns - one_ns;
}

}  // namespace

const char* name_of(CopyAction action) noexcept {
    switch (action) {
        case CopyAction::off:
            return "off";
        case CopyAction::count:
            return "count";
        case CopyAction::remove:
            return "remove";
    }
    return "";
}

std::optional<CopyAction> copy_action_named(std::string_view name) noexcept {
    for (const CopyAction action : {CopyAction::off, CopyAction::count, CopyAction::remove}) {
        if (name == name_of(action)) {
            return action;
        }
    }
    return std::nullopt;
}

CopyTable::CopyTable(std::span<Bucket> buckets,
                     const CopyConfig& config,
                     const PacketDigest& digest) noexcept
    : buckets_(buckets),
      window_ns_(config.window_ns),
      compared_octets_(config.action == CopyAction::remove ? PacketDigest::kMaximumOctets
                                                           : kCountedOctets),
      digest_(&digest) {
    assert(buckets.empty() || std::has_single_bit(buckets.size()));
}

void CopyTable::prefetch(const ParsedPacket& packet, uint64_t hash) const noexcept {
    const Number number = number_of(packet);
    if (number == Number::identification || number == Number::sequence) {
        const uint64_t index = place_of(packet, hash, number).bucket & (buckets_.size() - 1);
        const auto* bucket = reinterpret_cast<const uint8_t*>(&buckets_[index]);
        __builtin_prefetch(bucket, 1);
        __builtin_prefetch(bucket + 64, 1);
    }
}

bool CopyTable::is_copy(const ParsedPacket& packet, uint64_t hash, uint32_t answers) noexcept {
    const Number number = number_of(packet);
    if (number == Number::none || (number == Number::sequence && answers == 0) ||
        packet.ip_captured_octets > PacketDigest::kMaximumOctets) {
        return false;
    }
    const PacketDigest::Value digest =
        (*digest_)({packet.ip, std::min<size_t>(packet.ip_captured_octets, compared_octets_)});
    Place place = place_of(packet, hash, number);
    // All fragments of a packet have its number, and each is looked for by itself.
    if (number == Number::fragment) {
        place.name = mixed(place.name ^ digest.low ^ digest.high);
        place.bucket = place.name;
    }
    Bucket& bucket = buckets_[place.bucket & (buckets_.size() - 1)];
    // 0 is for what is empty.
    Remembered fresh{digest,
                     packet.time_ns,
                     static_cast<uint32_t>(place.name >> 32) | 1,
                     static_cast<uint16_t>(answers),
                     0,
                     0};
    const auto known = std::find_if(
        bucket.remembered.begin(), bucket.remembered.end(), [&fresh](const Remembered& one) {
            return one.name == fresh.name;
        });
    if (known == bucket.remembered.end()) {
        // The one farthest in time goes: stamps may be wrong, and far ahead.
        *std::max_element(bucket.remembered.begin(),
                          bucket.remembered.end(),
                          [&fresh](const Remembered& a, const Remembered& b) {
                              return distance(fresh.time_ns, a.time_ns) <
                                     distance(fresh.time_ns, b.time_ns);
                          }) = fresh;
        return false;
    }
    const uint64_t apart_ns = distance(packet.time_ns, known->time_ns);
    if (apart_ns > kNumberReuse) {
        *known = fresh;
        return false;
    }
    const bool is_same = known->digest == digest && apart_ns <= window_ns_;
    const bool counts_nothing =
        known->counts_nothing != 0 ||
        (is_same ? known->copies == kMostCopies : number == Number::identification);
    const bool is_asked_for = number == Number::sequence && known->answers != fresh.answers;
    if (is_same && !counts_nothing && !is_asked_for) {
        ++known->copies;
        return true;
    }
    fresh.counts_nothing = counts_nothing ? 1 : 0;
    *known = fresh;
    return false;
}

}  // namespace curlew::probe
