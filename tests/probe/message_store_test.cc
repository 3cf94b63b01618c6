#include "probe/message_store.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

constexpr uint64_t kStoreSecond = 1'000'000'000;

struct Says {
    bool from_client = true;
    uint32_t sequence = 0;
    std::string text;
    uint64_t time_ns = 0;
    std::string flags = "PA";
};

Packet segment(const Says& says) {
    PacketBuilder builder;
    builder.ethernet().time_ns(says.time_ns);
    if (says.from_client) {
        builder.ipv4("10.0.0.1", "10.0.0.2").tcp(3000, 8000);
    } else {
        builder.ipv4("10.0.0.2", "10.0.0.1").tcp(8000, 3000);
    }
    return builder.flags(says.flags).sequence(says.sequence).payload(says.text).build();
}

Packet acknowledging_syn(bool from_client, uint32_t acknowledges) {
    PacketBuilder builder;
    builder.ethernet().time_ns(0);
    if (from_client) {
        builder.ipv4("10.0.0.1", "10.0.0.2").tcp(3000, 8000);
    } else {
        builder.ipv4("10.0.0.2", "10.0.0.1").tcp(8000, 3000);
    }
    return builder.flags("SA").sequence(7).acknowledgement(acknowledges).build();
}

Packet stored_datagram(const Octets& payload, uint64_t time_ns, uint16_t port = 53) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .udp(3000, port)
        .payload(payload)
        .time_ns(time_ns)
        .build();
}

DispatcherConfig of_line_rate() {
    DispatcherConfig config;
    config.worker.meter.details = false;
    return config;
}

const Octets kStoredAnswer = from_hex(
    "1234 8180 0001 0001 0000 0000 0161 00 0001 0001 c00c 0001 0001 0000003c 0004 0a000009");
const Octets kStoredQuestion = from_hex("1234 0100 0001 0000 0000 0000 0161 00 0001 0001");

// "> octets", "!" behind what was cut, a line each.
std::string messages_of(const proto::FlowSummary& record) {
    std::string all;
    for (const proto::ProtocolMessage& message : record.messages()) {
        all += (message.reverse() ? "< " : "> ") + message.octets() + (message.cut() ? "!" : "") +
               "\n";
    }
    return all;
}

std::string messages_of(const std::vector<Packet>& packets) {
    const Metered metered = meter(packets);
    CHECK_EQUAL(1u, metered.records.size());
    return messages_of(metered.records[0]);
}

}  // namespace

TEST_GROUP(MessageStore){};

TEST(MessageStore, a_datagram_is_kept_as_it_was) {
    const Metered metered = meter({stored_datagram(kStoredQuestion, 0),
                                   stored_datagram(from_hex("3f3f"), 1),
                                   stored_datagram(kStoredQuestion, 2)});
    const proto::FlowSummary& record = metered.records[0];
    // What has not the form of DNS is a message too, where DNS is spoken.
    CHECK_EQUAL(3, record.messages_size());
    CHECK_EQUAL(proto::MESSAGE_PROTOCOL_DNS, record.messages(0).protocol());
    CHECK(std::string(kStoredQuestion.begin(), kStoredQuestion.end()) ==
          record.messages(0).octets());
    CHECK_FALSE(record.messages(0).reverse());
    CHECK_FALSE(record.messages(0).cut());
    CHECK_EQUAL(0u, record.messages(0).packet());
    STRCMP_EQUAL("??", record.messages(1).octets().c_str());
    CHECK_EQUAL(2u, record.messages(2).packet());
}

TEST(MessageStore, a_datagram_that_was_not_captured_whole_is_cut) {
    const Packet whole = stored_datagram(kStoredQuestion, 0);
    const Metered metered = meter({whole.captured(whole.octets.size() - 4)});
    CHECK_TRUE(metered.records[0].messages(0).cut());
}

TEST(MessageStore, the_first_fragment_is_a_message_that_was_cut) {
    PacketBuilder builder;
    builder.ethernet().ipv4("10.0.0.1", "10.0.0.2").fragment(7, 0, true).udp(3000, 53);
    const Metered metered = meter({builder.payload(kStoredQuestion).build()});
    CHECK_EQUAL(1, metered.records[0].messages_size());
    CHECK_TRUE(metered.records[0].messages(0).cut());
}

TEST(MessageStore, heads_of_both_sides_stand_in_their_order) {
    STRCMP_EQUAL(
        "> GET /1 HTTP/1.1\r\n\r\n\n"
        "< HTTP/1.1 200 OK\r\nA: b\r\n\r\n\n"
        "> GET /2 HTTP/1.1\r\n\r\n\n",
        messages_of({segment({true, 1, "GET /1 HTTP/1.1\r\n\r\n", 0}),
                     segment({false, 1, "HTTP/1.1 200 OK\r\n", 1}),
                     segment({true, 20, "GET /2 HTTP/1.1\r\n\r\n", 2}),
                     segment({false, 18, "A: b\r\n\r\nbody", 3})})
            .c_str());
}

