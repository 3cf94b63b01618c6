#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/quic_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// Names of messages that come in several packets, as both profiles tell them.

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

constexpr uint64_t kFlowSeconds = 400'000'000'000;

Octets split_hello() {
    return from_hex(
        "16 0301 0047 01 000043 0303"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "00 0002 1301 01 00 0018 0000 0014 0012 00 000f 7777772e6b6e6f776e2e6e616d65 2e");
}

const std::string kSplitRequest =
    "GET /feed HTTP/1.1\r\nAccept: */*\r\nHost: www.known.name\r\nCookie: a\r\n\r\n";

const Octets kSplitQuery =
    from_hex("0020 1234 0100 0001 0000 0000 0000 03777777 056b6e6f776e 046e616d65 00 0001 0001");

Octets split_octets(const std::string& text) {
    return {text.begin(), text.end()};
}

Packet split_part(const Octets& message,
                  size_t from,
                  size_t to,
                  uint16_t port,
                  uint64_t time_ns,
                  uint16_t client_port = 3000) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .tcp(client_port, port)
        .flags("PA")
        .sequence(static_cast<uint32_t>(1 + from))
        .payload(Octets(message.begin() + static_cast<ptrdiff_t>(from),
                        message.begin() + static_cast<ptrdiff_t>(to)))
        .time_ns(time_ns)
        .build();
}

Packet split_syn(uint16_t port, uint16_t client_port = 3000, uint64_t time_ns = 0) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .tcp(client_port, port)
        .flags("S")
        .sequence(0)
        .time_ns(time_ns)
        .build();
}

DispatcherConfig of_profile(bool details) {
    DispatcherConfig config;
    config.worker.meter.details = details;
    return config;
}

Packet split_from_server(std::string_view text, uint16_t port, uint64_t time_ns) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.2", "10.0.0.1")
        .tcp(port, 3000)
        .flags("PA")
        .sequence(1)
        .payload(text)
        .time_ns(time_ns)
        .build();
}

// The message of one record in two, RFC 8446 section 5.1.
Octets over_two_records(const Octets& record, size_t first) {
    constexpr size_t kHeader = 5;
    Octets out;
    const auto put = [&](size_t from, size_t to) {
        for (const size_t octet : {size_t{22}, size_t{3}, size_t{1}, (to - from) >> 8, to - from}) {
            out.push_back(static_cast<uint8_t>(octet));
        }
        out.insert(out.end(),
                   record.begin() + static_cast<ptrdiff_t>(from),
                   record.begin() + static_cast<ptrdiff_t>(to));
    };
    put(kHeader, kHeader + first);
    put(kHeader + first, record.size());
    return out;
}

// What the record matched, a line each.
std::string told_by(const proto::FlowSummary& record) {
    std::string all;
    for (const proto::Match& match : record.matches()) {
        all += match.kind() == proto::EVIDENCE_KIND_NAME ? match.field() + " " + match.value()
                                                         : match.signature();
        all += "\n";
    }
    return all;
}

std::string told_by(const std::vector<Packet>& packets, bool details) {
    const Metered metered = meter(packets, of_profile(details));
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(0u, metered.records[0].quality() & proto::QUALITY_LIST_CUT);
    CHECK_TRUE(details || metered.records[0].messages_size() == 0);
    return told_by(metered.records[0]);
}

// Cut in two anywhere it tells what it tells whole.
void expect_told(const char* told, const Octets& message, uint16_t port) {
    for (const bool details : {false, true}) {
        for (size_t at = 1; at <= message.size(); ++at) {
            std::vector<Packet> packets{split_syn(port), split_part(message, 0, at, port, 1)};
            if (at < message.size()) {
                packets.push_back(split_part(message, at, message.size(), port, 2));
            }
            const std::string where = std::to_string(at) + (details ? " dataset" : " line-rate");
            STRCMP_EQUAL_TEXT(told, told_by(packets, details).c_str(), where.c_str());
        }
    }
}

}  // namespace

TEST_GROUP(SplitMessages){};

