#include "probe/recording_folder.h"

#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>

#include "probe/replay_port.h"
#include "tests/probe/recording_files.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;
using namespace curlew::tests;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kDay = 86'400'000'000'000;
const std::string kFile = "p-20251231T235900Z-0123456789abcdef-000001.pcapng";

std::span<const uint8_t> octets_in(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string recording(size_t packets) {
    std::string content;
    append_section("curlew-probe 1", "a comment", content);
    append_interface({"eth1", "net_x", ""}, content);
    for (size_t i = 0; i < packets; ++i) {
        const Packet packet = packet_at(1'000'000'000 + i, 3 * i);
        append_packet(
            {.time_ns = packet.time_ns, .wire_octets = packet.wire_octets, .octets = packet.octets},
            content);
    }
    append_statistics(0, {}, content);
    return content;
}

// Packets that a reader of captures finds; it must not come upon a broken end.
size_t packets_read(const fs::path& file) {
    ReplayPort port(file);
    std::array<PacketView, kMaximumBurst> burst;
    size_t packets = 0;
    while (const size_t count = port.receive(burst)) {
        packets += count;
        port.release();
    }
    CHECK(port.state() == PortState::ended);
    return packets;
}

}  // namespace

TEST_GROUP(RecordingFolder) {
    TemporaryFolder temporary;
    fs::path folder = temporary.path() / "a" / "b";

    void put(const std::string& name, size_t octets) {
        put_content(folder / name, std::string(octets, 'x'));
    }
};

TEST(RecordingFolder, belongs_to_one_probe) {
    const RecordingFolder first(folder, {});
    CHECK_THROWS(std::runtime_error, RecordingFolder(folder, {}));
    CHECK_THROWS(std::runtime_error, RecordingFolder("/proc/none", {}));
}

TEST(RecordingFolder, a_file_has_its_name_when_it_is_complete) {
    const RecordingFolder opened(folder, {});
    RecordingFile file(folder / "one.pcapng.open");
    file.append(octets_in("12345678"));
    file.append(octets_in("abc"));
    CHECK(names_in(folder) == std::vector<std::string>{"one.pcapng.open"});
    file.complete();
    CHECK(names_in(folder) == std::vector<std::string>{"one.pcapng"});
    STRCMP_EQUAL("12345678abc", content_of(folder / "one.pcapng").c_str());
    LONGS_EQUAL(11, file.octets());
    CHECK_THROWS(std::runtime_error, RecordingFile(folder / "none" / "two.pcapng.open"));
}

TEST(RecordingFolder, what_was_left_open_is_kept_to_its_last_whole_packet_wherever_it_ends) {
    RecordingFolder opened(folder, {});
    const std::string whole = recording(4);
    const std::vector<Block> blocks = blocks_of(whole);
    for (size_t octets = 0; octets <= whole.size(); ++octets) {
        put_content(folder / (kFile + ".open"), whole.substr(0, octets));
        size_t end = 0;
        size_t packets = 0;
        for (const Block& block : blocks) {
            end = block.end <= octets ? block.end : end;
            packets += block.end <= octets && block.type == kPacket ? 1 : 0;
        }
        LONGS_EQUAL(1, opened.recover().size());
        if (packets == 0) {
            CHECK(names_in(folder).empty());
            continue;
        }
        CHECK(names_in(folder) == std::vector<std::string>{kFile});
        CHECK(content_of(folder / kFile) == whole.substr(0, end));
        LONGS_EQUAL(packets, packets_read(folder / kFile));
        fs::remove(folder / kFile);
    }
}

TEST(RecordingFolder, a_long_file_is_recovered_piece_by_piece) {
    RecordingFolder opened(folder, {});
    std::string content = recording(1);
    const std::string more = recording(3000);
    while (content.size() < 5 * kLongestBlock) {
        content += more;
    }
    put_content(folder / (kFile + ".open"), content + "torn");
    LONGS_EQUAL(1, opened.recover().size());
    CHECK(content_of(folder / kFile) == content);
}

TEST(RecordingFolder, the_oldest_files_go_while_there_is_too_much) {
    fs::create_directories(folder);
    put("p-20260101T000000Z-0123456789abcdef-000001.pcapng", 100);
    put("p-20260101T000100Z-0123456789abcdef-000002.pcapng", 100);
    put("p-20260101T000200Z-0123456789abcdef-000003.pcapng", 100);
    put("whole.pcapng", 1000);
    put("p-20260101T000000Z-0123456789abcdef-notes.pcapng", 1000);
    RecordingFolder opened(folder, {.days = 0, .octets = 250, .min_free = 0});
    CHECK_TRUE(opened.keep_bounds("", 0, 1, 1, 0).has_value());
    LONGS_EQUAL(4, names_in(folder).size());
    STRCMP_EQUAL("p-20260101T000100Z-0123456789abcdef-000002.pcapng", names_in(folder)[1].c_str());
    // What is being written counts and stays.
    CHECK_TRUE(opened.keep_bounds("", 60, 40, 40, 0).has_value());
    STRCMP_EQUAL("p-20260101T000200Z-0123456789abcdef-000003.pcapng", names_in(folder)[1].c_str());
}

TEST(RecordingFolder, what_could_not_be_completed_counts_and_goes_like_the_others) {
    fs::create_directories(folder);
    const std::string first = "p-20260101T000000Z-0123456789abcdef-000001.pcapng.open";
    const std::string second = "p-20260101T000100Z-0123456789abcdef-000002.pcapng";
    const std::string open = "p-20260101T000200Z-0123456789abcdef-000003.pcapng.open";
    const auto now = fs::file_time_type::clock::now();
    put(first, 100);
    fs::last_write_time(folder / first, now - std::chrono::hours(2));
    put(second, 100);
    fs::last_write_time(folder / second, now - std::chrono::hours(1));
    put(open, 100);
    RecordingFolder opened(folder, {.days = 0, .octets = 250, .min_free = 0});
    CHECK_TRUE(opened.keep_bounds(open, 100, 1, 1, 0).has_value());
    CHECK(names_in(folder) == std::vector<std::string>({second, open}));
    // It was given up as well.
    CHECK_TRUE(opened.keep_bounds("", 0, 100, 100, 0).has_value());
    CHECK(names_in(folder) == std::vector<std::string>{open});
}

TEST(RecordingFolder, no_file_goes_for_more_than_the_least_that_is_wanted) {
    fs::create_directories(folder);
    put("p-20260101T000000Z-0123456789abcdef-000001.pcapng", 100);
    put("p-20260101T000100Z-0123456789abcdef-000002.pcapng", 100);
    std::optional<RecordingFolder> opened;
    opened.emplace(folder, RecordingRetention{.days = 0, .octets = 250, .min_free = 0});
    LONGS_EQUAL(40, *opened->keep_bounds("", 10, 40, 1000, 0));
    LONGS_EQUAL(50, *opened->keep_bounds("", 0, 40, 1000, 0));
    LONGS_EQUAL(45, *opened->keep_bounds("", 0, 40, 45, 0));
    LONGS_EQUAL(2, names_in(folder).size());
    // One goes, and what it leaves may be used.
    LONGS_EQUAL(140, *opened->keep_bounds("", 10, 41, 1000, 0));
    LONGS_EQUAL(1, names_in(folder).size());

    opened.reset();
    // What is short of the most that is wanted costs nothing on the disk either.
    struct statvfs disk {};
    LONGS_EQUAL(0, ::statvfs(folder.c_str(), &disk));
    const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
    const uint64_t bound = std::max<uint64_t>(1, free - std::min<uint64_t>(free, 256'000'000));
    RecordingFolder on_disk(folder, {.days = 0, .octets = 0, .min_free = bound});
    const auto room = on_disk.keep_bounds("", 0, 1, ~uint64_t{0}, 0);
    CHECK(room.has_value() && *room < free);
    LONGS_EQUAL(1, names_in(folder).size());
}

TEST(RecordingFolder, the_oldest_is_what_was_complete_first_whatever_its_packets_times) {
    fs::create_directories(folder);
    const std::string newest = "p-20140101T000000Z-0123456789abcdef-000001.pcapng";
    const std::string oldest = "p-20260101T000000Z-fedcba9876543210-000001.pcapng";
    put(oldest, 100);
    put(newest, 100);
    const auto now = fs::last_write_time(folder / newest);
    fs::last_write_time(folder / oldest, now - std::chrono::milliseconds(1));
    RecordingFolder opened(folder, {.days = 0, .octets = 150, .min_free = 0});
    CHECK_TRUE(opened.keep_bounds("", 0, 1, 1, 0).has_value());
    CHECK(names_in(folder) == std::vector<std::string>{newest});
}

TEST(RecordingFolder, a_folder_that_was_moved_is_made_and_locked_again) {
    RecordingFolder opened(folder, {});
    CHECK_FALSE(opened.restore());
    RecordingFile file(folder / "one.pcapng.open");
    CHECK_TRUE(file.is_there());
    fs::rename(folder, temporary.path() / "elsewhere");
    CHECK_FALSE(file.is_there());
    CHECK_TRUE(opened.restore());
    CHECK_FALSE(opened.restore());
    CHECK_THROWS(std::runtime_error, RecordingFolder(folder, {}));
    // Another file of that name is not it.
    const RecordingFile other(folder / "one.pcapng.open");
    CHECK_FALSE(file.is_there());
    // Nobody holds the old one any more.
    const RecordingFolder moved(temporary.path() / "elsewhere", {});
    // Somebody else was quicker.
    fs::remove_all(folder);
    const RecordingFolder quicker(folder, {});
    CHECK_THROWS(std::runtime_error, opened.restore());
}

TEST(RecordingFolder, files_go_when_they_are_old_enough) {
    fs::create_directories(folder);
    put(kFile, 100);
    struct timespec now {};
    ::clock_gettime(CLOCK_REALTIME, &now);
    const auto now_ns = static_cast<uint64_t>(now.tv_sec) * 1'000'000'000;
    RecordingFolder opened(folder, {.days = 2, .octets = 0, .min_free = 0});
    CHECK_TRUE(opened.keep_bounds("", 0, 1, 1, now_ns + kDay).has_value());
    LONGS_EQUAL(1, names_in(folder).size());
    CHECK_TRUE(opened.keep_bounds("", 0, 1, 1, now_ns + 3 * kDay).has_value());
    CHECK(names_in(folder).empty());
}

TEST(RecordingFolder, a_disk_without_room_is_told_when_no_file_is_left) {
    fs::create_directories(folder);
    put(kFile, 100);
    RecordingFolder opened(folder, {.days = 0, .octets = 0, .min_free = ~uint64_t{0}});
    CHECK_FALSE(opened.keep_bounds("", 0, 1, 1, 0).has_value());
    CHECK(names_in(folder).empty());
}
