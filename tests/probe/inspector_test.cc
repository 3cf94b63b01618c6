#include "probe/inspector.h"

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

constexpr ptrdiff_t kHeaderOctets = 12;

Octets question(std::string_view name) {
    Octets message = from_hex("1234 0100 0001 0000 0000 0000");
    size_t begin = 0;
    while (begin <= name.size()) {
        const size_t end = std::min(name.find('.', begin), name.size());
        message.push_back(static_cast<uint8_t>(end - begin));
        message.insert(message.end(),
                       name.begin() + static_cast<ptrdiff_t>(begin),
                       name.begin() + static_cast<ptrdiff_t>(end));
        begin = end + 1;
    }
    for (const int octet : {0, 0, 1, 0, 1}) {
        message.push_back(static_cast<uint8_t>(octet));
    }
    return message;
}

Packet ask(std::string_view name, uint64_t time_ns, uint16_t port = 53) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .udp(3000, port)
        .payload(question(name))
        .time_ns(time_ns)
        .build();
}

proto::FlowSummary inspected(const std::vector<Packet>& packets) {
    const Metered metered = meter(packets);
    CHECK_EQUAL(1u, metered.records.size());
    return metered.records[0];
}

}  // namespace

TEST_GROUP(Inspector){};

TEST(Inspector, a_hit_and_its_name_become_matches) {
    const proto::FlowSummary record = inspected({ask("known.example", 0)});
    CHECK_EQUAL(2, record.matches_size());
    const proto::Match& hit = record.matches(0);
    CHECK_EQUAL(proto::EVIDENCE_KIND_PAYLOAD, hit.kind());
    STRCMP_EQUAL("dns-query", hit.signature().c_str());
    CHECK_EQUAL(7u, hit.offset());
    const proto::Match& name = record.matches(1);
    CHECK_EQUAL(proto::EVIDENCE_KIND_NAME, name.kind());
    STRCMP_EQUAL("dns.question", name.field().c_str());
    STRCMP_EQUAL("known.example", name.value().c_str());
    STRCMP_EQUAL("", name.signature().c_str());
}

TEST(Inspector, a_name_is_kept_once_and_later_ones_are_still_read) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 10; ++i) {
        packets.push_back(ask(i < 5 ? "one.example" : "two.example", i));
    }
    const proto::FlowSummary record = inspected(packets);
    CHECK_EQUAL(3, record.matches_size());
    STRCMP_EQUAL("two.example", record.matches(2).value().c_str());
    CHECK_EQUAL(5u, record.matches(2).packet());
}

TEST(Inspector, of_a_message_that_says_a_name_twice_it_is_kept_once) {
    Octets message = question("one.example");
    for (const char* name : {"one.example", "two.example", "one.example"}) {
        const Octets other = question(name);
        message.insert(message.end(), other.begin() + kHeaderOctets, other.end());
    }
    message[5] = 4;  // questions
    const proto::FlowSummary record = inspected({PacketBuilder{}
                                                     .ethernet()
                                                     .ipv4("10.0.0.1", "10.0.0.2")
                                                     .udp(3000, 53)
                                                     .payload(message)
                                                     .build()});
    CHECK_EQUAL(3, record.matches_size());
    STRCMP_EQUAL("one.example", record.matches(1).value().c_str());
    STRCMP_EQUAL("two.example", record.matches(2).value().c_str());
}

TEST(Inspector, names_are_bounded_and_the_record_says_so) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 20; ++i) {
        packets.push_back(ask(
            std::string(200, 'a').replace(60, 1, ".").replace(120, 1, ".").replace(180, 1, ".") +
                std::to_string(i),
            i));
    }
    const proto::FlowSummary record = inspected(packets);
    CHECK_EQUAL(1 + kMaximumNamesPerFlow, record.matches_size());
    CHECK((record.quality() & proto::QUALITY_LIST_CUT) != 0);
}

TEST(Inspector, multicast_questions_are_named_as_such) {
    Packet packet = ask("_hap._tcp.local", 0, 5353);
    STRCMP_EQUAL("dns.question", inspected({packet}).matches(1).field().c_str());
    // Who asks everybody wants no recursion.
    constexpr size_t kFlagsAt = 14 + 20 + 8 + 2;
    packet.octets[kFlagsAt] = 0;
    STRCMP_EQUAL("mdns.question", inspected({packet}).matches(1).field().c_str());
}

