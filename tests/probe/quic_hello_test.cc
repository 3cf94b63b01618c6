#include "probe/protocols/quic_hello.h"

#include <string>
#include <vector>

#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/quic_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

namespace {

const Octets kId = from_hex("8394c8f03e515708");
constexpr char kServer[] = "www.known.example";

Octets part(const Octets& octets, size_t from, size_t count) {
    const auto begin = octets.begin() + static_cast<ptrdiff_t>(from);
    return {begin, begin + static_cast<ptrdiff_t>(count)};
}

void append(Octets& out, const Octets& octets) {
    out.insert(out.end(), octets.begin(), octets.end());
}

Octets connection_entry(const QuicConnection& connection) {
    std::array<uint8_t, kQuicConnectionOctets> entry;
    const size_t octets = write_quic_connection(connection, entry);
    return {entry.begin(), entry.begin() + static_cast<ptrdiff_t>(octets)};
}

Octets crypto_entry(uint32_t offset, const Octets& octets) {
    std::array<uint8_t, kQuicCryptoHeaderOctets> header;
    write_quic_crypto_header({offset, octets}, header);
    Octets entry(header.begin(), header.end());
    append(entry, octets);
    return entry;
}

Octets message_of(const std::vector<Octets>& entries) {
    Octets message;
    for (const Octets& entry : entries) {
        append(message, entry);
    }
    return message;
}

std::string name_of_message(const Octets& message) {
    std::vector<uint8_t> room(8192);
    const QuicHandshake handshake = join_quic_handshake(message, room);
    FoundNames names;
    find_quic_server_name(std::span(room).first(handshake.octets), names);
    const std::string name =
        names.count() == 0
            ? "-"
            : std::string(names[0].text.begin(), names[0].text.begin() + names[0].octets);
    return (handshake.whole ? "whole " : "part ") + name;
}

Packet quic_datagram(const Octets& payload, uint64_t time_ns, bool from_client = true) {
    PacketBuilder builder;
    builder.ethernet().time_ns(time_ns);
    if (from_client) {
        builder.ipv4("10.0.0.1", "10.0.0.2").udp(50000, 443);
    } else {
        builder.ipv4("10.0.0.2", "10.0.0.1").udp(443, 50000);
    }
    return builder.payload(payload).build();
}

// "field value" of each name that the record matched.
std::string names_of(const proto::FlowSummary& record) {
    std::string all;
    for (const proto::Match& match : record.matches()) {
        if (match.kind() == proto::EVIDENCE_KIND_NAME) {
            all += match.field() + " " + match.value() + ";";
        }
    }
    return all;
}

}  // namespace

TEST_GROUP(QuicHello) {
    const QuicConnection connection = quic_connection(1, kId);
    const Octets hello = client_hello_for(kServer);
};

TEST(QuicHello, pieces_are_joined_in_any_order_and_twice) {
    const Octets message = message_of({connection_entry(connection),
                                       crypto_entry(50, part(hello, 50, hello.size() - 50)),
                                       crypto_entry(0, part(hello, 0, 30)),
                                       crypto_entry(20, part(hello, 20, 40)),
                                       crypto_entry(0, part(hello, 0, 30))});
    STRCMP_EQUAL("whole www.known.example", name_of_message(message).c_str());
}

TEST(QuicHello, what_stands_behind_a_gap_is_not_there) {
    const Octets message = message_of({connection_entry(connection),
                                       crypto_entry(0, part(hello, 0, 30)),
                                       crypto_entry(31, part(hello, 31, hello.size() - 31))});
    STRCMP_EQUAL("part -", name_of_message(message).c_str());
}

TEST(QuicHello, another_version_begins_anew_and_another_id_goes_on) {
    const Octets other = client_hello_for("other.example");
    const Octets anew = message_of({connection_entry(connection),
                                    crypto_entry(0, hello),
                                    connection_entry(quic_connection(0x6b3343cf, kId)),
                                    crypto_entry(0, other)});
    STRCMP_EQUAL("whole other.example", name_of_message(anew).c_str());
    const Octets retried = message_of({connection_entry(connection),
                                       crypto_entry(0, part(hello, 0, 40)),
                                       connection_entry(quic_connection(1, from_hex("01"))),
                                       crypto_entry(40, part(hello, 40, hello.size() - 40))});
    STRCMP_EQUAL("whole www.known.example", name_of_message(retried).c_str());
    QuicConnection last;
    CHECK_TRUE(find_quic_connection(retried, last));
    CHECK(last == quic_connection(1, from_hex("01")));
}

