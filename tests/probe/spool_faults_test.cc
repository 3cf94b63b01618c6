#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "probe/spool.h"
#include "proto/frame.h"
#include "tests/support/file_faults.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// A probe that is started several times over one spool, with the power cut after every call that
// changes a file, and with every such call failing. What was said to be synced and was not
// acknowledged has to come again, whole, once and in order; what was acknowledged and noted has
// not.

namespace fs = std::filesystem;
namespace proto = curlew::proto;
namespace tests = curlew::tests;
using curlew::probe::read_spooled;
using curlew::probe::Spool;
using curlew::probe::SpooledRun;
using curlew::probe::SpoolFolder;
using tests::Fault;
using tests::Left;

namespace {

constexpr uint64_t kProbe = 7;
constexpr uint64_t kSegment = 4096;
constexpr uint64_t kRecords = 10;  // a frame
constexpr int kEpochs = 3;

std::string frame(proto::FrameKind kind, uint64_t epoch, uint64_t first, const std::string& body) {
    std::string octets;
    const bool is_batch = kind == proto::FrameKind::batch;
    proto::append_frame({kind, kProbe, epoch, first, is_batch ? uint32_t{kRecords} : 0},
                        {reinterpret_cast<const uint8_t*>(body.data()), body.size()},
                        octets);
    return octets;
}

std::string batch(uint64_t epoch, uint64_t number) {
    const std::string body(600 + number % 7 * 90, static_cast<char>('a' + number % 26));
    return frame(proto::FrameKind::batch, epoch, number * kRecords + 1, body);
}

// True of one epoch from a position in the log on.
struct Promise {
    size_t at;
    uint64_t epoch;
    uint64_t last;
};

struct Promises {
    std::vector<Promise> synced;        // this sequence, told without any failure
    std::vector<Promise> acknowledged;  // all up to it; counts from the moment before it was told
    std::vector<Promise> noted;         // all up to it will not come again

    static bool holds_one(const std::vector<Promise>& all,
                          size_t at,
                          uint64_t epoch,
                          uint64_t last) {
        return std::any_of(all.begin(), all.end(), [&](const Promise& one) {
            return one.at <= at && one.epoch == epoch && one.last >= last;
        });
    }
    bool is_acknowledged(size_t at, uint64_t epoch, uint64_t last) const {
        return holds_one(acknowledged, at, epoch, last);
    }
};

// One start after the other, as the exporter and what delivers leftovers use the spool.
class Starts {
  public:
    explicit Starts(fs::path folder) : folder_(std::move(folder)) {}

    Promises promises;
    std::vector<std::string> failures;

    void run() {
        for (uint64_t epoch = 1; epoch <= kEpochs && !tests::has_crashed(); ++epoch) {
            try {
                SpoolFolder folder(folder_);
                deliver_leftover(folder);
                begin(folder, epoch);
            } catch (const std::runtime_error& error) {
                failures.emplace_back(error.what());
            }
        }
    }

  private:
    static size_t now() { return tests::file_log_size(); }

    void deliver_leftover(SpoolFolder& folder) {
        std::vector<std::string> problems;
        const std::vector<SpooledRun> runs = folder.left(problems);
        for (size_t i = 0; i < runs.size(); ++i) {
            const uint64_t last = runs[i].frames.back().last_sequence;
            promises.acknowledged.push_back({now(), runs[i].epoch, last});
            if (folder.note(runs[i].epoch, last)) {
                promises.noted.push_back({now(), runs[i].epoch, last});
            }
            if (i + 1 == runs.size() || runs[i + 1].epoch != runs[i].epoch) {
                folder.remove(runs[i].epoch);
            }
        }
    }

    void begin(SpoolFolder& folder, uint64_t epoch) {
        Spool spool(folder, epoch, frame(proto::FrameKind::hello, epoch, 1, "who I am"), kSegment);
        uint64_t failed = 0;
        uint64_t synced = 0;
        for (uint64_t number = 0; number < 10; ++number) {
            append(spool, epoch, number);
            // Every third sync has two frames.
            if (number % 3 != 2) {
                wait_for_sync(spool, epoch, synced, failed);
            }
            if (number % 5 == 4) {
                acknowledge(spool, epoch, (number - 2) * kRecords);
            }
        }
        wait_for_sync(spool, epoch, synced, failed);
        const uint64_t all = epoch == 2 ? 100 : 70;
        promises.acknowledged.push_back({now(), epoch, all});
        spool.finish(all);
    }

