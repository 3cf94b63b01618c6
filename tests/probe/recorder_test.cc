#include "probe/recorder.h"

#include <array>
#include <fstream>
#include <thread>

#include "probe/dispatcher.h"
#include "probe/replay_port.h"
#include "tests/probe/recording_files.h"
#include "tests/support/metering.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;
using namespace curlew::tests;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kMinute = 60 * kSecond;
// 2023-11-14 22:20:00, the beginning of ten minutes.
constexpr uint64_t kWindow = 1'700'000'400 * kSecond;

std::vector<uint64_t> times_in(const fs::path& folder) {
    std::vector<uint64_t> times;
    for (const Recorded& packet : packets_in(folder)) {
        times.push_back(packet.time_ns);
    }
    return times;
}

}  // namespace

TEST_GROUP(Recorder) {
    TemporaryFolder temporary;
    fs::path folder = temporary.path() / "recording";
    RecorderConfig config = recorder_config(folder);
    RecordingLane lane{{.ring_octets = size_t{2} << 20, .queues = 4}};

    void offer_at(const std::vector<uint64_t>& times_ns) {
        for (const uint64_t time_ns : times_ns) {
            offer(lane, packet_at(time_ns));
        }
        lane.flush();
    }
};

TEST(Recorder, a_file_is_named_after_probe_time_epoch_and_number) {
    offer_at({kWindow + 1, kWindow + 2});
    const RecordingLedger ledger = record(config, {&lane});
    const std::string name = "hall-2-20231114T222000Z-0123456789abcdef-000001.pcapng";
    CHECK(names_in(folder) == std::vector<std::string>{name});
    LONGS_EQUAL(2, ledger.packets_recorded);
    LONGS_EQUAL(2 * 46, ledger.octets_recorded);
    LONGS_EQUAL(1, ledger.files.size());
    STRCMP_EQUAL(name.c_str(), ledger.files[0].name.c_str());
    CHECK(ledger.files[0].from_ns == kWindow + 1);
    CHECK(ledger.files[0].to_ns == kWindow + 2);
    const Block section = blocks_of(content_of(folder / name)).front();
    STRCMP_EQUAL("recording of probe hall-2, epoch 0123456789abcdef, file 1",
                 section.options(16).at(1).c_str());
}

TEST(Recorder, without_a_packet_there_is_no_file) {
    const RecordingLedger ledger = record(config, {&lane});
    CHECK(names_in(folder).empty());
    CHECK(ledger.files.empty());
}

TEST(Recorder, a_file_ends_with_its_minutes_and_what_comes_late_stays_in_it) {
    config.rotate = {.minutes = 10, .octets = 0};
    offer_at({kWindow + 9 * kMinute,
              kWindow + 10 * kMinute,
              kWindow + 9 * kMinute + 1,
              kWindow + 20 * kMinute,
              // A clock that went back begins another one as well.
              kWindow});
    record(config, {&lane});
    // Named by the latest beginning so far: they sort as they were recorded.
    const std::vector<std::string> names = names_in(folder);
    LONGS_EQUAL(4, names.size());
    STRCMP_EQUAL("hall-2-20231114T222900Z-0123456789abcdef-000001.pcapng", names[0].c_str());
    LONGS_EQUAL(1, packets_of(folder / names[0]).size());
    LONGS_EQUAL(2, packets_of(folder / names[1]).size());
    STRCMP_EQUAL("hall-2-20231114T224000Z-0123456789abcdef-000004.pcapng", names[3].c_str());
    CHECK(times_in(folder).back() == kWindow);
}

TEST(Recorder, a_file_ends_with_its_octets) {
    config.rotate = {.minutes = 0, .octets = 1000};
    for (uint64_t i = 0; i < 20; ++i) {
        offer(lane, packet_at(kWindow + i * kSecond, 100));
    }
    lane.flush();
    const RecordingLedger ledger = record(config, {&lane});
    const std::vector<std::string> names = names_in(folder);
    CHECK(names.size() > 3);
    LONGS_EQUAL(names.size(), ledger.files.size());
    for (size_t i = 0; i < names.size(); ++i) {
        STRCMP_EQUAL(ledger.files[i].name.c_str(), names[i].c_str());
        CHECK(fs::file_size(folder / names[i]) < 1000 + 250 + 200);
    }
    LONGS_EQUAL(20, packets_in(folder).size());
}

