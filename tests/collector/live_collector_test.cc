#include "collector/live_collector.h"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>

#include "collector/verify.h"
#include "signatures/config_file.h"
#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

constexpr milliseconds kLiveTurn{20};
const std::string kLiveEndpoint = "inproc://live-collector-test";

std::string hello_body(const TestProbe& probe) {
    return probe.hello().octets.substr(proto::kFrameHeaderOctets);
}

}  // namespace

TEST_GROUP(LiveCollector) {
    tests::TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    proto::ChannelContext context;
    size_t served = 0;

    void setup() override {
        put_groups(folder.path());
    }

    // A collector serves until each probe has all of its frames acknowledged; the last status.
    LiveStatus serve(LiveCollector & collector,
                     const TestProbe& probe,
                     const std::vector<proto::ReceivedFrame>& frames) {
        // ZeroMQ gives an endpoint free when it gets round to it: each time another one.
        const std::string endpoint = kLiveEndpoint + std::string(served++, '+');
        proto::ChannelReceiver receiver(context, endpoint);
        uint64_t last = 0;
        for (const proto::ReceivedFrame& frame : frames) {
            last = frame.header.first_sequence + sequences_of(frame.header) - 1;
        }
        bool done = false;
        std::stop_source stop;
        std::thread thread([&] {
            proto::ChannelSender sender(context,
                                        {.endpoint = endpoint,
                                         .probe_id = probe.id,
                                         .epoch = probe.epoch,
                                         .hello = hello_body(probe)});
            const auto deadline = std::chrono::steady_clock::now() + kLongWait;
            size_t next = 0;
            while (!done && std::chrono::steady_clock::now() < deadline) {
                const bool welcomed = sender.turn(frames.front().header.first_sequence,
                                                  kLiveTurn) == proto::SenderState::welcomed;
                while (welcomed && next < frames.size() && sender.has_room() &&
                       sender.send(std::make_shared<const std::string>(frames[next].octets),
                                   frames[next].header.first_sequence +
                                       sequences_of(frames[next].header) - 1)) {
                    ++next;
                }
                done = sender.last_acknowledged() == last;
            }
            stop.request_stop();
        });
        LiveStatus status;
        collector.run(receiver, stop.get_token(), [&](const LiveStatus& now) { status = now; });
        thread.join();
        CHECK_TEXT(done, "not everything was acknowledged");
        return status;
    }
};

TEST(LiveCollector, an_epoch_that_ended_is_sealed_before_it_stops) {
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    CHECK(collector.problems().empty());
    TestProbe probe;
    std::vector<proto::ReceivedFrame> frames{
        probe.batch({live_flow(1, kWindow), live_flow(2, kWindow, true)}),
        probe.batch({live_flow(3, kWindow)}),
        probe.ledger(kWindow + 5, true)};
    const LiveStatus status = serve(collector, probe, frames);
    CHECK_EQUAL(3, status.intake.records_stored);
    CHECK_EQUAL(3, status.records_sealed);
    CHECK_EQUAL(2, status.datasets_sealed);
    CHECK_EQUAL(0, status.octets_waiting);
    CHECK(sealed_numbers(archive) == (std::map<uint32_t, int>{{1, 1}, {2, 1}, {3, 1}}));
    const auto tell = [](const std::string& problem) { UT_PRINT(problem.c_str()); };
    CHECK(verify_archive(archive, tell).holds());
}

TEST(LiveCollector, an_archive_that_is_moved_away_takes_nothing_until_it_is_back) {
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    proto::ChannelReceiver receiver(context, kLiveEndpoint);
    const fs::path moved = folder.path() / "moved";
    std::vector<std::string> told;
    std::stop_source stop;
    collector.run(receiver, stop.get_token(), [&](const LiveStatus& status) {
        told.push_back(status.intake_trouble);
        switch (told.size()) {
            case 1:
                fs::rename(archive, moved);
                fs::create_directories(archive / "open");
                break;
            case 2:
                fs::remove_all(archive);
                break;
            case 3:
                fs::rename(moved, archive);
                break;
            default:
                stop.request_stop();
        }
    });
    CHECK(told.size() >= 4);
    STRCMP_EQUAL("", told[0].c_str());
    STRCMP_CONTAINS("is not the folder any more that it was at the start", told[1].c_str());
    STRCMP_CONTAINS("nothing is taken", told[2].c_str());
    STRCMP_EQUAL("", told[3].c_str());
}

TEST(LiveCollector, without_room_for_what_it_would_seal_it_takes_nothing_and_says_so) {
    CollectorConfig config = live_config(archive);
    config.keep.min_free = UINT64_MAX;
    LiveCollector collector(config, folder.path(), "0.1.0");
    proto::ChannelReceiver receiver(context, kLiveEndpoint);
    std::vector<std::string> told;
    std::stop_source stop;
    collector.run(receiver, stop.get_token(), [&](const LiveStatus& status) {
        told.push_back(status.intake_trouble);
        if (told.size() == 10 || !status.intake_trouble.empty()) {
            stop.request_stop();
        }
    });
    STRCMP_EQUAL("", told.front().c_str());
    STRCMP_CONTAINS("nothing is taken: less is free for", told.back().c_str());
}

TEST(LiveCollector, tells_that_its_socket_is_gone) {
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    const fs::path socket = folder.path() / "socket";
    proto::ChannelReceiver receiver(context, "ipc://" + socket.string());
    std::vector<std::string> told;
    std::stop_source stop;
    collector.run(receiver, stop.get_token(), [&](const LiveStatus& status) {
        told.push_back(status.intake_trouble);
        fs::remove(socket);
        if (told.size() == 10 || !status.intake_trouble.empty()) {
            stop.request_stop();
        }
    });
    STRCMP_EQUAL("", told.front().c_str());
    STRCMP_CONTAINS("no probe can connect any more: the socket of ipc://", told.back().c_str());
}

