#include "probe/mapped_memory.h"

#include <stdexcept>
#include <string>
#include <utility>

#include "tests/support/cpputest.h"

using curlew::probe::MappedMemory;

TEST_GROUP(MappedMemory){};

TEST(MappedMemory, is_zero_and_can_be_written_to_its_end) {
    MappedMemory memory(10'000, "test");
    CHECK_EQUAL(0, memory.data()[9'999]);
    memory.data()[9'999] = 1;
    CHECK_EQUAL(1, memory.data()[9'999]);
}

TEST(MappedMemory, huge_pages_are_zero_too_whether_or_not_there_are_any) {
    constexpr size_t kOctets = size_t{8} << 20;
    MappedMemory memory(kOctets, "test");
    memory.use_huge_pages(0, kOctets / 2);
    CHECK_EQUAL(0, memory.data()[0]);
    memory.data()[kOctets - 1] = 1;
    CHECK_EQUAL(1, memory.data()[kOctets - 1]);
}

TEST(MappedMemory, moves_its_memory) {
    MappedMemory memory(4096, "test");
    memory.data()[0] = 7;
    MappedMemory other;
    other = std::move(memory);
    CHECK_EQUAL(7, other.data()[0]);
    CHECK_EQUAL(4096u, other.octets());
}

TEST(MappedMemory, says_what_could_not_be_reserved) {
    try {
        const MappedMemory memory(size_t{1} << 62, "flow table");
        FAIL("no machine has so much");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("flow table: cannot reserve", error.what());
    }
}
