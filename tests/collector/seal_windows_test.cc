#include "collector/seal_windows.h"

#include <stdexcept>

#include "collector/index.h"
#include "collector/seal_state.h"
#include "tests/collector/label_fixture.h"
#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using Numbers = std::vector<uint32_t>;

}  // namespace

TEST_GROUP(SealWindows) {
    tests::TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    fs::path open = archive / "open";
    CollectorConfig config = live_config(archive);
    std::unique_ptr<DeviceGroups> groups;
    LabelFixture labels;
    TestProbe probe;
    std::unique_ptr<Journal> journal;

    void setup() override {
        fs::create_directories(open);
        put_groups(folder.path());
        groups = std::make_unique<DeviceGroups>(config, folder.path());
        journal = std::make_unique<Journal>(open, probe.facts(), config.rotate.minutes);
    }

    void store(const proto::ReceivedFrame& frame) {
        CHECK(journal->judge(frame.header) == FrameVerdict::next);
        journal->append(view_of(frame), frame.octets);
        journal->sync();
    }

    SealJob job_of(std::vector<uint64_t> windows, bool all = false) {
        return {.facts = journal->facts(),
                .files = journal->close(),
                .first_sequence = journal->first_sequence(),
                .minutes = journal->minutes(),
                .windows = std::move(windows),
                .all_windows = all,
                .through = journal->last_durable(),
                .unclean_end = "",
                .lost_at_the_end = std::nullopt};
    }

    SealedWindows seal(const SealJob& job) {
        return seal_windows(job, {config, *groups, "0.1.0"}, labels.memory);
    }

    SealState state() const {
        return load_seal_state(seal_state_path(open, probe.name, probe.epoch));
    }
};

TEST(SealWindows, each_window_and_group_is_a_dataset) {
    store(probe.batch(
        {live_flow(4, kNextWindow), live_flow(1, kWindow), live_flow(2, kWindow, true)}));
    store(probe.batch({live_flow(3, kWindow + 1)}));
    const SealedWindows sealed = seal(job_of({kWindow, kNextWindow}, true));
    CHECK_EQUAL(3, sealed.datasets);
    CHECK_EQUAL(4, sealed.records);
    const auto datasets = sealed_datasets(archive);
    CHECK_EQUAL(3, datasets.size());
    STRCMP_EQUAL("house/live/attic-20181224T143000Z-1.manifest.json", datasets[0].manifest.c_str());
    CHECK(datasets[0].numbers == Numbers{2});
    STRCMP_EQUAL("any/live/attic-20181224T143000Z-1.manifest.json", datasets[1].manifest.c_str());
    CHECK(datasets[1].numbers == (Numbers{1, 3}));
    STRCMP_EQUAL("any/live/attic-20181224T144000Z-1.manifest.json", datasets[2].manifest.c_str());
    CHECK(datasets[2].numbers == Numbers{4});
    for (const SealedDataset& dataset : datasets) {
        CHECK_EQUAL(probe.id, dataset.facts.live->probe_id);
        CHECK_EQUAL(probe.epoch, dataset.facts.live->epoch);
        CHECK_EQUAL(1, dataset.facts.live->first_sequence);
        CHECK_EQUAL(4, dataset.facts.live->last_sequence);
        CHECK_FALSE(dataset.facts.live->final_ledger);
    }
}

TEST(SealWindows, a_manifest_has_the_roles_of_its_group) {
    tests::put_content(folder.path() / "groups/house.toml",
                       "name = \"house\"\ntitle = \"A house\"\n[roles]\nlamp = \"192.168.7.9\"\n");
    config.groups[0].roles = {{"lamp", "192.168.7.1"}};
    groups = std::make_unique<DeviceGroups>(config, folder.path());
    store(probe.batch({live_flow(1, kWindow), live_flow(2, kWindow, true)}));
    seal(job_of({kWindow}, true));
    const auto datasets = sealed_datasets(archive);
    STRCMP_CONTAINS("\"role_lamp\": \"192.168.7.1\"", datasets[0].text.c_str());
    CHECK(datasets[1].text.find("role_") == std::string::npos);
}

