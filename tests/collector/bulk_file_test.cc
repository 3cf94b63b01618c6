#include "collector/bulk_file.h"

#include <stdexcept>
#include <string>

#include "collector/chunk_pipe.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr size_t kMebioctet = size_t{1} << 20;

std::string numbered_octets(size_t count) {
    std::string octets(count, '\0');
    for (size_t i = 0; i < count; ++i) {
        octets[i] = static_cast<char>(i * 7 + i / 251);
    }
    return octets;
}

}  // namespace

TEST_GROUP(BulkFile) {
    tests::TemporaryFolder folder;
};

TEST(BulkFile, holds_what_was_written_however_long_and_in_whatever_pieces) {
    for (const size_t size : {size_t{0},
                              size_t{1},
                              kMebioctet - 1,
                              kMebioctet,
                              kMebioctet + 1,
                              3 * kMebioctet + 12'345}) {
        const std::string octets = numbered_octets(size);
        for (const size_t piece : {size_t{1'111}, 2 * kMebioctet + 5}) {
            BulkFile file(folder.path() / "a");
            for (size_t at = 0; at < size; at += piece) {
                file.write(std::string_view(octets).substr(at, piece));
            }
            file.finish();
            CHECK(tests::content_of(folder.path() / "a") == octets);
        }
    }
}

TEST(BulkFile, is_written_where_there_is_no_way_past_the_page_cache) {
    const std::filesystem::path memory = "/dev/shm/curlew-bulk-file-test";
    const std::string octets = numbered_octets(2 * kMebioctet + 3);
    BulkFile file(memory);
    file.write(octets);
    file.finish();
    CHECK(tests::content_of(memory) == octets);
    std::filesystem::remove(memory);
}

TEST(BulkFile, chunks_of_a_pipe_and_its_rest_make_the_file) {
    constexpr size_t kFront = 10;
    for (const size_t size : {kMebioctet, 4 * kMebioctet + 7}) {
        for (const size_t front : {size_t{0}, kFront}) {
            const std::string octets = numbered_octets(size);
            BulkFile file(folder.path() / "a");
            file.write(std::string_view(octets).substr(0, front));
            ChunkPipe pipe([&file](std::string_view chunk) { file.write(chunk); });
            pipe.write(std::string_view(octets).substr(front));
            file.finish(pipe.finish());
            CHECK(tests::content_of(folder.path() / "a") == octets);
        }
    }
}

TEST(BulkFile, an_error_names_the_file) {
    try {
        BulkFile file(folder.path() / "missing" / "a");
        FAIL("opened");
    } catch (const std::runtime_error& error) {
        CHECK(std::string(error.what()).find("missing/a") != std::string::npos);
    }
    try {
        BulkFile file("/dev/full");
        file.write(numbered_octets(kMebioctet));
        FAIL("written");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL("cannot write /dev/full: No space left on device", error.what());
    }
}

}  // namespace curlew::collector