TEST(Inspector, the_server_name_of_a_client_hello_is_found) {
    Octets hello = from_hex("16 0301 0045 01 000000 0303");
    hello.resize(hello.size() + 32, 0xaa);
    const Octets rest =
        from_hex("00 0002 1301 01 00 0016 0000 0012 0010 00 000d 6b6e6f776e2e6578616d706c65");
    hello.insert(hello.end(), rest.begin(), rest.end());
    const Packet packet = PacketBuilder{}
                              .ethernet()
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .tcp(3000, 8443)
                              .flags("PA")
                              .payload(hello)
                              .build();
    const proto::FlowSummary record = inspected({packet});
    CHECK_EQUAL(2, record.matches_size());
    STRCMP_EQUAL("tls.sni", record.matches(1).field().c_str());
    STRCMP_EQUAL("known.example", record.matches(1).value().c_str());
}

// Of a connection to port 8080: who says it, and what.
std::string names_of(const std::vector<std::pair<bool, std::string>>& said) {
    std::vector<Packet> packets;
    std::array<uint32_t, 2> sequence{};
    for (const auto& [reverse, text] : said) {
        packets.push_back(
            PacketBuilder{}
                .ethernet()
                .ipv4(reverse ? "10.0.0.2" : "10.0.0.1", reverse ? "10.0.0.1" : "10.0.0.2")
                .tcp(reverse ? 8080 : 3000, reverse ? 3000 : 8080)
                .flags("PA")
                .sequence(sequence[reverse ? 1 : 0])
                .payload(Octets(text.begin(), text.end()))
                .time_ns(packets.size())
                .build());
        sequence[reverse ? 1 : 0] += static_cast<uint32_t>(text.size());
    }
    const proto::FlowSummary record = inspected(packets);
    std::string names;
    for (const proto::Match& match : record.matches()) {
        names += match.kind() == proto::EVIDENCE_KIND_NAME ? match.value() + ' ' : "";
    }
    return names;
}

TEST(Inspector, what_looks_like_a_request_in_a_content_names_nobody) {
    const std::string with_content =
        "GET / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 99\r\n\r\n";
    const std::string get = "GET / HTTP/1.1\r\nHost: b.example\r\n\r\n";
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n";
    STRCMP_EQUAL("a.example ", names_of({{false, with_content}, {false, get}}).c_str());
    STRCMP_EQUAL("a.example ",
                 names_of({{false, with_content}, {true, answer}, {true, get}}).c_str());
    // Its head in two segments; and what looks like an answer is no sign of who answers there.
    STRCMP_EQUAL(
        "a.example ",
        names_of(
            {{false, with_content.substr(0, 20)}, {false, with_content.substr(20)}, {false, get}})
            .c_str());
    STRCMP_EQUAL(
        "a.example b.example ",
        names_of({{false, with_content}, {false, answer}, {true, answer}, {false, get}}).c_str());
    // Who is told to go on sends the content then.
    STRCMP_EQUAL(
        "a.example ",
        names_of({{false, with_content}, {true, "HTTP/1.1 100 Continue\r\n\r\n"}, {false, get}})
            .c_str());
    // The next request, and one behind a request without content.
    STRCMP_EQUAL("a.example b.example ",
                 names_of({{false, with_content}, {true, answer}, {false, get}}).c_str());
    STRCMP_EQUAL("b.example a.example ", names_of({{false, get}, {false, with_content}}).c_str());
}

TEST(Inspector, a_hello_behind_a_proxys_header_is_read) {
    const Octets hello = from_hex(
        "16 0301 0045 01 000000 0303 "
        "0000000000000000000000000000000000000000000000000000000000000000"
        "00 0002 1301 01 00 0016 0000 0012 0010 00 000d 6b6e6f776e2e6578616d706c65");
    const std::string record(hello.begin(), hello.end());
    const Octets binary = from_hex("0d0a0d0a000d0a515549540a 21 11 000c 0a0000010a00000204d201bb");
    STRCMP_EQUAL("known.example ",
                 names_of({{false, "PROXY TCP4 10.0.0.1 10.0.0.2 1234 443\r\n" + record}}).c_str());
    STRCMP_EQUAL("known.example ",
                 names_of({{false, std::string(binary.begin(), binary.end()) + record}}).c_str());
    STRCMP_EQUAL("", names_of({{false, "PROXY " + std::string(110, 'a') + "\n" + record}}).c_str());
    STRCMP_EQUAL("", names_of({{false, std::string(binary.begin(), binary.end())}}).c_str());
}

