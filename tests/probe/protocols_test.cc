#include <string>

#include "probe/protocols/names.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

std::string text_of(const FoundName& name) {
    return {reinterpret_cast<const char*>(name.text.data()), name.octets};
}

std::span<const uint8_t> octets_of(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_GROUP(DnsNames) {
    FoundNames names;
};

TEST(DnsNames, a_question_is_read_label_by_label) {
    const Octets message =
        from_hex("0001 0100 0001 0000 0000 0000 03777777 06676f6f676c65 03636f6d 00 0001 0001");
    CHECK_TRUE(find_dns_names(message, false, names));
    CHECK_EQUAL(1u, names.count());
    STRCMP_EQUAL("www.google.com", text_of(names[0]).c_str());
    CHECK(names[0].field == NameField::dns_question);
}

TEST(DnsNames, answers_count_only_for_multicast_and_pointers_are_followed) {
    // Question a.local, answer by pointer to it, second answer b. + pointer to local.
    const Octets message = from_hex(
        "0000 8400 0001 0002 0000 0000 0161 056c6f63616c 00 000c 0001"
        "c00c 000c 0001 00000010 0002 c00c"
        "0162 c00e 0001 8001 00000078 0004 0a000001");
    CHECK_TRUE(find_dns_names(message, true, names));
    CHECK_EQUAL(3u, names.count());
    STRCMP_EQUAL("a.local", text_of(names[1]).c_str());
    CHECK(names[1].field == NameField::mdns_answer);
    STRCMP_EQUAL("b.local", text_of(names[2]).c_str());
    FoundNames unicast;
    CHECK_TRUE(find_dns_names(message, false, unicast));
    CHECK_EQUAL(1u, unicast.count());
}

TEST(DnsNames, a_pointer_must_point_backwards) {
    const Octets to_itself = from_hex("0000 0100 0001 0000 0000 0000 c00c 0001 0001");
    CHECK_FALSE(find_dns_names(to_itself, false, names));
    const Octets forwards = from_hex("0000 0100 0001 0000 0000 0000 c00e 0161 00 0001 0001");
    CHECK_FALSE(find_dns_names(forwards, false, names));
    CHECK_EQUAL(0u, names.count());
}

TEST(DnsNames, every_truncation_is_refused_or_told) {
    const Octets message = from_hex(
        "0000 8400 0001 0001 0000 0000 0161 056c6f63616c 00 000c 0001"
        "c00c 000c 0001 00000010 0002 c00c");
    for (size_t octets = 0; octets < message.size(); ++octets) {
        FoundNames cut;
        CHECK_FALSE(find_dns_names({message.data(), octets}, true, cut));
    }
}

TEST(DnsNames, a_name_longer_than_255_octets_is_refused) {
    Octets message = from_hex("0000 0100 0001 0000 0000 0000");
    for (int i = 0; i < 5; ++i) {
        message.push_back(63);
        message.resize(message.size() + 63, 'a');
    }
    message.resize(message.size() + 5, 0);
    CHECK_FALSE(find_dns_names(message, false, names));
}

TEST(DnsNames, of_many_questions_the_first_are_told_and_that_there_are_more) {
    Octets message = from_hex("0000 0000 0021 0001 0000 0000");
    for (int i = 0; i < 33; ++i) {
        const Octets question = from_hex("0161 00 000c 0001");
        message.insert(message.end(), question.begin(), question.end());
        message[message.size() - 6] = static_cast<uint8_t>('A' + i);
    }
    CHECK_TRUE(find_dns_names(message, true, names));
    CHECK_EQUAL(FoundNames::kMaximum, names.count());
    STRCMP_EQUAL("A", text_of(names[0]).c_str());
    CHECK_TRUE(names.cut());
    FoundNames unicast;
    CHECK_FALSE(find_dns_names(message, false, unicast));
    CHECK_EQUAL(0u, unicast.count());
}

TEST_GROUP(HttpHost) {
    FoundNames names;
};

TEST(HttpHost, the_host_field_is_found_whatever_its_case_and_blanks) {
    CHECK_TRUE(find_http_host(
        octets_of("GET / HTTP/1.1\r\nAccept: */*\r\nhOsT: \t a.example:80 \r\n\r\n"), names));
    CHECK_EQUAL(1u, names.count());
    STRCMP_EQUAL("a.example:80", text_of(names[0]).c_str());
}

TEST(HttpHost, a_target_that_names_its_host_is_believed_first) {
    find_http_host(octets_of("GET HTTP://u:p@a.example:81/b HTTP/1.1\r\nHost: c\r\n\r\n"), names);
    find_http_host(octets_of("GET https://d.example?q=1 HTTP/1.1\r\n\r\n"), names);
    find_http_host(octets_of("GET /?q=http://e.example/ HTTP/1.1\r\nHost: f\r\n\r\n"), names);
    CHECK_EQUAL(3u, names.count());
    STRCMP_EQUAL("a.example:81", text_of(names[0]).c_str());
    STRCMP_EQUAL("d.example", text_of(names[1]).c_str());
    STRCMP_EQUAL("f", text_of(names[2]).c_str());
}

TEST(HttpHost, an_answer_and_the_middle_of_a_body_have_no_host) {
    find_http_host(octets_of("HTTP/1.1 200 OK\r\nHost: a.example\r\n\r\n"), names);
    find_http_host(octets_of("some text\r\nHost: a.example\r\n\r\n"), names);
    CHECK_EQUAL(0u, names.count());
}

TEST(HttpHost, a_request_whose_method_came_before_is_read) {
    find_http_host(octets_of("/api HTTP/1.1\r\nHost: hue\r\n\r\n"), names);
    CHECK_EQUAL(1u, names.count());
}

TEST(HttpHost, neither_body_nor_request_line_nor_unfinished_line_counts) {
    find_http_host(octets_of("Host: x\r\nA: b\r\n\r\nHost: y\r\n"), names);
    find_http_host(octets_of("GET / HTTP/1.1\r\nHost: half"), names);
    find_http_host(octets_of(""), names);
    CHECK_EQUAL(0u, names.count());
}

TEST(HttpHost, what_follows_a_head_with_content_is_content) {
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\n";
    CHECK_TRUE(http_request_goes_on(octets_of(head + "Content-Length: 5\r\n\r\nfour")));
    CHECK_TRUE(http_request_goes_on(octets_of(head + "content-length:5\n\n")));
    CHECK_TRUE(http_request_goes_on(octets_of(head + "Transfer-Encoding: chunked\r\n\r\n")));
    CHECK_FALSE(http_request_goes_on(octets_of(head + "Content-Length: 5\r\n\r\nfive!")));
    CHECK_FALSE(http_request_goes_on(octets_of(head + "Content-Length: none\r\n\r\n")));
    CHECK_FALSE(http_request_goes_on(octets_of(head + "\r\n")));
    CHECK_TRUE(http_request_goes_on(octets_of(head + "Content-Length: 5\r\n")));
    CHECK_TRUE(http_request_goes_on(octets_of(head + "X-A")));
    std::string fields;
    for (int i = 0; i < 70; ++i) {
        fields += "a: b\r\n";
    }
    CHECK_TRUE(http_request_goes_on(octets_of(head + fields + "Content-Length: 5\r\n\r\n")));
    CHECK_FALSE(http_request_goes_on(octets_of("POST / HTTP/1.1")));
    CHECK_FALSE(http_request_goes_on(octets_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")));
    CHECK_FALSE(http_request_goes_on(octets_of("")));
}

TEST_GROUP(TlsServerName) {
    FoundNames names;
};

TEST(TlsServerName, every_truncation_of_a_hello_is_read_without_a_name) {
    Octets hello = from_hex("16 0301 003f 01 000000 0303");
    hello.resize(hello.size() + 32, 0);
    const Octets rest = from_hex("00 0002 1301 01 00 000e 0000 000a 0008 00 0005 612e622e63");
    hello.insert(hello.end(), rest.begin(), rest.end());
    for (size_t octets = 0; octets < hello.size(); ++octets) {
        find_tls_server_name({hello.data(), octets}, names);
    }
    CHECK_EQUAL(0u, names.count());
    CHECK_TRUE(find_tls_server_name(hello, names));
    STRCMP_EQUAL("a.b.c", text_of(names[0]).c_str());
}

// A ClientHello without its record: a cookie for DTLS, then the extension as it is given.
Octets hello_of(std::string_view server_name, bool with_cookie = false) {
    Octets hello = from_hex("01 000000");
    if (with_cookie) {
        const Octets message = from_hex("0000 000000 000000");
        hello.insert(hello.end(), message.begin(), message.end());
    }
    hello.push_back(3);
    hello.push_back(3);
    hello.resize(hello.size() + 32, 0);
    const Octets extension = from_hex(server_name);
    Octets rest = from_hex(std::string("00") + (with_cookie ? " 02 abcd" : "") +
                           " 0002 1301 01 00 0000 0000 0000");
    rest[rest.size() - 5] = static_cast<uint8_t>(extension.size() + 4);
    rest[rest.size() - 1] = static_cast<uint8_t>(extension.size());
    hello.insert(hello.end(), rest.begin(), rest.end());
    hello.insert(hello.end(), extension.begin(), extension.end());
    return hello;
}

TEST(TlsServerName, a_hello_in_several_records_is_read_and_not_their_headers) {
    const Octets hello = hello_of("0008 00 0005 612e622e63");
    for (size_t first = 1; first < hello.size(); ++first) {
        for (const size_t second : {size_t{1}, size_t{3}, hello.size()}) {
            Octets records;
            for (size_t at = 0, part = first; at < hello.size(); at += part, part = second) {
                part = std::min(part, hello.size() - at);
                const Octets header = from_hex("16 0301 0000");
                records.insert(records.end(), header.begin(), header.end());
                records.back() = static_cast<uint8_t>(part);
                records.insert(records.end(),
                               hello.begin() + static_cast<ptrdiff_t>(at),
                               hello.begin() + static_cast<ptrdiff_t>(at + part));
            }
            FoundNames found;
            CHECK_TRUE(find_tls_server_name(records, found));
            CHECK_EQUAL(1u, found.count());
            STRCMP_EQUAL("a.b.c", text_of(found[0]).c_str());
            // Behind it, and cut short.
            const Octets more = from_hex("14 0303 0001 01");
            records.insert(records.end(), more.begin(), more.end());
            FoundNames again;
            find_tls_server_name(records, again);
            CHECK_EQUAL(1u, again.count());
            for (size_t octets = 0; octets < records.size(); ++octets) {
                FoundNames cut;
                find_tls_server_name({records.data(), octets}, cut);
                CHECK(cut.count() == 0 || text_of(cut[0]) == "a.b.c");
            }
        }
    }
}

TEST(TlsServerName, names_of_other_kinds_stand_before_it) {
    Octets record = from_hex("16 0301 0000");
    const Octets hello = hello_of("000f 07 0004 61626364 00 0005 612e622e63");
    record[4] = static_cast<uint8_t>(hello.size());
    record.insert(record.end(), hello.begin(), hello.end());
    CHECK_TRUE(find_tls_server_name(record, names));
    CHECK_EQUAL(1u, names.count());
    STRCMP_EQUAL("a.b.c", text_of(names[0]).c_str());
}

TEST(TlsServerName, of_dtls_is_read_as_far_as_was_captured) {
    Octets hello = hello_of("0008 00 0005 612e622e63", true);
    // An extension behind it, that is not there.
    hello[hello.size() - 15] += 4;
    Octets record = from_hex("16 fefd 0000 000000000000 00ff");
    record.insert(record.end(), hello.begin(), hello.end());
    find_dtls_server_name(record, names);
    CHECK_EQUAL(1u, names.count());
}

TEST(TlsServerName, of_dtls_is_read_behind_the_cookie_in_its_first_fragment) {
    const Octets hello = hello_of("0008 00 0005 612e622e63", true);
    Octets record = from_hex("16 fefd 0000 000000000000 0000");
    record.back() = static_cast<uint8_t>(hello.size());
    record.insert(record.end(), hello.begin(), hello.end());
    for (size_t octets = 0; octets < record.size(); ++octets) {
        find_dtls_server_name({record.data(), octets}, names);
    }
    CHECK_EQUAL(0u, names.count());
    CHECK_TRUE(find_dtls_server_name(record, names));
    CHECK_EQUAL(1u, names.count());
    STRCMP_EQUAL("a.b.c", text_of(names[0]).c_str());
    // Enciphered, a later fragment, and a server's.
    record[4] = 1;
    find_dtls_server_name(record, names);
    record[4] = 0;
    record[13 + 8] = 1;
    find_dtls_server_name(record, names);
    record[13 + 8] = 0;
    record[13] = 2;
    find_dtls_server_name(record, names);
    CHECK_EQUAL(1u, names.count());
}

TEST(TlsServerName, a_name_list_that_lies_is_no_name) {
    Octets hello = from_hex("16 0301 003f 01 000000 0303");
    hello.resize(hello.size() + 32, 0);
    // The list says 9 octets where 8 are.
    const Octets rest = from_hex("00 0002 1301 01 00 000e 0000 000a 0009 00 0005 612e622e63");
    hello.insert(hello.end(), rest.begin(), rest.end());
    find_tls_server_name(hello, names);
    CHECK_EQUAL(0u, names.count());
}

TEST_GROUP(DhcpHostName) {
    FoundNames names;

    static Octets message(uint8_t operation, std::string_view options) {
        Octets octets(236, 0);
        octets[0] = operation;
        const Octets rest = from_hex("63825363" + std::string(options));
        octets.insert(octets.end(), rest.begin(), rest.end());
        return octets;
    }
};

TEST(DhcpHostName, option_12_is_found_behind_padding_and_before_the_end) {
    CHECK_TRUE(
        find_dhcp_host_name(message(1, "00 00 3501 01 0c 03 636174 ff 0c 03 646f67"), names));
    CHECK_EQUAL(1u, names.count());
    STRCMP_EQUAL("cat", text_of(names[0]).c_str());
}

TEST(DhcpHostName, a_server_names_nobody) {
    CHECK_TRUE(find_dhcp_host_name(message(2, "0c 03 636174 ff"), names));
    CHECK_EQUAL(0u, names.count());
}

TEST(DhcpHostName, without_the_cookie_there_are_no_options) {
    Octets torn = message(1, "0c 03 636174 ff");
    torn[236] = 0;
    CHECK_FALSE(find_dhcp_host_name(torn, names));
    CHECK_EQUAL(0u, names.count());
}

TEST(DhcpHostName, an_option_past_the_end_is_refused) {
    CHECK_FALSE(find_dhcp_host_name(message(1, "0c 09 636174"), names));
    CHECK_EQUAL(0u, names.count());
}
