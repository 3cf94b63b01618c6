#include "collector/intake.h"

#include <stdexcept>

#include "collector/index.h"
#include "collector/seal_state.h"
#include "proto/body_limits.h"
#include "tests/collector/label_fixture.h"
#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;
using std::chrono::seconds;

}  // namespace

TEST_GROUP(Intake) {
    tests::TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    CollectorConfig config = live_config(archive);
    std::vector<std::string> problems;
    std::unique_ptr<DeviceGroups> groups;
    LabelFixture labels;
    std::unique_ptr<Intake> intake;
    bool reachable = true;

    void setup() override {
        put_groups(folder.path());
        groups = std::make_unique<DeviceGroups>(config, folder.path());
        restart();
    }

    void restart() {
        intake.reset();
        intake = std::make_unique<Intake>(archive, config.rotate, problems, kNow);
    }

    std::vector<Answer> say(const proto::ReceivedFrame& frame, Moment now = kNow) {
        intake->take(
            frame, [this](const ProbeStream&) { return reachable; }, now);
        intake->commit(now);
        return intake->answers();
    }

    void welcome(const TestProbe& probe, uint64_t last_durable, uint64_t first_held) {
        const auto answers = say(probe.hello(first_held));
        CHECK_EQUAL(1, answers.size());
        CHECK(answers[0].kind == Answer::Kind::welcome);
        CHECK_EQUAL(last_durable, answers[0].last_durable);
        CHECK(answers[0].hello.peer == probe.peer);
        CHECK_EQUAL(probe.epoch, answers[0].hello.header.epoch);
    }

    void acknowledged(const proto::ReceivedFrame& frame, uint64_t last_durable) {
        const auto answers = say(frame);
        CHECK_EQUAL(1, answers.size());
        CHECK(answers[0].kind == Answer::Kind::acknowledge);
        CHECK_EQUAL(last_durable, answers[0].last_durable);
        CHECK(answers[0].peer == frame.peer);
        CHECK_EQUAL(frame.header.epoch, answers[0].epoch);
    }

    void refused(const proto::ReceivedFrame& hello,
                 proto::RefusalReason reason,
                 const std::string& sentence,
                 Moment now = kNow) {
        const auto answers = say(hello, now);
        CHECK_EQUAL(1, answers.size());
        CHECK(answers[0].kind == Answer::Kind::refuse);
        CHECK(answers[0].reason == reason);
        STRCMP_CONTAINS(sentence.c_str(), answers[0].sentence.c_str());
    }

    // Seals all that is due.
    uint64_t seal() {
        uint64_t jobs = 0;
        while (const auto job = intake->next_job(kNow)) {
            intake->sealed(*job, seal_windows(*job, {config, *groups, "0.1.0"}, labels.memory));
            ++jobs;
        }
        return jobs;
    }
};

TEST(Intake, welcomes_stores_and_acknowledges) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow), live_flow(2, kWindow)}), 2);
    acknowledged(probe.ledger(kWindow), 3);
    CHECK_EQUAL(2, intake->counters().records_stored);
    CHECK_EQUAL(2, intake->counters().frames_stored);
    CHECK_EQUAL(1, intake->probes());
}

TEST(Intake, a_ledger_that_cannot_be_read_is_told_of) {
    TestProbe probe;
    welcome(probe, 0, 1);
    probe.capture_warning = std::string(proto::kMaximumTextOctets + 1, 'x');
    acknowledged(probe.ledger(kWindow), 1);
    acknowledged(probe.ledger(kWindow), 2);
    CHECK_EQUAL(2, intake->counters().frames_unexpected);
    const std::vector<std::string> news = intake->news();
    CHECK_EQUAL(1, news.size());
    STRCMP_CONTAINS("cannot be read (too_long_octets)", news[0].c_str());
    probe.capture_warning.pop_back();
    acknowledged(probe.ledger(kWindow), 3);
    CHECK_EQUAL(2, intake->counters().frames_unexpected);
    CHECK(intake->news().empty());
}

