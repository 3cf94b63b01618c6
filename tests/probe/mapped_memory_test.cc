#include "probe/mapped_memory.h"

#include <sys/mman.h>

#include <array>
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

TEST(MappedMemory, what_is_taken_is_there_before_it_is_touched) {
    constexpr size_t kPage = 4096;
    constexpr size_t kPages = 64;
    const MappedMemory memory(2 * kPages * kPage, "test");
    memory.take(0, kPages * kPage);
    std::array<unsigned char, 2 * kPages> resident{};
    CHECK_EQUAL(0, mincore(memory.data(), memory.octets(), resident.data()));
    for (size_t page = 0; page < kPages; ++page) {
        CHECK_EQUAL(1, resident[page] & 1);
    }
    CHECK_EQUAL(0, resident[2 * kPages - 1] & 1);
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
