#include "collector/retention.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <fstream>
#include <vector>

#include "collector/digest.h"
#include "collector/index.h"
#include "collector/verify.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::collector;
namespace fs = std::filesystem;

namespace {

constexpr uint64_t kDay = 86'400'000'000'000;

void write(const fs::path& file, const std::string& content) {
    std::ofstream(file, std::ios::binary) << content;
}

}  // namespace

TEST_GROUP(Retention) {
    curlew::tests::TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";

    void setup() override {
        fs::create_directories(archive / "any/live");
    }

    // A dataset of 1,000 octets with a manifest that is none: all that counts here are files.
    void add(const std::string& name) {
        const std::string manifest = "any/live/" + name + ".manifest.json";
        write(archive / ("any/live/" + name + ".json"), std::string(1000, '.'));
        write(archive / manifest, "{}");
        ArchiveIndex(archive).append(manifest, sha256_of("{}"));
    }
    bool is_there(const std::string& name) const {
        return fs::exists(archive / ("any/live/" + name + ".json")) &&
               fs::exists(archive / ("any/live/" + name + ".manifest.json"));
    }
};

TEST(Retention, without_a_bound_nothing_goes) {
    add("a");
    CHECK_EQUAL(0u, enforce({}, archive, 1000 * kDay).datasets);
    CHECK_TRUE(is_there("a"));
}

TEST(Retention, the_oldest_go_until_the_rest_fits) {
    for (const char* name : {"c", "b", "a"}) {
        add(name);
    }
    const Removed removed = enforce({.octets = 2100}, archive, 0);
    CHECK_EQUAL(1u, removed.datasets);
    CHECK_EQUAL(1002u, removed.octets);
    CHECK_TRUE(removed.within_bounds);
    CHECK_FALSE(is_there("c"));
    CHECK_TRUE(is_there("b"));
    CHECK_TRUE(is_there("a"));
}

TEST(Retention, labels_beside_a_dataset_count_with_it) {
    for (const char* name : {"b", "a", "a.2"}) {
        add(name);
    }
    write(archive / "any/live/b.labels-one.json", std::string(700, '.'));
    write(archive / "any/live/b.labels-two.json", std::string(300, '.'));
    CHECK_EQUAL(0u, enforce({.octets = 4006}, archive, 0).datasets);
    const Removed removed = enforce({.octets = 4005}, archive, 0);
    CHECK_EQUAL(1u, removed.datasets);
    CHECK_EQUAL(2002u, removed.octets);
    CHECK_FALSE(is_there("b"));
    CHECK_FALSE(fs::exists(archive / "any/live/b.labels-one.json"));
    CHECK_TRUE(is_there("a"));
}

TEST(Retention, says_when_the_newest_had_no_room) {
    add("a");
    add("b");
    CHECK_FALSE(enforce({.octets = 1500}, archive, 0).newest_too);
    CHECK_TRUE(is_there("b"));
    const Removed removed = enforce({.octets = 1}, archive, 0);
    CHECK_TRUE(removed.within_bounds);
    CHECK_TRUE(removed.newest_too);
    CHECK_FALSE(enforce({.octets = 1}, archive, 0).newest_too);
    add("c");
    CHECK_FALSE(enforce({.days = 1}, archive, ~uint64_t{0}).newest_too);
    CHECK_FALSE(is_there("c"));
}

TEST(Retention, a_removed_dataset_leaves_a_tombstone_and_its_name_is_never_free_again) {
    add("a");
    enforce({.octets = 1}, archive, 0);
    const ArchiveIndex index(archive);
    CHECK_TRUE(index.is_removed("any/live/a.manifest.json"));
    CHECK_TRUE(index.sha256_of_manifest("any/live/a.manifest.json").has_value());
    CHECK_EQUAL(0u, index.present().size());
    CHECK_EQUAL(1000u, index.removed().front().tombstone->octets);
}

TEST(Retention, a_removed_dataset_is_not_missed) {
    add("a");
    enforce({.octets = 1}, archive, 0);
    const VerifyResult result =
        verify_archive(archive, [](const std::string& problem) { FAIL(problem.c_str()); });
    CHECK_EQUAL(0u, result.datasets);
}

