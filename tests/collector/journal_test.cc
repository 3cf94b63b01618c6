#include "collector/journal.h"

#include <sys/resource.h>

#include <csignal>
#include <stdexcept>

#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using tests::content_of;
using tests::put_content;

constexpr uint32_t kMinutes = 10;

// Writes beyond this length of a file fail, as on a full disk.
class FileLimit {
  public:
    explicit FileLimit(uint64_t octets) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{octets, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    ~FileLimit() {
        ::setrlimit(RLIMIT_FSIZE, &before_);
        std::signal(SIGXFSZ, SIG_DFL);
    }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;

  private:
    rlimit before_{};
};

}  // namespace

TEST_GROUP(Journal) {
    tests::TemporaryFolder folder;
    TestProbe probe;
    std::vector<std::string> problems;

    Journal begun(uint64_t file_octets = kJournalFileOctets) const {
        return Journal(folder.path(), probe.facts(), kMinutes, file_octets);
    }

    Journal taken_up(uint64_t file_octets = kJournalFileOctets) {
        std::vector<fs::path> files;
        for (const std::string& name : files_in(folder.path())) {
            if (parse_journal_name(name)) {
                files.push_back(folder.path() / name);
            }
        }
        return Journal(folder.path(), files, kMinutes, problems, file_octets);
    }

    static void append(Journal & journal, const proto::ReceivedFrame& frame) {
        CHECK(journal.judge(frame.header) == FrameVerdict::next);
        journal.append(view_of(frame), frame.octets);
    }

    void append_record(Journal & journal, uint32_t number, uint64_t end_ns) {
        append(journal, probe.batch({live_flow(number, end_ns)}));
    }

    std::string name(uint64_t first) const {
        return JournalName{probe.name, probe.epoch, first}.file();
    }
};

TEST(Journal, writes_nothing_before_something_comes) {
    const Journal journal = begun();
    CHECK(files_in(folder.path()).empty());
    CHECK_EQUAL(0, journal.last_durable());
}

TEST(Journal, is_durable_when_it_is_synced) {
    Journal journal = begun();
    append_record(journal, 1, kWindow);
    append_record(journal, 2, kWindow);
    CHECK_TRUE(journal.is_dirty());
    CHECK_EQUAL(0, journal.last_durable());
    CHECK_FALSE(journal.has_waiting());
    journal.sync();
    CHECK_FALSE(journal.is_dirty());
    CHECK_EQUAL(2, journal.last_durable());
    CHECK(journal.waiting_windows() == std::vector<uint64_t>{kWindow});
    CHECK(files_in(folder.path()) == std::vector<std::string>{name(1)});
}

TEST(Journal, what_a_crash_left_is_taken_up) {
    {
        Journal journal = begun();
        append_record(journal, 1, kWindow);
        append_record(journal, 2, kNextWindow);
        append(journal, probe.ledger(kWindow + 5));
        journal.sync();
    }
    const std::string torn = probe.batch({live_flow(3, kWindow)}).octets.substr(0, 70);
    put_content(folder.path() / name(1), content_of(folder.path() / name(1)) + torn);
    Journal journal = taken_up();
    CHECK_EQUAL(3, journal.last_durable());
    CHECK(journal.waiting_windows() == (std::vector<uint64_t>{kWindow, kNextWindow}));
    CHECK_EQUAL(kWindow + 5, journal.facts().ledger->complete_until_ns());
    CHECK(journal.facts().hello.probe_name() == "attic");
    CHECK(problems.empty());
    // Goes on in a file of its own, which the torn one does not reach into.
    probe = TestProbe();
    probe.skip(3);
    append_record(journal, 4, kWindow);
    journal.sync();
    CHECK(files_in(folder.path()) == (std::vector<std::string>{name(1), name(4)}));
    CHECK_EQUAL(4, taken_up().last_durable());
}