// A file stands where datasets are to be: what waits is bounded.
TEST(LiveCollector, takes_nothing_more_of_a_probe_while_what_waits_cannot_be_sealed) {
    CollectorConfig config = live_config(archive);
    config.rotate.octets = 1;
    fs::create_directories(archive / "any");
    tests::put_content(archive / "any/live", "");
    LiveCollector collector(config, folder.path(), "0.1.0");
    proto::ChannelReceiver receiver(context, kLiveEndpoint);
    TestProbe probe;
    const std::array<proto::ReceivedFrame, 2> frames{probe.batch({live_flow(1, kWindow)}),
                                                     probe.batch({live_flow(2, kWindow)})};
    proto::ChannelSender sender(context,
                                {.endpoint = kLiveEndpoint,
                                 .probe_id = probe.id,
                                 .epoch = probe.epoch,
                                 .hello = hello_body(probe)});
    std::atomic<bool> is_refusing{false};
    std::stop_source stop;
    std::thread sending([&] {
        // The second one when the first could not be sealed.
        while (!stop.stop_requested()) {
            const bool welcomed = sender.turn(1, kLiveTurn) == proto::SenderState::welcomed;
            const uint64_t next = sender.last_sent() + 1;
            if (welcomed && next <= (is_refusing ? 2u : 1u) && sender.has_room()) {
                sender.send(std::make_shared<const std::string>(frames[next - 1].octets), next);
            }
        }
    });
    int turns = 0;
    int turns_refusing = 0;
    std::string told;
    uint64_t stored = 0;
    collector.run(receiver, stop.get_token(), [&](const LiveStatus& status) {
        is_refusing = is_refusing || !status.intake_trouble.empty();
        turns_refusing += is_refusing ? 1 : 0;
        if (!stop.stop_requested()) {
            told = status.intake_trouble;
            stored = status.intake.records_stored;
        }
        if (turns_refusing == 3 || ++turns == 20) {
            stop.request_stop();
        }
    });
    sending.join();
    STRCMP_EQUAL(
        "records of the probe attic are not taken: what waits is much already, and cannot be "
        "sealed",
        told.c_str());
    CHECK_EQUAL(1, stored);
}

TEST(LiveCollector, tells_what_it_refused_by_reason) {
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    TestProbe probe;
    TestProbe unnamed("Not a name", 2);
    proto::ChannelSender other(context,
                               {.endpoint = kLiveEndpoint,
                                .probe_id = unnamed.id,
                                .epoch = unnamed.epoch,
                                .hello = hello_body(unnamed)});
    other.turn(1, kLiveTurn);
    const LiveStatus status = serve(collector, probe, {probe.batch({live_flow(1, kWindow)})});
    CHECK_EQUAL(1, status.refusals.hellos_refused);
    STRCMP_EQUAL("hellos_refused 1", status.refusals.sentence().c_str());
    STRCMP_CONTAINS("; refused: hellos_refused 1", status.sentence().c_str());
}

TEST(LiveCollector, what_is_not_complete_waits_for_the_next_start) {
    TestProbe probe;
    const proto::ReceivedFrame first = probe.batch({live_flow(1, kWindow)});
    const proto::ReceivedFrame last = probe.ledger(kWindow + 5, true);
    {
        LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
        const LiveStatus status = serve(collector, probe, {first});
        CHECK_EQUAL(0, status.datasets_sealed);
        CHECK(status.octets_waiting > 0);
    }
    CHECK(sealed_numbers(archive).empty());
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    CHECK(collector.problems().empty());
    serve(collector, probe, {last});
    CHECK(sealed_numbers(archive) == (std::map<uint32_t, int>{{1, 1}}));
}

TEST(LiveCollector, takes_a_new_configuration_into_force) {
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    CollectorConfig config = live_config(archive);
    config.scenario = "garden";
    collector.reconfigure(config, folder.path());
    TestProbe probe;
    std::vector<proto::ReceivedFrame> frames{probe.batch({live_flow(1, kWindow)}),
                                             probe.ledger(kWindow + 5, true)};
    serve(collector, probe, frames);
    CHECK(fs::exists(archive / "any/garden"));
    CHECK_FALSE(fs::exists(archive / "any/live"));
}

TEST(LiveCollector, another_archive_takes_a_restart) {
    LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    const CollectorConfig config = live_config(folder.path() / "other");
    CHECK_THROWS(curlew::signatures::ConfigError, collector.reconfigure(config, folder.path()));
}

TEST(LiveCollector, one_archive_has_one_collector) {
    const LiveCollector collector(live_config(archive), folder.path(), "0.1.0");
    CHECK_THROWS(std::runtime_error, LiveCollector(live_config(archive), folder.path(), "0.1.0"));
}

TEST(LiveCollector, its_status_is_one_sentence_with_every_trouble) {
    LiveStatus status;
    status.probes = 1;
    status.intake.records_stored = 5;
    status.records_sealed = 4;
    status.datasets_sealed = 2;
    STRCMP_EQUAL("1 probe, 5 records received, 4 sealed in 2 datasets", status.sentence().c_str());
    status.intake_trouble = "records are not taken: disk full";
    status.retention_trouble = "nothing is left to remove";
    STRCMP_EQUAL(
        "1 probe, 5 records received, 4 sealed in 2 datasets; records are not taken: disk full; "
        "nothing is left to remove",
        status.sentence().c_str());
}

}  // namespace curlew::collector
