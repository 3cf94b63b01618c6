#include "collector/probe_stream.h"

#include <stdexcept>

#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

using std::chrono::seconds;

}  // namespace

TEST_GROUP(ProbeStream) {
    tests::TemporaryFolder folder;
    TestProbe probe;
    Rotation rotation{.minutes = 10, .octets = 1 << 20};
    ProbeStream stream{Journal(folder.path(), probe.facts(), 10)};

    void setup() override {
        stream.hello("peer", 1, kNow);
    }

    void store(const proto::ReceivedFrame& frame) {
        CHECK(stream.take(frame, kNow) == FrameVerdict::next);
        stream.commit(kNow);
    }

    void store_record(uint32_t number, uint64_t end_ns) {
        store(probe.batch({live_flow(number, end_ns)}));
    }

    std::optional<SealJob> job(bool everything = false) {
        return stream.next_job(rotation, everything, kNow);
    }
};

TEST(ProbeStream, seals_nothing_while_nothing_is_complete) {
    CHECK_FALSE(job().has_value());
    store_record(1, kWindow);
    store(probe.ledger(kNextWindow - 1));
    CHECK_FALSE(job().has_value());
}

TEST(ProbeStream, seals_what_a_silent_probe_sent_and_what_comes_after_it_again) {
    store_record(1, kWindow);
    store(probe.ledger(kWindow - 1));
    const Moment late = kNow + kSealedAfterSilence;
    CHECK_FALSE(stream.next_job(rotation, false, late - seconds(1)).has_value());
    const auto first = stream.next_job(rotation, false, late);
    CHECK(first->windows == std::vector<uint64_t>{kWindow});
    CHECK_TRUE(first->all_windows);
    CHECK_TRUE(first->unclean_end.empty());
    stream.sealed({});
    CHECK_FALSE(stream.next_job(rotation, false, late).has_value());
    CHECK_FALSE(stream.is_done());
    // Of the same window: it had only been cut off.
    CHECK(stream.take(probe.batch({live_flow(2, kWindow)}), late) == FrameVerdict::next);
    stream.commit(late);
    CHECK_FALSE(stream.next_job(rotation, false, late).has_value());
    CHECK(stream.take(probe.ledger(kNextWindow), late) == FrameVerdict::next);
    stream.commit(late);
    const auto second = stream.next_job(rotation, false, late);
    CHECK(second->windows == std::vector<uint64_t>{kWindow});
}

TEST(ProbeStream, seals_the_complete_windows_and_one_job_at_a_time) {
    store_record(1, kWindow);
    store_record(2, kNextWindow);
    store(probe.ledger(kNextWindow));
    const auto first = job();
    CHECK(first->windows == std::vector<uint64_t>{kWindow});
    CHECK_FALSE(first->all_windows);
    CHECK_EQUAL(3, first->through);
    CHECK_EQUAL(1, first->files.size());
    CHECK_EQUAL(10, first->minutes);
    CHECK_FALSE(job().has_value());
    stream.sealed({});
    CHECK_FALSE(job().has_value());
    store(probe.ledger(kNextWindow + 10 * kMinute));
    CHECK(job()->windows == std::vector<uint64_t>{kNextWindow});
}

TEST(ProbeStream, seals_everything_when_too_much_waits) {
    rotation.octets = 1;
    store_record(1, kWindow);
    store_record(2, kNextWindow);
    const auto all = job();
    CHECK(all->all_windows);
    CHECK(all->windows == (std::vector<uint64_t>{kWindow, kNextWindow}));
}

TEST(ProbeStream, seals_everything_when_it_is_told_to) {
    CHECK_FALSE(job(true).has_value());
    store_record(1, kWindow);
    CHECK(job(true)->all_windows);
}

TEST(ProbeStream, seals_everything_when_windows_are_too_many) {
    for (uint32_t i = 0; i < kMaximumWaitingWindows; ++i) {
        CHECK(stream.take(probe.batch({live_flow(i, kWindow + i * 10 * kMinute)}), kNow) ==
              FrameVerdict::next);
    }
    stream.commit(kNow);
    CHECK_FALSE(job().has_value());
    store_record(9999, kWindow - 1);
    CHECK_EQUAL(kMaximumWaitingWindows + 1, job()->windows.size());
}

TEST(ProbeStream, the_last_ledger_ends_it_with_or_without_records) {
    store(probe.ledger(kWindow, true));
    CHECK_TRUE(stream.ended());
    CHECK_FALSE(stream.is_done());
    CHECK(job()->all_windows);
    CHECK_FALSE(stream.is_done());
    stream.sealed({.datasets = 1, .records = 0, .final_ledger = true});
    CHECK_TRUE(stream.is_done());
    CHECK_FALSE(job().has_value());
}

