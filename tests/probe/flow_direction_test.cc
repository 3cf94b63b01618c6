#include "probe/flow_direction.h"

#include <string>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

// Endpoint "a" is 10.0.0.1, "b" is 10.0.0.2.
Packet tcp(char from,
           uint16_t port_a,
           uint16_t port_b,
           std::string_view flags,
           std::string_view payload,
           uint64_t time_ns) {
    PacketBuilder builder;
    if (from == 'a') {
        builder.ethernet().ipv4("10.0.0.1", "10.0.0.2").ttl(10).tcp(port_a, port_b);
    } else {
        builder.ethernet().ipv4("10.0.0.2", "10.0.0.1").ttl(20).tcp(port_b, port_a);
    }
    builder.flags(flags);
    if (!payload.empty()) {
        builder.payload(payload);
    }
    return builder.time_ns(time_ns).build();
}

Packet udp(char from, uint16_t port_a, uint16_t port_b, const Octets& payload, uint64_t time_ns) {
    PacketBuilder builder;
    if (from == 'a') {
        builder.ethernet().ipv4("10.0.0.1", "10.0.0.2").ttl(10).udp(port_a, port_b);
    } else {
        builder.ethernet().ipv4("10.0.0.2", "10.0.0.1").ttl(20).udp(port_b, port_a);
    }
    return builder.payload(payload).time_ns(time_ns).build();
}

proto::FlowSummary record_of(const std::vector<Packet>& packets) {
    const Metered metered = meter(packets);
    CHECK_EQUAL(1u, metered.records.size());
    return metered.records[0];
}

const Octets kDnsQuestion = from_hex("1234 0100 0001 0000 0000 0000 0161 00 0001 0001");
const Octets kDnsAnswer = from_hex("1234 8180 0001 0001 0000 0000 0161 00 0001 0001");

}  // namespace

TEST_GROUP(FlowDirection){};

TEST(FlowDirection, the_sender_of_the_syn_initiates_even_when_its_packet_comes_second) {
    const proto::FlowSummary record =
        record_of({tcp('b', 1000, 2000, "SA", "", 1), tcp('a', 1000, 2000, "S", "", 2)});
    CHECK_EQUAL(1000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_SYN, record.direction_source());
}

TEST(FlowDirection, a_syn_that_offers_ecn_is_one_though_the_published_exporter_missed_it) {
    const proto::FlowSummary record = record_of(
        {tcp('b', 2000, 1000, "A", "", 0), tcp('a', 2000, 1000, "SEC", "", kMicrosecond)});
    CHECK_EQUAL(2000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_SYN, record.direction_source());
    CHECK_TRUE(record.published_reversed());
    CHECK((record.quality() & proto::QUALITY_BEGIN_SEEN) != 0);
}

TEST(FlowDirection, an_answer_alone_tells_the_responder) {
    const proto::FlowSummary record =
        record_of({tcp('b', 1000, 2000, "SA", "", 1), tcp('a', 1000, 2000, "A", "", 2)});
    CHECK_EQUAL(1000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_SYNACK, record.direction_source());
}

TEST(FlowDirection, a_request_in_the_middle_tells_the_initiator) {
    const proto::FlowSummary record =
        record_of({tcp('b', 1000, 2000, "A", "rest of an answer", 1),
                   tcp('a', 1000, 2000, "PA", "GET / HTTP/1.1\r\n\r\n", 2)});
    CHECK_EQUAL(1000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_PAYLOAD, record.direction_source());
}

TEST(FlowDirection, tcp_in_the_middle_goes_by_the_well_known_port) {
    const proto::FlowSummary record =
        record_of({tcp('b', 40000, 443, "A", "", 1), tcp('a', 40000, 443, "A", "", 2)});
    CHECK_EQUAL(40000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_PORT, record.direction_source());
}