TEST(MessageStore, segments_that_come_late_or_twice_make_one_message) {
    STRCMP_EQUAL("> GET /long HTTP/1.1\r\n\r\n\n",
                 messages_of({segment({true, 100, "GET /", 0}),
                              segment({true, 109, " HTTP/1.1\r\n", 1}),
                              segment({true, 120, "\r\n", 2}),
                              segment({true, 105, "long", 3}),
                              segment({true, 100, "GET /XXXX", 4})})
                     .c_str());
}

TEST(MessageStore, the_first_segments_of_a_side_may_come_in_any_order) {
    const std::string head = "HTTP/1.1 200 OK\r\nServer: Plug/1.0\r\n\r\n";
    // The numbers wrap within the head.
    constexpr uint32_t kFirst = UINT32_MAX - 8;
    std::vector<size_t> order = {0, 1, 2, 3};
    const std::array<size_t, 5> cuts = {0, 5, 17, 30, head.size()};
    do {
        // By its own SYN, by the other's that acknowledges it, and of either side.
        for (const bool from_client : {true, false}) {
            for (const bool own_syn : {true, false}) {
                std::vector<Packet> packets = {own_syn
                                                   ? segment({from_client, kFirst - 1, "", 0, "S"})
                                                   : acknowledging_syn(!from_client, kFirst)};
                for (size_t i = 0; i < order.size(); ++i) {
                    const size_t at = cuts[order[i]];
                    packets.push_back(segment({from_client,
                                               static_cast<uint32_t>(kFirst + at),
                                               head.substr(at, cuts[order[i] + 1] - at),
                                               i + 1}));
                }
                const std::string told = messages_of(packets);
                STRCMP_EQUAL((head + "\n").c_str(), told.substr(2).c_str());
            }
        }
    } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MessageStore, a_first_segment_that_never_came_leaves_what_follows) {
    STRCMP_EQUAL("> GET /2 HTTP/1.1\r\n\r\n\n",
                 messages_of({segment({true, 99, "", 0, "S"}),
                              segment({true, 130, "GET /2 HTTP/1.1\r\n\r\n", 1})})
                     .c_str());
}

TEST(MessageStore, the_other_side_may_be_overtaken_too) {
    STRCMP_EQUAL("> GET /1 HTTP/1.1\r\n\r\n\n< HTTP/1.1 200 OK\r\n\r\n\n",
                 messages_of({segment({true, 0, "", 0, "S"}),
                              segment({false, 0, "", 1, "SA"}),
                              segment({true, 1, "GET /1 HTTP/1.1\r\n\r\n", 2}),
                              segment({false, 10, "200 OK\r\n\r\n", 3}),
                              segment({false, 1, "HTTP/1.1 ", 4})})
                     .c_str());
}

TEST(MessageStore, zeros_of_a_bare_acknowledgement_are_not_what_a_side_says_first) {
    const Says zeros{true, 100, std::string(2, '\0'), 0, "A"};
    const Says request{true, 100, "GET / HTTP/1.1\r\n\r\n", 1};
    STRCMP_EQUAL("> GET / HTTP/1.1\r\n\r\n\n",
                 messages_of({segment(zeros), segment(request)}).c_str());
    // What is pushed is said, and what is more than zeros: SMB's length, before the rest.
    const Says pushed{true, 100, std::string(2, '\0'), 0, "PA"};
    CHECK(messages_of({segment(pushed), segment(request)}).empty());
    const std::string smb = std::string("\0\0\0\x04", 4) + "\xfeSMB";
    STRCMP_EQUAL("> \xfeSMB\n",
                 messages_of({segment({true, 100, smb.substr(0, 4), 0, "A"}),
                              segment({true, 104, smb.substr(4), 1, "PA"})})
                     .c_str());
}

