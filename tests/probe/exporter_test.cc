#include "probe/exporter.h"

#include <chrono>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/dispatcher.h"
#include "probe/scripted_port.h"
#include "proto/channel.h"
#include "proto/flow.pb.h"
#include "tests/probe/exporter_fixture.h"
#include "tests/support/metering.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;

TEST_GROUP(Exporter) {
    proto::ChannelContext context;
    proto::ChannelSender sender{context,
                                {.endpoint = kExporterEndpoint, .probe_id = 7, .epoch = 99}};
};

TEST(Exporter, records_arrive_in_sequence_and_the_ledger_ends_them) {
    constexpr uint16_t kFlows = 3000;
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    ScriptedPort port(datagrams(kFlows));
    Dispatcher dispatcher({}, {&port}, test_inspector());
    Exporter exporter(
        {.probe_id = 7, .epoch = 99, .batch_octets = 8 * 1024}, test_signatures(), sender);
    std::thread exporting([&] { exporter.run(dispatcher.record_rings()); });
    std::thread metering([&] {
        dispatcher.run({});
        MeterLedger ledger = dispatcher.ledger();
        ledger.capture_warning = "torn";
        exporter.finish(ledger);
    });
    const std::vector<std::string> frames = receive_all(receiver);
    metering.join();
    exporting.join();
    STRCMP_EQUAL("", exporter.fault().c_str());
    CHECK(frames.size() > 10);
    uint64_t next = 1;
    uint64_t records = 0;
    for (size_t i = 0; i + 1 < frames.size(); ++i) {
        const proto::FrameView view = view_of(frames[i]);
        CHECK_EQUAL(next, view.header.first_sequence);
        CHECK_EQUAL(99u, view.header.epoch);
        proto::FlowBatch batch;
        CHECK_TRUE(batch.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
        CHECK_EQUAL(proto::SCHEMA_VERSION_CURRENT, batch.schema_version());
        CHECK_EQUAL(view.header.record_count, static_cast<uint32_t>(batch.flows_size()));
        next += view.header.record_count;
        records += view.header.record_count;
    }
    CHECK_EQUAL(kFlows, records);
    const proto::FrameView last = view_of(frames.back());
    CHECK_EQUAL(next, last.header.first_sequence);
    proto::ProbeLedger ledger;
    CHECK_TRUE(ledger.ParseFromArray(last.body.data(), static_cast<int>(last.body.size())));
    CHECK_EQUAL(kFlows, ledger.packets_offered());
    CHECK_EQUAL(kFlows, ledger.packets_metered());
    CHECK_EQUAL(kFlows, ledger.records_created());
    CHECK_EQUAL(kFlows, ledger.records_sent());
    CHECK_EQUAL(0u, ledger.records_waiting());
    CHECK_TRUE(ledger.final());
    CHECK_EQUAL(0, ledger.records_lost_size());
    STRCMP_EQUAL("torn", ledger.capture_warning().c_str());
}

TEST(Exporter, without_a_collector_the_rings_are_emptied_and_the_records_counted_as_lost) {
    ScriptedPort port(datagrams(500));
    Dispatcher dispatcher({}, {&port}, test_inspector());
    Exporter exporter({.probe_id = 7, .epoch = 99}, test_signatures(), sender);
    exporter.abandon();
    std::thread exporting([&] { exporter.run(dispatcher.record_rings()); });
    dispatcher.run({});
    exporter.finish(dispatcher.ledger());
    exporting.join();
    STRCMP_EQUAL("the collector does not answer: records are lost", exporter.fault().c_str());
    CHECK_EQUAL(500u, exporter.state().records_lost);
    CHECK_TRUE(dispatcher.record_rings()[0]->front().empty());
}

TEST(Exporter, what_no_collector_took_is_in_the_spool_and_goes_first_the_next_time) {
    constexpr uint16_t kFlows = 2000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    {
        Spool spool(folder, 99, hello_frame());
        ScriptedPort port(datagrams(kFlows));
        Dispatcher dispatcher({}, {&port}, test_inspector());
        Exporter exporter({.probe_id = 7,
                           .epoch = 99,
                           .batch_octets = 4 * 1024,
                           .outbox_octets = 1,
                           .spool_octets = 1 << 24,
                           .wait_for_collector = false,
                           .drain = std::chrono::milliseconds(0)},
                          test_signatures(),
                          sender,
                          &spool);
        dispatcher.run({});
        exporter.finish(dispatcher.ledger());
        exporter.run(dispatcher.record_rings());
        STRCMP_EQUAL("", exporter.fault().c_str());
        CHECK_EQUAL(0u, exporter.state().records_lost);
        CHECK_EQUAL(kFlows, exporter.state().records_waiting);
        STRCMP_EQUAL("2000 records wait in the spool for the next run",
                     exporter.news().at(0).c_str());
    }
    std::vector<std::string> problems;
    Leftover left(
        folder, folder.left(problems), context, {.endpoint = kExporterEndpoint, .hello = {}});
    CHECK_EQUAL(kFlows, left.records_waiting());
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    std::vector<std::string> frames;
    std::thread receiving([&] { frames = receive_all(receiver); });
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!left.is_done() && std::chrono::steady_clock::now() < end) {
        left.turn(std::chrono::milliseconds(1));
    }
    receiving.join();
    uint64_t next = 1;
    for (size_t i = 0; i + 1 < frames.size(); ++i) {
        const proto::FrameView view = view_of(frames[i]);
        CHECK_EQUAL(next, view.header.first_sequence);
        next += view.header.record_count;
    }
    CHECK_EQUAL(kFlows + 1u, next);
    CHECK_EQUAL(0u, folder.left(problems).size());
}

