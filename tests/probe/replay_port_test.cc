#include "probe/replay_port.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "probe/link_types.h"
#include "probe/packet_parser.h"
#include "tests/probe/capture_blocks.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;

namespace {

// Ethernet, IPv4 from 192.0.2.1 to 192.0.2.2, UDP.
Octets udp_frame(uint8_t destination_port) {
    return {2, 0, 0, 0,  0,  2, 2, 0,   0, 0, 0, 1,   8, 0, 0x45, 0,    0,    28, 0,
            1, 0, 0, 64, 17, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2,    0x30, 0x39, 0,  destination_port,
            0, 8, 0, 0};
}

struct Seen {
    uint64_t time_ns;
    Octets octets;
    uint32_t wire_octets;
    LinkType link;
};

std::vector<Seen> all_of(ReplayPort& port) {
    std::vector<Seen> seen;
    std::array<PacketView, kMaximumBurst> burst;
    while (port.state() == PortState::running) {
        const size_t count = port.receive(burst);
        for (const PacketView& packet : std::span(burst).first(count)) {
            seen.push_back({packet.time_ns,
                            Octets(packet.data, packet.data + packet.captured_octets),
                            packet.wire_octets,
                            packet.link});
        }
        port.release();
    }
    return seen;
}

std::string port_refusal(const std::filesystem::path& file) {
    try {
        const ReplayPort port(file);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "accepted";
}

// What a port gives that may refuse its file.
struct Outcome {
    std::string refusal;  // or empty
    std::vector<Seen> seen;
    uint64_t offered = 0;
};

Outcome outcome_of(const std::filesystem::path& file) {
    Outcome outcome;
    try {
        ReplayPort port(file);
        outcome.seen = all_of(port);
        outcome.offered = port.counters().packets_offered;
    } catch (const std::runtime_error& error) {
        outcome.refusal = error.what();
    }
    return outcome;
}

// Four packets each: both formats, plain and packed.
std::vector<Octets> small_captures() {
    Octets pcap = pcap_header();
    Octets pcapng = section() + interface(kEthernet, 9);
    for (uint8_t i = 1; i <= 4; ++i) {
        pcap = std::move(pcap) + pcap_packet_of(i);
        pcapng = std::move(pcapng) + enhanced_packet(i * uint64_t{1'000'000'000}, Octets(60, i));
    }
    return {pcap, pcapng, gzip(pcap), zstd(pcap), gzip(pcapng), zstd(pcapng)};
}

}  // namespace

TEST_GROUP(ReplayPort) {
    CaptureFolder folder;

    Seen only_packet(const Octets& capture) const {
        ReplayPort port(folder.write("one", capture));
        const std::vector<Seen> seen = all_of(port);
        CHECK_EQUAL(1, seen.size());
        CHECK(port.state() == PortState::ended);
        return seen.at(0);
    }
};

TEST(ReplayPort, reads_a_packet_and_ends) {
    ReplayPort port(
        folder.write("a", pcap_header() + pcap_packet(1'700'000'000, 123'456, {1, 2, 3}, 1514)));
    std::array<PacketView, kMaximumBurst> burst;
    CHECK_EQUAL(1, port.receive(burst));
    CHECK_EQUAL(1'700'000'000'123'456'000, burst[0].time_ns);
    CHECK_EQUAL(3, burst[0].captured_octets);
    CHECK_EQUAL(1514, burst[0].wire_octets);
    CHECK_EQUAL(1, burst[0].data[0]);
    CHECK_EQUAL(3, burst[0].data[2]);
    CHECK(burst[0].link == LinkType::ethernet);
    port.release();
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::ended);
    CHECK_EQUAL(std::string(), port.fault());
    CHECK_EQUAL(1'700'000'000'123'456'000, port.now_ns());
    CHECK_EQUAL(std::string("EN10MB"), port.link_names());
}

TEST(ReplayPort, tells_whether_the_clock_is_finer_than_a_microsecond) {
    const auto nanosecond = [this](const Octets& capture) {
        return ReplayPort(folder.write("a", capture)).nanosecond();
    };
    CHECK(!nanosecond(pcap_header(kMicroseconds)));
    CHECK(nanosecond(pcap_header(kNanoseconds)));
    CHECK(nanosecond(pcap_header(kNanoseconds, kEthernet, big)));
    CHECK(!nanosecond(section() + interface(kEthernet, 6)));
    CHECK(nanosecond(section() + interface(kEthernet, 9)));
    CHECK(nanosecond(section(big) + interface(kEthernet, 9, big)));
    CHECK(!nanosecond(section() + interface(kEthernet, 0x80 | 10)));
    CHECK(nanosecond(section() + interface(kEthernet, 0x80 | 30)));
    CHECK(nanosecond(gzip(pcap_header(kNanoseconds))));
}

TEST(ReplayPort, reads_packed_captures_whatever_their_name) {
    const Octets capture = pcap_header() + pcap_packet_of(1) + pcap_packet_of(2);
    for (const Octets& packed : {gzip(capture), zstd(capture)}) {
        ReplayPort port(folder.write("a.pcap", packed));
        const std::vector<Seen> seen = all_of(port);
        CHECK_EQUAL(2, seen.size());
        CHECK(seen.at(1).octets == Octets(60, 2));
        CHECK(port.state() == PortState::ended);
    }
}

TEST(ReplayPort, bursts_keep_all_their_packets) {
    Octets capture = pcap_header();
    for (uint8_t i = 1; i <= 100; ++i) {
        capture = std::move(capture) + pcap_packet_of(i);
    }
    ReplayPort port(folder.write("a", capture));
    std::array<PacketView, kMaximumBurst> burst;
    CHECK_EQUAL(64, port.receive(burst));
    CHECK_EQUAL(1, burst[0].data[59]);
    CHECK_EQUAL(64, burst[63].data[59]);
    port.release();
    CHECK_EQUAL(36, port.receive(burst));
    CHECK_EQUAL(65, burst[0].data[0]);
    CHECK_EQUAL(100, burst[35].data[0]);
    port.release();
}

TEST(ReplayPort, burst_of_longest_packets_ends_early) {
    Octets capture = pcap_header();
    for (uint8_t i = 1; i <= 7; ++i) {
        capture = std::move(capture) + pcap_packet(i, 0, Octets(262'144, i), 262'144);
    }
    ReplayPort port(folder.write("a", capture));
    std::array<PacketView, kMaximumBurst> burst;
    for (uint8_t i = 1; i <= 7; ++i) {
        CHECK_EQUAL(1, port.receive(burst));
        CHECK_EQUAL(i, burst[0].data[0]);
        CHECK_EQUAL(i, burst[0].data[262'143]);
        port.release();
    }
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::ended);
}

TEST(ReplayPort, what_a_capture_says_that_it_lost_was_offered) {
    const Octets lost = block(
        5, little(0, 4) + little(0, 8) + little(5, 2) + little(8, 2) + little(9, 8) + little(0, 4));
    ReplayPort port(folder.write(
        "lost.pcapng",
        section() + interface(kEthernet, 6) + enhanced_packet(7'000'000, {1, 2, 3, 4}) + lost));
    const LossIntervals none = port.losses();
    CHECK_TRUE(none.begin() == none.end());
    CHECK_EQUAL(1u, all_of(port).size());
    CHECK_EQUAL(9u, port.counters().packets_missed);
    CHECK_EQUAL(10u, port.counters().packets_offered);
    const LossIntervals losses = port.losses();
    CHECK_EQUAL(1, losses.end() - losses.begin());
    CHECK_EQUAL(9u, losses.begin()->lost);
    CHECK_EQUAL(7'000'000'000u, losses.begin()->to_ns);
}

TEST(ReplayPort, packets_of_a_moved_time_are_noted) {
    curlew::tests::Packet packet =
        curlew::tests::PacketBuilder{}.ethernet().ipv4().udp(1, 2).build();
    for (const uint64_t seconds : {4'611'686'018, 4'611'686'019}) {
        packet.time_ns = only_packet(section() + interface(kEthernet, 0) +
                                     enhanced_packet(seconds, {1, 2, 3, 4}))
                             .time_ns;
        ParsedPacket parsed;
        CHECK_TRUE(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
        CHECK_EQUAL(seconds == 4'611'686'018 ? 0 : kNoteTimeOutOfRange, parsed.notes);
    }
}

TEST(ReplayPort, cut_capture_gives_the_packets_before) {
    const Octets capture = pcap_header() + pcap_packet_of(1) + pcap_packet_of(2);
    ReplayPort port(folder.write("a", first(capture, capture.size() - 40)));
    const std::vector<Seen> seen = all_of(port);
    CHECK_EQUAL(1, seen.size());
    CHECK(port.state() == PortState::broken);
    CHECK_EQUAL(std::string("capture ends in the middle of packet 2"), port.fault());
    std::array<PacketView, kMaximumBurst> burst;
    CHECK_EQUAL(0, port.receive(burst));
}

TEST(ReplayPort, damaged_capture_gives_the_packets_before) {
    const Octets lying = little(1, 4) + little(0, 4) + little(0x70000000, 4) + little(60, 4);
    ReplayPort port(folder.write("a", pcap_header() + pcap_packet_of(1) + lying + Octets(5000, 0)));
    CHECK_EQUAL(1, all_of(port).size());
    CHECK(port.state() == PortState::broken);
    CHECK_EQUAL(std::string("capture cannot be read after packet 1 (captured length 1879048192)"),
                port.fault());
}

TEST(ReplayPort, a_capture_cut_at_any_octet_gives_whole_packets_or_is_refused) {
    for (const Octets& capture : small_captures()) {
        ReplayPort whole(folder.write("whole", capture));
        const std::vector<Seen> packets = all_of(whole);
        CHECK_EQUAL(4, packets.size());
        for (size_t kept = 0; kept < capture.size(); ++kept) {
            const auto [refusal, seen, offered] =
                outcome_of(folder.write("cut", first(capture, kept)));
            CHECK(seen.size() <= packets.size());
            for (size_t i = 0; i < seen.size(); ++i) {
                CHECK(seen[i].octets == packets[i].octets);
                CHECK_EQUAL(packets[i].time_ns, seen[i].time_ns);
            }
            CHECK_EQUAL(seen.size(), offered);
        }
    }
}

TEST(ReplayPort, a_capture_with_random_octets_is_counted_or_refused) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    for (const Octets& capture : small_captures()) {
        for (int round = 0; round < 300; ++round) {
            Octets damaged = capture;
            for (unsigned changes = 1 + random() % 4; changes > 0; --changes) {
                damaged[random() % damaged.size()] = static_cast<uint8_t>(random());
            }
            const auto [refusal, seen, offered] = outcome_of(folder.write("damaged", damaged));
            CHECK_EQUAL_TEXT(seen.size(), offered, std::to_string(seed).c_str());
            CHECK_EQUAL(std::string::npos, refusal.find('\n'));
        }
    }
}

TEST(ReplayPort, interfaces_of_one_capture_may_have_several_link_types) {
    constexpr uint32_t kUsb = 189;
    ReplayPort port(folder.write("a",
                                 section() + interface(kUsb, 9) + interface(kEthernet, 9) +
                                     enhanced_packet(7, {1, 2, 3, 4}) + section() +
                                     interface(101, 9) + enhanced_packet(8, {1, 2, 3, 4})));
    const std::vector<Seen> seen = all_of(port);
    CHECK_EQUAL(2, seen.size());
    CHECK(port.state() == PortState::ended);
    CHECK(seen[0].link == LinkType::unsupported);
    CHECK(seen[1].link == LinkType::raw_ip);
    CHECK_EQUAL(link_name(kUsb) + ",EN10MB,RAW", port.link_names());
}

TEST(ReplayPort, a_filter_is_made_for_each_link_type) {
    const Octets frame = udp_frame(53) + Octets(2, 0);
    const Octets ip(frame.begin() + 14, frame.end() - 2);
    const Octets capture = section() + interface(kEthernet, 9) + enhanced_packet(7, frame) +
                           section(big) + interface(101, 9, big) + enhanced_packet(8, ip, big) +
                           section() + interface(189, 9) + enhanced_packet(9, frame);
    ReplayPort port(folder.write("a", capture), "udp port 53");
    CHECK_EQUAL(2, all_of(port).size());
    CHECK_EQUAL(1, port.counters().packets_filtered);
    ReplayPort other(folder.write("a", capture), "udp port 54");
    CHECK_EQUAL(0, all_of(other).size());
    CHECK_EQUAL(3, other.counters().packets_filtered);
}

TEST(ReplayPort, a_filter_that_a_link_type_cannot_have_wants_none_of_its_packets) {
    const Octets frame = udp_frame(53) + Octets(2, 0);
    const Octets capture = section() + interface(kEthernet, 9) + interface(101, 9) +
                           enhanced_packet(7, frame) + section() + interface(239, 9) +
                           enhanced_packet(8, frame) + section() + interface(kEthernet, 9) +
                           enhanced_packet(9, frame);
    ReplayPort port(folder.write("a", capture), "ether host 2:0:0:0:0:1");
    CHECK_EQUAL(2, all_of(port).size());
    CHECK(port.state() == PortState::ended);
    CHECK_EQUAL(1, port.counters().packets_filtered);
    // As long as one may have it.
    const auto only_raw = folder.write(
        "b", section() + interface(101, 9) + enhanced_packet(7, {1, 2, 3, 4}) + capture);
    CHECK_THROWS(FilterError, ReplayPort(only_raw, "ether host 2:0:0:0:0:1"));
}

TEST(ReplayPort, every_number_of_raw_ip_can_be_filtered) {
    Octets packet = udp_frame(53);
    packet.erase(packet.begin(), packet.begin() + 14);
    for (const uint32_t link : {12, 14, 101, 228}) {
        ReplayPort port(
            folder.write("a", pcap_header(kMicroseconds, link) + pcap_packet(1, 0, packet, 28)),
            "udp port 53");
        CHECK_EQUAL(1, all_of(port).size());
    }
}

TEST(ReplayPort, much_of_no_use_between_two_packets_gives_control_back) {
    const Octets useless = block(0x0bad, Octets(24 << 20, 0));
    ReplayPort port(folder.write(
        "a",
        zstd(section() + interface(kEthernet, 9) + useless + enhanced_packet(7, {1, 2, 3, 4}) +
             useless + enhanced_packet(8, {1, 2, 3, 4}))));
    std::array<PacketView, kMaximumBurst> burst;
    size_t packets = 0;
    size_t empty = 0;
    while (port.state() == PortState::running) {
        const size_t count = port.receive(burst);
        packets += count;
        if (count == 0 && port.state() == PortState::running) {
            ++empty;
            CHECK_FALSE(port.caught_up());
        }
        port.release();
    }
    CHECK_EQUAL(2, packets);
    CHECK(empty >= 1);
    CHECK(port.caught_up());
}

TEST(ReplayPort, cut_gzip_capture_gives_the_packets_before) {
    // Stored, not packed tighter: octets that differ from packet to packet.
    Octets capture = pcap_header();
    uint32_t state = 1;
    for (uint32_t i = 0; i < 2000; ++i) {
        Octets octets;
        for (int j = 0; j < 100; ++j) {
            state = state * 1664525 + 1013904223;
            octets.push_back(static_cast<uint8_t>(state >> 24));
        }
        capture = std::move(capture) + pcap_packet(i, 0, octets, 100);
    }
    const Octets packed = gzip(capture);
    ReplayPort port(folder.write("a", first(packed, packed.size() / 2)));
    const size_t count = all_of(port).size();
    CHECK(count > 900);
    CHECK(count < 1100);
    CHECK(port.state() == PortState::broken);
    CHECK_EQUAL("gzip data ends early, after packet " + std::to_string(count), port.fault());
}

TEST(ReplayPort, filter_chooses_packets_and_counts_the_others) {
    Octets capture = pcap_header();
    for (const uint8_t port : Octets{53, 80, 53}) {
        capture = std::move(capture) + pcap_packet(port, 0, udp_frame(port), 42);
    }
    ReplayPort port(folder.write("a", capture + pcap_packet(99, 0, udp_frame(99), 42)),
                    "udp port 53");
    CHECK_EQUAL(2, all_of(port).size());
    CHECK_EQUAL(4, port.counters().packets_offered);
    CHECK_EQUAL(2, port.counters().packets_filtered);
    CHECK_EQUAL(0, port.counters().packets_missed);
    CHECK_EQUAL(168, port.counters().octets_offered);
    CHECK_EQUAL(53'000'000'000, port.now_ns());
}

TEST(ReplayPort, filter_that_wants_nothing_gives_control_back) {
    Octets capture = pcap_header();
    for (int i = 0; i < 1500; ++i) {
        capture = std::move(capture) + pcap_packet(1, 0, udp_frame(53), 42);
    }
    ReplayPort port(folder.write("a", capture), "tcp");
    std::array<PacketView, kMaximumBurst> burst;
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::running);
    CHECK_EQUAL(1024, port.counters().packets_filtered);
    port.release();
    CHECK_EQUAL(0, all_of(port).size());
    CHECK_EQUAL(1500, port.counters().packets_filtered);
}

TEST(ReplayPort, filter_knows_the_byte_order_of_a_foreign_loopback) {
    // The address family stands in the byte order of the host that captured.
    const Octets packet = Octets{0, 0, 0, 2} + [] {
        Octets frame = udp_frame(53);
        frame.erase(frame.begin(), frame.begin() + 14);
        return frame;
    }();
    ReplayPort port(
        folder.write("a", pcap_header(kMicroseconds, 0, big) + pcap_packet(1, 0, packet, 32, big)),
        "udp port 53");
    CHECK_EQUAL(1, all_of(port).size());
}

TEST(ReplayPort, wrong_filter_is_told_from_a_wrong_file) {
    const std::filesystem::path file = folder.write("a", pcap_header());
    CHECK_THROWS(FilterError, ReplayPort(file, "udp prot 53"));
}

TEST(ReplayPort, counts_offered_and_captured_octets) {
    ReplayPort port(folder.write("a",
                                 pcap_header() + pcap_packet(1, 0, Octets(60, 1), 1514) +
                                     pcap_packet(2, 0, Octets(60, 1), 60)));
    all_of(port);
    CHECK_EQUAL(2, port.counters().packets_offered);
    CHECK_EQUAL(1574, port.counters().octets_offered);
    CHECK_EQUAL(120, port.octets_captured());
    DOUBLES_EQUAL(1.0, port.progress(), 0);
}

TEST(ReplayPort, refuses_in_one_sentence) {
    const std::string base = folder.path().string();
    CHECK_EQUAL(base + "/gone: No such file or directory", port_refusal(folder.path() / "gone"));
    CHECK_EQUAL(base + "/empty: file is empty", port_refusal(folder.write("empty", {})));
    CHECK_EQUAL(base + "/text: not a capture (unknown file format)",
                port_refusal(folder.write("text", Octets(100, 'x'))));
    CHECK_EQUAL(base + "/slip: link type SLIP (8) is not supported",
                port_refusal(folder.write("slip", pcap_header(kMicroseconds, 8))));
    CHECK_EQUAL(base + "/nameless: link type 9999 is not supported",
                port_refusal(folder.write("nameless", pcap_header(kMicroseconds, 9999))));
    CHECK_EQUAL(
        base + "/two: link type SLIP (8) is not supported",
        port_refusal(folder.write("two",
                                  section() + interface(8, 9) + interface(189, 9) +
                                      enhanced_packet(7, {1, 2, 3, 4}) + interface(kEthernet, 9))));
    CHECK_EQUAL(base + "/none: not a capture (it describes no interface)",
                port_refusal(folder.write("none", section() + block(4, {}))));
    CHECK_EQUAL(base + "/block: not a capture (a block of 5 octets)",
                port_refusal(folder.write("block", section() + little(9, 4) + little(5, 8))));
    CHECK_EQUAL(base + "/cut: gzip data ends early",
                port_refusal(folder.write("cut", first(gzip(pcap_header()), 12))));
}

TEST(ReplayPort, a_capture_ends_when_its_statistics_say) {
    constexpr uint64_t kLast = 1'700'000'000'000'000'000;
    const auto end_of = [this](uint8_t resolution, const Octets& behind) {
        ReplayPort port(folder.write(
            "a",
            section() + interface(kEthernet, resolution) +
                enhanced_packet(resolution == 9 ? kLast : kLast / 1000, Octets(60, 1)) + behind));
        CHECK_EQUAL(1, all_of(port).size());
        CHECK_EQUAL(kLast, port.now_ns());
        return port.end_ns();
    };
    CHECK_EQUAL(0, end_of(9, {}));
    CHECK_EQUAL(kLast + 5, end_of(9, statistics(kLast + 5)));
    CHECK_EQUAL(kLast + 7, end_of(9, statistics(kLast + 5) + statistics(kLast + 7)));
    // Beyond all timeouts is noise.
    CHECK(end_of(9, statistics(~uint64_t{0})) - kLast < 200'000 * uint64_t{1'000'000'000});
    // Who closes a capture in microseconds so is not to change its records.
    CHECK_EQUAL(0, end_of(6, statistics(kLast + 5)));
}

TEST(ReplayPort, capture_without_packets_is_whole) {
    ReplayPort port(folder.write("a", pcap_header()));
    CHECK_EQUAL(0, all_of(port).size());
    CHECK(port.state() == PortState::ended);
    CHECK_EQUAL(0, port.now_ns());
}
