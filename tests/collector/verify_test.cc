#include "collector/verify.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "collector/digest.h"
#include "collector/index.h"
#include "collector/seal_state.h"
#include "tests/collector/dataset_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> split(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size() - 1);
        lines.push_back(text.substr(begin, end + 1 - begin));
        begin = end + 1;
    }
    return lines;
}

std::string join(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        text += line;
    }
    return text;
}

}  // namespace

// Three sealed datasets: "one", "two" and the compressed "three".
TEST_GROUP(Verify) {
    TemporaryFolder folder;
    fs::path archive = folder.path();
    fs::path datasets = archive / "any/kitchen";
    std::string problems;

    void setup() override {
        seal_frames(dataset_config(archive, "one"), frames_of(0, 12));
        seal_frames(dataset_config(archive, "two"), frames_of(12, 12));
        DatasetConfig three = dataset_config(archive, "three");
        three.compress = true;
        seal_frames(three, frames_of(24, 12));
    }

    VerifyResult verify() {
        problems.clear();
        return verify_archive(archive,
                              [&](const std::string& problem) { problems += problem + "\n"; });
    }

    void change_lines(const fs::path& file, void (*change)(std::vector<std::string>&)) {
        std::vector<std::string> lines = split(content_of(file));
        change(lines);
        put_content(file, join(lines));
    }

    void expect(const std::string& problem) {
        CHECK_FALSE(verify().holds());
        STRCMP_CONTAINS(problem.c_str(), problems.c_str());
    }
};

TEST(Verify, an_untouched_archive_holds) {
    const VerifyResult result = verify();
    STRCMP_EQUAL("", problems.c_str());
    CHECK(result.holds());
    CHECK_EQUAL(3, result.datasets);
    CHECK_EQUAL(36, result.records);
    CHECK_EQUAL(fs::file_size(datasets / "one.json") + fs::file_size(datasets / "two.json") +
                    fs::file_size(datasets / "three.json.zst"),
                result.octets);
}

TEST(Verify, finds_any_flipped_bit) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    const fs::path files[] = {datasets / "one.json",
                              datasets / "three.json.zst",
                              datasets / "two.manifest.json",
                              archive / kIndexName};
    for (int round = 0; round < 200; ++round) {
        const fs::path& file = files[round % 4];
        const std::string whole = content_of(file);
        std::string damaged = whole;
        const size_t at = random() % damaged.size();
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (random() % 8)));
        put_content(file, damaged);
        if (verify().holds()) {
            FAIL(("seed " + std::to_string(seed) + ", round " + std::to_string(round)).c_str());
        }
        put_content(file, whole);
    }
    CHECK(verify().holds());
}

TEST(Verify, finds_any_truncation) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    for (const fs::path& file : {datasets / "one.json",
                                 datasets / "three.json.zst",
                                 datasets / "two.manifest.json",
                                 archive / kIndexName}) {
        const std::string whole = content_of(file);
        for (int round = 0; round < 50; ++round) {
            put_content(file, whole.substr(0, random() % whole.size()));
            CHECK_TEXT(!verify().holds(), ("seed " + std::to_string(seed)).c_str());
        }
        put_content(file, whole);
    }
}

TEST(Verify, finds_a_dropped_line) {
    change_lines(datasets / "one.json", [](auto& lines) { lines.erase(lines.begin() + 5); });
    expect("any/kitchen/one.json: its number of records is not what its manifest says\n");
    expect("any/kitchen/one.json: its SHA-256 is not what its manifest says\n");
}

TEST(Verify, finds_an_added_line) {
    change_lines(datasets / "one.json", [](auto& lines) { lines.push_back(lines.back()); });
    expect("any/kitchen/one.json: its number of records is not what its manifest says\n");
}

TEST(Verify, finds_swapped_lines) {
    change_lines(datasets / "one.json", [](auto& lines) { std::swap(lines[3], lines[4]); });
    expect("any/kitchen/one.json: line 5 is out of order\n");
}

TEST(Verify, finds_a_missing_dataset_and_a_missing_manifest) {
    fs::remove(datasets / "one.json");
    fs::remove(datasets / "two.manifest.json");
    expect("any/kitchen/one.json is missing\n");
    expect("any/kitchen/two.manifest.json is missing\n");
    expect("any/kitchen/two.json has no manifest in the index\n");
}

TEST(Verify, what_is_no_file_is_not_called_missing) {
    fs::rename(datasets / "one.json", folder.path() / "one.json");
    fs::create_symlink(folder.path() / "one.json", datasets / "one.json");
    fs::remove(datasets / "two.devices.json");
    fs::create_directory(datasets / "two.devices.json");
    expect("any/kitchen/one.json is no file\n");
    expect("any/kitchen/two.devices.json is no file\n");
}

TEST(Verify, finds_an_edited_manifest) {
    std::string text = content_of(datasets / "one.manifest.json");
    text.replace(text.find("kitchen"), 7, "bedroom");
    put_content(datasets / "one.manifest.json", text);
    expect("any/kitchen/one.manifest.json is not the one that the index lists\n");
}