TEST(Recorder, packets_of_several_workers_are_put_in_order_of_time) {
    RecordingLane other({.ring_octets = size_t{2} << 20});
    offer_at({kWindow + 1, kWindow + 4, kWindow + 5});
    offer(other, packet_at(kWindow + 2));
    offer(other, packet_at(kWindow + 3));
    other.flush();
    offer(other, packet_at(kWindow + 6));
    other.flush();
    record(config, {&lane, &other});
    CHECK((times_in(folder) ==
           std::vector<uint64_t>{
               kWindow + 1, kWindow + 2, kWindow + 3, kWindow + 4, kWindow + 5, kWindow + 6}));
}

TEST(Recorder, interfaces_and_queues_are_told_apart) {
    config.interfaces = {{"net_x0", "net_x", ""}, {"net_x1", "net_x", ""}};
    config.queues = {{0, 0}, {0, 1}, {1, 0}};
    offer(lane, packet_at(kWindow), 1);
    offer(lane, packet_at(kWindow), 2);
    lane.flush();
    record(config, {&lane}, {{}, {}, {}});
    const std::vector<Recorded> packets = packets_in(folder);
    LONGS_EQUAL(0, packets[0].interface);
    LONGS_EQUAL(1, packets[0].queue);
    LONGS_EQUAL(1, packets[1].interface);
    LONGS_EQUAL(0, packets[1].queue);
    LONGS_EQUAL(4 << 2, packets[0].flags);
}

TEST(Recorder, what_found_no_room_is_told_by_the_next_packet_and_the_statistics) {
    uint64_t offered = 0;
    while (lane.packets_lost() < 5) {
        offer(lane, packet_at(kWindow + ++offered, 1400));
        lane.flush();
    }
    PortCounters port;
    port.packets_offered = offered + 30;
    port.packets_filtered = 20;
    port.packets_missed = 10;
    config.is_live = true;
    Recorder recorder(config, {&lane}, [&] { return std::vector{port}; });
    std::thread thread([&] { recorder.run(); });
    while (recorder.ledger().packets_recorded + lane.packets_lost() < offered) {
        std::this_thread::yield();
    }
    offer(lane, packet_at(kWindow + ++offered));
    lane.flush();
    recorder.finish(0);
    thread.join();
    const std::vector<Recorded> packets = packets_in(folder);
    LONGS_EQUAL(5, packets.back().lost_before);
    LONGS_EQUAL(1 | 4 << 2, packets.back().flags);
    LONGS_EQUAL(offered,
                recorder.ledger().packets_recorded + recorder.ledger().packets_lost_in_ring);
    LONGS_EQUAL(packets.size(), recorder.ledger().packets_recorded);
    const Block last = blocks_of(content_of(folder / names_in(folder).front())).back();
    LONGS_EQUAL(kStatistics, last.type);
    LONGS_EQUAL(5, number_of(last.options(12).at(7)));
    LONGS_EQUAL(packets.size(), number_of(last.options(12).at(8)));
}

TEST(Recorder, statistics_are_those_of_the_file) {
    offer_at({kWindow + 1, kWindow + 2});
    PortCounters at_end;
    at_end.packets_offered = 40;
    at_end.packets_filtered = 20;
    at_end.packets_missed = 3;
    at_end.packets_in_error = 2;
    at_end.packets_without_buffer = 1;
    record(config, {&lane}, {at_end});
    const Block last = blocks_of(content_of(folder / names_in(folder).front())).back();
    const auto options = last.options(12);
    CHECK(last.time(4) == kWindow + 2);
    LONGS_EQUAL(40, number_of(options.at(4)));
    LONGS_EQUAL(6, number_of(options.at(5)));
    LONGS_EQUAL(14, number_of(options.at(6)));
    LONGS_EQUAL(0, number_of(options.at(7)));
    LONGS_EQUAL(2, number_of(options.at(8)));
}

TEST(Recorder, statistics_of_all_files_together_are_those_of_the_epoch) {
    config.rotate = {.minutes = 0, .octets = 1};
    offer_at({kWindow + 1, kWindow + 2, kWindow + 3});
    // Each look finds ten more, one of them lost, the first look those from before the first file.
    PortCounters counters;
    Recorder recorder(config, {&lane}, [&counters] {
        counters.packets_offered += 10;
        counters.packets_missed += 1;
        return std::vector<PortCounters>{counters};
    });
    recorder.finish(0);
    recorder.run();
    uint64_t received = 0;
    uint64_t dropped = 0;
    for (const std::string& name : names_in(folder)) {
        const auto options = blocks_of(content_of(folder / name)).back().options(12);
        received += number_of(options.at(4));
        dropped += number_of(options.at(5));
    }
    LONGS_EQUAL(3, names_in(folder).size());
    LONGS_EQUAL(counters.packets_offered, received);
    LONGS_EQUAL(counters.packets_missed, dropped);
}

