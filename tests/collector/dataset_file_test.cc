#include "collector/dataset_file.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::content_of;
using tests::put_content;
using tests::TemporaryFolder;

namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path, Encoding encoding) {
    std::vector<std::string> lines;
    read_dataset(path, encoding, [&](std::string_view line) { lines.emplace_back(line); });
    return lines;
}

std::string error_of(const std::filesystem::path& path, Encoding encoding) {
    try {
        lines_of(path, encoding);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_GROUP(DatasetFile) {
    TemporaryFolder folder;
    std::filesystem::path path = folder.path() / "a.json";

    DatasetSums write(Encoding encoding, const std::vector<std::string>& lines) {
        DatasetWriter writer(path, encoding);
        for (const std::string& line : lines) {
            writer.write(line + "\n");
        }
        return writer.finish();
    }
};

TEST(DatasetFile, plain_lines_have_the_sum_of_their_file) {
    const DatasetSums sums = write(Encoding::json, {"abc"});
    // printf 'abc\n' | sha256sum
    STRCMP_EQUAL("edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb",
                 sums.sha256.c_str());
    STRCMP_EQUAL(sums.sha256.c_str(), sums.content_sha256.c_str());
    CHECK_EQUAL(4, sums.octets);
}

TEST(DatasetFile, compressed_lines_keep_the_sum_of_their_content) {
    const DatasetSums sums = write(Encoding::json_zstd, {"abc"});
    STRCMP_EQUAL("edeaaff3f1774ad2888673770c6d64097e391bc362d7d6fb34982ddf0efd18cb",
                 sums.content_sha256.c_str());
    CHECK_EQUAL(4, sums.content_octets);
    CHECK_EQUAL(std::filesystem::file_size(path), sums.octets);
    CHECK(lines_of(path, Encoding::json_zstd) == std::vector<std::string>{"abc"});
}

TEST(DatasetFile, what_another_thread_cannot_write_is_told) {
    for (const Encoding encoding : {Encoding::json, Encoding::json_zstd}) {
        DatasetWriter writer("/dev/full", encoding);
        const auto fill = [&writer] {
            // Three mebioctets of noise, which no compressor makes short.
            uint32_t state = 1;
            for (size_t i = 0; i < 60'000; ++i) {
                std::string line;
                for (size_t j = 0; j < 50; ++j) {
                    state = state * 1'664'525 + 1'013'904'223;
                    line += static_cast<char>('0' + (state >> 26));
                }
                writer.write(line + "\n");
            }
            writer.finish();
        };
        CHECK_THROWS(std::runtime_error, fill());
    }
}

TEST(DatasetFile, reads_what_it_wrote_however_long) {
    // 3 MiB that compress to almost nothing, and lines longer than any buffer.
    const std::vector<std::string> lines(3, std::string(1 << 20, 'x'));
    for (const Encoding encoding : {Encoding::json, Encoding::json_zstd}) {
        const DatasetSums written = write(encoding, lines);
        CHECK(lines_of(path, encoding) == lines);
        const DatasetSums read = read_dataset(path, encoding, [](std::string_view) {});
        CHECK(written.sha256 == read.sha256);
        CHECK(written.content_sha256 == read.content_sha256);
        CHECK_EQUAL(written.content_octets, read.content_octets);
    }
}

TEST(DatasetFile, every_length_around_a_buffer_is_read_to_its_end) {
    for (const size_t length : {0UL, 131'071UL, 262'143UL, 262'144UL, 524'287UL}) {
        write(Encoding::json_zstd, {std::string(length, 'x')});
        CHECK_EQUAL(length, lines_of(path, Encoding::json_zstd).at(0).size());
    }
}

TEST(DatasetFile, an_empty_dataset_is_a_whole_file) {
    write(Encoding::json_zstd, {});
    CHECK(lines_of(path, Encoding::json_zstd).empty());
    CHECK(std::filesystem::file_size(path) > 0);
}

TEST(DatasetFile, refuses_what_does_not_end) {
    put_content(path, "{}\n{");
    STRCMP_CONTAINS("a.json: its last line does not end", error_of(path, Encoding::json).c_str());
    write(Encoding::json_zstd, {"abc"});
    put_content(path, content_of(path).substr(0, 9));
    STRCMP_CONTAINS("a.json: the zstd frame does not end",
                    error_of(path, Encoding::json_zstd).c_str());
    put_content(path, "abc");
    STRCMP_CONTAINS("cannot read ", error_of(path, Encoding::json_zstd).c_str());
}

TEST(DatasetFile, refuses_a_line_without_end) {
    put_content(path, std::string((16 << 20) + 1, 'x'));
    STRCMP_CONTAINS("a.json: a line is longer than 16 MiB", error_of(path, Encoding::json).c_str());
}

}  // namespace curlew::collector
