#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "collector/label_overlay.h"
#include "collector/verify.h"
#include "tests/collector/dataset_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/file_faults.h"

// Two captures into one archive, and labels anew for a dataset, with the power cut after every call
// that changes a file, and with every such call failing. Run once more, all is there and holds.

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using tests::Fault;
using tests::Left;

struct SealPromise {
    size_t at;
    std::string name;
};

// As `curlew run` does it, but for the channel.
void seal_capture(const fs::path& archive,
                  const std::string& name,
                  uint32_t first_number,
                  const LabelRules& rules,
                  std::vector<SealPromise>& promises) {
    const DatasetConfig config = dataset_config(archive, name);
    std::vector<fs::path> ignored;
    make_folders_durably(archive / config.group / config.scenario, ignored);
    const fs::path part = archive / config.group / config.scenario / (name + ".part");
    const FileDescriptor lock = open_locked(part);
    Sealer sealer(config, rules, part);
    const std::vector<std::string> frames = {
        batch_frame({numbered_flow(first_number), numbered_flow(first_number + 1)}, 1),
        batch_frame({numbered_flow(first_number + 2)}, 3),
        ledger_frame(4)};
    for (const std::string& octets : frames) {
        proto::FrameView frame;
        CHECK(proto::decode_frame(octets_of(octets), frame) == proto::FrameError::none);
        sealer.take(frame);
    }
    CHECK_EQUAL(3, sealer.seal().records_written);
    promises.push_back({tests::file_log_size(), name});
}

std::string labels_of(const std::string& protocol) {
    return field_signature("tcp", "ip.protocol", "6|17", "protocol = '" + protocol + "'");
}

void label_anew(const fs::path& archive, const LabelFixture& labels) {
    write_overlay(archive / "any/kitchen/walk.manifest.json", labels.group, labels.content);
}

uint64_t problems(const fs::path& place, const std::string& when) {
    return verify_archive(
               place, [&](const std::string& problem) { FAIL((when + ": " + problem).c_str()); })
        .records;
}

void check_promise(const fs::path& place, const SealPromise& promise, const std::string& when) {
    const std::string base = (place / "any/kitchen" / promise.name).string();
    CHECK_TEXT(fs::exists(base + ".manifest.json") && fs::exists(base + ".json"),
               (when + ": " + promise.name).c_str());
}

}  // namespace

TEST_GROUP(SealFaults) {
    TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    LabelFixture labels;
    LabelFixture others{any_group(), labels_of("something")};
    LabelFixture yet_others{any_group(), labels_of("another")};
    std::vector<SealPromise> promises;
    std::vector<std::string> failures;

    void teardown() override {
        tests::watch_no_files();
    }

    // All of it, or up to what fails.
    bool run(const fs::path& place) {
        try {
            seal_capture(place, "walk", 1, labels.rules(), promises);
            label_anew(place, others);
            seal_capture(place, "talk", 11, labels.rules(), promises);
            label_anew(place, others);
            label_anew(place, yet_others);
            return true;
        } catch (const std::runtime_error& error) {
            failures.emplace_back(error.what());
            return false;
        }
    }

    // What is left against what was promised before `at`; then another run over it.
    tests::Disk check(const tests::Disk& disk,
                      Left left,
                      const std::vector<SealPromise>& promised,
                      size_t at,
                      const std::string& when) {
        const fs::path place = folder.path() / "left";
        disk.materialise(left, static_cast<unsigned>(at + 1), place);
        for (const SealPromise& promise : promised) {
            if (promise.at <= at) {
                check_promise(place, promise, when);
            }
        }
        left == Left::kept ? tests::watch_files(place, disk) : tests::watch_files(place);
        std::vector<SealPromise> before;
        before.swap(promises);
        CHECK_TEXT(run(place), (when + (failures.empty() ? "" : ": " + failures.back())).c_str());
        promises.swap(before);
        const tests::Disk end = tests::watched_disk();
        tests::watch_no_files();
        UNSIGNED_LONGS_EQUAL_TEXT(6, problems(place, when), when.c_str());
        fs::remove_all(place);
        return end;
    }
};

TEST(SealFaults, every_prefix_of_a_run_keeps_what_was_sealed) {
    tests::watch_files(archive);
    CHECK(run(archive));
    const std::vector<tests::FileCall> log = tests::file_log();
    const std::vector<SealPromise> promised = promises;
    tests::watch_no_files();
    tests::LogReplay replay(tests::Disk(), log);
    for (size_t at = 0; at <= log.size(); at += tests::fault_stride()) {
        const tests::Disk& disk = replay.after(at);
        const std::string when = "after " + std::to_string(at);
        check(disk, Left::dropped, promised, at, when + ", dropped");
        check(disk, Left::torn, promised, at, when + ", torn");
        // The process alone died; and then, when the next one is done, the power goes.
        const tests::Disk end = check(disk, Left::kept, promised, at, when + ", kept");
        check(end, Left::dropped, promised, log.size(), when + ", dropped in the end");
    }
    std::printf("%zu prefixes ", log.size() / tests::fault_stride() + 1);
}

TEST(SealFaults, every_call_that_fails_is_one_sentence_and_keeps_what_was_promised) {
    int count = 0;
    // A crash is a prefix.
    for (const Fault fault : {Fault::no_space, Fault::broken}) {
        bool struck = true;
        for (uint64_t k = 1; struck; k += tests::fault_stride()) {
            const std::string when =
                "fault " + std::to_string(int(fault)) + " of call " + std::to_string(k);
            fs::remove_all(archive);
            promises.clear();
            failures.clear();
            tests::watch_files(archive);
            tests::arm_fault(fault, k);
            run(archive);
            struck = tests::has_struck();
            const tests::Disk disk = tests::watched_disk();
            const size_t end = tests::file_log_size();
            tests::watch_no_files();
            for (const std::string& failure : failures) {
                STRCMP_CONTAINS_TEXT("cannot ", failure.c_str(), when.c_str());
            }
            const std::vector<SealPromise> promised = promises;
            check(disk, Left::dropped, promised, end, when + ", dropped");
            check(check(disk, Left::kept, promised, end, when + ", kept"),
                  Left::dropped,
                  promised,
                  end,
                  when + ", dropped in the end");
            count += struck ? 1 : 0;
        }
    }
    std::printf("%d failures ", count);
}

}  // namespace curlew::collector
