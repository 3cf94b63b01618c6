#include "cli/flow_file.h"

#include <string>
#include <vector>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::FlowFile;
using curlew::cli::is_blank;
using curlew::cli::without_compression;
using curlew::cli::test::FlowFolder;
using curlew::cli::test::gzipped;
using curlew::cli::test::refusal;
using curlew::cli::test::zstandard;

namespace {

std::vector<std::string> lines_of(const std::filesystem::path& path) {
    FlowFile file(path);
    std::vector<std::string> lines;
    std::string_view line;
    while (file.next_line(line)) {
        lines.emplace_back(line);
    }
    return lines;
}

void check_lines(const std::filesystem::path& path) {
    const std::vector<std::string> lines = lines_of(path);
    LONGS_EQUAL(4, lines.size());
    STRCMP_EQUAL("one\n", lines[0].c_str());
    STRCMP_EQUAL("\n", lines[1].c_str());
    STRCMP_EQUAL("two\r\n", lines[2].c_str());
    STRCMP_EQUAL("three", lines[3].c_str());
}

}  // namespace

TEST_GROUP(FlowFile) {
    FlowFolder folder;
};

TEST(FlowFile, gives_lines_with_their_endings) {
    check_lines(folder.write("a", "one\n\ntwo\r\nthree"));
}

TEST(FlowFile, tells_gzip_and_zstd_by_their_octets) {
    check_lines(folder.write("a.json", gzipped("one\n\ntwo\r\nthree")));
    check_lines(folder.write("b.gz", zstandard("one\n\ntwo\r\nthree")));
}

TEST(FlowFile, an_empty_file_has_no_lines) {
    LONGS_EQUAL(0, lines_of(folder.write("a", "")).size());
    LONGS_EQUAL(0, lines_of(folder.write("a.json.zst", zstandard(""))).size());
    LONGS_EQUAL(0, lines_of(folder.write("a.json.gz", gzipped(""))).size());
}

TEST(FlowFile, a_line_may_be_longer_than_what_is_read_at_once) {
    const std::string line = std::string(600'000, 'x') + "\n";
    const std::vector<std::string> lines = lines_of(folder.write("a", line + line + "y"));
    LONGS_EQUAL(3, lines.size());
    CHECK(lines[0] == line);
    CHECK(lines[1] == line);
    STRCMP_EQUAL("y", lines[2].c_str());
}

TEST(FlowFile, a_line_beyond_the_limit_is_refused) {
    const std::string endless(FlowFile::kMaximumLineOctets + 1'000'000, ' ');
    const auto path = folder.write("a", gzipped("first\n" + endless));
    STRCMP_EQUAL((path.string() + ":2: the line is longer than 67108864 octets").c_str(),
                 refusal([&] { lines_of(path); }).c_str());
}

TEST(FlowFile, compressed_data_that_breaks_off_is_refused) {
    const std::string whole = gzipped("one\ntwo\n");
    const auto path = folder.write("a.gz", whole.substr(0, whole.size() - 4));
    STRCMP_EQUAL((path.string() + ": gzip data ends early").c_str(),
                 refusal([&] { lines_of(path); }).c_str());
}

TEST(FlowFile, a_missing_file_is_named) {
    const auto path = folder.path() / "none";
    STRCMP_EQUAL((path.string() + ": No such file or directory").c_str(),
                 refusal([&] { lines_of(path); }).c_str());
}

TEST(FlowFile, blank_is_white_space_alone) {
    CHECK(is_blank(" \t\r\n"));
    CHECK(is_blank(""));
    CHECK_FALSE(is_blank(" x"));
}

TEST(FlowFile, only_the_endings_of_compression_are_dropped) {
    STRCMP_EQUAL("a/b.json", without_compression("a/b.json.gz").c_str());
    STRCMP_EQUAL("b.json", without_compression("b.json.zst").c_str());
    STRCMP_EQUAL("b.json", without_compression("b.json").c_str());
}
