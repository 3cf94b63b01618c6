#include "dpdk_port/frame_length.h"

#include <vector>

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

// A frame of that type whose header, behind so many tags, tells `length` at `length_at`.
std::vector<uint8_t> frame(size_t tags, uint16_t type, size_t length_at, uint16_t length) {
    std::vector<uint8_t> octets(12, 2);
    for (size_t tag = 0; tag < tags; ++tag) {
        octets.insert(octets.end(), {0x81, 0x00, 0x00, 0x64});
    }
    octets.insert(octets.end(), {static_cast<uint8_t>(type >> 8), static_cast<uint8_t>(type)});
    octets.resize(octets.size() + 100);
    uint8_t* at = octets.data() + 14 + 4 * tags + length_at;
    at[0] = static_cast<uint8_t>(length >> 8);
    at[1] = static_cast<uint8_t>(length);
    return octets;
}

}  // namespace

TEST_GROUP(FrameLength){};

TEST(FrameLength, is_what_the_ip_header_tells_behind_tags) {
    CHECK_EQUAL(14u + 40'000u, frame_octets_by_ip(frame(0, 0x0800, 2, 40'000)));
    CHECK_EQUAL(18u + 65'535u, frame_octets_by_ip(frame(1, 0x0800, 2, 65'535)));
    CHECK_EQUAL(22u + 40u + 20'000u, frame_octets_by_ip(frame(2, 0x86dd, 4, 20'000)));
}

TEST(FrameLength, is_never_less_than_what_is_there) {
    CHECK_EQUAL(114u, frame_octets_by_ip(frame(0, 0x0800, 2, 60)));
    CHECK_EQUAL(114u, frame_octets_by_ip(frame(0, 0x86dd, 4, 0)));
    CHECK_EQUAL(114u, frame_octets_by_ip(frame(0, 0x0806, 2, 9'000)));
    CHECK_EQUAL(126u, frame_octets_by_ip(frame(3, 0x0800, 2, 9'000)));
    const std::vector<uint8_t> whole = frame(1, 0x0800, 2, 9'000);
    for (uint32_t octets = 0; octets < 22; ++octets) {
        CHECK_EQUAL(octets, frame_octets_by_ip({whole.data(), octets}));
    }
}

}  // namespace curlew::dpdk_port