TEST(SealWindows, a_window_lists_the_devices_that_were_there) {
    store(probe.batch({live_flow(1, kWindow), live_flow(2, kWindow), live_flow(3, kNextWindow)}));
    seal(job_of({kWindow, kNextWindow}, true));
    const auto datasets = sealed_datasets(archive);
    STRCMP_CONTAINS("address-10.0.0.1", datasets[0].text.c_str());
    STRCMP_CONTAINS("address-10.0.0.2", datasets[0].text.c_str());
    CHECK(datasets[0].text.find("address-10.0.0.3") == std::string::npos);
    STRCMP_CONTAINS("address-10.0.0.3", datasets[1].text.c_str());
    CHECK(datasets[1].text.find("address-10.0.0.1") == std::string::npos);
    for (const SealedDataset& dataset : datasets) {
        STRCMP_CONTAINS("address-172.16.0.1", dataset.text.c_str());
    }
}

TEST(SealWindows, an_answer_in_a_record_that_ends_later_names_a_flow) {
    proto::FlowSummary answer = answer_to("10.0.0.5", "time.example", "172.16.0.1", 60, 0);
    answer.set_flow_end_ns(kNextWindow + 1);
    store(probe.batch({live_flow(5, kStart + 1'000'000'000), answer}));
    seal(job_of({kWindow}));
    seal(job_of({kNextWindow}));
    const auto datasets = sealed_datasets(archive);
    CHECK_EQUAL(2, datasets.size());
    STRCMP_CONTAINS("\"name-by-dns\": 1", datasets[0].text.c_str());
}

TEST(SealWindows, only_what_is_asked_for_is_sealed_and_only_once) {
    store(probe.batch({live_flow(1, kWindow), live_flow(2, kNextWindow)}));
    seal(job_of({kWindow}));
    store(probe.batch({live_flow(3, kWindow)}));
    seal(job_of({kWindow}));
    CHECK(sealed_numbers(archive) == (std::map<uint32_t, int>{{1, 1}, {3, 1}}));
    const auto datasets = sealed_datasets(archive);
    STRCMP_EQUAL("any/live/attic-20181224T143000Z-2.manifest.json", datasets[1].manifest.c_str());
    CHECK_EQUAL(3, datasets[1].facts.live->first_sequence);
    seal(job_of({kWindow, kNextWindow}, true));
    CHECK_EQUAL(3, sealed_numbers(archive).size());
    CHECK_EQUAL(3, state().all_through);
    CHECK_EQUAL(0, state().publications.size());
}

TEST(SealWindows, a_refused_batch_is_counted_where_it_ended) {
    store(probe.refused_batch(1, kNextWindow));
    store(probe.batch({live_flow(2, kWindow)}));
    seal(job_of({kWindow, kNextWindow}, true));
    const auto datasets = sealed_datasets(archive);
    CHECK_EQUAL(2, datasets.size());
    CHECK_EQUAL(0, datasets[1].facts.records);
    CHECK_EQUAL(1, datasets[1].facts.live->records_received);
    STRCMP_CONTAINS("\"out_of_range\": 1", datasets[1].text.c_str());
}

TEST(SealWindows, the_last_ledger_gets_into_a_manifest_once) {
    store(probe.ledger(kWindow, true));
    CHECK(seal(job_of({}, true)).final_ledger);
    CHECK_EQUAL(0, seal(job_of({}, true)).datasets);
    const auto datasets = sealed_datasets(archive);
    CHECK_EQUAL(1, datasets.size());
    CHECK(datasets[0].facts.live->final_ledger);
    CHECK_EQUAL(0, datasets[0].facts.records);
    STRCMP_EQUAL("any/live/attic-20181224T143000Z-1.manifest.json", datasets[0].manifest.c_str());
}

TEST(SealWindows, an_unclean_end_gets_into_a_manifest_until_the_epoch_goes_on) {
    SealJob job = job_of({}, true);
    job.unclean_end = "it broke";
    job.lost_at_the_end = {kWindow + 5, UINT64_MAX};
    CHECK(seal(job).unclean_end);
    CHECK_EQUAL(0, seal(job).datasets);
    STRCMP_CONTAINS(R"(  "losses": [
    {
      "from": "2018-12-24T14:30:00Z",
      "from_ns": 1545661800000000005,
      "to": null,
      "to_ns": null,
      "queue": null,
      "reason": "unclean_end",
      "lost": null
    }
  ],
)",
                    sealed_datasets(archive).front().text.c_str());
    store(probe.batch({live_flow(1, kWindow)}));
    CHECK_FALSE(seal(job_of({kWindow}, true)).unclean_end);
    job = job_of({}, true);
    job.unclean_end = "it broke again";
    CHECK_EQUAL(1, seal(job).datasets);
    CHECK(state().unclean_end_sealed);
}

TEST(SealWindows, losses_are_in_the_manifests_and_records_that_they_touch) {
    store(probe.batch({live_flow(1, kWindow + kMinute), live_flow(2, kNextWindow)}));
    store(probe.ledger(kNextWindow));
    SealJob job = job_of({kWindow, kNextWindow}, true);
    proto::Count& count = *job.facts.ledger->add_packets_lost();
    count.set_reason("port_missed");
    count.set_packets(3);
    job.facts.ledger->set_packets_offered(job.facts.ledger->packets_offered() + 3);
    proto::LossInterval& loss = *job.facts.ledger->add_losses();
    loss.set_from_ns(kNextWindow);
    loss.set_to_ns(kNextWindow + 9);
    loss.set_queue(2);
    loss.set_reason("port_missed");
    loss.set_lost(3);
    seal(job);
    const auto datasets = sealed_datasets(archive);
    CHECK_EQUAL(2, datasets.size());
    const auto records_of = [&](const SealedDataset& dataset) {
        fs::path path = archive / dataset.manifest;
        path.replace_extension().replace_extension(".json");
        return tests::content_of(path);
    };
    STRCMP_CONTAINS("\"losses\": [],", datasets[0].text.c_str());
    CHECK_EQUAL(std::string::npos, records_of(datasets[0]).find("\"loss\""));
    STRCMP_CONTAINS(R"(      "queue": 2,
      "reason": "port_missed",
      "lost": 3
)",
                    datasets[1].text.c_str());
    STRCMP_CONTAINS("\"loss\"]", records_of(datasets[1]).c_str());
}

TEST(SealWindows, a_manifest_names_the_recordings_of_its_records) {
    store(probe.batch({live_flow(1, kWindow)}));
    store(probe.ledger(kWindow + 5));
    SealJob job = job_of({kWindow}, true);
    proto::Recording& recording = *job.facts.ledger->mutable_recording();
    recording.set_packets_recorded(7);
    recording.set_octets_recorded(900);
    recording.set_packets_not_chosen(2);
    recording.add_packets_lost()->set_reason("ring");
    recording.mutable_packets_lost(0)->set_packets(1);
    for (const auto& [name, from_ns, to_ns] :
         {std::tuple("before.pcapng", kWindow - 20 * kMinute, kWindow - 19 * kMinute),
          std::tuple("within.pcapng", kWindow - 7, kWindow + 1)}) {
        proto::RecordingFile& file = *recording.add_files();
        file.set_name(name);
        file.set_from_ns(from_ns);
        file.set_to_ns(to_ns);
    }
    seal(job);
    STRCMP_CONTAINS(R"(    "recording": {
      "packets_recorded": 7,
      "octets_recorded": 900,
      "packets_not_chosen": 2,
      "packets_lost": {
        "ring": 1
      },
      "files": [
        {
          "name": "within.pcapng",
          "from": "2018-12-24T14:29:59Z",
          "from_ns": 1545661799999999993,
          "to": "2018-12-24T14:30:00Z",
          "to_ns": 1545661800000000001
        }
      ]
    },
)",
                    sealed_datasets(archive).front().text.c_str());
}