TEST(Intake, one_sync_covers_all_that_waits) {
    TestProbe attic("attic", 1, "a");
    TestProbe cellar("cellar", 2, "b");
    welcome(attic, 0, 1);
    welcome(cellar, 0, 1);
    const auto yes = [](const ProbeStream&) { return true; };
    for (uint32_t i = 0; i < 10; ++i) {
        intake->take(attic.batch({live_flow(i, kWindow)}), yes, kNow);
    }
    intake->take(cellar.batch({live_flow(99, kWindow)}), yes, kNow);
    CHECK(intake->answers().empty());
    intake->commit(kNow);
    const auto answers = intake->answers();
    CHECK_EQUAL(2, answers.size());
    CHECK_EQUAL(10, answers[0].last_durable);
    CHECK_EQUAL(1, answers[1].last_durable);
    CHECK_EQUAL(2, intake->counters().commits);
}

TEST(Intake, what_comes_twice_is_acknowledged_and_stored_once) {
    TestProbe probe;
    welcome(probe, 0, 1);
    const proto::ReceivedFrame frame = probe.batch({live_flow(1, kWindow)});
    acknowledged(frame, 1);
    acknowledged(frame, 1);
    CHECK_EQUAL(1, intake->counters().frames_duplicate);
    CHECK_EQUAL(1, intake->counters().records_stored);
}

TEST(Intake, what_is_behind_something_missing_is_dropped) {
    TestProbe probe;
    welcome(probe, 0, 1);
    probe.skip(1);
    CHECK(say(probe.batch({live_flow(2, kWindow)})).empty());
    CHECK_EQUAL(1, intake->counters().frames_out_of_sequence);
}

TEST(Intake, who_said_no_hello_is_not_heard) {
    TestProbe probe;
    CHECK(say(probe.batch({live_flow(1, kWindow)})).empty());
    CHECK_EQUAL(1, intake->counters().frames_foreign);
    welcome(probe, 0, 1);
    probe.peer = "someone else";
    CHECK(say(probe.batch({live_flow(1, kWindow)})).empty());
    CHECK_EQUAL(2, intake->counters().frames_foreign);
}

TEST(Intake, what_was_on_its_way_when_the_collector_began_anew_is_refused_to_nobody) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow)}), 1);
    restart();
    const proto::ReceivedFrame early = probe.batch({live_flow(2, kWindow)});
    CHECK(say(early).empty());
    CHECK_EQUAL(0, intake->counters().frames_foreign);
    CHECK_EQUAL(1, intake->counters().frames_out_of_sequence);
    welcome(probe, 1, 1);
    acknowledged(early, 2);
}

TEST(Intake, a_silent_probe_is_told_of_and_sealed) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow)}), 1);
    CHECK(intake->news().empty());
    CHECK(intake->next_job(kNow + kSealedAfterSilence).has_value());
    const std::vector<std::string> news = intake->news();
    CHECK_EQUAL(1u, news.size());
    STRCMP_CONTAINS("nothing was heard of probe attic for 2 hours", news[0].c_str());
    CHECK(intake->news().empty());
}

TEST(Intake, a_restart_goes_on_where_it_was) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow), live_flow(2, kWindow)}), 2);
    restart();
    CHECK(problems.empty());
    CHECK_EQUAL(0, intake->probes());
    probe.peer = "new";
    welcome(probe, 2, 1);
    acknowledged(probe.ledger(kWindow, true), 3);
    CHECK_EQUAL(1, seal());
    CHECK_EQUAL(2, sealed_numbers(archive).size());
}

TEST(Intake, a_lost_journal_is_a_gap) {
    TestProbe probe;
    probe.skip(41);
    welcome(probe, 0, 42);
    CHECK_EQUAL(1, intake->counters().gaps);
    acknowledged(probe.ledger(kWindow, true), 42);
    seal();
    CHECK(sealed_datasets(archive).front().facts.live->gaps == (std::vector<Gap>{{1, 41}}));
}

TEST(Intake, a_welcome_says_what_is_there_and_not_what_never_comes) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow), live_flow(2, kWindow)}), 2);
    // However often it is said, and however much more is given up meanwhile.
    welcome(probe, 2, 6);
    welcome(probe, 2, 6);
    welcome(probe, 2, 9);
    probe.skip(6);
    acknowledged(probe.batch({live_flow(9, kWindow)}), 9);
    welcome(probe, 9, 10);
}

