#include "collector/community_id.h"

#include <string>
#include <vector>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

// Expected values: the baseline that the specification publishes, unless told otherwise.

namespace curlew::collector {
namespace {

std::string id_of(const proto::FlowSummary& flow) {
    CommunityIdMaker maker;
    return std::string(maker.make(flow));
}

std::string id_between(const std::string& initiator,
                       uint32_t initiator_port,
                       const std::string& responder,
                       uint32_t responder_port,
                       uint32_t protocol) {
    return id_of(flow_between(initiator, initiator_port, responder, responder_port, protocol));
}

proto::FlowSummary icmp(const std::string& initiator,
                        const std::string& responder,
                        uint32_t protocol,
                        uint8_t type,
                        uint8_t code) {
    proto::FlowSummary flow = flow_between(initiator, 0, responder, 0, protocol);
    flow.add_icmp_types(std::string{static_cast<char>(type), static_cast<char>(code)});
    return flow;
}

std::string icmp4_id(const std::string& initiator, const std::string& responder, uint8_t type) {
    return id_of(icmp(initiator, responder, 1, type, 0));
}

std::string icmp6_id(const std::string& initiator,
                     const std::string& responder,
                     uint8_t type,
                     uint8_t code = 0) {
    return id_of(icmp(initiator, responder, 58, type, code));
}

}  // namespace

TEST_GROUP(CommunityId){};

TEST(CommunityId, tcp_and_udp_are_the_same_both_ways) {
    const std::string tcp = "1:LQU9qZlK+B5F3KDmev6m5PMibrg=";
    CHECK_EQUAL(tcp, id_between("128.232.110.120", 34855, "66.35.250.204", 80, 6));
    CHECK_EQUAL(tcp, id_between("66.35.250.204", 80, "128.232.110.120", 34855, 6));
    const std::string udp = "1:d/FP5EW3wiY1vCndhwleRRKHowQ=";
    CHECK_EQUAL(udp, id_between("192.168.1.52", 54585, "8.8.8.8", 53, 17));
    CHECK_EQUAL(udp, id_between("8.8.8.8", 53, "192.168.1.52", 54585, 17));
}

TEST(CommunityId, ipv6_addresses_go_in_whole) {
    const std::string id = "1:/qFaeAR+gFe1KYjMzVDsMv+wgU4=";
    const std::string client = "2001:470:e5bf:dead:4957:2174:e82c:4887";
    CHECK_EQUAL(id, id_between(client, 63943, "2607:f8b0:400c:c03::1a", 25, 6));
    CHECK_EQUAL(id, id_between("2607:f8b0:400c:c03::1a", 25, client, 63943, 6));
}

TEST(CommunityId, sctp_has_its_ports_or_no_id) {
    CHECK_EQUAL(std::string("1:MP2EtRCAUIZvTw6MxJHLV7N7JDs="),
                id_between("192.168.170.56", 7, "192.168.170.8", 7, 132));
    CHECK_EQUAL(std::string(), id_between("192.168.170.56", 0, "192.168.170.8", 0, 132));
}

TEST(CommunityId, other_protocols_have_addresses_and_protocol_alone) {
    const std::string rsvp = "1:KHlLkgoJW7ifUTyTSgyVfkFHzKw=";
    CHECK_EQUAL(rsvp, id_between("10.1.12.1", 0, "10.1.12.2", 0, 46));
    CHECK_EQUAL(rsvp, id_between("10.1.12.2", 0, "10.1.12.1", 0, 46));
}

TEST(CommunityId, icmp_questions_and_answers_are_one_flow) {
    const std::string echo = "1:X0snYXpgwiv9TZtqg64sgzUn6Dk=";
    CHECK_EQUAL(echo, icmp4_id("192.168.0.89", "192.168.0.1", 8));
    CHECK_EQUAL(echo, icmp4_id("192.168.0.1", "192.168.0.89", 0));
    for (const auto& [question, answer] :
         std::vector<std::pair<uint8_t, uint8_t>>{{8, 0}, {10, 9}, {13, 14}, {15, 16}, {17, 18}}) {
        CHECK_EQUAL(icmp4_id("10.0.0.1", "10.0.0.2", question),
                    icmp4_id("10.0.0.2", "10.0.0.1", answer));
        CHECK(icmp4_id("10.0.0.1", "10.0.0.2", question) !=
              icmp4_id("10.0.0.1", "10.0.0.2", answer));
    }
}

TEST(CommunityId, icmp_without_an_answer_keeps_its_direction) {
    CHECK_EQUAL(std::string("1:YHxtAirCG//0OzkcVAukqKQN9xM="),
                icmp4_id("10.0.0.1", "10.0.0.2", 11));
    CHECK(icmp4_id("10.0.0.2", "10.0.0.1", 11) != icmp4_id("10.0.0.1", "10.0.0.2", 11));
}

TEST(CommunityId, icmp6_questions_and_answers_are_one_flow) {
    const std::string one = "fe80::200:86ff:fe05:80da";
    const std::string other = "fe80::260:97ff:fe07:69ea";
    const std::string neighbour = "1:dGHyGvjMfljg6Bppwm3bg0LO8TY=";
    CHECK_EQUAL(neighbour, icmp6_id(one, other, 135));
    CHECK_EQUAL(neighbour, icmp6_id(other, one, 136));
    CHECK_EQUAL(std::string("1:zavyT/cezQr1fmImYCwYnMXbgck="), icmp6_id(other, one, 135));
    CHECK_EQUAL(std::string("1:hO+sN4H+MG5MY/8hIrXPqc4ZQz0="), icmp6_id(one, "ff02::2", 133));
    CHECK_EQUAL(std::string("1:pkvHqCL88/tg1k4cPigmZXUtL00="), icmp6_id(other, "ff02::1", 134));
    CHECK_EQUAL(std::string("1:+TW+HtLHvV1xnGhV1lv7XoJrqQg="),
                icmp6_id("3ffe:501:0:1001::2", "3ffe:507:0:1:200:86ff:fe05:80da", 129));
    for (const uint8_t question : std::vector<uint8_t>{128, 130, 133, 135, 139, 144}) {
        CHECK_EQUAL(icmp6_id(one, other, question),
                    icmp6_id(other, one, static_cast<uint8_t>(question + 1)));
    }
}

TEST(CommunityId, icmp6_without_an_answer_has_its_code) {
    const std::string host = "3ffe:507:0:1:200:86ff:fe05:80da";
    CHECK_EQUAL(std::string("1:2ObVBgIn28oZvibYZhZMBgh7WdQ="),
                icmp6_id("3ffe:501:1800:2345::2", host, 3));
    CHECK_EQUAL(std::string("1:hLZd0XGWojozrvxqE0dWB1iM6R0="),
                icmp6_id("3ffe:501:410:0:2c0:dfff:fe47:33e", host, 1, 4));
}

TEST(CommunityId, icmp_goes_by_its_first_packet_and_has_no_id_without_a_header) {
    proto::FlowSummary flow = icmp("192.168.0.89", "192.168.0.1", 1, 8, 0);
    flow.add_icmp_types(std::string("\x03\x03"));
    CHECK_EQUAL(std::string("1:X0snYXpgwiv9TZtqg64sgzUn6Dk="), id_of(flow));
    flow.clear_icmp_types();
    CHECK_EQUAL(std::string(), id_of(flow));
}

TEST(CommunityId, equal_addresses_are_put_in_order_by_port) {
    CHECK_EQUAL(id_between("10.0.0.1", 1000, "10.0.0.1", 2000, 17),
                id_between("10.0.0.1", 2000, "10.0.0.1", 1000, 17));
}

TEST(CommunityId, one_maker_makes_many) {
    CommunityIdMaker maker;
    const proto::FlowSummary flow = flow_between("192.168.1.52", 54585, "8.8.8.8", 53, 17);
    for (int i = 0; i < 3; ++i) {
        CHECK_EQUAL(std::string("1:d/FP5EW3wiY1vCndhwleRRKHowQ="), std::string(maker.make(flow)));
        maker.make(small_flow());
    }
}

}  // namespace curlew::collector
