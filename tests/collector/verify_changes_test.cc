#include <cstdlib>
#include <random>
#include <set>
#include <string>

#include "collector/index.h"
#include "collector/label_overlay.h"
#include "collector/verify.h"
#include "tests/collector/archive_changes.h"
#include "tests/collector/dataset_fixture.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// Whatever changes in an archive, verify_archive() tells. Tries a few thousand random changes; for
// a million, best in memory and with a program that is optimised:
//
//   CURLEW_VERIFY_CHANGES=1000000 TMPDIR=/dev/shm build-dev/tests/collector/unit_collector
//       -g VerifyChanges -v
//
// CURLEW_VERIFY_SEED repeats a run.

namespace curlew::collector {

namespace fs = std::filesystem;

namespace {

constexpr uint64_t kChanges = 2000;

uint64_t from_environment(const char* name, uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace

// Of two plain datasets, one with an overlay, a compressed one, and one that was removed, last.
TEST_GROUP(VerifyChanges) {
    TemporaryFolder folder;
    fs::path archive = folder.path();
    tests::FolderContent original;

    void setup() override {
        const SealResult one = seal_frames(dataset_config(archive, "one"), frames_of(0, 5));
        seal_frames(dataset_config(archive, "two"), frames_of(12, 4));
        DatasetConfig three = dataset_config(archive, "three");
        three.compress = true;
        seal_frames(three, frames_of(24, 5));
        const LabelFixture rules;
        write_overlay(one.manifest, rules.group, rules.content);
        const SealResult gone = seal_frames(dataset_config(archive, "gone"), frames_of(40, 2));
        ArchiveIndex(archive).append_tombstone(
            "any/kitchen/gone.manifest.json",
            {.records = 2, .received = 2, .octets = gone.sums.octets, .probe = "", .epoch = ""});
        for (const char* ending : {".json", ".manifest.json", ".devices.json"}) {
            fs::remove(archive / (std::string("any/kitchen/gone") + ending));
        }
        for (const auto& entry : fs::recursive_directory_iterator(archive)) {
            if (entry.is_regular_file()) {
                original[entry.path().lexically_relative(archive).string()] =
                    content_of(entry.path());
            }
        }
    }

    bool holds() const {
        return verify_archive(archive, [](const std::string&) {}).holds();
    }

    void put(const tests::FolderContent& before, const tests::FolderContent& after) const {
        for (const auto& [path, content] : before) {
            if (!after.contains(path)) {
                fs::remove(archive / path);
            }
        }
        for (const auto& [path, content] : after) {
            const auto known = before.find(path);
            if (known == before.end() || known->second != content) {
                fs::create_directories((archive / path).parent_path());
                put_content(archive / path, content);
            }
        }
    }
};

TEST(VerifyChanges, every_change_is_found) {
    const uint64_t changes = from_environment("CURLEW_VERIFY_CHANGES", kChanges);
    const uint64_t seed = from_environment("CURLEW_VERIFY_SEED", std::random_device{}());
    CHECK(original.size() >= 8);
    CHECK(holds());
    tests::ArchiveChanges random(original, seed);
    std::set<std::string> missed;
    for (uint64_t i = 0; i < changes; ++i) {
        const tests::ArchiveChanges::Change change = random.next();
        put(original, change.after);
        if (holds()) {
            missed.insert(change.what);
        }
        put(change.after, original);
    }
    CHECK(holds());
    UT_PRINT(StringFromFormat("%llu changes with seed %llu, %zu kinds not found",
                              static_cast<unsigned long long>(changes),
                              static_cast<unsigned long long>(seed),
                              missed.size())
                 .asCharString());
    for (const std::string& what : missed) {
        UT_PRINT(what.c_str());
    }
    CHECK(missed.empty());
}

}  // namespace curlew::collector
