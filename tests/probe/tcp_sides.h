#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "probe/flow_statistics.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// Segments of one TCP connection, and what its two sides tell of them.

namespace curlew::tests {

inline PacketBuilder from_client(uint64_t time_ns) {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").time_ns(time_ns);
}

inline PacketBuilder from_server(uint64_t time_ns) {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.2", "10.0.0.1").time_ns(time_ns);
}

// A segment of the client.
inline Packet segment(uint32_t sequence, size_t payload, std::string_view flags = "A") {
    return from_client(0)
        .tcp(40000, 80)
        .flags(flags)
        .sequence(sequence)
        .window(100)
        .payload(std::string(payload, 'x'))
        .build();
}

// The server has all before `acknowledged`.
inline Packet answer(uint32_t acknowledged, std::string_view flags = "A") {
    return from_server(0)
        .tcp(80, 40000)
        .flags(flags)
        .acknowledgement(acknowledged)
        .window(100)
        .build();
}

// Both sides' statistics; index 0 is the client's.
struct Sides {
    std::array<probe::SideStatistics, 2> sides{};

    explicit Sides(const std::vector<Packet>& packets) {
        for (probe::SideStatistics& side : sides) {
            probe::begin_statistics(side);
        }
        add(packets);
    }
    void add(const std::vector<Packet>& packets) {
        for (const Packet& packet : packets) {
            probe::ParsedPacket parsed;
            CHECK(probe::parse_packet(packet.view(), {}, parsed) == probe::ParseResult::metered);
            const size_t side = parsed.from_low ? 0 : 1;
            probe::add_statistics(sides[side], &sides[1 - side], parsed, true);
        }
    }
    const probe::SideStatistics& client() const { return sides[0]; }
    const probe::SideStatistics& server() const { return sides[1]; }
};

}  // namespace curlew::tests