TEST(Recorder, the_last_file_says_when_the_input_ended) {
    config.rotate = {.minutes = 0, .octets = 1};
    offer_at({kWindow + 1, kWindow + 2});
    Recorder recorder(config, {&lane}, [] { return std::vector<PortCounters>(1); });
    recorder.finish(kWindow + kMinute);
    recorder.run();
    for (const auto& [file, end_ns] :
         {std::pair(0, kWindow + 1), std::pair(1, kWindow + kMinute)}) {
        const fs::path path = folder / names_in(folder)[static_cast<size_t>(file)];
        CHECK(blocks_of(content_of(path)).back().time(4) == end_ns);
        ReplayPort port(path);
        std::array<PacketView, kMaximumBurst> burst;
        LONGS_EQUAL(1, port.receive(burst));
        port.release();
        LONGS_EQUAL(0, port.receive(burst));
        CHECK(port.end_ns() == end_ns);
    }
}

TEST(Recorder, a_disk_that_takes_nothing_loses_packets_in_count_and_one_line) {
    config.keep.min_free = ~uint64_t{0};
    Recorder recorder(config, {&lane}, [] { return std::vector<PortCounters>(1); });
    offer_at({kWindow, kWindow + 1, kWindow + 2});
    recorder.finish(0);
    recorder.run();
    LONGS_EQUAL(3, recorder.ledger().packets_lost_at_disk);
    LONGS_EQUAL(0, recorder.ledger().packets_recorded);
    const std::vector<std::string> news = recorder.news();
    LONGS_EQUAL(1, news.size());
    STRCMP_CONTAINS("octets are free at", news[0].c_str());
    CHECK(names_in(folder).empty());
}