TEST(SplitMessages, a_hello_tells_its_name_wherever_it_is_cut) {
    expect_told("tls-client-hello\ntls.sni www.known.name.\n", split_hello(), 8443);
}

TEST(SplitMessages, a_hello_in_two_records_tells_its_name_wherever_it_is_cut) {
    for (const size_t first : {2u, 30u, 70u}) {
        expect_told("tls-client-hello\ntls.sni www.known.name.\n",
                    over_two_records(split_hello(), first),
                    8443);
    }
}

TEST(SplitMessages, what_belongs_to_no_window_takes_nothing_away) {
    const Octets hello = split_hello();
    Packet far = split_part(split_octets("x"), 0, 1, 8443, 2);
    far.octets[14 + 20 + 4] ^= 0x40;
    const Packet reset = PacketBuilder{}
                             .ethernet()
                             .ipv4("10.0.0.1", "10.0.0.2")
                             .tcp(3000, 8443)
                             .flags("RA")
                             .sequence(51)
                             .payload("no more of this")
                             .time_ns(2)
                             .build();
    for (const bool details : {false, true}) {
        for (const Packet& between : {far, reset, split_syn(8443, 3000, 2)}) {
            STRCMP_EQUAL("tls-client-hello\ntls.sni www.known.name.\n",
                         told_by({split_syn(8443),
                                  split_part(hello, 0, 50, 8443, 1),
                                  between,
                                  split_part(hello, 50, hello.size(), 8443, 3)},
                                 details)
                             .c_str());
        }
    }
}

TEST(SplitMessages, an_octet_of_the_server_that_may_become_anything_hides_no_hello) {
    Octets stream = from_hex("00000008 04d2162f");
    const Octets hello = split_hello();
    stream.insert(stream.end(), hello.begin(), hello.end());
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("tls-client-hello\ntls.sni www.known.name.\n",
                     told_by({split_syn(5432),
                              split_part(stream, 0, 8, 5432, 1),
                              split_from_server("S", 5432, 2),
                              split_part(stream, 8, 50, 5432, 3),
                              split_part(stream, 50, stream.size(), 5432, 4)},
                             details)
                         .c_str());
    }
}

