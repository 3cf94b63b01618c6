#include "collector/sealing_thread.h"

#include "tests/collector/label_fixture.h"
#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

}  // namespace

TEST_GROUP(SealingThread) {
    tests::TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    TestProbe probe;
    std::shared_ptr<const LiveSetup> live;
    std::unique_ptr<Journal> journal;

    void setup() override {
        fs::create_directories(archive / "open");
        put_groups(folder.path());
        live = std::make_shared<const LiveSetup>(live_config(archive), folder.path(), "0.1.0");
        journal = std::make_unique<Journal>(archive / "open", probe.facts(), 10);
        const proto::ReceivedFrame frame = probe.batch({live_flow(1, kWindow)});
        journal->append(view_of(frame), frame.octets);
        journal->sync();
    }

    void store(const proto::FlowSummary& flow) {
        const proto::ReceivedFrame frame = probe.batch({flow});
        journal->append(view_of(frame), frame.octets);
        journal->sync();
    }

    SealJob job(uint64_t window = kWindow) {
        return {.facts = journal->facts(),
                .files = journal->close(),
                .minutes = 10,
                .windows = {window},
                .all_windows = true,
                .through = journal->last_durable()};
    }
};

TEST(SealingThread, seals_what_it_is_given_and_reports_it_once) {
    SealingThread sealing(live);
    sealing.submit(job());
    CHECK(sealing.wait_until_idle(kLongWait));
    const auto reports = sealing.reports();
    CHECK_EQUAL(1, reports.size());
    CHECK(reports[0].failure.empty());
    CHECK_EQUAL(1, reports[0].sealed.records);
    CHECK(reports[0].job.facts.probe == "attic");
    CHECK(sealing.reports().empty());
    CHECK_EQUAL(1, sealing.state().datasets_sealed);
    CHECK_EQUAL(1, sealing.state().records_sealed);
    CHECK_EQUAL(1, sealed_numbers(archive).size());
}

// The system's clock may be set right a little later.
TEST(SealingThread, nothing_is_too_old_right_after_the_start) {
    CollectorConfig config = live_config(archive);
    config.keep = {.days = 1};
    live = std::make_shared<const LiveSetup>(config, folder.path(), "0.1.0");
    {
        SealingThread sealing(live);
        sealing.submit(job());
        CHECK(sealing.wait_until_idle(kLongWait));
    }
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(archive)) {
        const auto long_ago = fs::file_time_type::clock::now() - std::chrono::hours(24 * 400);
        fs::last_write_time(entry.path(), long_ago);
    }
    SealingThread sealing(live);
    CHECK(sealing.wait_until_idle(kLongWait));
    CHECK_EQUAL(0, sealing.state().datasets_removed);
    CHECK_EQUAL(1, sealed_numbers(archive).size());
}

TEST(SealingThread, a_failure_is_reported_in_one_sentence) {
    SealingThread sealing(live);
    SealJob damaged = job();
    damaged.files.front().last_sequence = 9;
    sealing.submit(damaged);
    CHECK(sealing.wait_until_idle(kLongWait));
    STRCMP_CONTAINS("cannot seal", sealing.reports().front().failure.c_str());
    STRCMP_CONTAINS("cannot seal", sealing.state().seal_trouble.c_str());
    sealing.submit(job());
    CHECK(sealing.wait_until_idle(kLongWait));
    CHECK(sealing.state().seal_trouble.empty());
}

TEST(SealingThread, what_could_not_be_published_at_once_counts_once) {
    tests::put_content(archive / "any", "in the way");
    SealingThread sealing(live);
    SealJob again = job();
    sealing.submit(again);
    CHECK(sealing.wait_until_idle(kLongWait));
    CHECK_FALSE(sealing.reports().front().failure.empty());
    CHECK_EQUAL(1, sealing.state().records_sealed);
    CHECK_EQUAL(1, sealing.state().datasets_sealed);
    fs::remove(archive / "any");
    sealing.submit(again);
    CHECK(sealing.wait_until_idle(kLongWait));
    CHECK(sealing.state().seal_trouble.empty());
    CHECK_EQUAL(1, sealed_numbers(archive).size());
    CHECK_EQUAL(1, sealing.state().records_sealed);
    CHECK_EQUAL(1, sealing.state().datasets_sealed);
}

TEST(SealingThread, what_the_line_said_outlives_a_configuration_that_is_read_again) {
    SealingThread sealing(live);
    store(answer_to("10.0.0.5", "time.example", "172.16.0.1", 3600, 0));
    sealing.submit(job());
    CHECK(sealing.wait_until_idle(kLongWait));
    uint64_t window = kNextWindow;
    for (const bool same_signatures : {true, false}) {
        if (!same_signatures) {
            tests::put_content(folder.path() / "more.toml",
                               name_signature("other", "other.example", "service = 'other'"));
        }
        sealing.set_setup(
            std::make_shared<const LiveSetup>(live_config(archive), folder.path(), "0.1.0"));
        store(live_flow(5, window));
        sealing.submit(job(window));
        CHECK(sealing.wait_until_idle(kLongWait));
        const std::string manifest = sealed_datasets(archive).back().text;
        CHECK_EQUAL(same_signatures, manifest.find("\"name-by-dns\": 1") != std::string::npos);
        window += 10 * kMinute;
    }
}

TEST(SealingThread, works_with_the_newest_configuration) {
    SealingThread sealing(live);
    CollectorConfig config = live_config(archive);
    config.scenario = "garden";
    sealing.set_setup(std::make_shared<const LiveSetup>(config, folder.path(), "0.1.0"));
    sealing.submit(job());
    CHECK(sealing.wait_until_idle(kLongWait));
    CHECK(fs::exists(archive / "any/garden"));
}

}  // namespace curlew::collector
