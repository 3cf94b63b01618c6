#include "probe/byte_ring.h"

#include <cstdint>
#include <cstring>
#include <thread>

#include "tests/support/cpputest.h"

using curlew::probe::ByteRing;

namespace {

void push(ByteRing& ring, size_t octets, uint8_t value) {
    uint8_t* at = ring.reserve(octets);
    CHECK(at != nullptr);
    std::memset(at, value, octets);
    ring.commit(octets);
}

}  // namespace

TEST_GROUP(ByteRing){};

TEST(ByteRing, is_empty_at_first) {
    ByteRing ring(4096);
    CHECK(ring.front().empty());
}

TEST(ByteRing, positions_tell_what_was_there_at_a_moment) {
    ByteRing ring(4096);
    CHECK(ring.is_popped_to(ring.newest_end()));
    // The third begins anew at the front.
    for (const size_t octets : {1000, 1000, 1000}) {
        push(ring, octets, 1);
    }
    CHECK_FALSE(ring.front().empty());
    ring.pop();
    CHECK_FALSE(ring.front().empty());
    ring.pop();
    push(ring, 1000, 2);
    push(ring, 1000, 2);
    const uint64_t end = ring.newest_end();
    for (int left = 3; left > 0; --left) {
        CHECK_FALSE(ring.is_popped_to(end));
        CHECK_FALSE(ring.front().empty());
        ring.pop();
        if (left == 3) {
            push(ring, 7, 3);
        }
    }
    CHECK(ring.is_popped_to(end));
    CHECK_FALSE(ring.is_popped_to(ring.newest_end()));
}

TEST(ByteRing, hands_messages_over_in_order) {
    ByteRing ring(4096);
    push(ring, 5, 1);
    push(ring, 700, 2);
    CHECK_EQUAL(5u, ring.front().size());
    CHECK_EQUAL(1, ring.front()[4]);
    ring.pop();
    CHECK_EQUAL(700u, ring.front().size());
    CHECK_EQUAL(2, ring.front()[699]);
    ring.pop();
    CHECK(ring.front().empty());
}

TEST(ByteRing, refuses_when_full_and_takes_again_after_pop) {
    ByteRing ring(4096);
    for (int i = 0; i < 4; ++i) {
        push(ring, 1000, 7);
    }
    CHECK(ring.reserve(1000) == nullptr);
    ring.pop();
    CHECK(ring.reserve(1000) != nullptr);
}

TEST(ByteRing, a_message_lies_in_one_piece_across_the_end) {
    ByteRing ring(4096);
    for (int i = 0; i < 100; ++i) {
        const auto octets = static_cast<size_t>(100 + 9 * i);
        push(ring, octets, static_cast<uint8_t>(i));
        const auto message = ring.front();
        CHECK_EQUAL(octets, message.size());
        CHECK_EQUAL(static_cast<uint8_t>(i), message[0]);
        CHECK_EQUAL(static_cast<uint8_t>(i), message[octets - 1]);
        ring.pop();
    }
}

TEST(ByteRing, commit_may_cut_a_reservation) {
    ByteRing ring(4096);
    std::memset(ring.reserve(1024), 3, 1024);
    ring.commit(10);
    push(ring, 20, 4);
    CHECK_EQUAL(10u, ring.front().size());
    ring.pop();
    CHECK_EQUAL(20u, ring.front().size());
}

TEST(ByteRing, an_uncommitted_reservation_is_never_seen) {
    ByteRing ring(4096);
    CHECK(ring.reserve(64) != nullptr);
    CHECK(ring.front().empty());
}

TEST(ByteRing, two_threads_see_the_same_sequence) {
    constexpr uint32_t kMessages = 200'000;
    ByteRing ring(1 << 16);
    std::thread producer([&ring] {
        for (uint32_t i = 0; i < kMessages; ++i) {
            const size_t octets = 4 + i % 300;
            uint8_t* at = nullptr;
            while ((at = ring.reserve(octets)) == nullptr) {
                std::this_thread::yield();
            }
            std::memset(at, 0, octets);
            std::memcpy(at, &i, sizeof(i));
            ring.commit(octets);
        }
    });
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < kMessages; ++i) {
        auto message = ring.front();
        while (message.empty()) {
            std::this_thread::yield();
            message = ring.front();
        }
        uint32_t number = 0;
        std::memcpy(&number, message.data(), sizeof(number));
        wrong += number != i || message.size() != 4 + i % 300 ? 1 : 0;
        ring.pop();
    }
    producer.join();
    CHECK_EQUAL(0u, wrong);
    CHECK(ring.front().empty());
}