TEST(Journal, is_cut_into_files_that_speak_for_themselves) {
    Journal journal = begun(1);
    append_record(journal, 1, kWindow);
    append(journal, probe.ledger(kWindow + 5));
    journal.sync();
    append_record(journal, 3, kWindow);
    journal.sync();
    CHECK(files_in(folder.path()) == (std::vector<std::string>{name(1), name(3)}));
    fs::remove(folder.path() / name(1));
    const Journal alone = taken_up();
    CHECK_EQUAL(3, alone.last_durable());
    CHECK_EQUAL(kWindow + 5, alone.facts().ledger->complete_until_ns());
    CHECK(alone.facts().gaps.empty());
    CHECK(problems.empty());
}

TEST(Journal, the_last_ledger_ends_it_and_ends_it_again) {
    Journal journal = begun();
    append(journal, probe.ledger(kWindow, true));
    CHECK_TRUE(journal.ended());
    journal.fall_back();
    CHECK_FALSE(journal.ended());
    probe = TestProbe();
    append(journal, probe.ledger(kWindow, true));
    journal.sync();
    CHECK_TRUE(taken_up().ended());
}

TEST(Journal, a_window_is_complete_when_the_ledger_has_passed_it) {
    Journal journal = begun();
    append_record(journal, 1, kWindow);
    append_record(journal, 2, kNextWindow);
    append(journal, probe.ledger(kNextWindow - 1));
    journal.sync();
    CHECK(journal.complete_windows().empty());
    append(journal, probe.ledger(kNextWindow));
    CHECK(journal.complete_windows().empty());
    journal.sync();
    CHECK(journal.complete_windows() == std::vector<uint64_t>{kWindow});
}

TEST(Journal, what_comes_late_waits_for_the_next_window) {
    for (const bool restarted : {false, true}) {
        Journal journal = begun();
        append(journal, probe.ledger(kNextWindow + kMinute));
        journal.sync();
        append_record(journal, 1, kWindow);
        append(journal, probe.ledger(kNextWindow + 2 * kMinute));
        journal.sync();
        CHECK(journal.complete_windows().empty());
        append(journal, probe.ledger(kNextWindow + 10 * kMinute));
        journal.sync();
        const Journal looked_at = restarted ? taken_up() : std::move(journal);
        CHECK(looked_at.complete_windows() == std::vector<uint64_t>{kWindow});
        fs::remove(folder.path() / name(1));
        probe = TestProbe();
    }
}

TEST(Journal, forgets_what_is_sealed_and_deletes_from_the_front) {
    Journal journal = begun(1);
    append_record(journal, 1, kWindow);
    journal.sync();
    append_record(journal, 2, kNextWindow);
    journal.sync();
    append_record(journal, 3, kWindow);
    journal.sync();
    CHECK_EQUAL(3, journal.close().size());
    journal.forget({kWindow}, 3);
    // The third is sealed, too, but without it the next would seem to follow the second.
    CHECK(files_in(folder.path()) == (std::vector<std::string>{name(2), name(3)}));
    CHECK_EQUAL(1, journal.close().size());
    CHECK_EQUAL(2, journal.first_sequence());
    CHECK(journal.waiting_windows() == std::vector<uint64_t>{kNextWindow});
    journal.forget({kNextWindow}, 3);
    CHECK(files_in(folder.path()) == std::vector<std::string>{name(4)});
    CHECK_FALSE(journal.has_waiting());
    CHECK_EQUAL(3, taken_up().last_durable());
}

TEST(Journal, what_came_while_it_was_sealed_is_kept) {
    Journal journal = begun();
    append_record(journal, 1, kWindow);
    journal.sync();
    journal.close();
    append_record(journal, 2, kWindow);
    journal.sync();
    journal.forget({kWindow}, 1);
    CHECK(files_in(folder.path()) == std::vector<std::string>{name(2)});
    CHECK(journal.waiting_windows() == std::vector<uint64_t>{kWindow});
}

TEST(Journal, what_is_sealed_does_not_wait_again_after_a_crash) {
    Journal journal = begun();
    append_record(journal, 1, kWindow);
    append_record(journal, 2, kNextWindow);
    journal.sync();
    SealState state;
    state.mark(kMinutes, kWindow, 2);
    save_seal_state(seal_state_path(folder.path(), probe.name, probe.epoch), state);
    CHECK(taken_up().waiting_windows() == std::vector<uint64_t>{kNextWindow});
    state.all_through = 2;
    save_seal_state(seal_state_path(folder.path(), probe.name, probe.epoch), state);
    CHECK_FALSE(taken_up().has_waiting());
}

