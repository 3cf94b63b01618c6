#include "probe/spool_files.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <stdexcept>
#include <string>

#include "proto/file_handle.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace fs = std::filesystem;
using namespace curlew::probe;
using curlew::tests::content_of;
using curlew::tests::TemporaryFolder;

TEST_GROUP(SpoolFiles) {
    TemporaryFolder folder;
};

TEST(SpoolFiles, a_segments_name_tells_epoch_and_first_sequence) {
    const fs::path file = segment_file("spool", {0x63, 0xabc});
    STRCMP_EQUAL("spool/0000000000000063-0000000000000abc.spool", file.c_str());
    CHECK_EQUAL(0x63u, segment_name(file)->epoch);
    CHECK_EQUAL(0xabcu, segment_name(file)->first_sequence);
    for (const char* stranger : {"0000000000000063-0000000000000abc.spool.damaged",
                                 "0000000000000063-0000000000000abc",
                                 "0000000000000063_0000000000000abc.spool",
                                 "000000000000006g-0000000000000abc.spool",
                                 "63-abc.spool",
                                 ".spool"}) {
        CHECK_FALSE(segment_name(stranger).has_value());
    }
}

TEST(SpoolFiles, positions_and_hellos_are_named_after_their_epoch) {
    STRCMP_EQUAL("f/0000000000000063.acknowledged", position_file("f", 0x63).c_str());
    STRCMP_EQUAL("f/0000000000000063.hello", hello_file("f", 0x63).c_str());
    CHECK_EQUAL(0x63u, epoch_named(position_file("f", 0x63)).value());
    CHECK_EQUAL(0x63u, epoch_named(hello_file("f", 0x63)).value());
    CHECK_FALSE(epoch_named(segment_file("f", {0x63, 1})).has_value());
    CHECK_FALSE(epoch_named("f/63.hello").has_value());
    CHECK_FALSE(epoch_named("f/.lock").has_value());
}

// The sum: CRC32C, RFC 3720 appendix B.4, by another implementation.
TEST(SpoolFiles, a_position_is_believed_by_its_sum) {
    STRCMP_EQUAL("00000000000003e8 3c373bf8", position_text(1000).c_str());
    CHECK_EQUAL(1000u, position_in("00000000000003e8 3c373bf8").value());
    CHECK_EQUAL(1000u, position_in("00000000000003e8").value());
    for (const char* text : {"",
                             "3e8",
                             "00000000000003e9 3c373bf8",
                             "00000000000003e8 3c373bf9",
                             "00000000000003e8 3c373bf",
                             "00000000000003e8 3c373bf8\n",
                             "00000000000003e8\n",
                             "18446744073709551615",
                             "000000000000x3e8"}) {
        CHECK_FALSE(position_in(text).has_value());
    }
}

TEST(SpoolFiles, a_pipe_is_no_file) {
    const fs::path path = folder.path() / "0000000000000063.acknowledged";
    CHECK_EQUAL(0, ::mkfifo(path.c_str(), 0600));
    CHECK_THROWS(std::runtime_error, opened_file(path, O_RDONLY));
    CHECK_EQUAL(0, ::mkfifo((path.string() + ".part").c_str(), 0600));
    CHECK_TRUE(write_durably(path, "whole"));
    STRCMP_EQUAL("whole", content_of(path).c_str());
}

TEST(SpoolFiles, a_file_is_there_whole_or_as_it_was) {
    const fs::path file = folder.path() / "a";
    CHECK(write_durably(file, "one"));
    CHECK(write_durably(file, "two"));
    STRCMP_EQUAL("two", content_of(file).c_str());
    CHECK(sync_spool(folder.path()));
    const curlew::proto::FileHandle open(opened_file(file, O_RDONLY));
    STRCMP_EQUAL("wo", read_at(open.get(), 1, 2, file).c_str());
    CHECK_THROWS(std::runtime_error, read_at(open.get(), 1, 3, file));
    CHECK_FALSE(write_durably(folder.path() / "none/a", "x"));
    CHECK_FALSE(sync_spool(folder.path() / "none"));
    CHECK_THROWS(std::runtime_error, opened_file(folder.path() / "none", O_RDONLY));
    // Nothing of what failed is left.
    fs::create_directory(folder.path() / "taken");
    CHECK_FALSE(write_durably(folder.path() / "taken", "x"));
    CHECK_FALSE(fs::exists(folder.path() / "taken.part"));
}
