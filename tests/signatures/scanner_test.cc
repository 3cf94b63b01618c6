#include "signatures/scanner.h"

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::signatures::check_pattern;
using curlew::signatures::Scanner;
using curlew::signatures::Signature;
using curlew::signatures::SignatureKind;
using curlew::signatures::SignatureSet;
using curlew::signatures::Transport;

namespace {

Signature payload(const std::string& id,
                  const std::string& pattern,
                  Transport transport = Transport::any) {
    Signature signature;
    signature.id = id;
    signature.pattern = pattern;
    signature.transport = transport;
    return signature;
}

Signature name(const std::string& pattern) {
    Signature signature;
    signature.kind = SignatureKind::name;
    signature.pattern = pattern;
    return signature;
}

// The hits as "index@end index@end", with "failed" or "cut" behind them.
std::string scanned(const Scanner& scanner, const std::string& text, Transport transport) {
    Scanner::Scratch scratch(scanner);
    Scanner::Result result;
    const std::vector<uint8_t> octets(text.begin(), text.end());
    scanner.scan(octets, {transport}, scratch, result);
    std::string hits;
    for (uint32_t at = 0; at < result.count; ++at) {
        hits += std::to_string(result.hits[at].signature) + "@" +
                std::to_string(result.hits[at].end_offset) + " ";
    }
    return hits + (result.failed ? "failed " : "") + (result.cut ? "cut " : "");
}

std::string scanned(const std::vector<Signature>& signatures,
                    const std::string& text,
                    Transport transport = Transport::any) {
    const SignatureSet set = SignatureSet::of(signatures);
    return scanned(Scanner(set), text, transport);
}

}  // namespace

TEST_GROUP(Scanner){};

TEST(Scanner, a_hit_names_the_signature_and_the_end_of_the_match) {
    STRCMP_EQUAL("0@4 ", scanned({payload("a", "^SSH-")}, "SSH-2.0").c_str());
}

TEST(Scanner, an_anchored_pattern_does_not_match_later) {
    STRCMP_EQUAL("", scanned({payload("a", "^SSH-")}, "xSSH-2.0").c_str());
}

TEST(Scanner, a_dot_matches_every_octet) {
    STRCMP_EQUAL("0@6 ",
                 scanned({payload("a", "^.....x")}, std::string("\n\0\xff\r\x80x", 6)).c_str());
}

TEST(Scanner, each_signature_is_told_once_in_order_of_index) {
    STRCMP_EQUAL("0@4 1@1 2@2 ",
                 scanned({payload("a", "^aaaa"), payload("b", "a"), payload("c", "^aa")}, "aaaaaaa")
                     .c_str());
}

TEST(Scanner, a_signature_for_the_other_transport_is_left_out) {
    const std::vector<Signature> signatures = {payload("a", "^x", Transport::udp),
                                               payload("b", "^x", Transport::tcp),
                                               payload("c", "^x", Transport::any)};
    STRCMP_EQUAL("0@1 2@1 ", scanned(signatures, "x", Transport::udp).c_str());
    STRCMP_EQUAL("1@1 2@1 ", scanned(signatures, "x", Transport::tcp).c_str());
    STRCMP_EQUAL("0@1 1@1 2@1 ", scanned(signatures, "x", Transport::any).c_str());
}

TEST(Scanner, a_signature_of_a_port_is_looked_for_at_either_end) {
    Signature here = payload("a", "^x");
    here.ports = {53, 5353};
    const SignatureSet set = SignatureSet::of({here, payload("b", "^x")});
    const Scanner scanner(set);
    Scanner::Scratch scratch(scanner);
    const std::vector<uint8_t> octets = {'x'};
    const auto hits = [&](const Scanner::Seen& seen) {
        Scanner::Result result;
        scanner.scan(octets, seen, scratch, result);
        return result.count;
    };
    CHECK_EQUAL(2, hits({}));
    CHECK_EQUAL(2, hits({.ports = {{5353, 1}}}));
    CHECK_EQUAL(2, hits({.ports = {{1, 53}}}));
    CHECK_EQUAL(1, hits({.ports = {{54, 1}}}));
}

TEST(Scanner, a_signature_of_first_packets_is_not_looked_for_later) {
    Signature first = payload("a", "^x");
    first.packets = 2;
    const SignatureSet set = SignatureSet::of({first, payload("b", "^x")});
    const Scanner scanner(set);
    Scanner::Scratch scratch(scanner);
    const std::vector<uint8_t> octets = {'x'};
    for (uint8_t ordinal = 1; ordinal <= 3; ++ordinal) {
        Scanner::Result result;
        scanner.scan(octets, {.ordinal = ordinal}, scratch, result);
        CHECK_EQUAL(ordinal <= 2 ? 2 : 1, result.count);
    }
}

TEST(Scanner, the_end_is_that_of_the_shortest_branch) {
    STRCMP_EQUAL("0@2 ", scanned({payload("a", "^xyz|^x.")}, "xyz").c_str());
    STRCMP_EQUAL("0@1 ", scanned({payload("a", "^xyz|^x.|^xy?")}, "xyz").c_str());
    STRCMP_EQUAL("0@3 ", scanned({payload("a", "^xyz|^x[a-c]")}, "xyz").c_str());
}