TEST(Journal, a_gap_is_known_after_every_restart) {
    {
        Journal journal = begun();
        append_record(journal, 1, kWindow);
        journal.sync();
        journal.skip_to(100);
        CHECK_EQUAL(99, journal.last_durable());
        journal.close();
        journal.forget({kWindow}, 1);
    }
    CHECK(files_in(folder.path()) == std::vector<std::string>{name(100)});
    Journal journal = taken_up();
    CHECK_EQUAL(99, journal.last_durable());
    CHECK(journal.facts().gaps == (std::vector<Gap>{{2, 99}}));
    CHECK(problems.empty());
}

TEST(Journal, a_file_that_is_missing_is_a_gap) {
    Journal journal = begun(1);
    for (uint32_t number = 1; number <= 3; ++number) {
        append_record(journal, number, kWindow);
        journal.sync();
    }
    fs::remove(folder.path() / name(2));
    const Journal recovered = taken_up();
    CHECK_EQUAL(3, recovered.last_durable());
    CHECK(recovered.facts().gaps == (std::vector<Gap>{{2, 2}}));
    CHECK_EQUAL(1, problems.size());
    STRCMP_CONTAINS("2 to 2 of its sequence is missing", problems.front().c_str());
}

TEST(Journal, a_file_without_front_is_put_aside_and_is_a_gap) {
    Journal journal = begun(1);
    for (uint32_t number = 1; number <= 2; ++number) {
        append_record(journal, number, kWindow);
        journal.sync();
    }
    const std::string damaged = "x" + content_of(folder.path() / name(1)).substr(1);
    put_content(folder.path() / name(1), damaged);
    const Journal recovered = taken_up();
    CHECK(recovered.facts().gaps == (std::vector<Gap>{{1, 1}}));
    CHECK(content_of(folder.path() / (name(1) + ".damaged")) == damaged);
    CHECK_EQUAL(2, problems.size());
}

TEST(Journal, a_full_disk_takes_back_to_what_is_durable) {
    Journal journal = begun();
    append_record(journal, 1, kWindow);
    journal.sync();
    const uint64_t octets = fs::file_size(folder.path() / name(1));
    append_record(journal, 2, kWindow);
    {
        const FileLimit limit(fs::file_size(folder.path() / name(1)) + 10);
        const proto::ReceivedFrame frame = probe.batch({live_flow(3, kWindow)});
        CHECK_THROWS(std::runtime_error, journal.append(view_of(frame), frame.octets));
        journal.fall_back();
    }
    CHECK_EQUAL(octets, fs::file_size(folder.path() / name(1)));
    CHECK_EQUAL(1, journal.last_durable());
    CHECK_EQUAL(1, taken_up().last_durable());
    probe = TestProbe();
    probe.skip(1);
    append_record(journal, 2, kWindow);
    journal.sync();
    CHECK_EQUAL(2, journal.last_durable());
    CHECK(files_in(folder.path()) == (std::vector<std::string>{name(1), name(2)}));
    CHECK_EQUAL(2, taken_up().last_durable());
    CHECK(problems.empty());
}

TEST(Journal, counts_anew_in_windows_of_another_length) {
    Journal journal = begun();
    append_record(journal, 1, kWindow);
    append_record(journal, 2, kNextWindow);
    journal.sync();
    journal.set_minutes(30);
    CHECK(journal.waiting_windows() == std::vector<uint64_t>{kWindow});
    journal.set_minutes(0);
    CHECK(journal.waiting_windows() == std::vector<uint64_t>{0});
    append(journal, probe.ledger(UINT64_MAX - 1));
    journal.sync();
    CHECK(journal.complete_windows().empty());
}

TEST(Journal, a_removed_epoch_leaves_nothing) {
    Journal journal = begun(1);
    append_record(journal, 1, kWindow);
    journal.sync();
    append_record(journal, 2, kWindow);
    journal.sync();
    save_seal_state(seal_state_path(folder.path(), probe.name, probe.epoch), {});
    journal.remove();
    CHECK(files_in(folder.path()).empty());
}

}  // namespace curlew::collector
