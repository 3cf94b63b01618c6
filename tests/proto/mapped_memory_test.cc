#include "proto/mapped_memory.h"

#include <linux/mman.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::proto::MappedMemory;
using curlew::proto::PagedFront;

TEST_GROUP(MappedMemory){};

TEST(MappedMemory, is_zero_and_can_be_written_to_its_end) {
    MappedMemory memory(10'000, "test");
    CHECK_EQUAL(0, memory.data()[9'999]);
    memory.data()[9'999] = 1;
    CHECK_EQUAL(1, memory.data()[9'999]);
}

TEST(MappedMemory, begins_where_a_huge_page_could_and_only_it_stays_mapped) {
    constexpr size_t kPage = 4096;
    for (const size_t octets : {size_t{1}, kPage, MappedMemory::kHugePageOctets + 1}) {
        MappedMemory memory(octets, "test");
        const auto at = reinterpret_cast<uintptr_t>(memory.data());
        CHECK_EQUAL(0u, at % MappedMemory::kHugePageOctets);
        memory.want_huge_pages(0, octets);
        memory.want_huge_pages(MappedMemory::kHugePageOctets, octets);
        memory.data()[octets - 1] = 1;
        // Of what was mapped to find the place, nothing is left behind the end.
        unsigned char resident = 0;
        uint8_t* behind = memory.data() + (octets + kPage - 1) / kPage * kPage;
        CHECK_EQUAL(-1, mincore(behind, kPage, &resident));
    }
}

TEST(MappedMemory, what_is_taken_is_zero_and_there_before_it_is_touched) {
    constexpr size_t kPage = 4096;
    const MappedMemory memory = MappedMemory::taken(2 * MappedMemory::kHugePageOctets, "test");
    std::vector<unsigned char> resident(memory.octets() / kPage);
    CHECK_EQUAL(0, mincore(memory.data(), memory.octets(), resident.data()));
    for (const unsigned char page : resident) {
        CHECK_EQUAL(1, page & 1);
    }
    CHECK(std::all_of(
        memory.data(), memory.data() + memory.octets(), [](uint8_t octet) { return octet == 0; }));
}

TEST(MappedMemory, what_was_touched_to_see_how_dear_it_is_is_there_and_zero) {
    // Of a process of its own: one that found it dear takes no huge pages any more.
    const pid_t child = fork();
    if (child == 0) {
        const MappedMemory memory =
            MappedMemory::of_huge_pages(MappedMemory::kHugePageOctets, "test");
        MappedMemory::touch_is_dear(memory.data());
        unsigned char resident = 0;
        const bool is_there = mincore(memory.data(), 1, &resident) == 0 && (resident & 1) != 0;
        _exit(is_there && memory.data()[0] == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK_EQUAL(0, status);
}

TEST(MappedMemory, what_is_given_back_is_zero_and_not_there_in_whole_pages) {
    constexpr size_t kPage = 4096;
    MappedMemory memory(4 * kPage, "test");
    madvise(memory.data(), memory.octets(), MADV_NOHUGEPAGE);
    std::fill(memory.data(), memory.data() + memory.octets(), uint8_t{1});
    MappedMemory::give_back({memory.data() + 1, kPage - 1});
    MappedMemory::give_back({memory.data() + kPage - 1, 2 * kPage});
    MappedMemory::give_back({});
    std::vector<unsigned char> resident(4);
    CHECK_EQUAL(0, mincore(memory.data(), memory.octets(), resident.data()));
    CHECK((resident == std::vector<unsigned char>{1, 0, 1, 1}));
    CHECK_EQUAL(1, memory.data()[kPage - 1]);
    CHECK_EQUAL(0, memory.data()[kPage]);
    CHECK_EQUAL(1, memory.data()[2 * kPage]);
}

TEST(MappedMemory, a_front_is_backed_ahead_as_it_is_filled_and_not_beyond_its_end) {
    constexpr size_t kPage = 4096;
    const MappedMemory memory(2 * PagedFront::kMost + 5 * kPage, "test");
    madvise(memory.data(), memory.octets(), MADV_NOHUGEPAGE);
    const auto pages = [&memory] {
        std::vector<unsigned char> resident(memory.octets() / kPage);
        CHECK_EQUAL(0, mincore(memory.data(), memory.octets(), resident.data()));
        return static_cast<size_t>(std::count(resident.begin(), resident.end(), 1));
    };
    PagedFront front;
    const std::span<const uint8_t> octets{memory.data(), memory.octets()};
    CHECK_EQUAL(0u, pages());
    front.fill(octets, 1);
    CHECK_EQUAL(2u, pages());
    front.fill(octets, 2 * kPage);
    CHECK_EQUAL(2u, pages());
    front.fill(octets, 2 * kPage + 1);
    CHECK_EQUAL(4u, pages());
    // More than the next step, and the last one.
    front.fill(octets, 2 * PagedFront::kMost);
    CHECK_EQUAL(32u, pages());
    front.fill(octets, 2 * PagedFront::kMost + 1);
    CHECK_EQUAL(37u, pages());
}

TEST(MappedMemory, a_front_that_may_take_time_goes_on_in_huge_pages) {
    constexpr size_t kOctets = 4 * MappedMemory::kHugePageOctets;
    const MappedMemory memory(kOctets, "test");
    const auto pages = [&memory] {
        constexpr size_t kPage = 4096;
        std::vector<unsigned char> resident(kOctets / kPage);
        CHECK_EQUAL(0, mincore(memory.data(), kOctets, resident.data()));
        return static_cast<size_t>(std::count(resident.begin(), resident.end(), 1));
    };
    PagedFront front(true);
    for (size_t filled = 1; filled <= PagedFront::kHugeFrom; ++filled) {
        front.fill({memory.data(), kOctets}, filled);
        memory.data()[filled - 1] = static_cast<uint8_t>(filled % 251);
    }
    const size_t before = pages();
    CHECK(before < 512);
    front.fill({memory.data(), kOctets}, PagedFront::kHugeFrom + 1);
    // A kernel that cannot leaves as many as there were.
    const MappedMemory other(MappedMemory::kHugePageOctets, "test");
    other.data()[0] = 1;
    const bool kernel_can = madvise(other.data(), other.octets(), MADV_COLLAPSE) == 0;
    CHECK_EQUAL(kernel_can ? 512 : before, pages());
    for (size_t filled = 1; filled <= PagedFront::kHugeFrom; ++filled) {
        CHECK_EQUAL(filled % 251, memory.data()[filled - 1]);
    }
    memory.data()[kOctets - 1] = 1;
}

TEST(MappedMemory, more_than_the_machine_has_is_not_taken) {
    try {
        MappedMemory::taken(size_t{1} << 46, "[meter] memory");
        FAIL("no machine has so much");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("[meter] memory: 67108864 MiB of memory are asked for, and ", error.what());
    }
}

TEST(MappedMemory, its_front_is_cut_off_and_outlives_it) {
    constexpr size_t kOctets = MappedMemory::kHugePageOctets;
    MappedMemory memory(3 * kOctets, "test");
    memory.data()[0] = 1;
    memory.data()[kOctets] = 2;
    MappedMemory first = memory.cut_front(kOctets);
    const MappedMemory rest = memory.cut_front(2 * kOctets);
    CHECK_EQUAL(0u, memory.octets());
    memory = MappedMemory();
    CHECK_EQUAL(kOctets, first.octets());
    CHECK_EQUAL(1, first.data()[0]);
    first = MappedMemory();
    CHECK_EQUAL(2 * kOctets, rest.octets());
    CHECK_EQUAL(2, rest.data()[0]);
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
