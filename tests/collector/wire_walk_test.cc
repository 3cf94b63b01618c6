#include "collector/wire_walk.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::span<const uint8_t> wire_octets(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

// "number:octets of content" of each field, "!" at the end when the walk failed.
std::string walk(const std::string& message, int stop_after = 100) {
    std::string text;
    const bool whole =
        walk_fields(wire_octets(message), [&](uint32_t field, std::span<const uint8_t> content) {
            text += std::to_string(field) + ":" + std::to_string(content.size()) + " ";
            return --stop_after > 0;
        });
    return text + (whole ? "" : "!");
}

}  // namespace

TEST_GROUP(WireWalk){};

TEST(WireWalk, visits_fields_of_every_type) {
    // 1: varint 300; 2: "ab"; 3: fixed64; 4: fixed32; 21: empty.
    STRCMP_EQUAL("1:0 2:2 3:0 4:0 21:0 ",
                 walk("\x08\xac\x02\x12\x02"
                      "ab\x19"
                      "12345678\x25"
                      "1234\xaa\x01\x00"s)
                     .c_str());
    STRCMP_EQUAL("", walk("").c_str());
}

TEST(WireWalk, stops_when_told) {
    STRCMP_EQUAL("1:0 1:0 !", walk("\x08\x01\x08\x01\x08\x01"s, 2).c_str());
}

TEST(WireWalk, refuses_lengths_past_the_end) {
    STRCMP_EQUAL("!", walk("\x12\x05xxxx"s).c_str());
    STRCMP_EQUAL("!", walk("\x19"s + "1234567").c_str());
    STRCMP_EQUAL("!", walk("\x25"s + "123").c_str());
    STRCMP_EQUAL("!", walk("\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"s).c_str());
}

TEST(WireWalk, refuses_varints_without_end_and_groups) {
    STRCMP_EQUAL("!", walk("\x08\x80"s).c_str());
    STRCMP_EQUAL("!", walk("\x08"s + std::string(11, '\x80') + "\x01").c_str());
    STRCMP_EQUAL("!", walk("\x0b\x0c"s).c_str());
}

}  // namespace curlew::collector