TEST(Verify, finds_a_line_missing_from_the_index) {
    change_lines(archive / kIndexName, [](auto& lines) { lines.erase(lines.begin() + 1); });
    expect("index.jsonl: line 2 does not follow the line before\n");
    expect("any/kitchen/two.manifest.json is not listed in the index\n");
}

TEST(Verify, finds_a_truncated_index) {
    change_lines(archive / kIndexName, [](auto& lines) { lines.pop_back(); });
    expect("any/kitchen/three.json.zst has no manifest in the index\n");
    fs::remove(archive / kIndexName);
    expect("index.jsonl is missing\n");
}

TEST(Verify, finds_that_the_end_of_the_index_is_gone_though_nothing_misses_it) {
    ArchiveIndex(archive).append_tombstone("any/kitchen/three.manifest.json", {});
    for (const char* file : {"three.json.zst", "three.manifest.json", "three.devices.json"}) {
        fs::remove(datasets / file);
    }
    CHECK(verify().holds());
    change_lines(archive / kIndexName, [](auto& lines) { lines.resize(2); });
    expect("index.jsonl had 4 lines at least\n");
}

TEST(Verify, finds_a_head_of_the_index_that_is_changed_or_gone) {
    const fs::path head = archive / kIndexHeadName;
    const std::string text = content_of(head);
    put_content(head, index_head_text({3, std::string(64, 'a')}));
    expect("index.jsonl: line 3 is not the one that index.head names\n");
    // As a disk left it that was full when the first line came.
    put_content(head, index_head_text({0, first_previous()}));
    CHECK(verify().holds());
    put_content(head, index_head_text({0, std::string(64, 'a')}));
    expect("index.head is none\n");
    put_content(head, text + "\n");
    expect("index.head is none\n");
    fs::remove(head);
    expect("index.head is missing\n");
}

TEST(Verify, finds_a_line_listed_twice) {
    change_lines(archive / kIndexName, [](auto& lines) { lines.push_back(lines[0]); });
    expect("index.jsonl: line 4 lists any/kitchen/one.manifest.json again\n");
}

TEST(Verify, finds_what_does_not_belong) {
    put_content(datasets / "stray.json", "{}\n");
    expect("any/kitchen/stray.json has no manifest in the index\n");
}

TEST(Verify, finds_files_of_any_name_and_folders_where_none_are) {
    put_content(archive / "notes.txt", "");
    put_content(datasets / "one", "");
    fs::create_directories(datasets / "deep");
    expect("any/kitchen/deep is none of the archive's files\n");
    expect("any/kitchen/one is none of the archive's files\n");
    expect("notes.txt is none of the archive's files\n");
}

TEST(Verify, what_a_collector_keeps_open_is_its_own_affair) {
    fs::create_directories(archive / "open");
    put_content(archive / "open/.lock", "");
    CHECK(verify().holds());
    put_content(archive / "open.txt", "");
    expect("open.txt is none of the archive's files\n");
}

TEST(Verify, finds_a_tombstone_of_what_was_never_there) {
    const std::string index = content_of(archive / kIndexName);
    const std::string previous = sha256_of(split(index)[2].substr(0, split(index)[2].size() - 1));
    const IndexEntry never{"any/kitchen/four.manifest.json", "aa", previous, Tombstone{}};
    put_content(archive / kIndexName, index + index_line(never) + "\n");
    expect(
        "index.jsonl: line 4 removes any/kitchen/four.manifest.json, which is not listed so "
        "before it\n");
}

// The first problem is a moment at which the index was read and the other files were not.
TEST(Verify, what_a_living_collector_seals_and_removes_meanwhile_is_no_problem) {
    change_lines(datasets / "one.json", [](auto& lines) { lines.erase(lines.begin() + 3); });
    const auto count = [this] {
        problems.clear();
        bool is_done = false;
        const VerifyResult result =
            verify_archive(archive, [this, &is_done](const std::string& problem) {
                problems += problem + "\n";
                if (std::exchange(is_done, true)) {
                    return;
                }
                seal_frames(dataset_config(archive, "four"), frames_of(36, 12));
                ArchiveIndex(archive).append_tombstone("any/kitchen/two.manifest.json", {});
                for (const char* ending : {".json", ".manifest.json", ".devices.json"}) {
                    fs::remove(datasets / (std::string("two") + ending));
                }
            });
        return result.problems;
    };
    const uint64_t alone = verify().problems;
    CHECK_EQUAL(alone, count());
    STRCMP_CONTAINS("one.json: its length", problems.c_str());
    // What no line tells of is missed as ever.
    fs::remove(datasets / "four.json");
    expect("any/kitchen/four.json is missing\n");
}