TEST(SealWindows, a_manifest_says_whose_records_these_are) {
    store(probe.batch({live_flow(1, kWindow)}));
    store(probe.ledger(kWindow + 5));
    SealJob job = job_of({kWindow}, true);
    job.facts.gaps = {{5, 9}};
    job.facts.hello.set_clock_synchronised(true);
    job.facts.hello.set_clock_maximum_error_us(250);
    proto::ClockStep& step = *job.facts.ledger->add_clock_steps();
    step.set_at_ns(kWindow + 1);
    step.set_by_ns(-3'600'000'000'000);
    job.unclean_end = "it broke";
    seal(job);
    const SealedDataset dataset = sealed_datasets(archive).front();
    for (const char* text : {R"(  "window": {
    "from": "2018-12-24T14:30:00Z",
    "from_ns": 1545661800000000000,
    "to": "2018-12-24T14:40:00Z",
    "to_ns": 1545662400000000000
  },
  "capture": null,
  "configuration": {
    "active_timeout_s": "300"
  },
)",
                             R"(  "source": {
    "probe": "attic",
    "program_version": "0.1.0",
    "started": "2018-12-24T14:30:00Z",
    "started_ns": 1545661800000000000,
    "clock": {
      "synchronised": true,
      "maximum_error_us": 250
    },
    "ports": [
      {
        "device": "0000:01:00.0",
        "driver": "net_ixgbe",
        "clock": "probe ns",
        "filter": "jit",
        "losses_counted": true
      }
    ]
  },
)",
                             "\"records_sent\": 1,",
                             R"(    "clock_steps": [
      {
        "at": "2018-12-24T14:30:00Z",
        "at_ns": 1545661800000000001,
        "by_ns": -3600000000000
      }
    ],
)",
                             R"(  "gaps": [
    {
      "first": 5,
      "last": 9
    }
  ],
)",
                             "\"name\": \"attic-20181224T143000Z\"",
                             "\"signatures_hash\": \"2222222222222222\"",
                             "\"unclean_end\": \"it broke\""}) {
        STRCMP_CONTAINS(text, dataset.text.c_str());
    }
    CHECK(dataset.facts.live->gaps == (std::vector<Gap>{{5, 9}}));
}