TEST(Intake, sequences_that_would_end_are_refused) {
    TestProbe probe;
    refused(probe.hello(~uint64_t{0}), proto::REFUSAL_REASON_HELLO, "first sequence is above");
    CHECK_EQUAL(0, intake->probes());
    welcome(probe, 0, (uint64_t{1} << 61) + 1);
}

TEST(Intake, other_schemas_are_refused_and_told_what_to_upgrade) {
    TestProbe probe;
    probe.schema = kOldestSchema - 1;
    refused(probe.hello(), proto::REFUSAL_REASON_SCHEMA, "upgrade the probe");
    probe.schema = proto::SCHEMA_VERSION_CURRENT + 1;
    refused(probe.hello(), proto::REFUSAL_REASON_SCHEMA, "upgrade the collector");
    CHECK_EQUAL(2, intake->counters().hellos_refused);
    CHECK_EQUAL(0, intake->probes());
}

TEST(Intake, a_probe_is_who_its_key_says) {
    TestProbe probe;
    proto::ReceivedFrame hello = probe.hello();
    hello.owner = proto::KeyOwner{"attic", probe.id};
    CHECK(say(hello).front().kind == Answer::Kind::welcome);
    proto::ReceivedFrame frame = probe.batch({live_flow(1, kWindow)});
    frame.owner = hello.owner;
    acknowledged(frame, 1);
    CHECK_EQUAL(0, intake->counters().frames_impersonating);
}

TEST(Intake, nobody_speaks_for_a_probe_of_another_key) {
    TestProbe probe;
    welcome(probe, 0, 1);
    // The same peer by name, as one might call itself once the first is gone.
    proto::ReceivedFrame frame = probe.batch({live_flow(1, kWindow)});
    frame.owner = proto::KeyOwner{"cellar", 99};
    CHECK(say(frame).empty());
    proto::ReceivedFrame hello = probe.hello();
    hello.owner = frame.owner;
    refused(hello, proto::REFUSAL_REASON_PROBE_ID, "its key is that of the probe cellar");
    CHECK_EQUAL(2, intake->counters().frames_impersonating);
    CHECK_EQUAL(1, intake->counters().hellos_refused);
    CHECK_EQUAL(0, intake->counters().records_stored);
    // The id is a hash: that of the key with the name of another is refused as well.
    hello.owner = proto::KeyOwner{"cellar", probe.id};
    refused(
        hello, proto::REFUSAL_REASON_PROBE_ID, "calls itself attic and its key is that of cellar");
}

TEST(Intake, a_name_that_is_none_is_refused) {
    for (const std::string& name : {std::string(), std::string("../x"), std::string(33, 'a')}) {
        const TestProbe probe(name);
        refused(probe.hello(), proto::REFUSAL_REASON_HELLO, "1 to 32");
    }
    proto::ReceivedFrame hello = TestProbe().hello();
    hello.octets.pop_back();
    refused(hello, proto::REFUSAL_REASON_HELLO, "cannot be read");
}

TEST(Intake, two_probes_of_one_name_are_told_apart) {
    TestProbe first("attic", 1, "a");
    const TestProbe second("attic", 2, "b");
    welcome(first, 0, 1);
    // Not at once, for it may be the same probe's next start.
    CHECK(say(second.hello()).empty());
    CHECK(say(second.hello(), kNow + std::chrono::milliseconds(999)).empty());
    refused(second.hello(),
            proto::REFUSAL_REASON_PROBE_ID,
            "another probe named attic",
            kNow + seconds(1));
    acknowledged(first.batch({live_flow(1, kWindow)}), 1);
    CHECK_EQUAL(1, intake->probes());
}

TEST(Intake, a_probe_that_is_gone_makes_room_for_its_next_start) {
    TestProbe first("attic", 1, "a");
    TestProbe second("attic", 2, "b");
    welcome(first, 0, 1);
    acknowledged(first.batch({live_flow(1, kWindow)}), 1);
    reachable = false;
    welcome(second, 0, 1);
    CHECK(say(first.batch({live_flow(2, kWindow)})).empty());
    CHECK_EQUAL(1, intake->probes());
    CHECK_EQUAL(1, seal());
    STRCMP_CONTAINS("\"unclean_end\": \"the probe began anew without a last ledger\"",
                    sealed_datasets(archive).front().text.c_str());
}

