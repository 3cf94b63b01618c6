#include "probe/capture_order.h"

#include <array>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using curlew::probe::load;

TEST_GROUP(CaptureOrder){};

TEST(CaptureOrder, numbers_of_both_byte_orders_wherever_they_stand) {
    const std::array<uint8_t, 9> octets{0, 1, 2, 3, 4, 5, 6, 7, 8};
    const uint8_t* const odd = octets.data() + 1;
    CHECK_EQUAL(0x0201, load<uint16_t>(odd, false));
    CHECK_EQUAL(0x0102, load<uint16_t>(odd, true));
    CHECK_EQUAL(0x04030201u, load<uint32_t>(odd, false));
    CHECK_EQUAL(0x01020304u, load<uint32_t>(odd, true));
    CHECK_EQUAL(0x0807060504030201u, load<uint64_t>(odd, false));
    CHECK_EQUAL(0x0102030405060708u, load<uint64_t>(odd, true));
}