TEST(Exporter, while_the_collector_is_away_the_spool_gets_a_ledger_now_and_then) {
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    {
        Spool spool(folder, 99, hello_frame());
        ByteRing ring(65536);
        Exporter exporter({.probe_id = 7,
                           .epoch = 99,
                           .spool_octets = 1 << 20,
                           .wait_for_collector = false,
                           .ledger_interval = std::chrono::milliseconds(1),
                           .drain = std::chrono::milliseconds(0)},
                          test_signatures(),
                          sender,
                          &spool);
        std::atomic<int> asked{0};
        std::thread exporting([&] {
            exporter.run({&ring}, [&] {
                ++asked;
                return MeterLedger();
            });
        });
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        // Twice for each.
        constexpr int kAskedForFourth = 7;
        while (asked < kAskedForFourth && std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
        exporter.finish(MeterLedger());
        exporting.join();
        CHECK(asked >= kAskedForFourth);
    }
    std::vector<std::string> problems;
    const std::vector<SpooledRun> left = folder.left(problems);
    CHECK_EQUAL(1u, left.size());
    CHECK(left[0].frames.size() >= 4);
    CHECK_EQUAL(0u, left[0].records());
}

TEST(Exporter, what_a_ledger_calls_complete_has_its_numbers_before_it) {
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    ByteRing ring(65536);
    Exporter exporter({.probe_id = 7,
                       .epoch = 99,
                       .wait_for_collector = false,
                       .serialized_records = true,
                       .ledger_interval = std::chrono::milliseconds(1)},
                      test_signatures(),
                      sender);
    // More than are taken in a turn, and a batch that is not full, come behind a look at the rings.
    constexpr uint64_t kRecords = 700;
    int asked = 0;
    std::thread exporting([&] {
        exporter.run({&ring}, [&] {
            MeterLedger ledger;
            ledger.complete_until_ns = asked == 0 ? 5 : 9;
            put_records(ring, asked++ == 0 ? kRecords : 0);
            return ledger;
        });
    });
    const std::string octets = receive_all(receiver).back();
    exporter.abandon();
    exporter.finish(with_records_created(kRecords));
    exporting.join();
    const proto::FrameView view = view_of(octets);
    proto::ProbeLedger ledger;
    CHECK_TRUE(ledger.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
    CHECK_EQUAL(5u, ledger.complete_until_ns());
    // They took a number before it.
    CHECK_EQUAL(kRecords, ledger.records_sent());
}

TEST(Exporter, through_the_spool_all_arrives_and_nothing_is_left_there) {
    constexpr uint16_t kFlows = 3000;
    const TemporaryFolder temporary;
    SpoolFolder folder(temporary.path());
    Spool spool(folder, 99, hello_frame(), 65536);
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    ScriptedPort port(datagrams(kFlows));
    Dispatcher dispatcher({}, {&port}, test_inspector());
    Exporter exporter(
        {.probe_id = 7, .epoch = 99, .batch_octets = 8 * 1024, .spool_octets = 1 << 24},
        test_signatures(),
        sender,
        &spool);
    std::thread exporting([&] { exporter.run(dispatcher.record_rings()); });
    std::thread metering([&] {
        dispatcher.run({});
        exporter.finish(dispatcher.ledger());
    });
    const std::vector<std::string> frames = receive_all(receiver);
    metering.join();
    exporting.join();
    STRCMP_EQUAL("", exporter.fault().c_str());
    uint64_t records = 0;
    for (const std::string& octets : frames) {
        records += view_of(octets).header.record_count;
    }
    CHECK_EQUAL(kFlows, records);
    std::vector<std::string> problems;
    CHECK_EQUAL(0u, folder.left(problems).size());
}

TEST(Exporter, serialized_records_cross_as_they_are) {
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    ByteRing ring(4096);
    proto::FlowSummary record;
    record.set_protocol_identifier(17);
    record.mutable_joy()->set_output_ordinal(5);
    const std::string octets = record.SerializeAsString();
    std::memcpy(ring.reserve(octets.size()), octets.data(), octets.size());
    ring.commit(octets.size());
    ExporterConfig config{.probe_id = 7, .epoch = 99};
    config.serialized_records = true;
    Exporter exporter(config, test_signatures(), sender);
    MeterLedger ledger;
    ledger.flows.records_created = 1;
    ledger.not_metered = {{"not_ipv4", 3}, {"ip_truncated", 0}};
    exporter.finish(ledger);
    std::thread exporting([&] { exporter.run({&ring}); });
    const std::vector<std::string> frames = receive_all(receiver);
    exporting.join();
    CHECK_EQUAL(2u, frames.size());
    proto::FlowBatch batch;
    const proto::FrameView first = view_of(frames[0]);
    CHECK_TRUE(batch.ParseFromArray(first.body.data(), static_cast<int>(first.body.size())));
    CHECK_EQUAL(1, batch.flows_size());
    CHECK_EQUAL(5u, batch.flows(0).joy().output_ordinal());
    proto::ProbeLedger told;
    const proto::FrameView last = view_of(frames[1]);
    CHECK_TRUE(told.ParseFromArray(last.body.data(), static_cast<int>(last.body.size())));
    CHECK_EQUAL(1, told.packets_not_metered_size());
    STRCMP_EQUAL("not_ipv4", told.packets_not_metered(0).reason().c_str());
    CHECK_EQUAL(3u, told.packets_not_metered(0).packets());
}
