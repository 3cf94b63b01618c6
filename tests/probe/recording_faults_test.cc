#include <cstdio>
#include <string>
#include <vector>

#include "tests/probe/recording_files.h"
#include "tests/support/file_faults.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// Every call by which a recording changes files fails once, and the process dies at every one.
// Whatever happens, each packet is recorded or counted as lost, and every file is whole.

using namespace curlew::probe;
using namespace curlew::probe::test;
using namespace curlew::tests;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kPackets = 60;

RecorderConfig several_files(const fs::path& folder) {
    RecorderConfig config = recorder_config(folder);
    // Each is written in several pieces.
    config.rotate = {.minutes = 0, .octets = 2'500'000};
    config.retry = std::chrono::milliseconds(0);
    return config;
}

RecordingLedger one_run(const RecorderConfig& config) {
    RecordingLane lane({.ring_octets = size_t{8} << 20});
    for (uint64_t i = 0; i < kPackets; ++i) {
        offer(lane, packet_at(1'700'000'000'000'000'000 + i, 60'000));
        lane.flush();
    }
    return record(config, {&lane});
}

}  // namespace

TEST_GROUP(RecordingFaults) {
    TemporaryFolder temporary;
    fs::path folder = temporary.path() / "recording";

    void teardown() override {
        watch_no_files();
    }
};

TEST(RecordingFaults, every_call_that_fails_costs_no_more_than_is_counted) {
    int failures = 0;
    for (const Fault fault : {Fault::no_space, Fault::broken}) {
        bool struck = true;
        for (uint64_t k = 1; struck; ++k) {
            const std::string when =
                "fault " + std::to_string(int(fault)) + " of call " + std::to_string(k);
            fs::create_directories(folder);
            put_content(folder / ".lock", "");
            watch_files(folder);
            arm_fault(fault, k);
            const RecordingLedger ledger = one_run(several_files(folder));
            struck = has_struck();
            watch_no_files();
            LONGS_EQUAL_TEXT(
                kPackets, ledger.packets_recorded + ledger.packets_lost_at_disk, when.c_str());
            // What could not be completed, the next start completes.
            record(several_files(folder), {});
            uint64_t told = 0;
            for (const std::string& name : names_in(folder)) {
                CHECK_TEXT(name.ends_with(".pcapng"), (when + ": " + name).c_str());
                for (const Recorded& packet : packets_of(folder / name)) {
                    told += packet.lost_before;
                }
            }
            LONGS_EQUAL_TEXT(ledger.packets_recorded, packets_in(folder).size(), when.c_str());
            CHECK_TEXT(told <= ledger.packets_lost_at_disk, when.c_str());
            failures += struck ? 1 : 0;
            fs::remove_all(folder);
        }
    }
    std::printf("%d failures ", failures);
    CHECK(failures > 20);
}

TEST(RecordingFaults, whoever_dies_at_any_call_leaves_whole_packets) {
    bool struck = true;
    for (uint64_t k = 1; struck; ++k) {
        fs::create_directories(folder);
        put_content(folder / ".lock", "");
        watch_files(folder);
        arm_fault(Fault::crash, k);
        const RecordingLedger ledger = one_run(several_files(folder));
        struck = has_struck();
        watch_no_files();
        record(several_files(folder), {});
        const std::string when = "crash at call " + std::to_string(k);
        for (const std::string& name : names_in(folder)) {
            CHECK_TEXT(name.ends_with(".pcapng"), (when + ": " + name).c_str());
            CHECK_TEXT(!packets_of(folder / name).empty(), (when + ": " + name).c_str());
        }
        CHECK_TEXT(packets_in(folder).size() <= kPackets, when.c_str());
        CHECK_TEXT(struck || ledger.packets_recorded == kPackets, when.c_str());
        fs::remove_all(folder);
    }
}