TEST(SealWindows, one_window_for_everything_is_named_after_the_first_packet) {
    config.rotate.minutes = 0;
    journal->set_minutes(0);
    store(probe.batch({live_flow(1, kWindow + 3 * kMinute), live_flow(2, kNextWindow)}));
    seal(job_of({0}, true));
    store(probe.batch({live_flow(3, kNextWindow)}));
    store(probe.ledger(kNextWindow, true));
    seal(job_of({0}, true));
    const auto datasets = sealed_datasets(archive);
    CHECK_EQUAL(2, datasets.size());
    // Without a ledger the first record's start has to do.
    STRCMP_EQUAL("any/live/attic-20181224T143259Z-1.manifest.json", datasets[0].manifest.c_str());
    STRCMP_EQUAL("any/live/attic-20181224T143001Z-1.manifest.json", datasets[1].manifest.c_str());
    STRCMP_CONTAINS("\"window\": null", datasets[0].text.c_str());
}

TEST(SealWindows, a_failed_job_leaves_nothing_and_can_be_done_again) {
    store(probe.batch({live_flow(1, kWindow), live_flow(2, kWindow, true)}));
    // The state cannot be replaced.
    const fs::path in_the_way = seal_state_path(open, probe.name, probe.epoch).native() + ".part";
    fs::create_directories(in_the_way);
    CHECK_THROWS(std::runtime_error, seal(job_of({kWindow}, true)));
    CHECK_FALSE(fs::exists(archive / kIndexName));
    CHECK_EQUAL(2, files_in(open).size());
    fs::remove(in_the_way);
    CHECK_EQUAL(2, seal(job_of({kWindow}, true)).datasets);
    CHECK_EQUAL(2, sealed_numbers(archive).size());
}

TEST(SealWindows, a_record_of_a_job_that_is_done_again_tells_of_its_device_once) {
    LabelFixture lamps(any_group(), payload_signature("says-lamp", "device = 'lamp'"));
    proto::FlowSummary flow = live_flow(1, kWindow);
    proto::Match& match = *flow.add_matches();
    match.set_kind(proto::EVIDENCE_KIND_PAYLOAD);
    match.set_signature("says-lamp");
    store(probe.batch({flow}));
    const fs::path in_the_way = seal_state_path(open, probe.name, probe.epoch).native() + ".part";
    fs::create_directories(in_the_way);
    const auto seal_lamps = [&] {
        seal_windows(job_of({kWindow}, true), {config, *groups, "0.1.0"}, lamps.memory);
    };
    CHECK_THROWS(std::runtime_error, seal_lamps());
    store(probe.batch({flow}));
    CHECK_THROWS(std::runtime_error, seal_lamps());
    fs::remove(in_the_way);
    seal_lamps();
    uint64_t flows = 0;
    for (const auto& [key, presence] : lamps.memory.devices().presences()) {
        for (const auto& [fact, clue] : presence.clues) {
            flows += clue.flows;
        }
    }
    CHECK_EQUAL(2, flows);
}

