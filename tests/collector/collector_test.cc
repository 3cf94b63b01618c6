#include "collector/collector.h"

#include <chrono>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "collector/index.h"
#include "collector/selection.h"
#include "collector/verify.h"
#include "proto/body_limits.h"
#include "tests/collector/dataset_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;

constexpr seconds kLong{10};  // reached only by a test that fails
constexpr std::chrono::milliseconds kTurn{20};
const std::string kEndpoint = "inproc://collector-test";

// A frame and what the sender believes it ends with. The belief has to grow from frame to frame, so
// a frame that breaks the sequence is sent under a number that a right one ends behind.
struct Sent {
    std::string frame;
    uint64_t last_sequence;
};

Sent batch(uint64_t sequence, uint32_t count) {
    std::vector<proto::FlowSummary> flows;
    for (uint32_t i = 0; i < count; ++i) {
        flows.push_back(numbered_flow(static_cast<uint32_t>(sequence) + i));
    }
    return {batch_frame(flows, sequence), sequence + count - 1};
}

Sent batch_as(uint64_t believed, uint64_t sequence, uint32_t count) {
    return {batch(sequence, count).frame, believed};
}

Sent ledger(uint64_t sequence) {
    return {ledger_frame(sequence), sequence};
}

std::string error_of(const DatasetConfig& config) {
    const LabelFixture labels;
    try {
        const Collector collector(config, labels.rules());
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_GROUP(Collector) {
    TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    DatasetConfig config = dataset_config(archive, "walk");
    LabelFixture labels;
    proto::ChannelContext context;

    // Sends the frames to the collector through a channel of its own, and waits for both to end.
    void feed(Collector & collector, const std::vector<Sent>& frames, uint64_t acknowledged) {
        proto::ChannelReceiver receiver(context, kEndpoint);
        uint64_t last = 0;
        std::stop_source stop;
        std::thread probe([&] {
            proto::ChannelSender sender(
                context, {.endpoint = kEndpoint, .probe_id = kProbe, .epoch = kEpoch});
            const auto deadline = std::chrono::steady_clock::now() + kLong;
            size_t next = 0;
            while (last < acknowledged && std::chrono::steady_clock::now() < deadline) {
                const bool welcomed = sender.turn(1, kTurn) == proto::SenderState::welcomed;
                while (welcomed && next < frames.size() && sender.has_room() &&
                       sender.send(std::make_shared<const std::string>(frames[next].frame),
                                   frames[next].last_sequence)) {
                    ++next;
                }
                last = sender.last_acknowledged();
            }
            stop.request_stop();
        });
        collector.collect(receiver, stop.get_token());
        probe.join();
        CHECK_EQUAL(acknowledged, last);
    }
};

TEST(Collector, takes_acknowledges_and_seals) {
    Collector collector(config, labels.rules());
    CHECK(fs::exists(archive / "any/kitchen/walk.part"));
    feed(collector, {batch(1, 3), batch(4, 1), ledger(5)}, 5);
    const SealResult result = collector.seal();
    CHECK_EQUAL(4, result.records_written);
    CHECK_EQUAL(4, result.records_created);
    CHECK_EQUAL(3, collector.counters().frames_taken);
    CHECK_FALSE(fs::exists(archive / "any/kitchen/walk.part"));
    CHECK(verify_archive(archive, [](const std::string&) {}).holds());
}

TEST(Collector, a_frame_that_comes_twice_is_taken_once) {
    Collector collector(config, labels.rules());
    feed(collector,
         {batch(1, 10), batch_as(11, 1, 10), batch_as(12, 3, 2), batch(11, 10), ledger(21)},
         21);
    CHECK_EQUAL(2, collector.counters().frames_duplicate);
    CHECK_EQUAL(20, collector.seal().records_written);
}

TEST(Collector, a_frame_behind_a_gap_is_dropped) {
    Collector collector(config, labels.rules());
    feed(collector, {batch(1, 10), batch_as(11, 12, 4), batch(11, 10), ledger(21)}, 21);
    CHECK_EQUAL(1, collector.counters().frames_out_of_sequence);
    CHECK_EQUAL(20, collector.seal().records_written);
}

TEST(Collector, a_frame_that_overlaps_is_no_duplicate) {
    Collector collector(config, labels.rules());
    feed(collector, {batch(1, 10), batch_as(11, 6, 10), batch(11, 10), ledger(21)}, 21);
    CHECK_EQUAL(1, collector.counters().frames_out_of_sequence);
    CHECK_EQUAL(0, collector.counters().frames_duplicate);
    CHECK_EQUAL(20, collector.seal().records_written);
}

TEST(Collector, takes_more_frames_than_it_answers_at_once) {
    Collector collector(config, labels.rules());
    std::vector<Sent> frames;
    for (uint64_t sequence = 1; sequence <= 500; ++sequence) {
        frames.push_back(batch(sequence, 1));
    }
    frames.push_back(ledger(501));
    feed(collector, frames, 501);
    CHECK_EQUAL(501, collector.counters().frames_taken);
    CHECK_EQUAL(500, collector.seal().records_written);
}

TEST(Collector, more_frames_than_it_keeps_give_the_same_dataset) {
    std::vector<Sent> frames;
    uint64_t sequence = 1;
    for (; sequence < 20'000; sequence += 500) {
        frames.push_back(batch(sequence, 500));
    }
    frames.push_back(ledger(sequence));
    size_t octets = 0;
    for (const Sent& sent : frames) {
        octets += sent.frame.size();
    }
    constexpr size_t kFewest = proto::kFrameHeaderOctets + proto::kMaximumFrameBodyOctets;
    CHECK(octets > 3 * kFewest);
    std::string all_kept;
    for (const size_t most_kept : {size_t{1} << 26, kFewest}) {
        config.archive = folder.path() / std::to_string(most_kept);
        Collector collector(config, labels.rules(), most_kept);
        feed(collector, frames, sequence);
        const SealResult result = collector.seal();
        CHECK_EQUAL(20'000, result.records_written);
        all_kept = all_kept.empty() ? result.sums.sha256 : all_kept;
        STRCMP_EQUAL(all_kept.c_str(), result.sums.sha256.c_str());
    }
}

TEST(Collector, stops_when_asked_and_nothing_waits) {
    Collector collector(config, labels.rules());
    proto::ChannelReceiver receiver(context, kEndpoint);
    std::stop_source stop;
    stop.request_stop();
    CHECK_FALSE(collector.collect(receiver, stop.get_token()));
}

TEST(Collector, a_ledger_that_is_refused_is_one_sentence) {
    Collector collector(config, labels.rules());
    feed(collector, {{ledger_frame(1, std::string(proto::kMaximumTextOctets + 1, 'x')), 1}}, 1);
    try {
        collector.seal();
        FAIL("a ledger over its bounds was taken");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL("the probe's ledger for walk was refused: too_long_octets", error.what());
    }
}

TEST(Collector, starts_anew_over_what_a_crash_left) {
    { Collector collector(config, labels.rules()); }
    put_content(archive / "any/kitchen/walk.part", "half a line");
    Collector collector(config, labels.rules());
    feed(collector, {batch(1, 1), ledger(2)}, 2);
    CHECK_EQUAL(1, collector.seal().records_written);
}

TEST(Collector, discarding_leaves_nothing) {
    Collector collector(config, labels.rules());
    collector.discard();
    CHECK_FALSE(fs::exists(archive));
    CHECK(fs::exists(folder.path()));
}

TEST(Collector, discarding_leaves_what_others_sealed) {
    seal_frames(dataset_config(archive, "other"), frames_of(0, 3));
    Collector collector(config, labels.rules());
    collector.discard();
    CHECK(verify_archive(archive, [](const std::string&) {}).holds());
}

TEST(Collector, an_archive_that_cannot_be_written_is_one_sentence) {
    put_content(folder.path() / "file", "");
    config.archive = folder.path() / "file";
    STRCMP_EQUAL(("cannot write the archive " + config.archive.string() +
                  ": cannot make the folder " + config.archive.string() + ": a file has its name")
                     .c_str(),
                 error_of(config).c_str());
    config.archive = folder.path() / "file" / "below";
    STRCMP_CONTAINS("/file: a file has its name", error_of(config).c_str());
}

TEST(Collector, a_second_run_of_a_dataset_is_refused) {
    const Collector collector(config, labels.rules());
    STRCMP_CONTAINS("walk.part: another process writes it", error_of(config).c_str());
}

TEST(Collector, a_name_that_is_no_file_name_is_refused) {
    for (const std::string& name : {std::string(),
                                    std::string(".."),
                                    std::string("a/b"),
                                    std::string("a\nb"),
                                    std::string("a\0b", 3),
                                    std::string("\xff"),
                                    std::string(181, 'x')}) {
        config.name = name;
        STRCMP_CONTAINS("the dataset name \"", error_of(config).c_str());
    }
    for (const char* name : {"a.manifest", "a.devices", "a.labels-8c808dad0628561b"}) {
        config.name = name;
        STRCMP_CONTAINS("would be taken for a file beside another dataset",
                        error_of(config).c_str());
    }
    config.name = "walk";
    config.scenario = "..";
    STRCMP_EQUAL("the scenario \"..\" cannot be a name in an archive: it is another folder's",
                 error_of(config).c_str());
    CHECK_FALSE(fs::exists(archive));
}

TEST(Collector, a_wrong_selection_or_preset_makes_no_folder) {
    config.selection = "host nowhere";
    CHECK_THROWS(SelectionError, Collector(config, labels.rules()));
    config.selection = "";
    config.preset = "flat";
    STRCMP_EQUAL("the collector writes no preset \"flat\"", error_of(config).c_str());
    CHECK_FALSE(fs::exists(archive));
}

}  // namespace curlew::collector