TEST(FlowDirection, of_two_ports_the_one_that_systems_give_to_callers_is_the_callers) {
    const proto::FlowSummary record =
        record_of({tcp('b', 40000, 15432, "PA", "x", 1), tcp('a', 40000, 15432, "A", "", 2)});
    CHECK_EQUAL(40000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_PORT, record.direction_source());
    const proto::FlowSummary both =
        record_of({tcp('b', 40000, 50000, "PA", "x", 1), tcp('a', 40000, 50000, "A", "", 2)});
    CHECK_EQUAL(50000u, both.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_FIRST_PACKET, both.direction_source());
}

TEST(FlowDirection, else_the_first_packet_tells) {
    const proto::FlowSummary record =
        record_of({udp('b', 1000, 2000, {1}, 0), udp('a', 1000, 2000, {2}, kMicrosecond)});
    CHECK_EQUAL(2000u, record.initiator_port());
    CHECK_EQUAL(proto::DIRECTION_SOURCE_FIRST_PACKET, record.direction_source());
    CHECK_FALSE(record.published_reversed());
}

TEST(FlowDirection, the_client_initiates_dns_though_the_published_record_is_reversed) {
    const proto::FlowSummary record =
        record_of({udp('a', 3000, 53, kDnsQuestion, 1), udp('b', 3000, 53, kDnsAnswer, 90)});
    CHECK_EQUAL(3000u, record.initiator_port());
    CHECK_TRUE(record.published_reversed());
    CHECK_EQUAL(20u, record.published_ttl_out());
    CHECK_EQUAL(10u, record.published_ttl_in());
}

TEST(FlowDirection, an_unanswered_dns_question_is_published_as_it_is) {
    const proto::FlowSummary record = record_of({udp('a', 3000, 53, kDnsQuestion, 1)});
    CHECK_EQUAL(3000u, record.initiator_port());
    CHECK_FALSE(record.published_reversed());
    CHECK_EQUAL(10u, record.published_ttl_out());
    CHECK_FALSE(record.has_published_ttl_in());
}

TEST(FlowDirection, of_two_packets_in_one_microsecond_the_later_is_published_as_sender) {
    CHECK_TRUE(record_of({udp('a', 1000, 2000, {1}, 5 * kMicrosecond),
                          udp('b', 1000, 2000, {2}, 5 * kMicrosecond + 999)})
                   .published_reversed());
    CHECK_FALSE(record_of({udp('a', 1000, 2000, {1}, 5 * kMicrosecond),
                           udp('b', 1000, 2000, {2}, 6 * kMicrosecond)})
                    .published_reversed());
}

TEST(FlowDirection, published_ttls_are_the_smallest_of_the_first_record) {
    std::vector<Packet> packets{udp('a', 1000, 2000, {1}, 0)};
    packets.push_back(PacketBuilder{}
                          .ethernet()
                          .ipv4("10.0.0.1", "10.0.0.2")
                          .ttl(7)
                          .udp(1000, 2000)
                          .time_ns(1)
                          .build());
    CHECK_EQUAL(7u, record_of(packets).published_ttl_out());
}

TEST(FlowDirection, published_roles_are_those_of_the_exporter) {
    const auto role = [](uint8_t protocol, std::string_view text) {
        return static_cast<int>(
            published_role(protocol, {reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
    };
    const int client = static_cast<int>(PublishedRole::client);
    const int server = static_cast<int>(PublishedRole::server);
    const int none = static_cast<int>(PublishedRole::none);
    using namespace std::string_view_literals;
    CHECK_EQUAL(client, role(6, "\x16\x03\x01\x00\x10\x01"sv));
    CHECK_EQUAL(server, role(6, "\x16\x03\x03\x00\x10\x02"sv));
    CHECK_EQUAL(none, role(6, "\x16\x03\x00\x00\x10\x01"sv));
    CHECK_EQUAL(none, role(6, "\x16\x03\x01\x00\x10"sv));
    CHECK_EQUAL(client, role(6, "TRACE /"));
    CHECK_EQUAL(server, role(6, "HTTP/1.1 200"));
    CHECK_EQUAL(none, role(6, "HTTP/1.0 200"));
    CHECK_EQUAL(server, role(17, "ab\x01\x00\x00\x01\x00\x00"sv));
    CHECK_EQUAL(none, role(17, "ab\x81\x80\x00\x01\x00\x01"sv));
}
