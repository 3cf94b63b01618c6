#include <chrono>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "probe/exporter.h"
#include "tests/probe/exporter_fixture.h"
#include "tests/support/metering.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

// What becomes of records when the disk below the spool of a capture's probe fails. Each record is
// a frame.
TEST_GROUP(ExporterSpool) {
    proto::ChannelContext context;
    proto::ChannelSender sender{context,
                                {.endpoint = kExporterEndpoint, .probe_id = 7, .epoch = 99}};
    TemporaryFolder temporary;
    SpoolFolder folder{temporary.path() / "spool"};
    Spool spool{folder, 99, hello_frame()};
    ByteRing ring{65536};
    Exporter exporter{{.probe_id = 7,
                       .epoch = 99,
                       .batch_octets = 1,
                       .outbox_octets = 8 * 1024,
                       .spool_octets = uint64_t{1} << 30,
                       .serialized_records = true},
                      test_signatures(),
                      sender,
                      &spool};
    std::thread exporting;

    void begin(uint64_t records) {
        put_records(ring, records, 1000);
        exporting = std::thread([this] { exporter.run({&ring}); });
    }
    template <typename Condition>
    static void wait_until(Condition holds) {
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!holds() && std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
        CHECK_TRUE(holds());
    }
    // In the spool, when so many frames are synced.
    std::vector<SpooledRun::Frame> frames_of(uint64_t count) {
        wait_until([&] { return spool.synced() >= count; });
        std::vector<std::string> problems;
        return folder.left(problems).at(0).frames;
    }
    proto::ProbeLedger ledger_in(const proto::FrameView& view) {
        proto::ProbeLedger ledger;
        CHECK_TRUE(ledger.ParseFromArray(view.body.data(), static_cast<int>(view.body.size())));
        return ledger;
    }
};

TEST(ExporterSpool, a_capture_waits_for_its_collector_when_the_disk_takes_nothing) {
    constexpr uint64_t kRecords = 40;
    std::filesystem::remove_all(folder.path());
    exporter.finish(with_records_created(kRecords));
    begin(kRecords);
    wait_until([this] { return exporter.state().records_sent != 0; });
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    uint64_t records = 0;
    for (const std::string& octets : receive_all(receiver)) {
        records += view_of(octets).header.record_count;
    }
    exporting.join();
    CHECK_EQUAL(kRecords, records);
    CHECK_EQUAL(0u, exporter.state().records_lost);
    STRCMP_EQUAL("", exporter.fault().c_str());
}

TEST(ExporterSpool, what_the_disk_damaged_takes_nothing_else_along) {
    constexpr uint64_t kRecords = 9;
    constexpr uint64_t kGood = 3;
    constexpr uint64_t kDamaged = 4;
    begin(kRecords);
    const std::vector<SpooledRun::Frame> frames = frames_of(kRecords);
    for (uint64_t i = kGood; i < kGood + kDamaged; ++i) {
        flip_octet(frames[i].file, frames[i].offset + 200);
    }
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    std::string seen;
    proto::ProbeLedger ledger;
    while (!ledger.final()) {
        const auto frame = receiver.receive(std::chrono::seconds(20));
        CHECK_TRUE(frame.has_value());
        const proto::FrameView view = view_of(frame->octets);
        const uint64_t first = view.header.first_sequence;
        if (view.header.kind == proto::FrameKind::hello) {
            // One that nobody answered at once is said again.
            seen += seen.ends_with(": ") ? "" : "from " + std::to_string(first) + ": ";
            receiver.welcome(*frame, first - 1);
            continue;
        }
        seen += std::to_string(first) + " ";
        if (first < kGood) {
            continue;
        }
        if (first == kGood) {
            // What is on its way stays until it is known to have arrived.
            for (int i = 0; i < 20; ++i) {
                CHECK_FALSE(receiver.receive(std::chrono::milliseconds(1)).has_value());
            }
            CHECK_EQUAL(0u, exporter.state().records_dropped);
        }
        receiver.acknowledge(frame->peer, 7, 99, first);
        if (first == kRecords) {
            exporter.finish(with_records_created(kRecords));
        }
        if (view.header.kind == proto::FrameKind::ledger) {
            ledger = ledger_in(view);
        }
    }
    exporting.join();
    STRCMP_EQUAL("from 1: 1 2 3 from 8: 8 9 10 ", seen.c_str());
    CHECK_EQUAL(kRecords - kDamaged, ledger.records_sent());
    CHECK_EQUAL(1, ledger.records_lost_size());
    STRCMP_EQUAL("dropped", ledger.records_lost(0).reason().c_str());
    CHECK_EQUAL(kDamaged, ledger.records_lost(0).packets());
    STRCMP_EQUAL("4 records could not be read in the spool and are lost", exporter.fault().c_str());
    const std::vector<std::string> news = exporter.news();
    CHECK_EQUAL(1u, news.size());
    STRCMP_CONTAINS("bad_checksum; it is kept as ", news[0].c_str());
}

TEST(ExporterSpool, a_last_ledger_that_the_disk_lost_is_told_again_with_what_went_with_it) {
    constexpr uint64_t kRecords = 4;
    exporter.finish(with_records_created(kRecords));
    begin(kRecords);
    for (const SpooledRun::Frame& frame : frames_of(kRecords + 1)) {
        flip_octet(frame.file, frame.offset + 50);
    }
    proto::ChannelReceiver receiver(context, kExporterEndpoint);
    const std::vector<std::string> frames = receive_all(receiver);
    exporting.join();
    CHECK_EQUAL(1u, frames.size());
    const proto::FrameView view = view_of(frames[0]);
    CHECK_EQUAL(kRecords + 2, view.header.first_sequence);
    const proto::ProbeLedger ledger = ledger_in(view);
    CHECK_TRUE(ledger.final());
    CHECK_EQUAL(0u, ledger.records_sent());
    CHECK_EQUAL(kRecords, ledger.records_lost(0).packets());
}