TEST(Scanner, more_fronts_than_one_block_holds_are_found) {
    std::vector<Signature> signatures;
    for (int index = 0; index < 600; ++index) {
        const std::string number = std::to_string(1000 + index);
        signatures.push_back(payload("s", "^" + number + ".{20}" + number.substr(1)));
    }
    signatures[598].ports = {53};
    signatures[599].ports = {7, 53};
    const SignatureSet set = SignatureSet::of(signatures);
    const Scanner scanner(set);
    const auto found = [&scanner](const std::string& text) {
        return scanned(scanner, text, Transport::any);
    };
    for (const int index : {0, 511, 512, 599}) {
        const std::string number = std::to_string(1000 + index);
        const std::string hit = std::to_string(index) + "@27 ";
        const std::string text = number + std::string(20, 'x') + number.substr(1);
        STRCMP_EQUAL(hit.c_str(), found(text).c_str());
        STRCMP_EQUAL("", found(text.substr(0, 26)).c_str());
        STRCMP_EQUAL("", found(text.substr(0, 24) + "xxx").c_str());
    }
    // Of the last ones some are of a port.
    Scanner::Scratch scratch(scanner);
    const auto hits_at = [&](const std::string& number, uint16_t port) {
        const std::string text = number + std::string(20, 'x') + number.substr(1);
        Scanner::Result result;
        scanner.scan({reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                     {.ports = {{port, 1}}},
                     scratch,
                     result);
        return result.count;
    };
    CHECK_EQUAL(1, hits_at("1597", 8));
    CHECK_EQUAL(0, hits_at("1598", 7));
    CHECK_EQUAL(1, hits_at("1598", 53));
    CHECK_EQUAL(1, hits_at("1599", 7));
    CHECK_EQUAL(0, hits_at("1599", 8));
}

TEST(Scanner, an_index_counts_names_too) {
    STRCMP_EQUAL("1@1 ", scanned({name("a.example"), payload("b", "^x")}, "x").c_str());
}

TEST(Scanner, sixteen_hits_are_whole_and_of_more_the_first_are_kept) {
    // Later signatures match earlier in the payload, so that the order of hits is turned round.
    std::vector<Signature> signatures;
    for (int index = 0; index < 16; ++index) {
        signatures.push_back(payload("s", "^a{" + std::to_string(20 - index) + "}"));
    }
    const std::string sixteen =
        "0@20 1@19 2@18 3@17 4@16 5@15 6@14 7@13 8@12 9@11 10@10 11@9 12@8 13@7 14@6 15@5 ";
    STRCMP_EQUAL(sixteen.c_str(), scanned(signatures, std::string(30, 'a')).c_str());
    signatures.push_back(payload("s", "^a{4}"));
    signatures.push_back(payload("s", "^a{3}"));
    STRCMP_EQUAL((sixteen + "cut ").c_str(), scanned(signatures, std::string(30, 'a')).c_str());
}

TEST(Scanner, a_result_is_written_anew) {
    const SignatureSet set = SignatureSet::of({payload("a", "^x")});
    const Scanner scanner(set);
    Scanner::Scratch scratch(scanner);
    Scanner::Result result;
    result.count = 7;
    result.failed = true;
    result.cut = true;
    const std::vector<uint8_t> octets = {'y'};
    scanner.scan(octets, {Transport::any}, scratch, result);
    LONGS_EQUAL(0, result.count);
    CHECK(!result.failed);
    CHECK(!result.cut);
}

TEST(Scanner, an_empty_payload_and_an_empty_set_give_nothing) {
    STRCMP_EQUAL("", scanned({payload("a", "^x")}, "").c_str());
    STRCMP_EQUAL("", scanned({}, "x").c_str());
    STRCMP_EQUAL("", scanned({name("a.example")}, "a.example").c_str());
}

TEST(Scanner, a_scan_that_the_engine_refuses_is_told) {
    // A scratch made for a smaller database: Hyperscan answers with an error and not with matches.
    const SignatureSet empty_set = SignatureSet::of({});
    const Scanner empty(empty_set);
    Scanner::Scratch scratch(empty);
    const SignatureSet set = SignatureSet::of({payload("a", "^.*xy")});
    const Scanner scanner(set);
    Scanner::Result result;
    const std::vector<uint8_t> octets = {'x', 'y'};
    scanner.scan(octets, {Transport::any}, scratch, result);
    CHECK(result.failed);
    LONGS_EQUAL(0, result.count);
}

TEST(Scanner, two_literals_that_the_literal_api_loses_are_found) {
    STRCMP_EQUAL("0@37 1@40 ",
                 scanned({payload("a", "xt>" + std::string(34, 'D')), payload("b", "123")},
                         "xt>" + std::string(34, 'D') + "123")
                     .c_str());
}

TEST(Scanner, a_pattern_that_does_not_compile_is_named) {
    const SignatureSet set =
        SignatureSet::of({name("a.example"), payload("good", "^x"), payload("bad", "^(a")});
    try {
        const Scanner scanner(set);
        FAIL("compiled");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("the signature 'bad' cannot be compiled: ", error.what());
    }
}

TEST(Scanner, check_pattern_is_silent_on_a_good_pattern_only) {
    STRCMP_EQUAL("", check_pattern(payload("a", "^x")).c_str());
    CHECK(!check_pattern(payload("a", "^(a")).empty());
    CHECK(!check_pattern(payload("a", "(?=x)")).empty());
}
