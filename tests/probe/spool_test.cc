#include "probe/spool.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "probe/spool_files.h"
#include "proto/frame.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace fs = std::filesystem;
namespace proto = curlew::proto;
using curlew::probe::hello_file;
using curlew::probe::position_file;
using curlew::probe::read_spooled;
using curlew::probe::Spool;
using curlew::probe::SpooledRun;
using curlew::probe::SpoolFolder;
using curlew::probe::SpoolPlace;
using curlew::tests::content_of;
using curlew::tests::put_content;
using curlew::tests::TemporaryFolder;

namespace {

constexpr uint64_t kProbe = 7;
constexpr uint64_t kEpoch = 99;
constexpr uint64_t kSegment = 4096;

std::string frame(proto::FrameKind kind,
                  uint64_t first,
                  uint32_t records,
                  const std::string& body,
                  uint64_t epoch = kEpoch) {
    std::string octets;
    proto::append_frame({kind, kProbe, epoch, first, records},
                        {reinterpret_cast<const uint8_t*>(body.data()), body.size()},
                        octets);
    return octets;
}

std::string hello(uint64_t epoch = kEpoch) {
    return frame(proto::FrameKind::hello, 1, 0, "who I am", epoch);
}

std::string batch(uint64_t first, size_t octets = 500, uint64_t epoch = kEpoch) {
    return frame(proto::FrameKind::batch, first, 10, std::string(octets, 'b'), epoch);
}

void wait_for_sync(const Spool& spool, uint64_t sequence) {
    while (spool.synced() < sequence) {
        std::this_thread::yield();
    }
}

}  // namespace

TEST_GROUP(Spool) {
    TemporaryFolder temporary;
    fs::path folder = temporary.path() / "deep/spool";
    std::vector<std::string> problems;

    // What the next run finds: "epoch first-last first-last; ...".
    std::string left() {
        SpoolFolder opened(folder);
        problems.clear();
        std::string text;
        for (const SpooledRun& run : opened.left(problems)) {
            CHECK_EQUAL(kProbe, run.probe_id);
            STRCMP_EQUAL("who I am", run.hello.c_str());
            text += std::to_string(run.epoch);
            for (const SpooledRun::Frame& one : run.frames) {
                text += " " + std::to_string(one.first_sequence) + "-" +
                        std::to_string(one.last_sequence);
            }
            text += "; ";
        }
        return text;
    }

    // Batches of ten records each, and the place of the last.
    void spool_batches(Spool & spool, int count) {
        for (int i = 0; i < count; ++i) {
            const auto first = static_cast<uint64_t>(i) * 10 + 1;
            spool.append(batch(first), first, first + 9);
        }
        wait_for_sync(spool, static_cast<uint64_t>(count) * 10);
    }

    fs::path segment(uint64_t number) {
        std::vector<fs::path> found;
        for (const auto& entry : fs::directory_iterator(folder)) {
            if (entry.path().extension() == ".spool") {
                found.push_back(entry.path());
            }
        }
        std::sort(found.begin(), found.end());
        return found.at(number);
    }

    size_t segments() {
        size_t count = 0;
        for (const auto& entry : fs::directory_iterator(folder)) {
            count += entry.path().extension() == ".spool" ? 1 : 0;
        }
        return count;
    }
};

TEST(Spool, what_another_probe_said_is_left_out) {
    std::string octets = hello() + batch(1);
    proto::append_frame({proto::FrameKind::batch, kProbe + 1, kEpoch, 11, 10}, {}, octets);
    std::filesystem::create_directories(folder);
    put_content(folder / "0000000000000063-0000000000000001.spool", octets + batch(21));
    STRCMP_EQUAL("99 1-10; ", left().c_str());
    CHECK_EQUAL(1u, problems.size());
    STRCMP_CONTAINS("holds what no probe spools", problems[0].c_str());
    CHECK(fs::exists(folder / "0000000000000063-0000000000000001.spool.damaged"));
}

TEST(Spool, gives_back_what_was_appended) {
    SpoolFolder opened(folder);
    Spool spool(opened, kEpoch, hello(), kSegment);
    const std::string first = batch(1, 3000);
    const std::string second = batch(11, 2000);
    const SpoolPlace a = spool.append(first, 1, 10);
    const SpoolPlace b = spool.append(second, 11, 20);
    CHECK(spool.read(a) == first);
    CHECK(spool.read(b) == second);
    CHECK_EQUAL(2u, segments());
    wait_for_sync(spool, 20);
    CHECK_EQUAL(0u, spool.failed_syncs());
}

