#include "proto/octet_cursor.h"

#include <array>
#include <span>
#include <string_view>

#include "tests/support/cpputest.h"

namespace curlew::proto {

TEST_GROUP(OctetCursor){};

TEST(OctetCursor, reads_numbers_of_network_order_and_pieces) {
    OctetCursor cursor(
        std::string_view("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x02"
                         "ab"
                         "cd"));
    CHECK_EQUAL(0x01, cursor.u8());
    CHECK_EQUAL(0x0203, cursor.u16());
    CHECK_EQUAL(0x040506u, cursor.u24());
    CHECK_EQUAL(0x0708090au, cursor.u32());
    CHECK(cursor.take_counted(1) == "ab");
    CHECK_EQUAL(2u, cursor.left());
    CHECK_EQUAL(13u, cursor.position());
    CHECK(cursor.rest() == "cd");
    CHECK(cursor.ok());
    CHECK_EQUAL(0u, cursor.left());
}

TEST(OctetCursor, past_the_end_it_fails_for_good) {
    constexpr std::array<uint8_t, 3> kOctets{0xff, 0xfe, 0xfd};
    OctetCursor cursor{std::span<const uint8_t>(kOctets)};
    CHECK_EQUAL(0u, cursor.u32());
    CHECK_FALSE(cursor.ok());
    CHECK_EQUAL(0u, cursor.left());
    CHECK_EQUAL(0, cursor.u8());
    CHECK(cursor.take(1).empty());
    CHECK(cursor.take(0).empty());
    CHECK_EQUAL(0u, cursor.position());
}

TEST(OctetCursor, a_length_that_is_not_there_fails) {
    OctetCursor cursor(
        std::string_view("\x04"
                         "abc"));
    CHECK(cursor.take_counted(1).empty());
    CHECK_FALSE(cursor.ok());
    OctetCursor none(std::string_view("\x04"));
    CHECK(none.take_counted(2).empty());
    CHECK_FALSE(none.ok());
}

}  // namespace curlew::proto