    void append(Spool& spool, uint64_t epoch, uint64_t number) {
        // Twice: the disk may have been full for a moment.
        for (int attempt = 0; attempt < 2; ++attempt) {
            try {
                const uint64_t first = number * kRecords + 1;
                spool.append(batch(epoch, number), first, first + kRecords - 1);
                appended_ = first + kRecords - 1;
                return;
            } catch (const std::runtime_error& error) {
                failures.emplace_back(error.what());
            }
        }
    }

    void wait_for_sync(Spool& spool, uint64_t epoch, uint64_t& synced, uint64_t& failed) {
        while (!tests::has_crashed() && spool.synced() < appended_) {
            std::this_thread::yield();
        }
        const uint64_t last = spool.synced();
        const uint64_t failed_now = spool.failed_syncs();
        for (uint64_t one = synced + kRecords; one <= last && failed_now == failed;
             one += kRecords) {
            promises.synced.push_back({now(), epoch, one});
        }
        synced = last;
        failed = failed_now;
    }

    void acknowledge(Spool& spool, uint64_t epoch, uint64_t last) {
        promises.acknowledged.push_back({now(), epoch, last});
        spool.acknowledged(last);
    }

    fs::path folder_;
    uint64_t appended_ = 0;
};

// What the next start finds in `folder` against what was promised before `at`.
void check(const fs::path& folder, const Promises& promises, size_t at, const std::string& when) {
    SpoolFolder opened(folder);
    std::vector<std::string> problems;
    std::map<uint64_t, std::map<uint64_t, int>> found;  // of an epoch, by last sequence
    std::map<uint64_t, uint64_t> newest;
    for (const SpooledRun& run : opened.left(problems)) {
        UNSIGNED_LONGS_EQUAL_TEXT(kProbe, run.probe_id, when.c_str());
        STRCMP_EQUAL_TEXT("who I am", run.hello.c_str(), when.c_str());
        for (const SpooledRun::Frame& one : run.frames) {
            CHECK_TEXT(one.first_sequence > newest[run.epoch], (when + ": order").c_str());
            newest[run.epoch] = one.last_sequence;
            CHECK_TEXT(read_spooled(one) == batch(run.epoch, one.first_sequence / kRecords),
                       (when + ": another frame").c_str());
            ++found[run.epoch][one.last_sequence];
            CHECK_FALSE_TEXT(Promises::holds_one(promises.noted, at, run.epoch, one.last_sequence),
                             (when + ": what was noted comes again").c_str());
        }
    }
    for (const Promise& promise : promises.synced) {
        if (promise.at <= at && !promises.is_acknowledged(at, promise.epoch, promise.last)) {
            const std::string text = when + ": epoch " + std::to_string(promise.epoch) + " up to " +
                                     std::to_string(promise.last) + " is missing";
            CHECK_TEXT(found[promise.epoch][promise.last] == 1, text.c_str());
        }
    }
}

}  // namespace

TEST_GROUP(SpoolFaults) {
    tests::TemporaryFolder temporary;
    fs::path folder = temporary.path() / "line";
    int tried = 0;

    void teardown() override {
        tests::watch_no_files();
    }

    fs::path fresh_folder() {
        return temporary.path() / std::to_string(++tried);
    }

    void check_left(const tests::Disk& disk,
                    Left left,
                    const Promises& promises,
                    size_t at,
                    const std::string& when) {
        const fs::path place = fresh_folder();
        disk.materialise(left, static_cast<unsigned>(at + 1), place);
        check(place / "spool", promises, at, when + ", left " + std::to_string(int(left)));
        fs::remove_all(place);
    }
};