TEST(Intake, starts_of_one_probe_keep_no_other_out) {
    reachable = false;
    TestProbe restless;
    size_t welcomed = 0;
    for (; welcomed < 200; ++welcomed, ++restless.epoch) {
        if (say(restless.hello())[0].kind != Answer::Kind::welcome) {
            break;
        }
    }
    CHECK_EQUAL(64u, welcomed);
    refused(restless.hello(),
            proto::REFUSAL_REASON_HELLO,
            "64 starts of this probe are not sealed yet");
    welcome(TestProbe("cellar", 1, "b"), 0, 1);
    // Those that are sealed are not counted, though they are remembered for a while.
    CHECK_EQUAL(63u, seal());
    welcome(restless, 0, 1);
}

TEST(Intake, an_ended_epoch_is_in_nobodys_way) {
    TestProbe first("attic", 1, "a");
    welcome(first, 0, 1);
    acknowledged(first.ledger(kWindow, true), 1);
    welcome(TestProbe("attic", 2, "b"), 0, 1);
}

TEST(Intake, an_epoch_that_comes_back_goes_on) {
    TestProbe first("attic", 1, "a");
    TestProbe second("attic", 2, "b");
    welcome(first, 0, 1);
    acknowledged(first.batch({live_flow(1, kWindow)}), 1);
    reachable = false;
    welcome(second, 0, 1);
    seal();
    welcome(first, 1, 2);
    acknowledged(first.batch({live_flow(2, kWindow)}), 2);
    acknowledged(first.ledger(kWindow, true), 3);
    seal();
    CHECK(sealed_numbers(archive) == (std::map<uint32_t, int>{{1, 1}, {2, 1}}));
}

TEST(Intake, after_a_restart_the_epoch_goes_on_that_was_stored_last) {
    // A probe's clock may be set back.
    for (const uint64_t second_started_ns : {kWindow + 1, kWindow - 1}) {
        const bool goes_on = second_started_ns > kWindow;
        const uint64_t epoch = goes_on ? 1 : 3;
        // A restart takes them up by number, the second one first.
        TestProbe first(goes_on ? "attic" : "loft", epoch + 1, "a");
        TestProbe second(first.name, epoch, "b");
        second.started_ns = second_started_ns;
        const auto number = static_cast<uint32_t>(epoch);
        reachable = true;
        welcome(first, 0, 1);
        acknowledged(first.batch({live_flow(number, kWindow)}), 1);
        for (const fs::directory_entry& file : fs::directory_iterator(archive / "open")) {
            // Files' times are coarse.
            fs::last_write_time(file.path(),
                                fs::file_time_type::clock::now() - std::chrono::minutes(1));
        }
        reachable = false;
        welcome(second, 0, 1);
        acknowledged(second.batch({live_flow(number + 1, kWindow)}), 1);
        restart();
        restart();
        CHECK_EQUAL(1, seal());
        CHECK_EQUAL(1, sealed_numbers(archive).at(number));
        CHECK_EQUAL(0, sealed_numbers(archive).count(number + 1));
    }
}

TEST(Intake, of_a_probe_the_newest_sealed_epochs_are_remembered) {
    for (uint64_t epoch = 1; epoch <= 7; ++epoch) {
        TestProbe probe("attic", epoch, "peer-" + std::to_string(epoch));
        probe.started_ns += epoch;
        welcome(probe, 0, 1);
        acknowledged(probe.ledger(kWindow, true), 1);
        seal();
        intake->tidy_up();
        // A journal, its state, and the lock.
        CHECK_EQUAL(1 + 2 * std::min<uint64_t>(epoch, 4), files_in(archive / "open").size());
    }
    TestProbe again("attic", 4, "again");
    welcome(again, 1, 1);
    TestProbe forgotten("attic", 3, "forgotten");
    welcome(forgotten, 0, 1);
}

TEST(Intake, who_ended_and_is_silent_for_a_while_is_not_told_of) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.ledger(kWindow, true), 1);
    seal();
    CHECK_EQUAL(1, intake->probe_status(kNow + minutes(9)).size());
    CHECK(intake->probe_status(kNow + minutes(10)).empty());
}

