#include "probe/outbox.h"

#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

OutboxFrame frame(uint64_t first, uint64_t last, size_t octets = 100) {
    return {std::make_shared<const std::string>(octets, 'x'),
            {},
            first,
            last,
            static_cast<uint32_t>(last - first + 1)};
}

}  // namespace

TEST_GROUP(Outbox) {
    Outbox outbox{250};
};

TEST(Outbox, takes_frames_up_to_its_bound_and_one_in_any_case) {
    CHECK_TRUE(outbox.has_room(1000));
    outbox.append(frame(1, 10));
    CHECK_TRUE(outbox.has_room(150));
    CHECK_FALSE(outbox.has_room(151));
    CHECK_EQUAL(100u, outbox.octets());
    CHECK_EQUAL(10u, outbox.records());
}

TEST(Outbox, keeps_a_frame_until_all_of_it_is_acknowledged) {
    outbox.append(frame(1, 10));
    outbox.append(frame(11, 20));
    outbox.acknowledged(9);
    CHECK_EQUAL(1u, outbox.first_held());
    outbox.acknowledged(10);
    CHECK_EQUAL(11u, outbox.first_held());
    CHECK_EQUAL(100u, outbox.octets());
    outbox.acknowledged(20);
    CHECK_TRUE(outbox.empty());
    CHECK_EQUAL(21u, outbox.first_held());
    CHECK_EQUAL(0u, outbox.records());
}

TEST(Outbox, gives_up_what_is_in_memory_and_keeps_the_rest) {
    Outbox both{250, 1000};
    OutboxFrame first = frame(1, 10);
    first.from_ns = 50;
    both.append(first);
    OutboxFrame spooled = frame(11, 20);
    spooled.octets = nullptr;
    spooled.place.octets = 100;
    spooled.from_ns = 10;
    both.append(spooled);
    OutboxFrame second = frame(21, 30);
    second.from_ns = 30;
    both.append(second);
    CHECK_EQUAL(30u, both.earliest_in_memory_ns());
    const std::vector<OutboxFrame> taken = both.take_memory();
    CHECK_EQUAL(UINT64_MAX, both.earliest_in_memory_ns());
    CHECK_EQUAL(2u, taken.size());
    CHECK_EQUAL(1u, taken[0].first_sequence);
    CHECK_EQUAL(30u, taken[1].last_sequence);
    CHECK_EQUAL(11u, both.first_held());
    CHECK_EQUAL(10u, both.records());
    CHECK_EQUAL(0u, both.records_in_memory());
    CHECK_EQUAL(0u, both.octets());
    CHECK_FALSE(both.has_spool_room(901));
    CHECK_EQUAL(30u, both.last_made());
}

TEST(Outbox, finds_the_frame_that_follows_a_sequence) {
    CHECK_TRUE(outbox.after(0) == nullptr);
    outbox.append(frame(1, 10));
    outbox.append(frame(11, 20));
    CHECK_EQUAL(1u, outbox.after(0)->first_sequence);
    CHECK_EQUAL(11u, outbox.after(10)->first_sequence);
    CHECK_TRUE(outbox.after(20) == nullptr);
}

TEST(Outbox, a_ledger_is_taken_when_it_is_full_and_holds_no_record) {
    outbox.append(frame(1, 10, 250));
    OutboxFrame ledger = frame(11, 11);
    ledger.records = 0;
    outbox.append(ledger);
    CHECK_EQUAL(10u, outbox.records());
    CHECK_EQUAL(350u, outbox.octets());
}

TEST(Outbox, what_is_in_the_spool_has_a_bound_of_its_own) {
    Outbox both(250, 1000);
    both.append({nullptr, {0, 0, 900}, 1, 10, 10});
    CHECK_TRUE(both.has_spool_room(100));
    CHECK_FALSE(both.has_spool_room(101));
    CHECK_TRUE(both.has_room(250));
    both.append(frame(11, 20));
    CHECK_FALSE(both.has_room(151));
    CHECK_EQUAL(20u, both.records());
    CHECK_EQUAL(10u, both.records_in_memory());
    both.acknowledged(10);
    CHECK_TRUE(both.has_spool_room(1000));
    CHECK_EQUAL(10u, both.records());
    CHECK_FALSE(outbox.has_spool_room(1));
}