TEST(SpoolFaults, every_prefix_of_a_run_keeps_what_was_promised) {
    fs::create_directory(folder);
    tests::watch_files(folder);
    Starts starts(folder / "spool");
    starts.run();
    CHECK(starts.failures.empty());
    const std::vector<tests::FileCall> log = tests::file_log();
    tests::watch_no_files();
    tests::LogReplay replay(tests::Disk(), log);
    for (size_t at = 0; at <= log.size(); ++at) {
        for (const Left left : {Left::kept, Left::dropped, Left::torn}) {
            check_left(replay.after(at), left, starts.promises, at, "after " + std::to_string(at));
        }
    }
    std::printf("%zu prefixes ", log.size() + 1);
}

TEST(SpoolFaults, on_a_full_disk_what_was_acknowledged_makes_room_for_its_position) {
    fs::create_directory(folder);
    tests::watch_files(folder);
    SpoolFolder opened(folder / "spool");
    Spool spool(opened, 1, frame(proto::FrameKind::hello, 1, 1, "who I am"), kSegment);
    for (uint64_t number = 0; number < 30; ++number) {
        spool.append(batch(1, number), number * kRecords + 1, (number + 1) * kRecords);
    }
    while (spool.synced() < 300) {
        std::this_thread::yield();
    }
    tests::arm_fault(Fault::no_space, 1);
    spool.acknowledged(200);
    CHECK(tests::has_struck());
    CHECK(spool.first_segment() > 2);
    const uint64_t first = spool.first_segment();
    // Any other failure leaves all where it is.
    tests::arm_fault(Fault::broken, 1);
    spool.acknowledged(300);
    CHECK(tests::has_struck());
    CHECK_EQUAL(first, spool.first_segment());
    std::vector<std::string> problems;
    CHECK_EQUAL(201u, opened.left(problems).at(0).frames.at(0).first_sequence);
    CHECK_EQUAL(0u, problems.size());
}

TEST(SpoolFaults, after_a_failed_sync_another_segment_goes_on_and_the_rooms_rest_is_given_back) {
    fs::create_directory(folder);
    tests::watch_files(folder);
    SpoolFolder opened(folder / "spool");
    Spool spool(opened, 1, frame(proto::FrameKind::hello, 1, 1, "who I am"), 65536);
    spool.append(batch(1, 0), 1, 10);
    while (spool.synced() < 10) {
        std::this_thread::yield();
    }
    CHECK_EQUAL(0u, spool.failed_syncs());
    // Behind the write.
    tests::arm_fault(Fault::broken, 2);
    spool.append(batch(1, 1), 11, 20);
    while (spool.synced() < 20) {
        std::this_thread::yield();
    }
    CHECK_EQUAL(1u, spool.failed_syncs());
    spool.append(batch(1, 2), 21, 30);
    std::vector<std::string> problems;
    const auto runs = opened.left(problems);
    CHECK_EQUAL(3u, runs.at(0).frames.size());
    const SpooledRun::Frame& last = runs[0].frames[1];
    CHECK(last.file != runs[0].frames[2].file);
    CHECK_EQUAL(last.offset + last.octets, fs::file_size(last.file));
    CHECK_EQUAL(0u, problems.size());
}

TEST(SpoolFaults, every_call_that_fails_is_survived) {
    int failures = 0;
    for (const Fault fault : {Fault::no_space, Fault::broken, Fault::crash}) {
        bool struck = true;
        for (uint64_t k = 1; struck; ++k) {
            fs::create_directory(folder);
            tests::watch_files(folder);
            tests::arm_fault(fault, k);
            Starts starts(folder / "spool");
            starts.run();
            struck = tests::has_struck();
            const tests::Disk disk = tests::watched_disk();
            const size_t end = tests::file_log_size();
            tests::watch_no_files();
            const std::string when =
                "fault " + std::to_string(int(fault)) + " of call " + std::to_string(k);
            for (const std::string& failure : starts.failures) {
                STRCMP_CONTAINS_TEXT("cannot ", failure.c_str(), when.c_str());
            }
            for (const Left left : {Left::dropped, k % 2 == 0 ? Left::kept : Left::torn}) {
                check_left(disk, left, starts.promises, end, when);
            }
            fs::remove_all(folder);
            failures += struck ? 1 : 0;
        }
    }
    std::printf("%d failures ", failures);
}