TEST(Intake, what_a_probe_that_heard_nothing_sends_again_is_known_after_any_time_and_restart) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow)}), 1);
    acknowledged(probe.ledger(kWindow, true), 2);
    CHECK_EQUAL(1, seal());
    const auto say_again = [&](const char* peer) {
        TestProbe again("attic", 1, peer);
        welcome(again, 2, 1);
        acknowledged(again.batch({live_flow(1, kWindow)}), 2);
        acknowledged(again.ledger(kWindow, true), 2);
    };
    intake->tidy_up();
    say_again("b");
    restart();
    say_again("c");
    CHECK_EQUAL(0, seal());
    CHECK(sealed_numbers(archive) == (std::map<uint32_t, int>{{1, 1}}));
}

TEST(Intake, what_a_last_ledger_leaves_in_doubt_is_lost_where_it_is_missing_after_a_restart_too) {
    for (const bool with_restart : {false, true}) {
        TestProbe probe(with_restart ? "cellar" : "attic");
        probe.skip(3);
        welcome(probe, 0, 4);
        for (const uint64_t first : {1, 4}) {
            proto::RecordsInDoubt& doubt = probe.in_doubt.emplace_back();
            doubt.set_first_sequence(first);
            doubt.set_last_sequence(first + 2);
            doubt.mutable_loss()->set_reason("outbox");
            doubt.mutable_loss()->set_lost(3);
            doubt.mutable_loss()->set_from_ns(kWindow);
            doubt.mutable_loss()->set_to_ns(kWindow + 1);
        }
        acknowledged(
            probe.batch({live_flow(1, kWindow), live_flow(2, kWindow), live_flow(3, kWindow)}), 6);
        acknowledged(probe.ledger(kWindow, true), 7);
        if (with_restart) {
            restart();
        }
        CHECK_EQUAL(1, seal());
        const std::string manifest = sealed_datasets(archive).back().text;
        STRCMP_CONTAINS("\"outbox\": 3", manifest.c_str());
    }
}

TEST(Intake, of_many_probes_that_ended_the_longest_silent_one_makes_room) {
    constexpr uint64_t kMost = 1024;
    for (uint64_t i = 0; i <= kMost; ++i) {
        if (i == kMost) {
            seal();
        }
        TestProbe probe("probe-" + std::to_string(i));
        welcome(probe, 0, 1);
        acknowledged(probe.ledger(kWindow, true), 1);
    }
    CHECK_EQUAL(kMost, intake->probe_status(kNow).size());
}

TEST(Intake, tells_of_each_probe_its_newest_epoch) {
    TestProbe first("attic", 1, "a");
    TestProbe second("attic", 2, "b");
    TestProbe other("cellar", 9, "c");
    first.started_ns = kWindow + 5;
    second.started_ns = kWindow + 3;
    welcome(first, 0, 1);
    acknowledged(first.batch({live_flow(1, kWindow)}), 1);
    reachable = false;
    welcome(second, 0, 4);
    welcome(other, 0, 1);
    acknowledged(other.ledger(kWindow), 1);
    const auto now = intake->probe_status(kNow + seconds(2));
    CHECK_EQUAL(2, now.size());
    // A clock that was set back makes no epoch older.
    STRCMP_EQUAL("attic", now[0].name.c_str());
    CHECK_EQUAL(kWindow + 3, now[0].started_ns);
    CHECK_EQUAL(3, now[0].last_durable);
    CHECK_EQUAL(3, now[0].sequences_missing);
    CHECK(now[0].heard_ago == seconds(2));
    CHECK_FALSE(now[0].acknowledged_ago.has_value());
    CHECK_FALSE(now[0].ledger.has_value());
    STRCMP_EQUAL("cellar", now[1].name.c_str());
    CHECK(now[1].acknowledged_ago == seconds(2));
    CHECK(now[1].octets_waiting == 0);
    CHECK_EQUAL(kWindow, now[1].ledger->complete_until_ns());
    restart();
    CHECK_FALSE(intake->probe_status(kNow)[0].heard_ago.has_value());
}