TEST(Verify, a_dataset_that_a_living_collector_is_about_to_remove_is_no_problem) {
    ArchiveIndex(archive).append_tombstone("any/kitchen/two.manifest.json", {});
    expect("any/kitchen/two.manifest.json has a tombstone and is there\n");
    fs::create_directories(archive / "open");
    const FileDescriptor lock = open_file(archive / "open/.lock", O_RDWR | O_CREAT);
    CHECK_EQUAL(0, ::flock(lock.get(), LOCK_EX));
    std::thread removing([this] {
        // Not before it was looked for.
        const auto then = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
        while (std::chrono::steady_clock::now() < then) {
            std::this_thread::yield();
        }
        for (const char* ending : {".json", ".manifest.json", ".devices.json"}) {
            fs::remove(datasets / (std::string("two") + ending));
        }
    });
    const VerifyResult result = verify();
    removing.join();
    CHECK_TRUE(result.holds());
}

TEST(Verify, finds_a_second_tombstone) {
    ArchiveIndex(archive).append_tombstone("any/kitchen/one.manifest.json", {});
    for (const char* ending : {".json", ".manifest.json", ".devices.json"}) {
        fs::remove(datasets / (std::string("one") + ending));
    }
    CHECK(verify().holds());
    const std::string index = content_of(archive / kIndexName);
    const std::string last = split(index).back();
    std::optional<IndexEntry> again = parse_index_line(last.substr(0, last.size() - 1));
    again->previous = sha256_of(last.substr(0, last.size() - 1));
    put_content(archive / kIndexName, index + index_line(*again) + "\n");
    expect("index.jsonl: line 5 removes any/kitchen/one.manifest.json again\n");
}

TEST(Verify, tells_what_was_left_unsealed) {
    put_content(datasets / "four.open", "");
    put_content(datasets / "four.part", "");
    CHECK_EQUAL(2, verify().unsealed);
    STRCMP_CONTAINS("any/kitchen/four.open was left unsealed by a run that did not end\n",
                    problems.c_str());
}

TEST(Verify, passes_over_what_is_being_written) {
    {
        const FileDescriptor writer = open_locked(datasets / "four.part");
        CHECK(verify().holds());
    }
    CHECK_EQUAL(1, verify().unsealed);
}

// A run, or a collector, between a dataset and its line of the index.
TEST(Verify, waits_for_who_publishes) {
    put_content(datasets / "five.json", "{}\n");
    std::future<bool> held;
    {
        const ArchiveIndex publisher(archive);
        held = std::async(std::launch::async, [&] { return verify().holds(); });
        CHECK(held.wait_for(std::chrono::milliseconds(200)) == std::future_status::timeout);
        fs::remove(datasets / "five.json");
    }
    CHECK_TRUE(held.get());
    put_content(datasets / "five.json", "{}\n");
    expect("any/kitchen/five.json has no manifest in the index\n");
}

TEST(Verify, an_archive_that_a_collector_has_just_begun_holds) {
    const fs::path begun = folder.path() / "begun";
    fs::create_directories(begun / "open");
    CHECK(verify_archive(begun, [](const std::string&) {}).holds());
    fs::remove(begun / "open");
    CHECK_FALSE(verify_archive(begun, [](const std::string&) {}).holds());
    fs::create_directories(begun / "open");
    put_content(begun / kIndexHeadName, "");
    CHECK_FALSE(verify_archive(begun, [](const std::string&) {}).holds());
}

TEST(Verify, tells_what_waits_for_a_name) {
    fs::create_directories(archive / "open");
    const fs::path path = seal_state_path(archive / "open", "attic", 1);
    SealState state;
    save_seal_state(path, state);
    CHECK(verify().holds());
    state.publications.resize(2);
    save_seal_state(path, state);
    expect(
        "open/attic-0000000000000001.sealed: 2 datasets wait there for a collector that gives "
        "them their names\n");
    CHECK_EQUAL(2, verify().unsealed);
    // That is what a living one does.
    const FileDescriptor collector = open_locked(archive / "open/.lock");
    CHECK(verify().holds());
}

TEST(Verify, refuses_to_leave_the_archive) {
    const std::string zeros(64, '0');
    fs::create_directory_symlink("/", archive / "link");
    for (const char* place : {"../../x.manifest.json",
                              "/etc/x/y.manifest.json",
                              "any/../x.manifest.json",
                              "any/kitchen/../x.manifest.json",
                              "x.manifest.json",
                              "link/tmp/x.manifest.json",
                              "any/kitchen/one.json"}) {
        put_content(archive / kIndexName,
                    "{\"manifest\":\"" + std::string(place) +
                        "\",\"sha256\":\"a\",\"previous\":\"" + zeros + "\"}\n");
        expect("index.jsonl: line 1 names \"" + std::string(place) +
               "\", which is no place in an archive\n");
    }
}

TEST(Verify, an_archive_that_is_no_folder_is_refused) {
    try {
        verify_archive(archive / "nowhere", [](const std::string&) {});
        FAIL("verified nothing");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("nowhere: it is no folder", error.what());
    }
}

}  // namespace curlew::collector