TEST(Recorder, all_files_together_never_have_more_octets_than_are_kept) {
    constexpr uint64_t kKept = uint64_t{8} << 20;
    config.rotate = {.minutes = 0, .octets = 0};
    config.keep.octets = kKept;
    Recorder recorder(config, {&lane}, [] { return std::vector<PortCounters>(1); });
    std::thread writing([&] { recorder.run(); });
    uint64_t most = 0;
    for (uint64_t i = 0; i < 600; ++i) {
        offer(lane, packet_at(kWindow + i, 60'000));
        lane.flush();
        // Every megabyte is written, and looked at before the next one.
        while (recorder.ledger().packets_recorded + 20 < i) {
            std::this_thread::yield();
        }
        uint64_t octets = 0;
        for (const std::string& name : names_in(folder)) {
            std::error_code gone;
            const uint64_t size = fs::file_size(folder / name, gone);
            octets += gone ? 0 : size;
        }
        most = std::max(most, octets);
    }
    recorder.finish(0);
    writing.join();
    LONGS_EQUAL(600, recorder.ledger().packets_recorded);
    CHECK(most <= kKept);
    CHECK(most > kKept / 2);
}

TEST(Recorder, the_open_file_counts_once) {
    const std::string complete = "p-20200101T000000Z-0123456789abcdef-000001.pcapng";
    fs::create_directories(folder);
    { const std::ofstream made(folder / complete); }
    fs::resize_file(folder / complete, uint64_t{2} << 20);
    config.rotate = {.minutes = 0, .octets = 0};
    config.keep.octets = uint64_t{8} << 20;
    Recorder recorder(config, {&lane}, [] { return std::vector<PortCounters>(1); });
    std::thread writing([&] { recorder.run(); });
    for (uint64_t i = 0; i < 60; ++i) {
        offer(lane, packet_at(kWindow + i, 60'000));
        lane.flush();
        while (recorder.ledger().packets_recorded + 20 < i) {
            std::this_thread::yield();
        }
    }
    recorder.finish(0);
    writing.join();
    LONGS_EQUAL(60, recorder.ledger().packets_recorded);
    CHECK(fs::exists(folder / complete));
    LONGS_EQUAL(2, names_in(folder).size());
}

TEST(Recorder, a_complete_file_stays_while_the_next_write_has_room) {
    const std::string complete = "p-20200101T000000Z-0123456789abcdef-000001.pcapng";
    fs::create_directories(folder);
    { const std::ofstream made(folder / complete); }
    fs::resize_file(folder / complete, uint64_t{61} << 20);
    config.rotate = {.minutes = 0, .octets = 0};
    config.keep.octets = uint64_t{64} << 20;
    offer_at({kWindow});
    LONGS_EQUAL(1, record(config, {&lane}).packets_recorded);
    CHECK(fs::exists(folder / complete));
    LONGS_EQUAL(2, names_in(folder).size());
}

TEST(Recorder, a_folder_that_is_removed_costs_what_was_being_written_and_is_made_again) {
    config.retry = std::chrono::milliseconds(0);
    Recorder recorder(config, {&lane}, [] { return std::vector<PortCounters>(1); });
    std::thread writing([&] { recorder.run(); });
    const auto settle = [&](uint64_t packets) {
        RecordingLedger ledger;
        do {
            std::this_thread::yield();
            ledger = recorder.ledger();
        } while (ledger.packets_recorded + ledger.packets_lost_at_disk < packets);
    };
    offer_at({kWindow, kWindow + 1});
    settle(2);
    fs::rename(folder, temporary.path() / "moved");
    offer_at({kWindow + 2, kWindow + 3});
    settle(4);
    offer_at({kWindow + 4});
    recorder.finish(0);
    writing.join();
    LONGS_EQUAL(3, recorder.ledger().packets_recorded);
    LONGS_EQUAL(2, recorder.ledger().packets_lost_at_disk);
    CHECK((times_in(folder) == std::vector<uint64_t>{kWindow + 4}));
    LONGS_EQUAL(2, packets_in(folder).at(0).lost_before);
    CHECK((times_in(temporary.path() / "moved") == std::vector<uint64_t>{kWindow, kWindow + 1}));
    const std::vector<std::string> news = recorder.news();
    LONGS_EQUAL(3, news.size());
    STRCMP_CONTAINS(
        "was removed or moved while it was open; packets are metered, but not recorded, "
        "until a file takes them",
        news[0].c_str());
    STRCMP_CONTAINS("had gone", news[1].c_str());
    STRCMP_CONTAINS("recording goes on with", news[2].c_str());
}

TEST(Recorder, every_metered_packet_is_recorded_octet_by_octet_whatever_the_workers) {
    std::vector<Packet> packets;
    for (uint64_t i = 0; i < 4000; ++i) {
        PacketBuilder builder = PacketBuilder{}.ethernet();
        if (i % 3 == 0) {
            builder.vlan(7);
        }
        builder.ipv4("10.0.0.1", "10.0.0.2").udp(static_cast<uint16_t>(1000 + i % 97), 53);
        builder.payload(Octets(i % 700, static_cast<uint8_t>(i))).padding(i % 5);
        const Packet packet = builder.time_ns(kWindow + i * 1'000'000).build();
        packets.push_back(i % 11 == 0 ? packet.captured(50) : packet);
    }
    packets.push_back(PacketBuilder{}.ethernet().ethertype(0x0806).payload("arp").build());
    for (const size_t workers : {1, 2, 3}) {
        config.folder = folder / std::to_string(workers);
        const auto port = port_of(packets);
        DispatcherConfig dispatching;
        dispatching.workers = workers;
        // Fuller than one burst, and not large enough for all.
        dispatching.worker.recording.ring_octets = size_t{2} << 20;
        Dispatcher dispatcher(dispatching, {port.get()}, test_inspector());
        Recorder recorder(
            config, dispatcher.recording_lanes(), [&] { return dispatcher.port_counters(); });
        std::thread recording([&] { recorder.run(); });
        std::thread reading([&] { dispatcher.run({}); });
        reading.join();
        recorder.finish(0);
        recording.join();
        const std::vector<Recorded> found = packets_in(config.folder);
        LONGS_EQUAL(packets.size() - 1, found.size());
        LONGS_EQUAL(found.size(), recorder.ledger().packets_recorded);
        std::map<uint64_t, const Recorded*> by_time;
        for (const Recorded& one : found) {
            by_time[one.time_ns] = &one;
        }
        for (size_t i = 0; i + 1 < packets.size(); ++i) {
            const Recorded* one = by_time[packets[i].time_ns];
            CHECK(one != nullptr && one->octets == packets[i].octets);
            LONGS_EQUAL(packets[i].wire_octets, one->wire_octets);
        }
    }
}