TEST(SplitMessages, behind_a_long_head_a_content_names_no_host) {
    std::string many;
    for (int i = 0; i < 70; ++i) {
        many += "a: b\r\n";
    }
    for (const std::string& fields : {many, "x: " + std::string(5'000, 'a') + "\r\n"}) {
        const Octets stream = split_octets("GET / HTTP/1.1\r\nHost: a.example\r\n" + fields +
                                           "Content-Length: 90\r\n\r\n" + kSplitRequest);
        const size_t content = stream.size() - kSplitRequest.size();
        for (const bool details : {false, true}) {
            std::vector<Packet> packets{split_syn(8080)};
            for (size_t at = 0; at < content; at += 1'400) {
                packets.push_back(
                    split_part(stream, at, std::min<size_t>(at + 1'400, content), 8080, at + 1));
            }
            packets.push_back(split_part(stream, content, stream.size(), 8080, 10'000));
            STRCMP_EQUAL("http-request\nhttp.host a.example\n", told_by(packets, details).c_str());
        }
    }
}

TEST(SplitMessages, a_message_has_the_time_of_its_packet_whatever_comes_late) {
    constexpr uint64_t kMicrosecond = 1'000;
    constexpr uint64_t kDay = 86'400'000'000'000;
    DispatcherConfig config = of_profile(true);
    config.worker.meter.timeouts = {};
    config.worker.meter.timeouts.idle_other_ns = 0;
    config.worker.meter.timeouts.active_ns = 0;
    const auto query = [](uint64_t time_ns) {
        return PacketBuilder{}
            .ethernet()
            .ipv4("10.0.0.1", "10.0.0.2")
            .udp(3000, 53)
            .payload(Octets(kSplitQuery.begin() + 2, kSplitQuery.end()))
            .time_ns(kDay + time_ns)
            .build();
    };
    const Metered metered =
        meter({query(7 * kMicrosecond), query(5 * kMicrosecond), query(30 * kDay)}, config);
    CHECK_EQUAL(1u, metered.records.size());
    const proto::FlowSummary& record = metered.records[0];
    CHECK_EQUAL(3, record.messages_size());
    CHECK_EQUAL(2u, record.messages(0).offset_us());
    CHECK_EQUAL(0u, record.messages(1).offset_us());
    CHECK_EQUAL(30 * kDay / kMicrosecond - 5, record.messages(2).offset_us());
}

TEST(SplitMessages, a_request_tells_its_host_wherever_it_is_cut) {
    expect_told("http-request\nhttp.host www.known.name\n", split_octets(kSplitRequest), 8080);
}

TEST(SplitMessages, a_request_behind_empty_lines_tells_its_host_wherever_it_is_cut) {
    for (const char* lines : {"\r\n", "\n", "\r\n\r\n"}) {
        expect_told("http-request\nhttp.host www.known.name\n",
                    split_octets(lines + std::string(kSplitRequest)),
                    8080);
    }
}

TEST(SplitMessages, a_query_over_tcp_tells_its_question_wherever_it_is_cut) {
    for (const bool details : {false, true}) {
        for (size_t at = 1; at < kSplitQuery.size(); ++at) {
            STRCMP_EQUAL("dns.question www.known.name\n",
                         told_by({split_syn(53),
                                  split_part(kSplitQuery, 0, at, 53, 1),
                                  split_part(kSplitQuery, at, kSplitQuery.size(), 53, 2)},
                                 details)
                             .c_str());
        }
    }
}

TEST(SplitMessages, a_part_that_overtook_another_is_put_behind_it) {
    const Octets hello = split_hello();
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("tls-client-hello\ntls.sni www.known.name.\n",
                     told_by({split_syn(8443),
                              split_part(hello, 50, hello.size(), 8443, 1),
                              split_part(hello, 0, 50, 8443, 2)},
                             details)
                         .c_str());
    }
}

TEST(SplitMessages, a_second_request_tells_its_host_too) {
    Octets stream = split_octets("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    const size_t first = stream.size();
    const Octets second = split_octets(kSplitRequest);
    stream.insert(stream.end(), second.begin(), second.end());
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("http-request\nhttp.host a.example\nhttp.host www.known.name\n",
                     told_by({split_syn(8080),
                              split_part(stream, 0, first, 8080, 1),
                              split_part(stream, first, first + 30, 8080, 2),
                              split_part(stream, first + 30, stream.size(), 8080, 3)},
                             details)
                         .c_str());
    }
}

TEST(SplitMessages, a_hello_behind_another_protocol_tells_its_name) {
    Octets stream = split_octets("GET / HTTP/1.1\r\n\r\n");
    const size_t first = stream.size();
    const Octets hello = split_hello();
    stream.insert(stream.end(), hello.begin(), hello.end());
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("http-request\ntls.sni www.known.name.\n",
                     told_by({split_syn(143),
                              split_part(stream, 0, first, 143, 1),
                              split_part(stream, first, stream.size(), 143, 2)},
                             details)
                         .c_str());
    }
}

TEST(SplitMessages, a_quic_hello_in_several_datagrams_tells_its_name) {
    const QuicConnection connection = quic_connection(1, from_hex("8394c8f03e515708"));
    const Octets hello = client_hello_for("www.known.name", 1500);
    for (const size_t part : {size_t{1000}, size_t{300}}) {
        std::vector<Packet> packets;
        for (size_t from = 0; from < hello.size(); from += part) {
            const auto begin = hello.begin() + static_cast<ptrdiff_t>(from);
            const size_t octets = std::min(part, hello.size() - from);
            const Octets frame = crypto_frame(
                static_cast<uint32_t>(from), Octets(begin, begin + static_cast<ptrdiff_t>(octets)));
            packets.push_back(
                PacketBuilder{}
                    .ethernet()
                    .ipv4("10.0.0.1", "10.0.0.2")
                    .udp(50000, 443)
                    .payload(sealed_initial(
                        connection, connection, frame, static_cast<uint32_t>(2 + packets.size())))
                    .time_ns(from)
                    .build());
        }
        for (const bool details : {false, true}) {
            STRCMP_EQUAL("quic.sni www.known.name\n", told_by(packets, details).c_str());
        }
    }
}

TEST(SplitMessages, a_request_that_is_typed_tells_its_host) {
    // No single segment shows a signature anything.
    const Octets request = split_octets("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    CHECK(request.size() < kNamedPackets);
    std::vector<Packet> packets{split_syn(8080)};
    for (size_t at = 0; at < request.size(); ++at) {
        packets.push_back(split_part(request, at, at + 1, 8080, 1 + at));
    }
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("http-request\nhttp.host a\n", told_by(packets, details).c_str());
    }
}

TEST(SplitMessages, of_two_in_one_segment_the_one_that_ends_there_is_told) {
    Octets stream = split_octets("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    const size_t first = stream.size();
    const Octets second = split_octets(kSplitRequest);
    stream.insert(stream.end(), second.begin(), second.end());
    // In line-rate a side is let go behind the first.
    STRCMP_EQUAL("http-request\nhttp.host a.example\nhttp.host www.known.name\n",
                 told_by({split_syn(8080),
                          split_part(stream, 0, 20, 8080, 1),
                          split_part(stream, 20, first + 30, 8080, 2),
                          split_part(stream, first + 30, stream.size(), 8080, 3)},
                         true)
                     .c_str());
    STRCMP_EQUAL("http-request\nhttp.host a.example\n",
                 told_by({split_syn(8080),
                          split_part(stream, 0, 20, 8080, 1),
                          split_part(stream, 20, first + 30, 8080, 2)},
                         false)
                     .c_str());
}

TEST(SplitMessages, behind_the_one_that_ends_there_another_may_be_whole) {
    Octets stream = split_octets("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
    const Octets second = split_octets("GET / HTTP/1.1\r\nHost: b.example\r\n\r\n");
    stream.insert(stream.end(), second.begin(), second.end());
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("http-request\nhttp.host a.example\n",
                     told_by({split_syn(8080),
                              split_part(stream, 0, 20, 8080, 1),
                              split_part(stream, 20, stream.size(), 8080, 2)},
                             details)
                         .c_str());
    }
}

TEST(SplitMessages, a_head_longer_than_is_kept_for_names_is_no_cut_list) {
    const Octets head = split_octets(
        "GET / HTTP/1.1\r\nHost: a.example\r\nCookie: " + std::string(6000, 'x') + "\r\n\r\n");
    std::vector<Packet> packets{split_syn(8080)};
    for (size_t from = 0; from < head.size(); from += 1400) {
        packets.push_back(
            split_part(head, from, std::min(from + 1400, head.size()), 8080, 1 + from));
    }
    STRCMP_EQUAL("http-request\nhttp.host a.example\n", told_by(packets, false).c_str());
}

TEST(SplitMessages, a_query_to_another_port_of_dns_is_read_too) {
    for (const bool details : {false, true}) {
        STRCMP_EQUAL("dns.question www.known.name\n",
                     told_by({split_syn(5355),
                              split_part(kSplitQuery, 0, 2, 5355, 1),
                              split_part(kSplitQuery, 2, kSplitQuery.size(), 5355, 2)},
                             details)
                         .c_str());
    }
}

TEST(SplitMessages, the_active_timeout_does_not_make_a_message_of_its_end) {
    DispatcherConfig config = of_profile(true);
    config.worker.meter.timeouts.active_ns = 1'000'000'000;
    // What would be a query by itself, behind the front of another.
    Octets stream = from_hex("0040 1234 0100 0001 0000 0000 0000 20");
    stream.resize(2 + 0x40 - (kSplitQuery.size() - 2), 'a');
    const size_t cut = stream.size();
    stream.insert(stream.end(), kSplitQuery.begin() + 2, kSplitQuery.end());
    const Metered metered = meter({split_syn(53),
                                   split_part(stream, 0, cut, 53, 1),
                                   split_part(stream, cut, stream.size(), 53, 2'000'000'000)},
                                  config);
    CHECK_EQUAL(2u, metered.records.size());
    STRCMP_EQUAL("", told_by(metered.records[1]).c_str());
    // In line-rate what was kept is no record's, and the message is read whole.
    config.worker.meter.details = false;
    const Octets hello = split_hello();
    const Metered line_rate = meter({split_syn(8443),
                                     split_part(hello, 0, 40, 8443, 1),
                                     split_part(hello, 40, hello.size(), 8443, 2'000'000'000)},
                                    config);
    CHECK_EQUAL(2u, line_rate.records.size());
    STRCMP_EQUAL("tls-client-hello\ntls.sni www.known.name.\n",
                 told_by(line_rate.records[1]).c_str());
}

TEST(SplitMessages, what_line_rate_keeps_for_names_comes_back) {
    // More flows at once than there are blocks for, and fewer than find room in the table.
    DispatcherConfig config = of_profile(false);
    config.worker.flow_capacity = 64 * 1024;
    const Octets hello = split_hello();
    std::vector<Packet> packets;
    for (uint16_t flow = 10'000; flow < 22'000; ++flow) {
        const uint64_t time_ns = flow * 1000u;
        packets.push_back(split_part(hello, 0, 40, 8443, time_ns, flow));
        packets.push_back(split_part(hello, 40, hello.size(), 8443, time_ns + 1, flow));
    }
    const Metered metered = meter(packets, config);
    size_t told = 0;
    for (const proto::FlowSummary& record : metered.records) {
        told += record.matches_size() == 2 ? 1 : 0;
    }
    CHECK_EQUAL(12'000u, told);
    CHECK_EQUAL(0u, metered.flows.list_shortages);
}

TEST(SplitMessages, what_nobody_looks_at_any_more_comes_back) {
    // Of each hello the rest never comes, and the other side speaks on.
    DispatcherConfig config = of_profile(false);
    config.worker.flow_capacity = 64 * 1024;
    Octets hello = split_hello();
    hello[3] = 0x3f;
    hello.resize(1300, 0xaa);
    std::vector<Packet> packets;
    for (uint16_t flow = 10'000; flow < 13'000; ++flow) {
        const uint64_t time_ns = flow * 10'000u;
        packets.push_back(split_part(hello, 0, hello.size(), 8443, time_ns, flow));
        for (uint32_t later = 1; later < 40; ++later) {
            PacketBuilder builder;
            builder.ethernet().ipv4("10.0.0.2", "10.0.0.1").tcp(8443, flow).flags("PA");
            packets.push_back(builder.sequence(later * 10)
                                  .payload("0123456789")
                                  .time_ns(time_ns + later)
                                  .build());
        }
    }
    const Metered metered = meter(packets, config);
    CHECK_EQUAL(3'000u, metered.records.size());
    CHECK_EQUAL(0u, metered.flows.list_shortages);
}

TEST(SplitMessages, hellos_that_never_end_take_no_more_than_there_is) {
    DispatcherConfig config = of_profile(false);
    config.worker.flow_capacity = 1;
    Octets hello = split_hello();
    hello[3] = 0x3f;  // record and message of 16 KiB
    hello[7] = 0x3f;
    hello.resize(1400, 0xaa);
    std::vector<Packet> packets;
    for (uint16_t flow = 10'000; flow < 30'000; ++flow) {
        packets.push_back(split_part(hello, 0, hello.size(), 8443, flow * 1000u, flow));
    }
    for (uint64_t time_ns = 0; time_ns < kFlowSeconds; time_ns += kFlowSeconds / 400) {
        packets.push_back(split_syn(8443, 40'000, time_ns));
    }
    // When all of them are over there is room again.
    packets.push_back(split_part(split_hello(), 0, 40, 8443, kFlowSeconds, 30'000));
    packets.push_back(
        split_part(split_hello(), 40, split_hello().size(), 8443, kFlowSeconds, 30'000));
    const Metered metered = meter(packets, config);
    CHECK(metered.records.size() > 20'000);
    CHECK(metered.flows.list_shortages > 0);
    const proto::FlowSummary& last = metered.records.back();
    STRCMP_EQUAL("tls-client-hello\ntls.sni www.known.name.\n", told_by(last).c_str());
}