TEST(MessageStore, zeros_of_bare_acknowledgements_are_passed_over_wherever_they_are) {
    const std::string zeros(6, '\0');
    const std::string one = "GET /a HTTP/1.1\r\n\r\n";
    const std::string two = "GET /b HTTP/1.1\r\n\r\n";
    const auto after = static_cast<uint32_t>(100 + one.size());
    // Between two messages, and inside one.
    const std::string both = "> " + one + "\n> " + two + "\n";
    STRCMP_EQUAL(both.c_str(),
                 messages_of({segment({true, 100, one}),
                              segment({true, after, zeros, 1, "A"}),
                              segment({true, after, two.substr(0, 9), 2}),
                              segment({true, after + 9, zeros, 3, "A"}),
                              segment({true, after + 9, two.substr(9), 4})})
                     .c_str());
    // Before a beginning in two segments, of which the first alone tells nothing.
    STRCMP_EQUAL(("> " + one + "\n").c_str(),
                 messages_of({segment({true, 99, "", 0, "S"}),
                              segment({true, 100, zeros, 1, "A"}),
                              segment({true, 100, zeros, 2, "A"}),
                              segment({true, 100, one.substr(0, 2), 3}),
                              segment({true, 102, one.substr(2), 4})})
                     .c_str());
}

TEST(MessageStore, a_hole_that_stays_cuts_the_message) {
    STRCMP_EQUAL("> GET /!\n",
                 messages_of({segment({true, 100, "GET /", 0}),
                              segment({true, 109, " HTTP/1.1\r\n\r\n", 1})})
                     .c_str());
}

TEST(MessageStore, a_message_that_did_not_end_is_cut) {
    STRCMP_EQUAL("> GET / HTTP/1.1\r\n!\n",
                 messages_of({segment({true, 100, "GET / HTTP/1.1\r\n", 0})}).c_str());
}

TEST(MessageStore, a_new_connection_has_numbers_of_its_own) {
    STRCMP_EQUAL("> GET /1 HTTP/1.1\r\n\r\n\n> GET /2 HTTP/1.1\r\n\r\n\n",
                 messages_of({segment({true, 100, "GET /1 HTTP/1.1\r\n\r\n", 0}),
                              segment({true, 4, "", 1, "S"}),
                              segment({true, 5, "GET /2 HTTP/1.1\r\n\r\n", 2})})
                     .c_str());
}

TEST(MessageStore, a_new_connection_ends_the_body_of_the_one_before) {
    const std::string post = "POST /1 HTTP/1.1\r\nContent-Length: 99\r\n\r\n";
    STRCMP_EQUAL(("> " + post + "\n> GET /2 HTTP/1.1\r\n\r\n\n").c_str(),
                 messages_of({segment({true, 100, post, 0}),
                              segment({true, 4, "", 1, "S"}),
                              segment({true, 5, "GE", 2}),
                              segment({true, 7, "T /2 HTTP/1.1\r\n\r\n", 3})})
                     .c_str());
}

TEST(MessageStore, a_continued_record_has_its_own_messages) {
    const Metered metered = meter({
        segment({true, 100, "GET /1 HTTP/1.1\r\n\r\n", 0}),
        segment({true, 119, "GET /2 HTTP/1.1\r\n", 299 * kStoreSecond}),
        segment({true, 136, "\r\nGET /3 HTTP/1.1\r\n\r\n", 301 * kStoreSecond}),
    });
    CHECK_EQUAL(2u, metered.records.size());
    STRCMP_EQUAL("> GET /1 HTTP/1.1\r\n\r\n\n> GET /2 HTTP/1.1\r\n!\n",
                 messages_of(metered.records[0]).c_str());
    STRCMP_EQUAL("> GET /3 HTTP/1.1\r\n\r\n\n", messages_of(metered.records[1]).c_str());
}

TEST(MessageStore, a_flow_without_messages_has_none) {
    STRCMP_EQUAL("", messages_of({segment({true, 1, "hello", 0})}).c_str());
}

TEST(MessageStore, the_line_rate_profile_keeps_what_labels_of_other_flows_rest_on) {
    const auto kept = [](const Octets& payload, uint16_t port) {
        const Metered metered =
            meter({stored_datagram(kStoredQuestion, 0, port), stored_datagram(payload, 1, port)},
                  of_line_rate());
        CHECK_EQUAL(1u, metered.records.size());
        return metered.records[0].messages_size();
    };
    CHECK_EQUAL(1, kept(kStoredAnswer, 53));
    Octets multicast = kStoredAnswer;
    multicast[2] = 0x84;
    multicast[3] = 0;
    CHECK_EQUAL(0, kept(multicast, 5353));
    CHECK_EQUAL(0, kept(kStoredQuestion, 53));
    Octets none = kStoredAnswer;
    none[7] = 0;
    CHECK_EQUAL(0, kept(none, 53));
    Octets no_such_name = kStoredAnswer;
    no_such_name[3] |= 3;
    CHECK_EQUAL(0, kept(no_such_name, 53));
}