TEST(ProbeStream, another_epoch_ends_it_uncleanly_unless_it_had_ended) {
    store_record(1, kWindow);
    stream.supersede(kNextWindow);
    const auto unclean = job();
    STRCMP_EQUAL("the probe began anew without a last ledger", unclean->unclean_end.c_str());
    // No ledger came: all since its start.
    CHECK(unclean->lost_at_the_end == (LossSpan{probe.started_ns, kNextWindow}));
    stream.sealed({.unclean_end = true});
    CHECK_TRUE(stream.is_done());
    // A hello brings it back.
    stream.hello("peer", 2, kNow);
    CHECK_FALSE(stream.is_done());
    store(probe.ledger(kWindow, true));
    stream.supersede(kNextWindow);
    const auto clean = job();
    CHECK(clean->unclean_end.empty());
    CHECK_FALSE(clean->lost_at_the_end.has_value());
}

TEST(ProbeStream, an_unclean_end_is_told_though_nothing_else_waits) {
    store_record(1, kWindow);
    store(probe.ledger(kNextWindow));
    CHECK(job().has_value());
    stream.sealed({});
    CHECK_FALSE(job().has_value());
    stream.supersede(kNextWindow + 5);
    // Which of several came next is known from the first.
    stream.supersede(kNextWindow + 9);
    CHECK_FALSE(stream.is_done());
    const auto end = job();
    CHECK(end->lost_at_the_end == (LossSpan{kNextWindow, kNextWindow + 5}));
    stream.sealed({.datasets = 1, .unclean_end = true});
    CHECK_TRUE(stream.is_done());
    CHECK_FALSE(job().has_value());
}

TEST(ProbeStream, clocks_that_contradict_each_other_leave_the_end_open) {
    store(probe.ledger(kNextWindow));
    stream.supersede(kNextWindow - 1);
    CHECK(job()->lost_at_the_end == (LossSpan{kNextWindow, UINT64_MAX}));
}

TEST(ProbeStream, a_failed_job_comes_again_after_a_while) {
    store_record(1, kWindow);
    CHECK(job(true).has_value());
    stream.seal_failed(kNow);
    CHECK_FALSE(job(true).has_value());
    CHECK(stream.next_job(rotation, true, kNow + seconds(10)).has_value());
}

TEST(ProbeStream, a_failed_job_is_tried_again_though_nothing_waits_any_more) {
    store_record(1, kWindow);
    stream.supersede(kNextWindow);
    CHECK(job().has_value());
    // Its datasets were bound to be published.
    SealState state;
    state.all_through = 1;
    save_seal_state(seal_state_path(folder.path(), probe.name, probe.epoch), state);
    stream.seal_failed(kNow);
    rotation.minutes = 60;
    CHECK_FALSE(stream.is_done());
    CHECK(stream.next_job(rotation, false, kNow + seconds(10)).has_value());
    stream.sealed({.unclean_end = true});
    CHECK_TRUE(stream.is_done());
}

TEST(ProbeStream, a_hello_that_holds_less_makes_a_gap) {
    store_record(1, kWindow);
    stream.hello("other", 2, kNow);
    CHECK(stream.facts().gaps.empty());
    stream.hello("other", 11, kNow);
    CHECK(stream.facts().gaps == (std::vector<Gap>{{2, 10}}));
    CHECK_EQUAL(10, stream.last_durable());
    STRCMP_EQUAL("other", stream.peer().c_str());
}

TEST(ProbeStream, a_disk_that_fails_pauses_it) {
    std::filesystem::remove_all(folder.path());
    CHECK_THROWS(std::runtime_error, stream.take(probe.batch({live_flow(1, kWindow)}), kNow));
    CHECK_TRUE(stream.is_paused(kNow + seconds(1)));
    CHECK_FALSE(stream.is_paused(kNow + seconds(2)));
    CHECK_FALSE(stream.is_dirty());
    std::filesystem::create_directories(folder.path());
    probe = TestProbe();
    store_record(1, kWindow);
    CHECK_EQUAL(1, stream.last_durable());
}

TEST(ProbeStream, windows_change_their_length_between_jobs) {
    store_record(1, kWindow);
    store_record(2, kNextWindow);
    store(probe.ledger(kNextWindow));
    CHECK(job().has_value());
    rotation.minutes = 60;
    stream.sealed({});
    CHECK_FALSE(job().has_value());
    CHECK_EQUAL(60, stream.journal().minutes());
}

}  // namespace curlew::collector
