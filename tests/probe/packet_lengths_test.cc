#include "probe/packet_parser.h"
#include "tests/probe/parsed_packet.h"
#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

// How long a packet is by its headers and by its frame.

namespace curlew::probe {

using tests::check_result;
using tests::Octets;
using tests::Packet;
using tests::PacketBuilder;
using tests::parse;

TEST_GROUP(PacketLengths){};

TEST(PacketLengths, length_is_by_the_ip_header_when_less_was_captured) {
    const Packet packet = PacketBuilder{}
                              .ethernet()
                              .ipv4()
                              .udp(1, 2)
                              .payload(Octets(100))
                              .build()
                              .captured(14 + 20 + 8 + 30);
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteTruncated, parsed.notes);
    LONGS_EQUAL(128, parsed.octets);
    LONGS_EQUAL(58, parsed.ip_captured_octets);
    LONGS_EQUAL(100, parsed.payload_octets);
    LONGS_EQUAL(30, parsed.payload_captured_octets);
    LONGS_EQUAL(142, parsed.frame_octets);
}

TEST(PacketLengths, a_length_beyond_the_frame_is_not_believed) {
    Packet packet =
        PacketBuilder{}.ethernet().ipv4().length(65'535).udp(1, 2).payload(Octets(10)).build();
    ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteLengthBeyondFrame, parsed.notes);
    LONGS_EQUAL(38, parsed.octets);
    LONGS_EQUAL(10, parsed.payload_octets);
    // Padding of a short frame is part of what may be.
    packet.octets.resize(60);
    packet.wire_octets = 60;
    parsed = parse(packet);
    LONGS_EQUAL(46, parsed.octets);
    // What was not captured was on the wire all the same.
    const Packet captured = packet.captured(50);
    parsed = parse(captured);
    LONGS_EQUAL(kNoteLengthBeyondFrame | kNoteTruncated, parsed.notes);
    LONGS_EQUAL(46, parsed.octets);
    Packet ipv6 =
        PacketBuilder{}.ethernet().ipv6("::1", "::2").udp(1, 2).payload(Octets(10)).build();
    ipv6.octets[14 + 4] = 0x20;
    parsed = parse(ipv6);
    LONGS_EQUAL(kNoteLengthBeyondFrame, parsed.notes);
    LONGS_EQUAL(58, parsed.octets);
}

TEST(PacketLengths, total_length_of_zero_is_taken_from_the_frame) {
    const Packet packet =
        PacketBuilder{}.ethernet().ipv4().length(0).tcp(1, 2).payload(Octets(3000)).build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteLengthFromFrame | kNoteMergedFrame, parsed.notes);
    LONGS_EQUAL(3040, parsed.octets);
    LONGS_EQUAL(3000, parsed.payload_octets);
    const Packet captured = packet.captured(100);
    const ParsedPacket cut = parse(captured);
    LONGS_EQUAL(kNoteLengthFromFrame | kNoteMergedFrame | kNoteTruncated, cut.notes);
    LONGS_EQUAL(3000, cut.payload_octets);
    LONGS_EQUAL(46, cut.payload_captured_octets);
}

TEST(PacketLengths, only_ethernet_frames_count_as_merged) {
    // Of a cooked capture those that came over Ethernet; 772 is a loopback, whose packets are long.
    for (const auto& [cooked, device_at] : {std::pair{PacketBuilder{}.linux_sll(), size_t{2}},
                                            std::pair{PacketBuilder{}.linux_sll2(), size_t{8}}}) {
        Packet packet = PacketBuilder{cooked}.ipv4().udp(1, 2).payload(Octets(1473)).build();
        LONGS_EQUAL(kNoteMergedFrame, parse(packet).notes);
        packet.octets[device_at] = 3;
        packet.octets[device_at + 1] = 4;
        LONGS_EQUAL(0, parse(packet).notes);
    }
    const Packet longest =
        PacketBuilder{}.ethernet().ipv4().udp(1, 2).payload(Octets(1472)).build();
    const Packet merged = PacketBuilder{}.ethernet().ipv4().udp(1, 2).payload(Octets(1473)).build();
    const Packet raw = PacketBuilder{}.ipv4().udp(1, 2).payload(Octets(1473)).build();
    LONGS_EQUAL(0, parse(longest).notes);
    LONGS_EQUAL(kNoteMergedFrame, parse(merged).notes);
    LONGS_EQUAL(0, parse(raw).notes);
}

TEST(PacketLengths, payload_length_of_zero_before_tcp_is_taken_from_the_frame) {
    const Packet packet =
        PacketBuilder{}.ethernet().ipv6().length(0).tcp(1, 2).payload(Octets(3000)).build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(kNoteLengthFromFrame | kNoteMergedFrame, parsed.notes);
    LONGS_EQUAL(3060, parsed.octets);
    LONGS_EQUAL(3000, parsed.payload_octets);
    // Six octets that pad a frame are no TCP.
    const Packet padded =
        PacketBuilder{}.ethernet().ipv6().length(0).protocol(6).padding(6).build();
    LONGS_EQUAL(kNoteTransportMalformed, parse(padded).notes);
    LONGS_EQUAL(40, parse(padded).octets);
}

TEST(PacketLengths, payload_length_of_zero_is_believed_without_the_jumbo_option) {
    const Packet packet =
        PacketBuilder{}.ethernet().ipv6().length(0).udp(1, 2).payload("abc").build();
    const ParsedPacket parsed = parse(packet);
    LONGS_EQUAL(40, parsed.octets);
    LONGS_EQUAL(kNoteTransportMalformed, parsed.notes);
    LONGS_EQUAL(0, parsed.key.low_port);
    LONGS_EQUAL(0, parsed.payload_octets);
    check_result("ip_extensions_malformed",
                 PacketBuilder{}.ethernet().ipv6().length(0).extension(0).udp(1, 2).build());
}

TEST(PacketLengths, ipv6_without_a_length_is_as_long_as_a_frame_that_no_length_could_tell) {
    const auto packet = [](size_t octets) {
        return PacketBuilder{}
            .ethernet()
            .ipv6()
            .length(0)
            .udp(1, 2)
            .length(0)
            .payload(Octets(octets))
            .build();
    };
    const Packet merged = packet(65528);
    LONGS_EQUAL(65576, parse(merged).octets);
    LONGS_EQUAL(65528, parse(merged).payload_octets);
    LONGS_EQUAL(kNoteMergedFrame | kNoteLengthFromFrame, parse(merged).notes);
    const Packet lying = packet(65527);
    LONGS_EQUAL(40, parse(lying).octets);
}

}  // namespace curlew::probe
