#pragma once

#include <cstdint>
#include <vector>

#include "tests/probe/capture_files.h"

// Frames and captures for the tests of this folder, made in words.

namespace curlew::dpdk_port::test {

using probe::test::Octets;
using probe::test::operator+;

struct Packet {
    uint32_t seconds = 1'700'000'000;
    uint32_t microseconds = 0;
    Octets octets;
    uint32_t wire_octets = 0;  // 0: as many as were captured
};

inline Octets capture(const std::vector<Packet>& packets, uint32_t link = 1) {
    using probe::test::little;
    Octets file = little(0xa1b2c3d4, 4) + little(2, 2) + little(4, 2) + little(0, 8) +
                  little(262'144, 4) + little(link, 4);
    for (const Packet& packet : packets) {
        const uint64_t wire = packet.wire_octets != 0 ? packet.wire_octets : packet.octets.size();
        file = file + little(packet.seconds, 4) + little(packet.microseconds, 4) +
               little(packet.octets.size(), 4) + little(wire, 4) + packet.octets;
    }
    return file;
}

// Ethernet, IPv4 from 192.0.2.1 to 192.0.2.2, UDP, filled up with a sequence that tells each place.
inline Octets udp_frame(size_t octets, uint16_t destination_port = 53) {
    using probe::test::big;
    Octets frame = Octets{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1} + big(0x0800, 2) + big(0x4500, 2) +
                   big(octets - 14, 2) + big(1, 2) + big(0, 2) + big(0x4011, 2) + big(0, 2) +
                   Octets{192, 0, 2, 1, 192, 0, 2, 2} + big(12345, 2) + big(destination_port, 2) +
                   big(octets - 34, 2) + big(0, 2);
    for (size_t i = frame.size(); i < octets; ++i) {
        frame.push_back(static_cast<uint8_t>(i * 7 + i / 256));
    }
    return frame;
}

}  // namespace curlew::dpdk_port::test