TEST(SealWindows, what_the_line_said_is_kept_for_the_longest_flows_yet_to_come) {
    constexpr uint64_t kSecond = 1'000'000'000;
    SealJob job = job_of({kWindow, kNextWindow});
    CHECK_EQUAL(kNextWindow - 600 * kSecond, forgotten_before_ns(job));
    proto::Setting& setting = *job.facts.hello.add_configuration();
    setting.set_name("active_timeout_s");
    setting.set_value("1800.000");
    CHECK_EQUAL(kNextWindow - 1800 * kSecond, forgotten_before_ns(job));
    // One window for everything begins at 0: the ledger tells.
    job.minutes = 0;
    job.windows = {0};
    CHECK_EQUAL(0, forgotten_before_ns(job));
    job.facts.ledger.emplace().set_complete_until_ns(kWindow);
    CHECK_EQUAL(kWindow - 1800 * kSecond, forgotten_before_ns(job));
}

TEST(SealWindows, a_job_that_was_bound_is_finished_by_the_next_or_at_the_start) {
    for (const bool at_start : {false, true}) {
        const auto first = static_cast<uint32_t>(journal->last_durable()) + 1;
        store(probe.batch({live_flow(first, kWindow), live_flow(first + 1, kWindow, true)}));
        // One of two datasets cannot be published; it does not hold up the other.
        fs::create_directories(archive / "any");
        fs::remove_all(archive / "any/live");
        tests::put_content(archive / "any/live", "");
        CHECK_THROWS(std::runtime_error, seal(job_of({kWindow})));
        CHECK_EQUAL(1, state().publications.size());
        CHECK_EQUAL(1, sealed_numbers(archive).size());
        std::vector<std::string> problems;
        if (at_start) {
            const std::set<fs::path> bound = complete_publications(archive, problems);
            CHECK_EQUAL(1, bound.size());
            CHECK_EQUAL(1, problems.size());
            STRCMP_CONTAINS("a file has its name", problems.front().c_str());
            CHECK_EQUAL(1, state().publications.size());
        }
        fs::remove(archive / "any/live");
        if (at_start) {
            CHECK(complete_publications(archive, problems).empty());
        }
        CHECK_EQUAL(0, seal(job_of({kWindow})).datasets);
        CHECK_EQUAL(0, state().publications.size());
        const auto numbers = sealed_numbers(archive);
        CHECK_EQUAL(1, numbers.at(first));
        CHECK_EQUAL(1, numbers.at(first + 1));
        CHECK_EQUAL(2, numbers.size());
        // The journal's file and the state.
        CHECK_EQUAL(2, files_in(open).size());
        fs::remove_all(archive / "any");
        fs::remove_all(archive / "house");
        fs::remove(archive / kIndexName);
        fs::remove(archive / kIndexHeadName);
        journal->forget({kWindow}, journal->last_durable());
    }
}

TEST(SealWindows, a_start_removes_what_no_job_is_bound_to) {
    tests::put_content(open / "attic-0000000000000001-0.part", "half");
    std::vector<std::string> problems;
    CHECK(complete_publications(archive, problems).empty());
    CHECK(problems.empty());
    CHECK(files_in(open).empty());
}

TEST(SealWindows, a_damaged_journal_seals_nothing) {
    store(probe.batch({live_flow(1, kWindow)}));
    store(probe.batch({live_flow(2, kWindow)}));
    const SealJob job = job_of({kWindow}, true);
    std::string octets = tests::content_of(job.files.front().path);
    octets[octets.size() - 1] ^= 1;
    tests::put_content(job.files.front().path, octets);
    CHECK_THROWS(std::runtime_error, seal(job));
    CHECK_FALSE(fs::exists(archive / kIndexName));
}

}  // namespace curlew::collector
