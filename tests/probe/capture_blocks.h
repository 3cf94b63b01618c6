#pragma once

#include <cstdint>

#include "tests/probe/capture_files.h"

// What capture files are made of, octet by octet.

namespace curlew::probe::test {

inline constexpr uint32_t kMicroseconds = 0xa1b2c3d4;
inline constexpr uint32_t kNanoseconds = 0xa1b23c4d;
inline constexpr uint32_t kEthernet = 1;

using Number = Octets (*)(uint64_t, size_t);

// magic, version 2.4, zone, accuracy, snap length, link type
inline Octets pcap_header(uint32_t magic = kMicroseconds,
                          uint32_t link = kEthernet,
                          Number number = little) {
    return number(magic, 4) + number(2, 2) + number(4, 2) + number(0, 4) + number(0, 4) +
           number(262'144, 4) + number(link, 4);
}

// seconds, fraction, captured length, wire length, octets
inline Octets pcap_packet(uint32_t seconds,
                          uint32_t fraction,
                          const Octets& octets,
                          uint32_t wire_octets,
                          Number number = little) {
    return number(seconds, 4) + number(fraction, 4) + number(octets.size(), 4) +
           number(wire_octets, 4) + octets;
}

// A packet whose octets all are `octet`.
inline Octets pcap_packet_of(uint8_t octet) {
    return pcap_packet(octet, 0, Octets(60, octet), 60);
}

// type, total length, body, total length
inline Octets block(uint32_t type, const Octets& body, Number number = little) {
    return number(type, 4) + number(body.size() + 12, 4) + body + number(body.size() + 12, 4);
}

// byte-order magic, version 1.0, section length not known
inline Octets section(Number number = little) {
    return block(0x0a0d0d0a,
                 number(0x1a2b3c4d, 4) + number(1, 2) + number(0, 2) + number(~uint64_t{0}, 8),
                 number);
}

// link type, reserved, snap length, options: a name of three octets, if_tsresol, end
inline Octets interface(uint32_t link, uint8_t resolution, Number number = little) {
    return block(1,
                 number(link, 2) + number(0, 2) + number(262'144, 4) + number(2, 2) + number(3, 2) +
                     Octets{'e', 'n', '0', 0} + number(9, 2) + number(1, 2) +
                     Octets{resolution, 0, 0, 0} + number(0, 4),
                 number);
}

// Likewise, with if_fcslen alone.
inline Octets interface_with_fcs(uint32_t link, uint8_t fcs_octets) {
    return block(1,
                 little(link, 2) + little(0, 2) + little(262'144, 4) + little(13, 2) +
                     little(1, 2) + Octets{fcs_octets, 0, 0, 0} + little(0, 4));
}

// interface, time high and low, captured length, wire length, octets (a multiple of four)
inline Octets enhanced_packet(uint64_t time, const Octets& octets, Number number = little) {
    return block(6,
                 number(0, 4) + number(time >> 32, 4) + number(time & 0xffffffff, 4) +
                     number(octets.size(), 4) + number(octets.size(), 4) + octets,
                 number);
}

// interface, time, an option of another kind, isb_endtime, end
inline Octets statistics(uint64_t end) {
    const Octets time = little(end >> 32, 4) + little(end & 0xffffffff, 4);
    return block(5,
                 little(0, 4) + time + little(4, 2) + little(8, 2) + little(7, 8) + little(3, 2) +
                     little(8, 2) + time + little(0, 4));
}

}  // namespace curlew::probe::test
