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

#include "proto/frame.h"
#include "tests/probe/spool_fixture.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace fs = std::filesystem;
namespace proto = curlew::proto;
using curlew::probe::read_spooled;
using curlew::probe::Spool;
using curlew::probe::SpooledRun;
using curlew::probe::SpoolFolder;
using curlew::probe::SpoolPlace;
using namespace curlew::tests;

TEST_GROUP_BASE(Spool, curlew::tests::SpoolFixture){};

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

TEST(Spool, segments_are_an_eighth_of_it_within_bounds) {
    constexpr uint64_t kMiB = uint64_t{1} << 20;
    CHECK_EQUAL(1 * kMiB, Spool::segment_octets(1));
    CHECK_EQUAL(1 * kMiB, Spool::segment_octets(8 * kMiB));
    CHECK_EQUAL(2 * kMiB, Spool::segment_octets(16 * kMiB));
    CHECK_EQUAL(64 * kMiB, Spool::segment_octets(512 * kMiB));
    CHECK_EQUAL(64 * kMiB, Spool::segment_octets(8192 * kMiB));
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

TEST(Spool, what_the_disk_damaged_is_not_given_back_but_kept_aside) {
    SpoolFolder opened(folder);
    Spool spool(opened, kEpoch, hello(), kSegment);
    const SpoolPlace good = spool.append(batch(1), 1, 10);
    const SpoolPlace bad = spool.append(batch(11), 11, 20);
    wait_for_sync(spool, 20);
    const fs::path file = segment(0);
    flip_octet(file, bad.offset + 100);
    CHECK(spool.read(good) == batch(1));
    std::string what;
    try {
        spool.read(bad);
    } catch (const std::runtime_error& error) {
        what = error.what();
    }
    STRCMP_CONTAINS("bad_checksum; it is kept as ", what.c_str());
    CHECK(content_of(file.string() + ".damaged") == content_of(file));
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
    ended_run(20, 200);
    STRCMP_EQUAL("", left().c_str());
    CHECK_EQUAL(0u, segments());
    CHECK(!fs::exists(folder / "0000000000000063.acknowledged"));
}

TEST(Spool, an_end_with_a_part_acknowledged_leaves_the_rest) {
    ended_run(3, 10);
    STRCMP_EQUAL("99 11-20 21-30; ", left().c_str());
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
