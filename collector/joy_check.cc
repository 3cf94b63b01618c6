#include "collector/joy_check.h"

#include <algorithm>

#include "collector/wire_walk.h"

namespace curlew::collector {
namespace {

using proto::JoySide;

// Above what octets can give: 255 squared times 2^32.
constexpr double kMostSquares = 1e15;

// Fields of a message of a protocol; of HTTP's messages also what is in them, the headers. What
// strings hold is not looked at, it may read like anything.
bool count_elements(uint32_t protocol, std::span<const uint8_t> message, int& elements) {
    const bool is_http = protocol == JoySide::kHttpFieldNumber;
    return walk_fields(message, [&](uint32_t, std::span<const uint8_t> content) {
        return ++elements <= kMaximumJoyElements &&
               (!is_http || walk_fields(content, [&elements](uint32_t, auto) {
                   return ++elements <= kMaximumJoyElements;
               }));
    });
}

bool is_protocol(uint32_t field) {
    return field == JoySide::kDnsFieldNumber || field == JoySide::kHttpFieldNumber ||
           field == JoySide::kDhcpFieldNumber || field == JoySide::kTlsFieldNumber;
}

BatchError check(const proto::JoyPackets& packets) {
    if (packets.time_us_size() > kMaximumJoyPackets) {
        return BatchError::too_many_elements;
    }
    if (packets.payload_octets_size() != packets.time_us_size()) {
        return BatchError::wrong_length;
    }
    const bool fits = std::all_of(packets.payload_octets().begin(),
                                  packets.payload_octets().end(),
                                  [](uint32_t octets) { return octets <= 0xffff; });
    return fits ? BatchError::none : BatchError::out_of_range;
}

BatchError check(const proto::JoySegments& segments) {
    const int count = segments.time_us_size();
    if (count > kMaximumJoyPackets) {
        return BatchError::too_many_elements;
    }
    size_t kept = 0;
    for (const uint32_t octets : segments.option_octets()) {
        if (octets > kLongestTcpOptions) {
            return BatchError::out_of_range;
        }
        kept += std::min<size_t>(octets, kMaximumJoyOptionOctets);
    }
    const bool equal_lengths =
        segments.sequence_number_size() == count &&
        segments.acknowledgement_number_size() == count && segments.flags_size() == count &&
        segments.payload_octets_size() == count && segments.option_octets_size() == count &&
        segments.options().size() == kept;
    return equal_lengths ? BatchError::none : BatchError::wrong_length;
}

BatchError check_octets(const JoySide& side) {
    if (side.source_address().size() != 4 || side.destination_address().size() != 4 ||
        (side.byte_counts_size() != 0 && side.byte_counts_size() != 256) ||
        (side.walsh_sums_size() != 0 && side.walsh_sums_size() != 4)) {
        return BatchError::wrong_length;
    }
    if (side.ip_ids_size() > kMaximumJoyPackets) {
        return BatchError::too_many_elements;
    }
    const bool short_enough = side.first_payload().size() <= kMaximumJoyPayloadOctets &&
                              side.first_packet().size() <= kMaximumJoyPacketOctets &&
                              side.tcp_start().options().size() <= kMaximumJoyOptionOctets;
    return short_enough ? BatchError::none : BatchError::too_long_octets;
}

BatchError check(const JoySide& side) {
    // Comparisons that no NaN passes.
    const bool in_range = side.source_port() <= 0xffff && side.destination_port() <= 0xffff &&
                          side.byte_mean() >= 0 && side.byte_mean() <= 255 &&
                          side.byte_squares() >= 0 && side.byte_squares() <= kMostSquares;
    if (!in_range) {
        return BatchError::out_of_range;
    }
    BatchError error = check_octets(side);
    error = error == BatchError::none ? check(side.listed()) : error;
    return error == BatchError::none ? check(side.segments()) : error;
}

}  // namespace

BatchError check_joy_elements(std::span<const uint8_t> record) {
    int elements = 0;
    const bool whole = walk_fields(record, [&](uint32_t, std::span<const uint8_t> side) {
        return walk_fields(side, [&](uint32_t field, std::span<const uint8_t> content) {
            return !is_protocol(field) || count_elements(field, content, elements);
        });
    });
    if (elements > kMaximumJoyElements) {
        return BatchError::too_many_elements;
    }
    return whole ? BatchError::none : BatchError::not_a_batch;
}

BatchError check_joy(const proto::JoyRecord& record) {
    if (!record.has_record()) {
        return BatchError::wrong_length;
    }
    const BatchError error = check(record.record());
    return error == BatchError::none && record.has_twin() ? check(record.twin()) : error;
}

}  // namespace curlew::collector