TEST(MessageStore, in_line_rate_a_records_messages_are_its_own) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 100; ++i) {
        packets.push_back(
            stored_datagram(i == 1 ? kStoredAnswer : kStoredQuestion, i * 4 * kStoreSecond));
    }
    const Metered metered = meter(packets, of_line_rate());
    CHECK_EQUAL(2u, metered.records.size());
    CHECK_EQUAL(1, metered.records[0].messages_size());
    const std::string& octets = metered.records[0].messages(0).octets();
    CHECK(octets == std::string(kStoredAnswer.begin(), kStoredAnswer.end()));
    CHECK_EQUAL(0, metered.records[1].messages_size());
    CHECK_EQUAL(0u, metered.flows.list_shortages);
}

TEST(MessageStore, in_line_rate_a_port_that_asks_again_and_again_has_all_its_answers) {
    constexpr int kAnswers = 200;
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < kAnswers; ++i) {
        packets.push_back(stored_datagram(kStoredQuestion, 2 * i));
        packets.push_back(stored_datagram(kStoredAnswer, 2 * i + 1));
    }
    const Metered metered = meter(packets, of_line_rate());
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(kAnswers, metered.records[0].messages_size());
}

TEST(MessageStore, in_line_rate_answers_leave_room_for_names) {
    // A partition has half a block a flow, an answer takes two, and half of all are for names.
    constexpr uint16_t kFlows = 20'000;
    DispatcherConfig config = of_line_rate();
    config.worker.flow_capacity = 64 * 1024;
    std::vector<Packet> packets;
    for (uint16_t flow = 0; flow < kFlows; ++flow) {
        for (const Octets* payload : {&kStoredQuestion, &kStoredAnswer}) {
            packets.push_back(PacketBuilder{}
                                  .ethernet()
                                  .ipv4("10.0.0.1", "10.0.0.2")
                                  .udp(static_cast<uint16_t>(flow + 10'000), 53)
                                  .payload(*payload)
                                  .time_ns(flow)
                                  .build());
        }
    }
    for (const std::string part : {"GET / HTTP/1.1\r\nHo", "st: www.known.name\r\n\r\n"}) {
        packets.push_back(segment({true, part[0] == 'G' ? 1u : 19u, part, kFlows}));
    }
    const Metered metered = meter(packets, config);
    uint64_t kept = 0;
    std::string told;
    for (const proto::FlowSummary& record : metered.records) {
        kept += record.messages_size();
        if (record.protocol_identifier() == kProtocolTcp && record.matches_size() == 2) {
            told += record.matches(1).value();
        }
        const bool is_cut = (record.quality() & proto::QUALITY_LIST_CUT) != 0;
        CHECK_EQUAL(record.protocol_identifier() == 17 && record.messages_size() == 0, is_cut);
    }
    CHECK(kept > 64 * 120 && kept <= 64 * 128);
    CHECK_EQUAL(kFlows - kept, metered.flows.list_shortages);
    STRCMP_EQUAL("www.known.name", told.c_str());
}

TEST(MessageStore, messages_are_bounded_and_the_record_says_so) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < kMaximumMessages + 1; ++i) {
        packets.push_back(stored_datagram(kStoredQuestion, i));
    }
    const Metered metered = meter(packets);
    CHECK_EQUAL(kMaximumMessages, metered.records[0].messages_size());
    CHECK((metered.records[0].quality() & proto::QUALITY_LIST_CUT) != 0);
}

TEST(MessageStore, blocks_come_back_when_flows_end) {
    // A record may take half of the least pool; without giving back the third one finds none.
    DispatcherConfig config;
    config.worker.flow_capacity = 1;
    std::vector<Packet> packets;
    for (uint64_t flow = 0; flow < 20; ++flow) {
        for (uint64_t i = 0; i < 40; ++i) {
            Octets message = kStoredQuestion;
            message.resize(1400, 0);
            packets.push_back(stored_datagram(message, flow * 200 * kStoreSecond + i));
        }
        for (uint32_t i = 0; i < 4; ++i) {
            // A head in pieces, one of which never comes.
            packets.push_back(segment(
                {true,
                 1 + 100 * i + (i > 1 ? 1 : 0),
                 (i == 0 ? "GET / HTTP/1.1\r\n" : "A: ") + std::string(i == 0 ? 84 : 97, 'x'),
                 flow * 200 * kStoreSecond + 50 + i}));
        }
        packets.push_back(segment({true, 1000, "", flow * 200 * kStoreSecond + 60, "R"}));
    }
    std::sort(packets.begin(), packets.end(), [](const Packet& a, const Packet& b) {
        return a.time_ns < b.time_ns;
    });
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(40u, metered.records.size());
    CHECK_EQUAL(0u, metered.flows.list_shortages);
    for (const proto::FlowSummary& record : metered.records) {
        CHECK_EQUAL(record.protocol_identifier() == 17 ? 40 : 1, record.messages_size());
    }
}