TEST(Inspector, a_request_behind_empty_lines_is_read) {
    const std::string request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    STRCMP_EQUAL("a.example ", names_of({{false, "\r\n" + request}}).c_str());
    STRCMP_EQUAL("a.example ", names_of({{false, "\n\r\n" + request}}).c_str());
    // So many pass no server's eye, and a lone CR is no line.
    STRCMP_EQUAL("", names_of({{false, "\n\n\n\n\n" + request}}).c_str());
    STRCMP_EQUAL("", names_of({{false, "\r" + request}}).c_str());
}

TEST(Inspector, the_server_name_of_a_hello_in_two_segments_is_found) {
    // Extension 21 pads the hello, so that the name stands in the second segment.
    Octets hello = from_hex("16 0301 00c1 01 0000bd 0303");
    hello.resize(hello.size() + 32, 0xaa);
    const Octets padding = from_hex("00 0002 1301 01 00 0092 0015 0078");
    hello.insert(hello.end(), padding.begin(), padding.end());
    hello.resize(hello.size() + 0x78, 0);
    const Octets name = from_hex("0000 0012 0010 00 000d 6b6e6f776e2e6578616d706c65");
    hello.insert(hello.end(), name.begin(), name.end());
    std::vector<Packet> packets;
    for (const size_t begin : {size_t{0}, size_t{100}}) {
        const auto from = hello.begin() + static_cast<ptrdiff_t>(begin);
        const auto to = begin == 0 ? from + 100 : hello.end();
        packets.push_back(PacketBuilder{}
                              .ethernet()
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .tcp(3000, 8443)
                              .flags("PA")
                              .sequence(static_cast<uint32_t>(begin))
                              .payload(Octets(from, to))
                              .build());
    }
    const proto::FlowSummary record = inspected(packets);
    CHECK_EQUAL(2, record.matches_size());
    STRCMP_EQUAL("tls.sni", record.matches(1).field().c_str());
    STRCMP_EQUAL("known.example", record.matches(1).value().c_str());
    CHECK_EQUAL(1u, record.matches(1).packet());
}

TEST(Inspector, the_middle_of_a_fragmented_datagram_is_not_a_message) {
    const Packet first = PacketBuilder{}
                             .ethernet()
                             .ipv4("10.0.0.1", "10.0.0.2")
                             .fragment(7, 0, true)
                             .udp(3000, 4000)
                             .payload("????????")
                             .build();
    const Packet later = PacketBuilder{}
                             .ethernet()
                             .ipv4("10.0.0.1", "10.0.0.2")
                             .fragment(7, 16, false)
                             .protocol(17)
                             .payload(question("known.example"))
                             .build();
    CHECK_EQUAL(0, inspected({first, later}).matches_size());
}

TEST(Inspector, what_a_responder_says_is_marked) {
    Octets answer = question("known.example");
    const std::vector<Packet> packets{PacketBuilder{}
                                          .ethernet()
                                          .ipv4("10.0.0.1", "10.0.0.2")
                                          .udp(3000, 4000)
                                          .payload("??")
                                          .build(),
                                      PacketBuilder{}
                                          .ethernet()
                                          .ipv4("10.0.0.2", "10.0.0.1")
                                          .udp(4000, 3000)
                                          .payload(answer)
                                          .time_ns(1)
                                          .build()};
    const proto::FlowSummary record = inspected(packets);
    CHECK_TRUE(record.matches(0).reverse());
    CHECK_TRUE(record.matches(1).reverse());
    CHECK_EQUAL(1u, record.matches(0).packet());
}

TEST(Inspector, after_its_budget_a_side_is_not_looked_at) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < kScannedPackets; ++i) {
        packets.push_back(PacketBuilder{}
                              .ethernet()
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .udp(3000, 53)
                              .payload("??")
                              .time_ns(i)
                              .build());
    }
    packets.push_back(ask("known.example", 100));
    CHECK_EQUAL(0, inspected(packets).matches_size());
}