TEST(Retention, what_is_older_than_the_days_goes) {
    add("a");
    add("b");
    const fs::path old = archive / "any/live/a.manifest.json";
    const timespec times[2] = {{1000, 0}, {1000, 0}};
    CHECK_EQUAL(0, utimensat(AT_FDCWD, old.c_str(), times, 0));
    struct stat facts {};
    CHECK_EQUAL(0, ::stat((archive / "any/live/b.manifest.json").c_str(), &facts));
    const uint64_t now = static_cast<uint64_t>(facts.st_mtim.tv_sec) * 1'000'000'000;
    CHECK_EQUAL(1u, enforce({.days = 2}, archive, now).datasets);
    CHECK_FALSE(is_there("a"));
    CHECK_TRUE(is_there("b"));
}

TEST(Retention, one_from_a_wrong_clock_keeps_none_of_the_others) {
    for (const char* name : {"a", "b", "c"}) {
        add(name);
    }
    const auto sealed_at = [this](const std::string& name, time_t second) {
        const fs::path manifest = archive / ("any/live/" + name + ".manifest.json");
        const timespec times[2] = {{second, 0}, {second, 0}};
        CHECK_EQUAL(0, utimensat(AT_FDCWD, manifest.c_str(), times, 0));
    };
    constexpr time_t kDay = 86'400;
    sealed_at("a", 400 * kDay);
    sealed_at("b", 10 * kDay);
    sealed_at("c", 19 * kDay);
    CHECK_EQUAL(1u, enforce({.days = 3}, archive, 20 * kDay * 1'000'000'000ull).datasets);
    CHECK_TRUE(is_there("a"));
    CHECK_FALSE(is_there("b"));
    CHECK_TRUE(is_there("c"));
}

TEST(Retention, says_when_nothing_is_left_to_remove) {
    add("a");
    const Removed removed = enforce({.min_free = ~uint64_t{0}}, archive, 0);
    CHECK_EQUAL(1u, removed.datasets);
    CHECK_FALSE(removed.within_bounds);
}

TEST(Retention, files_that_a_crash_left_behind_their_tombstone_go_the_next_time) {
    add("a");
    ArchiveIndex(archive).append_tombstone("any/live/a.manifest.json", {});
    CHECK_TRUE(is_there("a"));
    enforce({.octets = 1'000'000}, archive, 0);
    CHECK_FALSE(fs::exists(archive / "any/live/a.json"));
    CHECK_FALSE(fs::exists(archive / "any/live/a.manifest.json"));
}

TEST(Retention, whichever_file_a_crash_left_behind_goes_and_no_other) {
    const std::vector<std::string> ends = {
        ".json", ".json.zst", ".manifest.json", ".devices.json", ".labels-0123456789abcdef.json"};
    for (const char* name : {"a", "a.b", "a.b.c", "ab"}) {
        add(name);
        for (const std::string& end : ends) {
            write(archive / ("any/live/" + std::string(name) + end), "left");
        }
    }
    ArchiveIndex(archive).append_tombstone("any/live/a.b.manifest.json", {});
    for (const std::string& kept : ends) {
        for (const std::string& end : ends) {
            if (end != kept) {
                fs::remove(archive / ("any/live/a.b" + end));
            }
        }
        CHECK_TRUE(fs::exists(archive / ("any/live/a.b" + kept)));
        enforce({.octets = 1'000'000}, archive, 0);
        CHECK_FALSE(fs::exists(archive / ("any/live/a.b" + kept)));
        write(archive / ("any/live/a.b" + ends[(&kept - ends.data() + 1) % ends.size()]), "left");
    }
    for (const char* name : {"a", "a.b.c", "ab"}) {
        for (const std::string& end : ends) {
            CHECK_TRUE(fs::exists(archive / ("any/live/" + std::string(name) + end)));
        }
    }
}

TEST(Retention, touches_nothing_that_is_not_listed) {
    write(archive / "any/live/stray.json", "stray");
    fs::create_directories(archive / "open");
    write(archive / "open/x.open", "open");
    enforce({.octets = 1, .min_free = ~uint64_t{0}}, archive, 0);
    CHECK_TRUE(fs::exists(archive / "any/live/stray.json"));
    CHECK_TRUE(fs::exists(archive / "open/x.open"));
}
