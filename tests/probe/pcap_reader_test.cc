#include "probe/pcap_reader.h"

#include <stdexcept>
#include <string>

#include "tests/probe/capture_blocks.h"
#include "tests/probe/read_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;

namespace {

Octets header_of_version(uint16_t major, uint16_t minor) {
    return little(kMicroseconds, 4) + little(major, 2) + little(minor, 2) + little(0, 8) +
           little(65'535, 4) + little(kEthernet, 4);
}

// Seven octets of twelve.
Octets packet_of_lengths(uint32_t captured, uint32_t wire) {
    return little(1, 4) + little(0, 4) + little(captured, 4) + little(wire, 4) + Octets(7, 9);
}

Reading::Packet only_packet(const Octets& capture) {
    const Reading reading = read_packets(capture);
    CHECK_EQUAL(1u, reading.packets.size());
    CHECK_TRUE(reading.is_whole);
    return reading.packets.at(0);
}

}  // namespace

TEST_GROUP(PcapReader){};

TEST(PcapReader, both_byte_orders_and_units) {
    const Octets octets{1, 2};
    for (const Number number : {Number{little}, Number{big}}) {
        const auto packet = only_packet(pcap_header(kMicroseconds, kEthernet, number) +
                                        pcap_packet(5, 7, octets, 1514, number));
        CHECK_EQUAL(5'000'007'000u, packet.time_ns);
        CHECK(packet.octets == octets);
        CHECK_EQUAL(1514u, packet.wire_octets);
        CHECK(packet.link == LinkType::ethernet);
        CHECK_EQUAL(5'000'000'007u,
                    only_packet(pcap_header(kNanoseconds, kEthernet, number) +
                                pcap_packet(5, 7, octets, 2, number))
                        .time_ns);
        CHECK(read_packets(pcap_header(kNanoseconds, kEthernet, number)).nanosecond);
        CHECK(!read_packets(pcap_header(kMicroseconds, kEthernet, number)).nanosecond);
    }
}

TEST(PcapReader, in_pieces_of_any_length) {
    const Octets capture = pcap_header() + pcap_packet_of(1) + pcap_packet_of(2);
    for (size_t piece = 1; piece < 100; ++piece) {
        const Reading reading = read_packets(capture, piece);
        CHECK_EQUAL(2u, reading.packets.size());
        CHECK(reading.packets[0].octets == Octets(60, 1));
        CHECK(reading.packets[1].octets == Octets(60, 2));
        CHECK(reading.is_whole);
    }
    for (size_t kept = 24; kept < capture.size(); ++kept) {
        CHECK_EQUAL(kept == 24 || kept == 24 + 76, read_packets(first(capture, kept)).is_whole);
    }
}

TEST(PcapReader, neither_seconds_nor_fractions_have_a_sign) {
    CHECK_EQUAL(2'500'000'000u,
                only_packet(pcap_header() + pcap_packet(1, 1'500'000, {1}, 1)).time_ns);
    CHECK_EQUAL(4'294'967'295'000'000'000u,
                only_packet(pcap_header() + pcap_packet(0xffffffff, 0, {1}, 1)).time_ns);
    CHECK_EQUAL(
        3'147'483'648u,
        only_packet(pcap_header(kNanoseconds) + pcap_packet(1, 0x80000000, {1}, 1)).time_ns);
    CHECK_EQUAL(2'148'483'648'000u,
                only_packet(pcap_header() + pcap_packet(1, 0x80000000, {1}, 1)).time_ns);
}

TEST(PcapReader, old_writers_had_the_lengths_the_wrong_way_round) {
    const auto lengths = [](uint16_t major, uint16_t minor, uint32_t captured, uint32_t wire) {
        const auto packet =
            only_packet(header_of_version(major, minor) + packet_of_lengths(captured, wire));
        CHECK_EQUAL(7u, packet.octets.size());
        CHECK_EQUAL(12u, packet.wire_octets);
    };
    lengths(2, 4, 7, 12);
    lengths(2, 3, 7, 12);
    lengths(2, 3, 12, 7);
    lengths(2, 2, 12, 7);
    lengths(543, 0, 12, 7);
}

TEST(PcapReader, a_patched_kernels_packets_have_longer_headers) {
    const Octets packet = little(1, 4) + little(2, 4) + little(3, 4) + little(3, 4) +
                          Octets(8, 0xee) + Octets{1, 2, 3};
    const Reading reading = read_packets(pcap_header(0xa1b2cd34) + packet + packet);
    CHECK_EQUAL(2u, reading.packets.size());
    CHECK(reading.packets[1].octets == Octets({1, 2, 3}));
    CHECK_EQUAL(1'000'002'000u, reading.packets[1].time_ns);
}

TEST(PcapReader, of_a_packet_as_much_is_kept_as_the_header_says) {
    const auto kept = [](uint32_t snapshot) {
        const Octets header = little(kMicroseconds, 4) + little(2, 2) + little(4, 2) +
                              little(0, 8) + little(snapshot, 4) + little(kEthernet, 4);
        const Reading reading =
            read_packets(header + pcap_packet(1, 0, Octets(80, 7), 90) + pcap_packet_of(2));
        CHECK_EQUAL(2u, reading.packets.size());
        CHECK_EQUAL(90u, reading.packets[0].wire_octets);
        return reading.packets[0].octets.size();
    };
    CHECK_EQUAL(70u, kept(70));
    CHECK_EQUAL(80u, kept(90));
    // Not told.
    CHECK_EQUAL(80u, kept(0));
    CHECK_EQUAL(80u, kept(0xffffffff));
}

TEST(PcapReader, takes_off_an_announced_check_sequence) {
    // Two 16-bit words of check sequence.
    const Octets header = pcap_header(kMicroseconds, kEthernet | 0x24000000);
    const auto whole = only_packet(header + pcap_packet(1, 0, Octets(64, 1), 64));
    CHECK_EQUAL(60u, whole.octets.size());
    CHECK_EQUAL(60u, whole.wire_octets);
    const auto cut = only_packet(header + pcap_packet(1, 0, Octets(30, 1), 64));
    CHECK_EQUAL(30u, cut.octets.size());
    CHECK_EQUAL(60u, cut.wire_octets);
    const auto tiny = only_packet(header + pcap_packet(1, 0, Octets(3, 1), 3));
    CHECK_EQUAL(0u, tiny.octets.size());
    CHECK_EQUAL(0u, tiny.wire_octets);
}

TEST(PcapReader, a_length_that_no_packet_has_is_damage) {
    const Reading reading =
        read_packets(pcap_header() + pcap_packet_of(1) + packet_of_lengths(262'145, 60));
    CHECK_EQUAL(1u, reading.packets.size());
    CHECK_EQUAL(std::string("captured length 262145"), reading.fault);
}

TEST(PcapReader, other_versions_are_not_known) {
    CHECK_THROWS(std::runtime_error, PcapReader(header_of_version(3, 0)));
    CHECK_THROWS(std::runtime_error, PcapReader(header_of_version(2, 5)));
    CHECK_THROWS(std::runtime_error, PcapReader(header_of_version(1, 2)));
    // What libpcap does not read either.
    for (const uint32_t magic : {0xa1b234cd, 0xa12b3c4d}) {
        CHECK_THROWS(std::runtime_error, PcapReader(pcap_header(magic)));
    }
}
