#include "probe/joy_half.h"

#include <string>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using curlew::tests::from_hex;
using curlew::tests::Octets;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;

namespace {

PacketBuilder tcp(uint32_t sequence, const std::string& payload) {
    return PacketBuilder{}.ethernet().ipv4().tcp(1000, 80).sequence(sequence).payload(payload);
}

PacketBuilder syn() {
    return PacketBuilder{}.ethernet().ipv4().tcp(1000, 80).flags("S");
}

JoyHalf half_of(const std::vector<PacketBuilder>& builders, size_t idp = kJoyIdp) {
    JoyPacketReader reader;
    JoyPacket packet;
    std::unique_ptr<JoyHalf> half;
    for (const PacketBuilder& builder : builders) {
        const Packet built = builder.build();
        CHECK(reader.read(built.view(), packet) == JoyVerdict::metered);
        if (!half) {
            half = std::make_unique<JoyHalf>(packet.key, idp);
        }
        half->add(packet);
    }
    return std::move(*half);
}

JoyIdentity identify(uint8_t protocol, const std::string& text) {
    return identify_joy_payload(protocol,
                                {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

}  // namespace

TEST_GROUP(JoyHalf){};

TEST(JoyHalf, counts_packets_and_payload) {
    const JoyHalf half = half_of(
        {syn().ttl(60).ip_id(5).time_ns(2'000'000), tcp(1, "abc").ttl(50).time_ns(3'000'000)});
    CHECK_EQUAL(2u, half.packets());
    CHECK_EQUAL(3u, half.payload_octets());
    CHECK_EQUAL(83u, half.ip_octets());
    CHECK_EQUAL(50, half.minimum_ttl());
    CHECK_EQUAL(2000u, half.start_us());
    CHECK_EQUAL(3000u, half.end_us());
    CHECK_EQUAL(5, half.ip_ids()[0]);
    CHECK_EQUAL(1u, half.listed().size());
}

TEST(JoyHalf, lists_fifty_packets_with_payload_and_fifty_identifications) {
    std::vector<PacketBuilder> packets;
    for (uint32_t i = 0; i < 60; ++i) {
        packets.push_back(tcp(i + 1, "x"));
    }
    const JoyHalf half = half_of(packets);
    CHECK_EQUAL(50u, half.listed().size());
    CHECK_EQUAL(50u, half.ip_ids().size());
    CHECK_EQUAL(50u, half.segments().size());
    CHECK_EQUAL(60u, half.payload_octets());
}

TEST(JoyHalf, takes_a_segment_below_the_last_for_a_retransmission_header_and_all) {
    const JoyHalf half = half_of({tcp(10, "ab"), tcp(5, "ab"), tcp(10, "ab"), tcp(3, "")});
    CHECK_EQUAL(1u, half.retransmissions());
    CHECK_EQUAL(1u, half.invalid());
    CHECK_EQUAL(26u, half.payload_octets());
    CHECK_EQUAL(22, half.listed()[1].payload_octets);
    CHECK_EQUAL(3u, half.segments().size());
    CHECK_EQUAL(2u, half.first_octet().segments);
}

TEST(JoyHalf, shows_a_retransmission_to_the_protocols_header_and_all) {
    const std::string hello("\x16\x03\x03\0\x05hello", 10);
    const std::string done("\x14\x03\x03\0\x01\x01", 6);
    const auto records_of = [&](const std::vector<PacketBuilder>& packets) {
        curlew::proto::JoyTls tls;
        CHECK_TRUE(half_of(packets).protocols()->fill(tls));
        return tls;
    };
    const auto tls = [](uint32_t sequence, const std::string& payload) {
        return PacketBuilder{}.ethernet().ipv4().tcp(1000, 443).sequence(sequence).payload(payload);
    };
    CHECK_TRUE(records_of({tls(10, hello), tls(20, done)}).has_ending_version());
    // Its header is read as that of a record, whose length swallows what comes next.
    CHECK_FALSE(records_of({tls(10, hello), tls(9, hello), tls(20, done)}).has_ending_version());
}

TEST(JoyHalf, knows_no_serial_arithmetic) {
    CHECK_EQUAL(1u, half_of({tcp(0xffffffff, "a"), tcp(0, "b")}).retransmissions());
}

TEST(JoyHalf, remembers_no_sequence_number_after_fifty_packets) {
    std::vector<PacketBuilder> packets;
    for (uint32_t i = 1; i <= 51; ++i) {
        packets.push_back(tcp(i, "x"));
    }
    packets.push_back(tcp(50, "x"));  // below 51, which was not remembered
    CHECK_EQUAL(0u, half_of(packets).retransmissions());
}

TEST(JoyHalf, a_malformed_packet_is_payload_as_a_whole) {
    const JoyHalf half =
        half_of({PacketBuilder{}.ethernet().ipv4().tcp(1000, 80).header_octets(60).payload("xy")});
    CHECK_EQUAL(1u, half.invalid());
    CHECK_EQUAL(0u, half.retransmissions());
    CHECK_EQUAL(22u, half.payload_octets());
    CHECK_TRUE(half.segments().empty());
}

TEST(JoyHalf, tells_the_beginning_from_exact_flags_alone) {
    const JoyHalf half = half_of({PacketBuilder{}.ethernet().ipv4().tcp(1000, 80).flags("SEC"),
                                  syn().sequence(0).window(0),
                                  syn().sequence(77).window(512).options(from_hex("02 04 05 b4")),
                                  syn().sequence(78).window(513)});
    CHECK_EQUAL(2, half.tcp().flags);
    CHECK_EQUAL(77u, half.tcp().sequence);
    CHECK_EQUAL(512, half.tcp().window);
    CHECK(half.tcp().options == from_hex("02 04 05 b4"));
}

TEST(JoyHalf, keeps_twenty_four_octets_of_tcp_options) {
    const JoyHalf half = half_of({syn().options(Octets(32, 1))});
    CHECK_EQUAL(24u, half.tcp().options.size());
    CHECK_EQUAL(32, half.segments()[0].option_octets);
}

TEST(JoyHalf, first_payload_is_cut_and_first_packet_begins_with_ip) {
    const JoyHalf half = half_of({syn(), tcp(1, std::string(40, 'a')), tcp(41, "later")});
    CHECK_EQUAL(32u, half.first_payload().size());
    CHECK_EQUAL(80u, half.first_packet().size());
    CHECK_EQUAL(0x45, half.first_packet()[0]);
}

TEST(JoyHalf, first_packet_is_cut_at_idp) {
    const std::vector<PacketBuilder> large = {tcp(1, std::string(1400, 'a'))};
    CHECK_EQUAL(1300u, half_of(large).first_packet().size());
    CHECK_EQUAL(256u, half_of(large, 256).first_packet().size());
}

TEST(JoyHalf, groups_of_four_end_with_the_packet) {
    // 5 octets are a group of four and one of one, filled up with zeros.
    const JoyHalf half = half_of({tcp(1, std::string("\x01\x02\x03\x04\x05", 5))});
    CHECK_EQUAL(15, half.walsh_sums()[0]);
    CHECK_EQUAL(1 - 2 + 3 - 4 + 5, half.walsh_sums()[1]);
    CHECK_EQUAL(1 + 2 - 3 - 4 + 5, half.walsh_sums()[2]);
    CHECK_EQUAL(1 - 2 - 3 + 4 + 5, half.walsh_sums()[3]);
}

TEST(JoyHalf, walsh_sums_wrap) {
    JoyHalf half(JoyKey{});
    JoyPacket packet;
    const Octets large(60'000, 255);
    packet.transport = packet.payload = large;
    for (int i = 0; i < 150; ++i) {
        half.add(packet);
    }
    // 9,000,000 times 255 is 2,295,000,000.
    CHECK_EQUAL(-1'999'967'296, half.walsh_sums()[0]);
}

TEST(JoyHalf, mean_and_squares_run) {
    const JoyHalf half = half_of({tcp(1, std::string("\x02\x04\x06", 3))});
    DOUBLES_EQUAL(4.0, half.byte_mean(), 1e-12);
    DOUBLES_EQUAL(8.0, half.byte_squares(), 1e-12);
    CHECK_EQUAL(1u, half.byte_counts()[4]);
}

TEST(JoyHalf, is_identified_by_its_first_two_payloads) {
    CHECK(half_of({tcp(1, "x"), tcp(2, "GET /")}).role() == JoyRole::client);
    CHECK(half_of({tcp(1, "x"), tcp(2, "y"), tcp(3, "GET /")}).role() == JoyRole::unknown);
}

TEST(JoyHalf, payloads_are_identified_as_joy_does) {
    const std::string client_hello("\x16\x03\x01\x00\x50\x01", 6);
    const std::string server_hello("\x16\x03\x03\x00\x50\x02", 6);
    const std::string dns_query("\xab\xcd\x01\x00\x00\x01\x00\x00", 8);
    CHECK(identify(6, client_hello).role == JoyRole::client);
    CHECK_EQUAL(443, identify(6, client_hello).application);
    CHECK(identify(6, server_hello).role == JoyRole::server);
    CHECK(identify(6, std::string("\x16\x03\x00\x00\x50\x01", 6)).role == JoyRole::unknown);
    CHECK(identify(6, "HTTP/1.1 200 OK").role == JoyRole::server);
    CHECK(identify(6, "HTTP/1.0 200 OK").role == JoyRole::unknown);
    CHECK_EQUAL(80, identify(6, "CONNECT a:1").application);
    CHECK(identify(17, dns_query).role == JoyRole::server);
    CHECK_EQUAL(53, identify(17, dns_query).application);
    CHECK(identify(17, "GET /").role == JoyRole::unknown);
    CHECK(identify(6, dns_query).role == JoyRole::unknown);
}

TEST(JoyHalf, tells_what_the_memory_is_for) {
    CHECK(half_of({tcp(1, "x")}).memory_octets() > half_of({tcp(1, "")}).memory_octets() + 1000);
}

TEST_GROUP(JoyFirstOctet){};

TEST(JoyFirstOctet, keeps_the_bits_that_never_change) {
    JoyFirstOctetFacts facts;
    for (const uint8_t octet : Octets{0x16, 0x17, 0x15}) {
        facts.add(octet);
    }
    CHECK_EQUAL(3u, facts.segments);
    CHECK_EQUAL(0xfc, facts.constant_mask);
    CHECK_EQUAL(0x14, facts.constant_value);
    CHECK_EQUAL(0x16, facts.initial);
    CHECK_EQUAL(0, facts.counter_mask);
}

TEST(JoyFirstOctet, takes_a_1_for_a_counter_when_no_bit_is_constant) {
    JoyFirstOctetFacts facts;
    for (const uint8_t octet : Octets{0xff, 0x00, 0x01}) {
        facts.add(octet);
    }
    CHECK_EQUAL(0, facts.constant_mask);
    CHECK_EQUAL(0xff, facts.counter_mask);
}

TEST(JoyFirstOctet, looks_at_ten_segments) {
    JoyFirstOctetFacts facts;
    for (int i = 0; i < 11; ++i) {
        facts.add(i == 10 ? 0 : 0xff);
    }
    CHECK_EQUAL(10u, facts.segments);
    CHECK_EQUAL(0xff, facts.constant_mask);
}
