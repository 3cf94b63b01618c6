#include <atomic>
#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "probe/dispatcher.h"
#include "probe/exporter.h"
#include "probe/leftover.h"
#include "tests/probe/exporter_fixture.h"
#include "tests/support/metering.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

// To a collector: the frames that it gets, up to a ledger.
std::vector<std::string> deliver_left(SpoolFolder& folder, proto::ChannelContext& context) {
    std::vector<std::string> problems;
    Leftover left(
        folder, folder.left(problems), context, {.endpoint = kExporterEndpoint, .hello = {}});
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    std::vector<std::string> frames;
    std::atomic<bool> came{false};
    std::thread receiving([&] {
        frames = receive_all(receiver);
        came = true;
    });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!came && std::chrono::steady_clock::now() < end) {
        left.turn(std::chrono::milliseconds(1));
    }
    receiving.join();
    return frames;
}

}  // namespace

// What finds no room, and what makes some, is in the ledgers to the record.
TEST_GROUP(ExporterLosses) {
    proto::ChannelContext context;
    proto::ChannelSender sender{context,
                                {.endpoint = kExporterEndpoint, .probe_id = 7, .epoch = 99}};
};

TEST(ExporterLosses, what_a_full_outbox_refuses_is_in_the_ledger_to_the_record) {
    constexpr uint16_t kFlows = 2000;
    ScriptedPort port(datagrams(kFlows));
    Dispatcher dispatcher({}, {&port}, test_inspector());
    // Metered and lost before anybody listens.
    Exporter exporter({.probe_id = 7,
                       .epoch = 99,
                       .batch_octets = 4 * 1024,
                       .outbox_octets = 40 * 1024,
                       .wait_for_collector = false,
                       .ledger_interval = std::chrono::milliseconds(1)},
                      test_signatures(),
                      sender);
    dispatcher.run({});
    exporter.finish(dispatcher.ledger());
    std::thread exporting(
        [&] { exporter.run(dispatcher.record_rings(), [&] { return dispatcher.ledger(); }); });
    // A collector that comes when everything has found its place or none.
    while (exporter.state().records_sent + exporter.state().records_lost != kFlows) {
        std::this_thread::yield();
    }
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    uint64_t next = 1;
    uint64_t records = 0;
    proto::ProbeLedger ledger;
    while (!ledger.final()) {
        const auto frame = receiver.receive(std::chrono::seconds(20));
        CHECK_TRUE(frame.has_value());
        const proto::FrameView view = view_of(frame->octets);
        if (view.header.kind == proto::FrameKind::hello) {
            receiver.welcome(*frame, 0);
            continue;
        }
        CHECK_EQUAL(next, view.header.first_sequence);
        next += std::max<uint32_t>(view.header.record_count, 1);
        records += view.header.record_count;
        receiver.acknowledge(frame->peer, 7, 99, next - 1);
        if (view.header.kind == proto::FrameKind::ledger) {
            CHECK_TRUE(ledger.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
            uint64_t lost = 0;
            for (const proto::Count& count : ledger.records_lost()) {
                lost += count.packets();
            }
            CHECK_EQUAL(ledger.records_created(),
                        ledger.records_sent() + ledger.records_waiting() + lost);
        }
    }
    exporting.join();
    STRCMP_EQUAL("", exporter.fault().c_str());
    CHECK_EQUAL(records, ledger.records_sent());
    CHECK_TRUE(records < kFlows);
    CHECK_EQUAL(1, ledger.records_lost_size());
    STRCMP_EQUAL("outbox", ledger.records_lost(0).reason().c_str());
    CHECK_EQUAL(kFlows - records, ledger.records_lost(0).packets());
    uint64_t told = 0;
    for (const proto::LossInterval& loss : ledger.losses()) {
        STRCMP_EQUAL("outbox", loss.reason().c_str());
        CHECK(loss.from_ns() <= loss.to_ns());
        told += loss.lost();
    }
    CHECK_EQUAL(kFlows - records, told);
}

TEST(ExporterLosses, the_oldest_make_room_where_that_is_wanted_and_leave_a_gap) {
    constexpr uint16_t kFlows = 3000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    Spool spool(folder, 99, hello_frame(), 65536);
    ScriptedPort port(datagrams(kFlows));
    Dispatcher dispatcher({}, {&port}, test_inspector());
    Exporter exporter({.probe_id = 7,
                       .epoch = 99,
                       .batch_octets = 4 * 1024,
                       .outbox_octets = 1,
                       .spool_octets = 100'000,
                       .wait_for_collector = false,
                       .drop_oldest = true},
                      test_signatures(),
                      sender,
                      &spool);
    dispatcher.run({});
    exporter.finish(dispatcher.ledger());
    std::thread exporting([&] { exporter.run(dispatcher.record_rings()); });
    while (exporter.state().records_sent != kFlows) {
        std::this_thread::yield();
    }
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    uint64_t first_held = 0;
    uint64_t next = 0;
    proto::ProbeLedger ledger;
    while (!ledger.final()) {
        const auto frame = receiver.receive(std::chrono::seconds(20));
        CHECK_TRUE(frame.has_value());
        const proto::FrameView view = view_of(frame->octets);
        if (view.header.kind == proto::FrameKind::hello) {
            first_held = view.header.first_sequence;
            next = first_held;
            receiver.welcome(*frame, first_held - 1);
            continue;
        }
        CHECK_EQUAL(next, view.header.first_sequence);
        next += std::max<uint32_t>(view.header.record_count, 1);
        receiver.acknowledge(frame->peer, 7, 99, next - 1);
        if (view.header.kind == proto::FrameKind::ledger) {
            CHECK_TRUE(ledger.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
        }
    }
    exporting.join();
    STRCMP_EQUAL("", exporter.fault().c_str());
    CHECK(first_held > 1);
    CHECK_EQUAL(kFlows + 2u, next);
    CHECK_EQUAL(first_held - 1, exporter.state().records_dropped);
    CHECK_EQUAL(kFlows, ledger.records_created());
    CHECK_EQUAL(kFlows - (first_held - 1), ledger.records_sent());
    CHECK_EQUAL(1, ledger.records_lost_size());
    STRCMP_EQUAL("dropped", ledger.records_lost(0).reason().c_str());
    CHECK_EQUAL(first_held - 1, ledger.records_lost(0).packets());
    CHECK_EQUAL(1, ledger.losses_size());
    CHECK_EQUAL(first_held - 1, ledger.losses(0).lost());
    CHECK(ledger.losses(0).to_ns() < kFlows);
    // Segments that hold nothing but what was dropped are gone.
    std::vector<std::string> problems;
    CHECK_EQUAL(0u, folder.left(problems).size());
}

TEST(ExporterLosses, what_was_dropped_no_later_run_sends) {
    constexpr uint16_t kFlows = 3000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    uint64_t dropped = 0;
    {
        // What is dropped stays in the one segment.
        Spool spool(folder, 99, hello_frame());
        ScriptedPort port(datagrams(kFlows));
        Dispatcher dispatcher({}, {&port}, test_inspector());
        Exporter exporter({.probe_id = 7,
                           .epoch = 99,
                           .batch_octets = 4 * 1024,
                           .outbox_octets = 1,
                           .spool_octets = 100'000,
                           .wait_for_collector = false,
                           .drop_oldest = true,
                           .drain = std::chrono::milliseconds(0)},
                          test_signatures(),
                          sender,
                          &spool);
        dispatcher.run({});
        exporter.finish(dispatcher.ledger());
        exporter.run(dispatcher.record_rings());
        dropped = exporter.state().records_dropped;
    }
    CHECK(dropped != 0);
    std::vector<std::string> problems;
    const std::vector<SpooledRun> left = folder.left(problems);
    CHECK_EQUAL(0u, problems.size());
    CHECK_EQUAL(1u, left.size());
    CHECK_EQUAL(kFlows - dropped, left[0].records());
    CHECK_EQUAL(dropped + 1, left[0].frames.front().first_sequence);
}

TEST(ExporterLosses, the_oldest_stay_while_there_is_room_in_memory) {
    constexpr uint16_t kFlows = 3000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    Spool spool(folder, 99, hello_frame());
    ScriptedPort port(datagrams(kFlows));
    Dispatcher dispatcher({}, {&port}, test_inspector());
    Exporter exporter({.probe_id = 7,
                       .epoch = 99,
                       .batch_octets = 4 * 1024,
                       .outbox_octets = 4 << 20,
                       .spool_octets = 30'000,
                       .wait_for_collector = false,
                       .drop_oldest = true,
                       .drain = std::chrono::milliseconds(0)},
                      test_signatures(),
                      sender,
                      &spool);
    dispatcher.run({});
    exporter.finish(dispatcher.ledger());
    exporter.run(dispatcher.record_rings());
    CHECK_EQUAL(0u, exporter.state().records_dropped);
    CHECK_EQUAL(kFlows, exporter.state().records_waiting + exporter.state().records_lost);
    // Both were used.
    CHECK(exporter.state().records_lost > 0);
    CHECK(exporter.state().records_lost < kFlows);
}

TEST(ExporterLosses, what_was_dropped_on_its_way_counts_when_it_is_known_not_to_have_arrived) {
    constexpr uint64_t kRecords = 40;
    constexpr uint64_t kArrived = 3;
    proto::ChannelSender narrow{
        context, {.endpoint = kExporterEndpoint, .probe_id = 7, .epoch = 99, .window_frames = 4}};
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    ByteRing ring(65536);
    put_records(ring, kArrived + 2);
    Exporter exporter({.probe_id = 7,
                       .epoch = 99,
                       .batch_octets = 1,  // each record is a frame
                       .outbox_octets = 1'000,
                       .wait_for_collector = false,
                       .serialized_records = true,
                       .drop_oldest = true},
                      test_signatures(),
                      narrow);
    std::thread exporting([&] { exporter.run({&ring}); });
    uint64_t arrived = 0;
    uint64_t first_held = 1;
    proto::ProbeLedger ledger;
    while (!ledger.final()) {
        const auto frame = receiver.receive(std::chrono::seconds(20));
        CHECK_TRUE(frame.has_value());
        const proto::FrameView view = view_of(frame->octets);
        if (view.header.kind == proto::FrameKind::hello) {
            if (std::exchange(first_held, view.header.first_sequence) == 1 && first_held != 1) {
                // It ends while its collector is away, which answers the next hello.
                exporter.finish(with_records_created(kRecords));
                continue;
            }
            // What came before is what a collector has that was killed.
            receiver.welcome(*frame, arrived);
            continue;
        }
        if (first_held == 1) {
            arrived += arrived < kArrived ? 1 : 0;
            if (arrived == kArrived && view.header.first_sequence == kArrived) {
                put_records(ring, kRecords - kArrived - 2);
                while (exporter.state().records_sent != kRecords) {
                    std::this_thread::yield();
                }
            }
            continue;
        }
        arrived += view.header.record_count;
        const uint64_t last =
            view.header.first_sequence + std::max<uint32_t>(view.header.record_count, 1) - 1;
        receiver.acknowledge(frame->peer, 7, 99, last);
        if (view.header.kind == proto::FrameKind::ledger) {
            CHECK_TRUE(ledger.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
        }
    }
    exporting.join();
    CHECK(first_held > kArrived + 2);
    CHECK_EQUAL(kRecords, arrived + exporter.state().records_dropped);
    CHECK_EQUAL(first_held - 1 - kArrived, exporter.state().records_dropped);
    CHECK_EQUAL(1, ledger.records_lost_size());
    CHECK_EQUAL(exporter.state().records_dropped, ledger.records_lost(0).packets());
    CHECK_EQUAL(kRecords, ledger.records_sent() + ledger.records_lost(0).packets());
}

TEST(ExporterLosses, what_is_in_memory_alone_at_the_end_is_in_the_ledger_that_waits_in_the_spool) {
    constexpr uint16_t kFlows = 3000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    uint64_t lost = 0;
    {
        Spool spool(folder, 99, hello_frame());
        ScriptedPort port(datagrams(kFlows));
        Dispatcher dispatcher({}, {&port}, test_inspector());
        Exporter exporter({.probe_id = 7,
                           .epoch = 99,
                           .batch_octets = 4 * 1024,
                           .spool_octets = 100'000,
                           .wait_for_collector = false,
                           .drain = std::chrono::milliseconds(0)},
                          test_signatures(),
                          sender,
                          &spool);
        dispatcher.run({});
        exporter.finish(dispatcher.ledger());
        exporter.run(dispatcher.record_rings());
        lost = exporter.state().records_lost;
        CHECK(lost > 0 && lost < kFlows);
        CHECK_EQUAL(kFlows - lost, exporter.state().records_waiting);
        STRCMP_EQUAL(
            ("the collector did not acknowledge " + std::to_string(lost) + " records in time")
                .c_str(),
            exporter.fault().c_str());
    }
    std::vector<std::string> problems;
    uint64_t waiting = 0;
    for (const SpooledRun& run : folder.left(problems)) {
        waiting += run.records();
    }
    CHECK_EQUAL(kFlows - lost, waiting);
    const std::vector<std::string> frames = deliver_left(folder, context);
    proto::ProbeLedger ledger;
    const proto::FrameView last = view_of(frames.back());
    CHECK_TRUE(ledger.ParseFromArray(last.body.data(), static_cast<int>(last.body.size())));
    CHECK_TRUE(ledger.final());
    CHECK_EQUAL(kFlows, ledger.records_created());
    CHECK_EQUAL(kFlows - lost, ledger.records_sent());
    CHECK_EQUAL(1, ledger.records_lost_size());
    STRCMP_EQUAL("outbox", ledger.records_lost(0).reason().c_str());
    CHECK_EQUAL(lost, ledger.records_lost(0).packets());
    CHECK_EQUAL(1, ledger.losses_size());
    CHECK_EQUAL(lost, ledger.losses(0).lost());
}

TEST(ExporterLosses, a_ledger_in_the_spool_calls_nothing_complete_that_is_in_memory_alone) {
    constexpr uint16_t kFlows = 3000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    {
        Spool spool(folder, 99, hello_frame());
        ScriptedPort port(datagrams(kFlows));
        Dispatcher dispatcher({}, {&port}, test_inspector());
        Exporter exporter({.probe_id = 7,
                           .epoch = 99,
                           .batch_octets = 4 * 1024,
                           .spool_octets = 100'000,
                           .wait_for_collector = false,
                           .ledger_interval = std::chrono::hours(1),
                           .drain = std::chrono::milliseconds(0)},
                          test_signatures(),
                          sender,
                          &spool);
        dispatcher.run({});
        exporter.run(dispatcher.record_rings(), [&] {
            MeterLedger ledger = dispatcher.ledger();
            ledger.complete_until_ns = 1'000'000;
            exporter.finish(dispatcher.ledger());
            return ledger;
        });
        CHECK(exporter.state().records_lost > 0);
    }
    const std::vector<std::string> frames = deliver_left(folder, context);
    proto::ProbeLedger ledger;
    const proto::FrameView first = view_of(frames.back());
    CHECK_TRUE(ledger.ParseFromArray(first.body.data(), static_cast<int>(first.body.size())));
    CHECK_FALSE(ledger.final());
    CHECK(ledger.complete_until_ns() < kFlows);
}

TEST(ExporterLosses, what_was_on_its_way_at_the_end_is_in_doubt) {
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    constexpr uint64_t kRecords = 10;
    constexpr uint32_t kOnTheirWay = 4;
    {
        proto::ChannelSender narrow{context,
                                    {.endpoint = kExporterEndpoint,
                                     .probe_id = 7,
                                     .epoch = 99,
                                     .window_frames = kOnTheirWay}};
        proto::ChannelReceiver receiver(context, kExporterEndpoint);
        // Room for a ledger, and for no batch.
        Spool spool(folder, 99, hello_frame());
        ByteRing ring(65536);
        put_records(ring, kRecords, 4000);
        Exporter exporter({.probe_id = 7,
                           .epoch = 99,
                           .batch_octets = 1,
                           .spool_octets = 3000,
                           .wait_for_collector = false,
                           .serialized_records = true,
                           .drain = std::chrono::milliseconds(0)},
                          test_signatures(),
                          narrow,
                          &spool);
        std::thread exporting([&] { exporter.run({&ring}); });
        for (uint32_t taken = 0; taken < kOnTheirWay;) {
            const auto frame = receiver.receive(std::chrono::seconds(20));
            CHECK_TRUE(frame.has_value());
            if (frame->header.kind == proto::FrameKind::hello) {
                receiver.welcome(*frame, 0);
            } else {
                ++taken;
            }
        }
        exporter.finish(with_records_created(kRecords));
        exporting.join();
        STRCMP_EQUAL("the collector did not acknowledge 10 records in time",
                     exporter.fault().c_str());
    }
    const std::vector<std::string> frames = deliver_left(folder, context);
    CHECK_EQUAL(1u, frames.size());
    proto::ProbeLedger ledger;
    const proto::FrameView view = view_of(frames[0]);
    CHECK_TRUE(ledger.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
    CHECK_TRUE(ledger.final());
    CHECK_EQUAL(kOnTheirWay, ledger.records_sent());
    CHECK_EQUAL(kRecords - kOnTheirWay, ledger.records_lost(0).packets());
    CHECK_EQUAL(static_cast<int>(kOnTheirWay), ledger.in_doubt_size());
    for (uint64_t i = 1; i <= kOnTheirWay; ++i) {
        const proto::RecordsInDoubt& doubt = ledger.in_doubt(static_cast<int>(i) - 1);
        CHECK_EQUAL(i, doubt.first_sequence());
        CHECK_EQUAL(i, doubt.last_sequence());
        STRCMP_EQUAL("outbox", doubt.loss().reason().c_str());
        CHECK_EQUAL(1u, doubt.loss().lost());
    }
}
