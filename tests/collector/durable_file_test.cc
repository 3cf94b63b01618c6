#include "collector/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::content_of;
using tests::put_content;
using tests::TemporaryFolder;

TEST_GROUP(DurableFile) {
    TemporaryFolder folder;
    std::filesystem::path path = folder.path() / "a";
};

TEST(DurableFile, a_file_is_replaced_as_a_whole) {
    write_file_durably(path, "first");
    write_file_durably(path, "second");
    CHECK(content_of(path) == "second");
    CHECK_FALSE(std::filesystem::exists(folder.path() / "a.part"));
}

TEST(DurableFile, what_stands_where_it_is_made_is_removed) {
    const std::filesystem::path part = folder.path() / "a.part";
    const std::filesystem::path precious = folder.path() / "precious";
    put_content(precious, "mine");
    std::filesystem::create_symlink(precious, part);
    write_file_durably(path, "first");
    STRCMP_EQUAL("mine", content_of(precious).c_str());
    CHECK_EQUAL(0, ::mkfifo(part.c_str(), 0600));
    write_file_durably(path, "second");
    CHECK(content_of(path) == "second");
    CHECK_TRUE(std::filesystem::is_regular_file(std::filesystem::symlink_status(path)));
}

TEST(DurableFile, a_file_is_told_from_another_of_its_name) {
    CHECK_FALSE(identity_of(path).has_value());
    put_content(path, "one");
    const auto one = identity_of(path);
    std::filesystem::rename(path, folder.path() / "b");
    put_content(path, "two");
    CHECK_TRUE(one.has_value());
    CHECK_TRUE(one == identity_of(folder.path() / "b"));
    CHECK_FALSE(one == identity_of(path));
    std::filesystem::create_symlink(path, folder.path() / "link");
    CHECK_FALSE(identity_of(folder.path() / "link") == identity_of(path));
}

TEST(DurableFile, a_name_that_is_taken_stays_anothers) {
    put_content(path, "mine");
    put_content(folder.path() / "b", "another's");
    CHECK_FALSE(rename_to_free_name(path, folder.path() / "b"));
    CHECK_EQUAL(EEXIST, errno);
    STRCMP_EQUAL("another's", content_of(folder.path() / "b").c_str());
    CHECK_TRUE(rename_to_free_name(path, folder.path() / "c"));
    STRCMP_EQUAL("mine", content_of(folder.path() / "c").c_str());
}

TEST(DurableFile, reads_up_to_its_bound) {
    const std::string content(100'000, 'x');
    put_content(path, content);
    CHECK(read_file(path, 100'000) == content);
    try {
        read_file(path, 99'999);
        FAIL("read more than its bound");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("a: it is longer than 99999 octets", error.what());
    }
}

TEST(DurableFile, errors_name_the_file_and_the_cause) {
    try {
        open_file(path, O_RDONLY);
        FAIL("opened what is not there");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL(("cannot read " + path.string() + ": No such file or directory").c_str(),
                     error.what());
    }
    try {
        write_file_durably(path / "below", "x");
        FAIL("wrote into nothing");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("a/below.part: No such file or directory", error.what());
    }
}

TEST(DurableFile, what_is_no_file_is_not_waited_for) {
    CHECK_EQUAL(0, mkfifo(path.c_str(), 0600));
    for (const auto& [verb, deed] : std::vector<std::pair<std::string, std::function<void()>>>{
             {"read", [this] { InputFile{path}; }}, {"write", [this] { open_locked(path); }}}) {
        try {
            deed();
            FAIL("opened a pipe");
        } catch (const std::runtime_error& error) {
            STRCMP_EQUAL(("cannot " + verb + " " + path.string() + ": it is no file").c_str(),
                         error.what());
        }
    }
}

TEST(DurableFile, a_link_is_not_followed_to_what_is_locked) {
    std::filesystem::create_symlink(path.parent_path() / "b", path);
    CHECK_THROWS(std::runtime_error, open_locked(path));
    CHECK_FALSE(std::filesystem::exists(path.parent_path() / "b"));
}

TEST(DurableFile, a_full_disk_is_an_error) {
    const FileDescriptor full = open_file("/dev/full", O_WRONLY);
    try {
        write_all(full.get(), "x", "/dev/full");
        FAIL("wrote onto a full disk");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL("cannot write /dev/full: No space left on device", error.what());
    }
}

TEST(DurableFile, a_descriptor_has_one_owner) {
    FileDescriptor first = open_file("/dev/null", O_RDONLY);
    const int number = first.get();
    const FileDescriptor second = std::move(first);
    CHECK_EQUAL(number, second.get());
    CHECK_EQUAL(-1, first.get());
}

}  // namespace curlew::collector
