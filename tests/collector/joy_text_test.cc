#include "collector/joy_text.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

}  // namespace

TEST_GROUP(JoyText){};

TEST(JoyText, ends_at_a_nul_and_hides_what_is_not_printable) {
    STRCMP_EQUAL("CN=a.b", joy_text("CN=a/b").c_str());
    STRCMP_EQUAL("........", joy_text("\"\\/\n\t\x7f\x80\xff").c_str());
    STRCMP_EQUAL("before", joy_text("before\0behind"s).c_str());
    STRCMP_EQUAL("", joy_text("").c_str());
}

TEST_GROUP(PaddedOctets){};

TEST(PaddedOctets, has_zeros_behind_its_end) {
    const PaddedOctets octets("\1\2\3");
    CHECK_EQUAL(3, octets[2]);
    CHECK_EQUAL(0, octets[3]);
    CHECK_EQUAL(0x0300, octets.two(2));
    CHECK_EQUAL(0x01020300u, octets.four(0));
    CHECK_TRUE(octets.copy(1, 4) == "\2\3\0\0"s);
    CHECK_TRUE(octets.copy(9, 2) == "\0\0"s);
}

}  // namespace curlew::collector