TEST(Spool, what_no_collector_has_is_there_for_the_next_run) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 3);
        spool.append(frame(proto::FrameKind::ledger, 31, 0, "counts"), 31, 31);
        wait_for_sync(spool, 31);
        // It ends without a word, as a killed one does.
    }
    STRCMP_EQUAL("99 1-10 11-20 21-30 31-31; ", left().c_str());
    SpoolFolder opened(folder);
    const auto runs = opened.left(problems);
    CHECK(read_spooled(runs[0].frames[1]) == batch(11));
    CHECK_EQUAL(30u, runs[0].records());
    CHECK_EQUAL(0u, problems.size());
}

TEST(Spool, acknowledged_segments_go_and_their_frames_do_not_come_again) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 20);
        const size_t all = segments();
        CHECK(all >= 3);
        spool.acknowledged(5);
        CHECK_EQUAL(all, segments());
        spool.acknowledged(100);
        CHECK(segments() < all);
    }
    STRCMP_EQUAL(
        "99 101-110 111-120 121-130 131-140 141-150 151-160 161-170 171-180 181-190 191-200; ",
        left().c_str());
}

TEST(Spool, an_end_with_everything_acknowledged_leaves_nothing) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 20);
        spool.finish(200);
    }
    STRCMP_EQUAL("", left().c_str());
    CHECK_EQUAL(0u, segments());
    CHECK(!fs::exists(folder / "0000000000000063.acknowledged"));
}

TEST(Spool, an_end_with_a_part_acknowledged_leaves_the_rest) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 3);
        spool.finish(10);
    }
    STRCMP_EQUAL("99 11-20 21-30; ", left().c_str());
}

TEST(Spool, a_torn_end_is_left_out) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 3);
    }
    const std::string whole = content_of(segment(0));
    const size_t end = hello().size() + 3 * batch(1).size();
    for (size_t torn = end - batch(1).size(); torn < end; ++torn) {
        put_content(segment(0), whole.substr(0, torn));
        STRCMP_EQUAL("99 1-10 11-20; ", left().c_str());
    }
    STRCMP_CONTAINS(("547 octets from " + std::to_string(end - batch(1).size())).c_str(),
                    problems.at(0).c_str());
    put_content(segment(0), whole.substr(0, 20));
    fs::remove(hello_file(folder, kEpoch));
    STRCMP_EQUAL("", left().c_str());
    STRCMP_CONTAINS("does not tell which probe wrote it", problems.back().c_str());
}

TEST(Spool, what_ends_with_zeros_is_whole) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 2);
    }
    STRCMP_EQUAL("99 1-10 11-20; ", left().c_str());
    CHECK(problems.empty());
    CHECK(!fs::exists(segment(0).string() + ".damaged"));
}

TEST(Spool, damage_loses_its_frame_alone_and_is_told_and_kept) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 12);
    }
    STRCMP_EQUAL("99 1-10 11-20 21-30 31-40 41-50 51-60 61-70 71-80 81-90 91-100 101-110 111-120; ",
                 left().c_str());
    std::string damaged = content_of(segment(0));
    damaged[hello().size() + batch(1).size() + 100] = 'x';
    put_content(segment(0), damaged);
    STRCMP_EQUAL("99 1-10; 99 21-30 31-40 41-50 51-60 61-70 71-80 81-90 91-100 101-110 111-120; ",
                 left().c_str());
    CHECK_EQUAL(2u, problems.size());
    const std::string aside = segment(0).string() + ".damaged";
    STRCMP_CONTAINS("548 octets from 604 on are no frame", problems[0].c_str());
    STRCMP_CONTAINS(("it is kept as " + aside).c_str(), problems[0].c_str());
    STRCMP_CONTAINS("what lies between sequence 10 and 21 is lost", problems[1].c_str());
    SpoolFolder opened(folder);
    opened.remove(kEpoch);
    CHECK_EQUAL(0u, segments());
    CHECK(content_of(aside) == damaged);
}

TEST(Spool, a_segment_whose_hello_is_damaged_goes_by_that_of_another) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 8);
    }
    for (const size_t octet : {size_t{0}, size_t{9}, size_t{40}}) {
        const std::string whole = content_of(segment(0));
        std::string damaged = whole;
        damaged[octet] = static_cast<char>(damaged[octet] ^ 1);
        put_content(segment(0), damaged);
        STRCMP_EQUAL("99 1-10 11-20 21-30 31-40 41-50 51-60 61-70 71-80; ", left().c_str());
        CHECK_EQUAL(1u, problems.size());
        STRCMP_CONTAINS(" octets from 0 on are no frame", problems[0].c_str());
        put_content(segment(0), whole);
    }
}