TEST(Intake, what_cannot_be_stored_is_not_acknowledged_and_comes_again) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow)}), 1);
    restart();
    welcome(probe, 1, 2);
    fs::rename(archive / "open", archive / "away");
    const proto::ReceivedFrame second = probe.batch({live_flow(2, kWindow)});
    CHECK(say(second).empty());
    STRCMP_CONTAINS("records are not taken: cannot write", intake->trouble().c_str());
    CHECK(say(second).empty());
    CHECK(say(probe.hello(2)).empty());
    CHECK_EQUAL(2, intake->counters().frames_unstored);
    fs::rename(archive / "away", archive / "open");
    const Moment later = kNow + seconds(2);
    CHECK_EQUAL(1, say(probe.hello(2), later).front().last_durable);
    CHECK_EQUAL(2, say(second, later).front().last_durable);
    CHECK(intake->trouble().empty());
}

TEST(Intake, makes_room_while_the_disk_takes_nothing) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow)}), 1);
    CHECK_FALSE(intake->next_job(kNow).has_value());
    restart();
    welcome(probe, 1, 2);
    fs::rename(archive / "open", archive / "away");
    CHECK(say(probe.batch({live_flow(2, kWindow)})).empty());
    fs::rename(archive / "away", archive / "open");
    CHECK(intake->next_job(kNow)->all_windows);
}

TEST(Intake, one_archive_has_one_collector) {
    try {
        const Intake other(archive, config.rotate, problems, kNow);
        FAIL("two serve it");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL(("another collector serves the archive " + archive.string()).c_str(),
                     error.what());
    }
}

TEST(Intake, a_damaged_state_sets_its_epoch_aside_and_no_other) {
    TestProbe attic("attic", 1, "a");
    TestProbe cellar("cellar", 2, "b");
    for (TestProbe* probe : {&attic, &cellar}) {
        welcome(*probe, 0, 1);
        acknowledged(probe->batch({live_flow(1, kWindow)}), 1);
    }
    const fs::path open = archive / "open";
    const fs::path state = seal_state_path(open, "attic", attic.epoch);
    tests::put_content(state, "");
    fs::create_directory(open / "cellar-00000000000000ff-00000000000000000001.open");
    restart();
    CHECK_EQUAL(2, problems.size());
    STRCMP_CONTAINS("attic", problems[0].c_str());
    STRCMP_CONTAINS("it is kept as .damaged, 1 journals of its epoch with it", problems[0].c_str());
    STRCMP_CONTAINS("is no file", problems[1].c_str());
    CHECK_FALSE(fs::exists(state));
    CHECK(fs::exists(state.string() + ".damaged"));
    welcome(cellar, 1, 1);
    welcome(attic, 0, 1);
}

TEST(Intake, what_a_start_cannot_publish_is_tried_again_though_nothing_comes) {
    TestProbe probe;
    welcome(probe, 0, 1);
    acknowledged(probe.batch({live_flow(1, kWindow)}), 1);
    acknowledged(probe.ledger(kWindow, true), 2);
    fs::create_directories(archive / "any");
    tests::put_content(archive / "any/live", "");
    const SealJob job = intake->next_job(kNow).value();
    const SealSetup setup{config, *groups, "0.1.0"};
    CHECK_THROWS(NotYetPublished, seal_windows(job, setup, labels.memory));
    CHECK(intake->sealable_octets() > 0);
    intake->seal_failed(job, kNow);
    CHECK_EQUAL(0, intake->sealable_octets());
    CHECK(intake->waiting_octets() > 0);
    restart();
    CHECK_EQUAL(1, problems.size());
    STRCMP_CONTAINS("a file has its name", problems[0].c_str());
    CHECK_FALSE(intake->next_job(kNow).has_value());
    fs::remove(archive / "any/live");
    const SealJob again = intake->next_job(kNow + std::chrono::minutes(1)).value();
    intake->sealed(again, seal_windows(again, setup, labels.memory));
    CHECK(sealed_numbers(archive) == (std::map<uint32_t, int>{{1, 1}}));
}

TEST(Intake, an_archive_that_cannot_be_written_is_one_sentence) {
    tests::put_content(folder.path() / "file", "");
    try {
        const Intake other(folder.path() / "file", config.rotate, problems, kNow);
        FAIL("wrote into a file");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("cannot write the archive", error.what());
    }
}

}  // namespace curlew::collector
