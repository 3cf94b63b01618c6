#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "proto/key_file.h"
#include "tests/support/cpputest.h"
#include "tests/support/file_faults.h"
#include "tests/support/temporary_folder.h"

// A new key with the power cut after every call that changes a file, and with every such call
// failing: the file is whole or not there, and others may never read any of it.

namespace fs = std::filesystem;
namespace tests = curlew::tests;
using curlew::proto::KeyPair;
using curlew::proto::new_keys;
using curlew::proto::read_key_file;
using curlew::proto::write_key_file;
using tests::Fault;
using tests::Left;

TEST_GROUP(KeyFileFaults) {
    tests::TemporaryFolder temporary;
    fs::path folder = temporary.path() / "keys";
    KeyPair keys = new_keys();

    void teardown() override {
        tests::watch_no_files();
    }

    bool is_whole(const fs::path& file) const {
        return fs::exists(file) && read_key_file(file).secret_key == keys.secret_key;
    }

    // `is_written`: it was said to be.
    void check(const tests::Disk& disk, bool is_written, const std::string& when) {
        for (unsigned seed = 0; seed < 10; ++seed) {
            for (const Left left : {Left::kept, Left::dropped, Left::torn}) {
                const fs::path place = temporary.path() / "left";
                disk.materialise(left, seed, place);
                const bool is_there = fs::exists(place / "probe.key");
                CHECK_TEXT(is_there ? is_whole(place / "probe.key") : !is_written, when.c_str());
                if (!is_there) {
                    write_key_file(place / "probe.key", keys);
                    CHECK_TEXT(is_whole(place / "probe.key"), when.c_str());
                    CHECK_FALSE_TEXT(fs::exists(place / "probe.key.part"), when.c_str());
                }
                fs::remove_all(place);
            }
        }
    }

    static void check_modes(const std::vector<tests::FileCall>& log) {
        for (const tests::FileCall& call : log) {
            if (call.kind == tests::FileCall::Kind::create) {
                CHECK_EQUAL(0600u, call.mode);
            }
        }
    }
};

TEST(KeyFileFaults, every_prefix_leaves_a_whole_key_or_none) {
    fs::create_directory(folder);
    tests::watch_files(folder);
    write_key_file(folder / "probe.key", keys);
    const std::vector<tests::FileCall> log = tests::file_log();
    tests::watch_no_files();
    check_modes(log);
    tests::LogReplay replay(tests::Disk(), log);
    for (size_t at = 0; at <= log.size(); ++at) {
        check(replay.after(at), at == log.size(), "after " + std::to_string(at));
    }
    std::printf("%zu prefixes ", log.size() + 1);
}

TEST(KeyFileFaults, every_call_that_fails_is_one_sentence) {
    int failures = 0;
    for (const Fault fault : {Fault::no_space, Fault::broken, Fault::crash}) {
        bool struck = true;
        for (uint64_t k = 1; struck; ++k) {
            const std::string when =
                "fault " + std::to_string(int(fault)) + " of call " + std::to_string(k);
            fs::create_directory(folder);
            tests::watch_files(folder);
            tests::arm_fault(fault, k);
            bool is_written = false;
            try {
                write_key_file(folder / "probe.key", keys);
                is_written = true;
            } catch (const std::runtime_error& error) {
                STRCMP_CONTAINS_TEXT("key file ", error.what(), when.c_str());
                STRCMP_CONTAINS_TEXT(fault == Fault::no_space ? "No space left" : "Input/output",
                                     error.what(),
                                     when.c_str());
            }
            struck = tests::has_struck();
            CHECK_EQUAL_TEXT(!struck, is_written, when.c_str());
            const tests::Disk disk = tests::watched_disk();
            check_modes(tests::file_log());
            tests::watch_no_files();
            check(disk, is_written, when);
            fs::remove_all(folder);
            failures += struck ? 1 : 0;
        }
    }
    std::printf("%d failures ", failures);
}
