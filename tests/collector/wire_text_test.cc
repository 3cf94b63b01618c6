#include "collector/wire_text.h"

#include <arpa/inet.h>

#include <array>
#include <random>
#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {

using std::string_literals::operator""s;

TEST_GROUP(WireText){};

TEST(WireText, well_formed_utf8_stays) {
    const std::string text = "plain, \xc3\xa9, \xe2\x82\xac, \xf0\x9f\x90\xa6"s;
    STRCMP_EQUAL(text.c_str(), wire_text(text).c_str());
    CHECK(is_utf8(text));
}

TEST(WireText, lower_case_is_of_letters_alone) {
    STRCMP_EQUAL("az[\xc0 1", lower_case("AZ[\xc0 1").c_str());
}

TEST(WireText, another_octet_becomes_its_code_point) {
    STRCMP_EQUAL(
        "a\xc3\xbf"
        "b",
        wire_text("a\xff"
                  "b")
            .c_str());
    STRCMP_EQUAL("\xc3\xa9", wire_text("\xe9").c_str());
    STRCMP_EQUAL("\xc3\xa2\xc2\x82", wire_text("\xe2\x82").c_str());
}

TEST(WireText, overlong_forms_surrogates_and_more_than_unicode_are_no_utf8) {
    for (const std::string& text : {"\xc0\xaf"s,
                                    "\xe0\x80\xaf"s,
                                    "\xed\xa0\x80"s,
                                    "\xf0\x80\x80\xaf"s,
                                    "\xf4\x90\x80\x80"s,
                                    "\xf5\x80\x80\x80"s,
                                    "\x80"s,
                                    "\xc3"s}) {
        CHECK_FALSE(is_utf8(text));
        CHECK(is_utf8(wire_text(text)));
    }
}

TEST(WireText, any_two_octets_become_utf8) {
    for (int first = 0; first < 256; ++first) {
        for (int second = 0; second < 256; ++second) {
            const std::string text{static_cast<char>(first), static_cast<char>(second)};
            CHECK(is_utf8(wire_text(text)));
        }
    }
}

TEST(WireText, addresses_are_written_and_read) {
    STRCMP_EQUAL("192.168.5.20", address_text("\xc0\xa8\x05\x14").c_str());
    STRCMP_EQUAL("2001:db8::1", address_text(address_octets("2001:DB8:0::1")).c_str());
    STRCMP_EQUAL("", address_text("abc").c_str());
    CHECK(address_octets("10.0.0").empty());
}

TEST(WireText, every_address_is_written_as_the_c_library_does) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
        std::string address(i % 4 == 0 ? 4 : 16, '\0');
        for (size_t group = 0; group + 1 < address.size(); group += 2) {
            // Runs of zeros of every length, and leading zeros within a group.
            const unsigned kind = random() % 4;
            address[group] = static_cast<char>(kind == 3 ? random() : 0);
            address[group + 1] = static_cast<char>(kind >= 2 ? random() : 0);
        }
        std::array<char, INET6_ADDRSTRLEN> expected{};
        inet_ntop(address.size() == 4 ? AF_INET : AF_INET6,
                  address.data(),
                  expected.data(),
                  expected.size());
        CHECK_TEXT(address_text(address) == expected.data(),
                   ("seed " + std::to_string(seed)).c_str());
    }
}

TEST(WireText, an_octet_past_ascii_is_seen_wherever_it_stands) {
    for (size_t at = 0; at < 20; ++at) {
        std::string text(20, 'x');
        CHECK(is_utf8(text));
        text[at] = '\xff';
        CHECK_FALSE(is_utf8(text));
    }
}

}  // namespace curlew::collector
