#include "probe/protocols/quic_initial.h"

#include <string>
#include <vector>

#include "tests/support/packet_builder.h"
#include "tests/support/quic_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

// As in the examples of RFC 9001 appendix A and RFC 9369 appendix A.
const Octets kConnectionId = from_hex("8394c8f03e515708");

// As long as a packet may be.
Octets padded(std::string_view begin) {
    Octets octets = from_hex(begin);
    octets.resize(48, 0);
    return octets;
}

std::string text_of(const CryptoFrame& frame) {
    return {frame.octets.begin(), frame.octets.end()};
}

Octets plain_octets(std::string_view text) {
    return {text.begin(), text.end()};
}

// "offset text" of each frame, or "-" when nothing opens.
std::string opened(const Octets& datagram, const QuicConnection* known = nullptr) {
    QuicCipher cipher;
    OpenedQuic found;
    if (!is_quic_initial(datagram) || !open_quic_initials(datagram, known, cipher, found)) {
        return "-";
    }
    std::string text;
    for (const CryptoFrame& frame : found.found()) {
        text += std::to_string(frame.offset) + " " + text_of(frame) + ";";
    }
    return text;
}

}  // namespace

TEST_GROUP(QuicInitial){};

TEST(QuicInitial, frames_of_every_version_are_found_among_others) {
    Octets plain = from_hex("01 00 00");  // a ping, padding
    for (const auto& part : {crypto_frame(5, plain_octets("later")),
                             // an acknowledgement with one range and counts
                             from_hex("03 05 00 01 00 00 01 01 01 01"),
                             crypto_frame(0, plain_octets("first"))}) {
        plain.insert(plain.end(), part.begin(), part.end());
    }
    for (const uint32_t version : {0x00000001u,
                                   0x6b3343cfu,
                                   0xff000016u,
                                   0xff000017u,
                                   0xff00001du,
                                   0xff000022u,
                                   0xfaceb001u,
                                   0xfaceb002u,
                                   0x54303531u}) {
        STRCMP_EQUAL(
            "5 later;0 first;",
            opened(sealed_initial(quic_connection(version, kConnectionId), plain)).c_str());
    }
    const Octets google = crypto_frame(0, plain_octets("CHLO"), 8);
    STRCMP_EQUAL(
        "0 CHLO;",
        opened(sealed_initial(quic_connection(0x51303530, kConnectionId), google)).c_str());
}

TEST(QuicInitial, what_was_changed_or_cut_does_not_open) {
    const Octets whole =
        sealed_initial(quic_connection(1, kConnectionId), crypto_frame(0, plain_octets("hello")));
    STRCMP_EQUAL("0 hello;", opened(whole).c_str());
    for (size_t i = 0; i < whole.size(); ++i) {
        Octets changed = whole;
        changed[i] ^= 0x10;
        STRCMP_EQUAL("-", opened(changed).c_str());
        STRCMP_EQUAL(
            "-", opened(Octets(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(i))).c_str());
    }
}

TEST(QuicInitial, later_packets_have_the_keys_of_the_first_id) {
    const QuicConnection first = quic_connection(1, kConnectionId);
    const QuicConnection second = quic_connection(1, from_hex("0102"));
    const Octets later = sealed_initial(second, first, crypto_frame(7, plain_octets("rest")), 3);
    STRCMP_EQUAL("-", opened(later).c_str());
    STRCMP_EQUAL("7 rest;", opened(later, &first).c_str());
    // After a Retry the keys are those of the new id.
    QuicCipher cipher;
    OpenedQuic found;
    CHECK_TRUE(open_quic_initials(
        sealed_initial(second, crypto_frame(0, plain_octets("again"))), &first, cipher, found));
    CHECK(found.connection == second);
}

TEST(QuicInitial, packets_that_share_a_datagram_are_all_opened) {
    const QuicConnection connection = quic_connection(1, kConnectionId);
    Octets datagram = sealed_initial(connection, crypto_frame(0, plain_octets("one")));
    const Octets next =
        sealed_initial(connection, connection, crypto_frame(3, plain_octets("two")), 9);
    datagram.insert(datagram.end(), next.begin(), next.end());
    datagram.insert(datagram.end(), 40, 0);  // padding of the datagram
    STRCMP_EQUAL("0 one;3 two;", opened(datagram).c_str());
}

TEST(QuicInitial, google_says_it_in_clear_up_to_q046) {
    // Public header with Q043; stream 1 with a length, no offset.
    STRCMP_EQUAL(
        "0 CHLO;",
        opened(
            from_hex("09 0102030405060708 51303433 01 000000000000 000000000000 a0 01 0004 43484c4f"
                     "0000000000"))
            .c_str());
    // Q024: private flags, lengths little endian.
    STRCMP_EQUAL(
        "0 CHLO;",
        opened(
            from_hex(
                "0d 0102030405060708 51303234 01 000000000000 000000000000 01 a0 01 0400 43484c4f"
                "0000000000"))
            .c_str());
    // Q046: a long header; an offset of two octets, up to the end of the datagram.
    STRCMP_EQUAL(
        "258 CHLO;",
        opened(
            from_hex("c3 51303436 50 0102030405060708 00000001 000000000000 000000000000 84 01 0102"
                     "43484c4f"))
            .c_str());
    // Another stream, and a server's nonce.
    STRCMP_EQUAL(
        "-",
        opened(
            from_hex("09 0102030405060708 51303433 01 000000000000 000000000000 a0 03 0004 43484c4f"
                     "0000000000"))
            .c_str());
    CHECK_FALSE(is_quic_initial(padded("0c 0102030405060708 51303433 01 ")));
}

TEST(QuicInitial, other_packets_are_none) {
    CHECK_FALSE(is_quic_initial({}));
    CHECK_FALSE(is_quic_initial(padded("c3 00000000 08 ")));
    CHECK_FALSE(is_quic_initial(padded("c3 00000003 08 ")));
    CHECK_FALSE(is_quic_initial(padded("43 00000001 08 ")));
    CHECK_FALSE(is_quic_initial(padded("e3 00000001 08 ")));  // handshake
}
