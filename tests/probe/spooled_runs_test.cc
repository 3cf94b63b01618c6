#include "probe/spooled_runs.h"

#include <filesystem>
#include <string>

#include "probe/spool_files.h"
#include "tests/probe/spool_fixture.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace fs = std::filesystem;
using namespace curlew::tests;
using curlew::probe::hello_file;
using curlew::probe::position_file;
using curlew::probe::SpoolFolder;

TEST_GROUP_BASE(SpooledRuns, curlew::tests::SpoolFixture){};

TEST(SpooledRuns, a_torn_end_is_left_out) {
    killed_run(3);
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

TEST(SpooledRuns, what_ends_with_zeros_is_whole) {
    killed_run(2);
    STRCMP_EQUAL("99 1-10 11-20; ", left().c_str());
    CHECK(problems.empty());
    CHECK(!fs::exists(segment(0).string() + ".damaged"));
}

TEST(SpooledRuns, damage_loses_its_frame_alone_and_is_told_and_kept) {
    killed_run(12);
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

TEST(SpooledRuns, a_segment_whose_hello_is_damaged_goes_by_that_of_another) {
    killed_run(8);
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

TEST(SpooledRuns, an_epoch_whose_segments_are_all_damaged_in_front_goes_by_its_file) {
    killed_run(3);
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

TEST(SpooledRuns, a_position_that_does_not_hold_is_told_and_all_comes_again) {
    ended_run(3, 10);
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
    // Of a run of which nothing is left it is nobody's concern, nor is what was not finished.
    fs::remove(segment(0));
    put_content(file.string() + ".part", "00");
    put_content(folder / "stranger.part", "00");
    STRCMP_EQUAL("", left().c_str());
    CHECK(problems.empty());
    CHECK(!fs::exists(file));
    CHECK(!fs::exists(file.string() + ".part"));
    CHECK(fs::exists(folder / "stranger.part"));
}

TEST(SpooledRuns, a_position_without_a_sum_is_believed) {
    ended_run(3, 10);
    const fs::path file = position_file(folder, kEpoch);
    const std::string whole = content_of(file);
    // As it was written once.
    put_content(file, whole.substr(0, 16));
    STRCMP_EQUAL("99 11-20 21-30; ", left().c_str());
}

// Power that is lost between both leaves room, and no frame in it.
TEST(SpooledRuns, a_segment_in_which_nothing_was_written_is_nobodys_loss) {
    fs::create_directories(folder);
    for (const std::string& content : {std::string(5000, '\0'), std::string()}) {
        const fs::path file = folder / "0000000000000063-0000000000000001.spool";
        put_content(file, content);
        STRCMP_EQUAL("", left().c_str());
        CHECK_EQUAL(0u, problems.size());
        CHECK(!fs::exists(file));
        CHECK(!fs::exists(file.string() + ".damaged"));
    }
}

TEST(SpooledRuns, what_nobody_can_deliver_is_told_and_kept) {
    std::string octets = hello() + batch(1);
    octets[9] = static_cast<char>(octets[9] ^ 1);
    fs::create_directories(folder);
    for (const std::string& content : {octets, std::string(5000, 'x')}) {
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