TEST(Spool, an_epoch_whose_segments_are_all_damaged_in_front_goes_by_its_file) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 3);
    }
    std::string damaged = content_of(segment(0));
    damaged[60 % hello().size()] = 'x';
    put_content(segment(0), damaged);
    STRCMP_EQUAL("99 1-10 11-20 21-30; ", left().c_str());
    CHECK_EQUAL(1u, problems.size());
    // One that does not hold either tells nothing.
    put_content(hello_file(folder, kEpoch), hello().substr(1));
    STRCMP_EQUAL("", left().c_str());
    STRCMP_CONTAINS("the 30 records of its epoch are lost", problems.back().c_str());
    CHECK(!fs::exists(hello_file(folder, kEpoch)));
}

TEST(Spool, a_position_that_does_not_hold_is_told_and_all_comes_again) {
    {
        SpoolFolder opened(folder);
        Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, 3);
        spool.finish(10);
    }
    STRCMP_EQUAL("99 11-20 21-30; ", left().c_str());
    CHECK(problems.empty());
    const fs::path file = position_file(folder, kEpoch);
    const std::string whole = content_of(file);
    CHECK_EQUAL(25u, whole.size());
    for (size_t octet = 0; octet < whole.size(); ++octet) {
        std::string damaged = whole;
        damaged[octet] = damaged[octet] == 'f' ? '0' : 'f';
        put_content(file, damaged);
        STRCMP_EQUAL("99 1-10 11-20 21-30; ", left().c_str());
        CHECK_EQUAL(1u, problems.size());
        STRCMP_CONTAINS("does not say what a collector has", problems[0].c_str());
    }
    for (const std::string& text :
         {std::string(), std::string("18446744073709551615"), whole + "0", std::string(100, '0')}) {
        put_content(file, text);
        STRCMP_EQUAL("99 1-10 11-20 21-30; ", left().c_str());
    }
    // As it was written once.
    put_content(file, whole.substr(0, 16));
    STRCMP_EQUAL("99 11-20 21-30; ", left().c_str());
}

TEST(Spool, what_nobody_can_deliver_is_told_and_kept) {
    std::string octets = hello() + batch(1);
    octets[9] = static_cast<char>(octets[9] ^ 1);
    fs::create_directories(folder);
    for (const std::string& content : {octets, std::string(5000, '\0'), std::string()}) {
        const fs::path file = folder / "0000000000000063-0000000000000001.spool";
        put_content(file, content);
        STRCMP_EQUAL("", left().c_str());
        CHECK_EQUAL(2u, problems.size());
        STRCMP_CONTAINS("does not tell which probe wrote it", problems[1].c_str());
        STRCMP_CONTAINS(content == octets ? "the 10 records of its epoch are lost"
                                          : "the 0 records of its epoch are lost",
                        problems[1].c_str());
        CHECK(!fs::exists(file));
        CHECK(content_of(file.string() + ".damaged") == content);
        fs::remove(file.string() + ".damaged");
    }
}

TEST(Spool, epochs_come_in_the_order_of_their_time) {
    for (const uint64_t epoch : {uint64_t{500}, uint64_t{3}}) {
        {
            SpoolFolder opened(folder);
            Spool spool(opened, epoch, hello(epoch), kSegment);
            spool.append(batch(1, 500, epoch), 1, 10);
            wait_for_sync(spool, 10);
        }
        fs::last_write_time(
            segment(0), fs::file_time_type::clock::now() - std::chrono::hours(epoch == 3 ? 1 : 2));
    }
    STRCMP_EQUAL("500 1-10; 3 1-10; ", left().c_str());
    SpoolFolder opened(folder);
    opened.remove(500);
    STRCMP_EQUAL("3", std::to_string(opened.left(problems).at(0).epoch).c_str());
}

TEST(Spool, strangers_files_are_left_alone) {
    fs::create_directories(folder);
    put_content(folder / "0000000000000063-0000000000000001.spool", "no hello");
    put_content(folder / "notes.txt", "mine");
    STRCMP_EQUAL("", left().c_str());
    CHECK(fs::exists(folder / "notes.txt"));
}

TEST(Spool, one_probe_holds_a_folder) {
    SpoolFolder opened(folder);
    std::string what;
    try {
        SpoolFolder again(folder);
    } catch (const std::runtime_error& error) {
        what = error.what();
    }
    STRCMP_CONTAINS("another probe holds the spool", what.c_str());
}

TEST(Spool, a_disk_that_takes_nothing_is_told_and_nothing_is_appended) {
    SpoolFolder opened(folder);
    // More than there is anywhere.
    Spool spool(opened, kEpoch, hello(), uint64_t{1} << 60);
    std::string what;
    try {
        spool.append(batch(1), 1, 10);
    } catch (const std::runtime_error& error) {
        what = error.what();
    }
    STRCMP_CONTAINS("cannot write", what.c_str());
    CHECK_EQUAL(0u, segments());
}