TEST(QuicHello, a_message_cut_anywhere_is_read_to_there) {
    const Octets message = message_of({connection_entry(connection), crypto_entry(0, hello)});
    for (size_t i = 0; i < message.size(); ++i) {
        STRCMP_EQUAL("part -", name_of_message(part(message, 0, i)).c_str());
    }
}

TEST(QuicHello, googles_own_message_has_the_name_among_its_tags) {
    // Two tags, PAD of 3 octets and SNI of 4.
    const Octets chlo =
        from_hex("43484c4f 0200 0000 50414400 03000000 534e4900 07000000 2d2d2d 612e6465");
    const Octets message = message_of({connection_entry(connection), crypto_entry(0, chlo)});
    STRCMP_EQUAL("whole a.de", name_of_message(message).c_str());
    // Ends that go back, and ends past the message.
    const Octets back =
        from_hex("43484c4f 0200 0000 50414400 05000000 534e4900 03000000 2d2d2d 612e6465");
    STRCMP_EQUAL("whole -", name_of_message(message_of({crypto_entry(0, back)})).c_str());
    const Octets past = from_hex("43484c4f 0100 0000 534e4900 ffffffff 612e6465");
    STRCMP_EQUAL("part -", name_of_message(message_of({crypto_entry(0, past)})).c_str());
}

TEST(QuicHello, a_flow_tells_the_name_of_a_hello_in_two_datagrams) {
    const Octets large = client_hello_for(kServer, 1500);
    const Octets first = crypto_frame(1000, part(large, 1000, large.size() - 1000));
    const Octets second = crypto_frame(0, part(large, 0, 1000));
    const Metered metered =
        meter({quic_datagram(sealed_initial(connection, first), 0),
               quic_datagram(sealed_initial(connection, connection, second, 3), 1),
               // The server's, sealed with keys that are not the client's.
               quic_datagram(sealed_initial(quic_connection(1, {}), connection, first), 2, false)});
    CHECK_EQUAL(1u, metered.records.size());
    const proto::FlowSummary& record = metered.records[0];
    STRCMP_EQUAL("quic.sni www.known.example;", names_of(record).c_str());
    CHECK_EQUAL(1, record.messages_size());
    CHECK_EQUAL(proto::MESSAGE_PROTOCOL_QUIC, record.messages(0).protocol());
    CHECK_FALSE(record.messages(0).cut());
}

TEST(QuicHello, a_flow_keeps_the_keys_when_the_client_takes_the_servers_id) {
    const Octets large = client_hello_for(kServer, 1500);
    const QuicConnection later = quic_connection(1, from_hex("0102"));
    const Metered metered = meter(
        {quic_datagram(sealed_initial(connection, crypto_frame(0, part(large, 0, 1000))), 0),
         quic_datagram(
             sealed_initial(
                 later, connection, crypto_frame(1000, part(large, 1000, large.size() - 1000)), 3),
             1)});
    STRCMP_EQUAL("quic.sni www.known.example;", names_of(metered.records[0]).c_str());
}

TEST(QuicHello, one_side_of_a_flow_is_the_clients) {
    const Octets own = sealed_initial(quic_connection(1, from_hex("0a")), crypto_frame(0, hello));
    const Metered metered =
        meter({quic_datagram(sealed_initial(connection, crypto_frame(0, hello)), 0),
               quic_datagram(own, 1, false)});
    CHECK_EQUAL(1, metered.records[0].messages_size());
    CHECK_FALSE(metered.records[0].messages(0).reverse());
}

TEST(QuicHello, a_flow_whose_hello_does_not_end_says_so) {
    const Metered metered =
        meter({quic_datagram(sealed_initial(connection, crypto_frame(0, part(hello, 0, 40))), 0)});
    CHECK_EQUAL(1, metered.records[0].messages_size());
    CHECK_TRUE(metered.records[0].messages(0).cut());
    STRCMP_EQUAL("", names_of(metered.records[0]).c_str());
}

TEST(QuicHello, packets_that_do_not_open_are_given_up) {
    Octets broken = sealed_initial(connection, crypto_frame(0, hello));
    broken.back() ^= 1;
    std::vector<Packet> packets(3, quic_datagram(broken, 0));
    packets.push_back(quic_datagram(sealed_initial(connection, crypto_frame(0, hello)), 1));
    CHECK_EQUAL(0, meter(packets).records[0].messages_size());
    packets.erase(packets.begin());
    CHECK_EQUAL(1, meter(packets).records[0].messages_size());
}
