#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "collector/digest.h"
#include "collector/index.h"
#include "collector/intake.h"
#include "collector/retention.h"
#include "collector/verify.h"
#include "tests/collector/label_fixture.h"
#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/file_faults.h"
#include "tests/support/temporary_folder.h"

// One small line of two probes, from the first hello to the last sealed dataset, with the power cut
// after every call that changes a file, and with every such call failing. What was acknowledged has
// to be in exactly one dataset once the probes have sent the rest, and nothing else.

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using tests::Fault;
using tests::Left;

constexpr int kTurns = 60;
// So that the oldest dataset has to go.
constexpr uint64_t kKeepOctets = 20'000;

CollectorConfig one_group(const fs::path& archive) {
    CollectorConfig config = live_config(archive);
    config.groups.clear();
    return config;
}

struct SentFrame {
    proto::ReceivedFrame frame;
    uint64_t last_sequence;
};

// One start of a probe, with all that it will ever say.
struct Start {
    explicit Start(const std::string& name, uint64_t epoch)
        : probe(name, epoch, name + std::to_string(epoch)) {
        probe.started_ns = kWindow + epoch;
    }

    void add(proto::ReceivedFrame frame) {
        frames.push_back({std::move(frame), probe.next_sequence() - 1});
    }
    uint64_t last() const { return frames.back().last_sequence; }

    TestProbe probe;
    std::vector<SentFrame> frames;
};

// The numbers of records are those of live_flow().
std::vector<Start> all_starts(uint32_t& records) {
    std::vector<Start> starts{Start("attic", 1), Start("cellar", 1), Start("cellar", 2)};
    records = 0;
    const auto batch = [&](Start& start, std::vector<uint64_t> minutes) {
        std::vector<proto::FlowSummary> flows;
        for (const uint64_t minute : minutes) {
            flows.push_back(live_flow(++records, kWindow + minute * kMinute));
        }
        start.add(start.probe.batch(flows));
    };
    const auto ledger = [](Start& start, uint64_t minute, bool final) {
        start.add(start.probe.ledger(kWindow + minute * kMinute, final));
    };
    batch(starts[0], {1, 9});
    batch(starts[0], {11});
    ledger(starts[0], 12, false);
    // One is late, so that the last job has two datasets.
    batch(starts[0], {8, 13});
    ledger(starts[0], 14, true);
    batch(starts[1], {2});
    batch(starts[2], {14});
    ledger(starts[2], 15, true);
    return starts;
}

struct Promise {
    size_t at;
    size_t start;
    uint64_t acknowledged;
};

// Those without a tombstone, in whole lines.
std::set<std::string> listed_manifests(std::string_view index) {
    std::set<std::string> listed;
    for (size_t end = index.find('\n'); end != std::string_view::npos; end = index.find('\n')) {
        if (const auto entry = parse_index_line(index.substr(0, end))) {
            entry->tombstone ? listed.erase(entry->manifest)
                             : listed.insert(entry->manifest).second;
        }
        index.remove_prefix(end + 1);
    }
    return listed;
}

// Of every dataset that was ever seen, by its name and its manifest's sum.
using Numbers = std::map<std::pair<std::string, std::string>, std::vector<uint32_t>>;

// A collector and its probes, as far as they came.
class Line {
  public:
    Line(const fs::path& archive,
         const DeviceGroups& device_groups,
         const LabelFixture& labels,
         const std::vector<Start>& all)
        : config_(one_group(archive)),
          groups_(device_groups),
          starts_(all),
          states_(all.size()),
          memory_(labels.content, labels.vendors) {}

    std::vector<Promise> promises;
    std::vector<std::string> failures;
    Numbers numbers;

    void know(size_t start, uint64_t acknowledged) {
        states_[start].acknowledged = std::max(states_[start].acknowledged, acknowledged);
    }

    // Until all is acknowledged and sealed, or the collector died. `restart`: in this turn.
    bool run(int restart = -1) {
        for (int turn = 0; turn < kTurns && !tests::has_crashed(); ++turn) {
            now_ += std::chrono::seconds(11);
            try {
                if (turn == restart) {
                    intake_.reset();
                }
                if (this->turn()) {
                    return !tests::has_crashed();
                }
            } catch (const std::runtime_error& error) {
                failures.emplace_back(error.what());
            }
        }
        return false;
    }

    // Forgets old epochs, so that little is left beside datasets.
    void tidy_up() { intake_->tidy_up(); }

  private:
    struct State {
        bool is_welcome = false;
        uint64_t sent = 0;
        uint64_t acknowledged = 0;
    };

    bool turn() {
        if (intake_ == nullptr) {
            for (State& state : states_) {
                state.is_welcome = false;
            }
            std::vector<std::string> problems;
            intake_ =
                std::make_unique<Intake>(config_.archive, config_.rotate, problems, now_, 700);
            for (const std::string& problem : problems) {
                FAIL(problem.c_str());
            }
        }
        const bool is_acknowledged = send();
        intake_->commit(now_);
        take_answers();
        const bool is_sealed = seal();
        remove_old();
        if (!intake_->trouble().empty()) {
            failures.push_back(intake_->trouble());
        }
        return is_acknowledged && is_sealed && intake_->waiting_octets() == 0;
    }

    // True when nothing is left to send.
    bool send() {
        std::set<std::string> busy;
        for (size_t i = 0; i < starts_.size(); ++i) {
            const Start& start = starts_[i];
            State& state = states_[i];
            // A probe delivers what an earlier start left before anything else.
            if (state.acknowledged == start.last() || !busy.insert(start.probe.name).second) {
                continue;
            }
            if (!state.is_welcome) {
                take(start.probe.hello(state.acknowledged + 1));
                continue;
            }
            int count = 0;
            for (const SentFrame& frame : start.frames) {
                if (frame.last_sequence > state.sent && count++ < 2) {
                    take(frame.frame);
                    state.sent = frame.last_sequence;
                }
            }
            // What is still not acknowledged then comes again.
            state.is_welcome = count > 0;
        }
        return busy.empty();
    }

    void take(const proto::ReceivedFrame& frame) {
        intake_->take(
            frame, [](const ProbeStream&) { return false; }, now_);
    }

    void take_answers() {
        for (const Answer& answer : intake_->answers()) {
            CHECK(answer.kind != Answer::Kind::refuse);
            for (size_t i = 0; i < starts_.size(); ++i) {
                if (starts_[i].probe.peer != answer.peer || tests::has_crashed()) {
                    continue;
                }
                if (answer.kind == Answer::Kind::welcome) {
                    states_[i].is_welcome = true;
                    states_[i].sent = answer.last_durable;
                }
                know(i, answer.last_durable);
                promises.push_back({tests::file_log_size(), i, answer.last_durable});
            }
        }
    }

    bool seal() {
        bool is_sealed = true;
        while (const auto job = intake_->next_job(now_)) {
            try {
                const SealedWindows sealed =
                    seal_windows(*job, {config_, groups_, "0.1.0"}, memory_);
                intake_->sealed(*job, sealed);
            } catch (const std::runtime_error& error) {
                failures.emplace_back(error.what());
                intake_->seal_failed(*job, now_);
                is_sealed = false;
            }
        }
        return is_sealed;
    }

    void remove_old() {
        const fs::path index = config_.archive / kIndexName;
        const std::string lines = fs::exists(index) ? tests::content_of(index) : "";
        if (lines == known_lines_) {
            return;
        }
        known_lines_ = lines;
        for (const SealedDataset& dataset : sealed_datasets(config_.archive)) {
            numbers[{dataset.manifest, sha256_of(dataset.text)}] = dataset.numbers;
        }
        // Again when it failed.
        known_lines_.clear();
        enforce({.octets = kKeepOctets}, config_.archive, 0);
        known_lines_ = tests::content_of(index);
    }

    CollectorConfig config_;
    const DeviceGroups& groups_;
    const std::vector<Start>& starts_;
    std::vector<State> states_;
    LineMemory memory_;
    std::unique_ptr<Intake> intake_;
    std::string known_lines_;
    Moment now_ = Moment() + std::chrono::hours(1);
};

void check_names(const fs::path& place, const std::string& when) {
    const std::string index =
        fs::exists(place / kIndexName) ? tests::content_of(place / kIndexName) : "";
    for (const std::string& manifest : listed_manifests(index)) {
        CHECK_TEXT(fs::exists(place / manifest), (when + ": " + manifest).c_str());
    }
}

void check(const fs::path& place, const Line& line, uint32_t records, const std::string& when) {
    verify_archive(place,
                   [&](const std::string& problem) { FAIL((when + ": " + problem).c_str()); });
    std::map<uint32_t, int> times;
    const auto count = [&](const IndexEntry& entry) {
        const auto found = line.numbers.find({entry.manifest, entry.sha256});
        CHECK_TEXT(found != line.numbers.end(), (when + ": " + entry.manifest).c_str());
        for (const uint32_t number : found->second) {
            ++times[number];
        }
    };
    const ArchiveIndex index(place);
    for (const IndexEntry& entry : index.present()) {
        count(entry);
    }
    for (const IndexEntry& entry : index.removed()) {
        count(entry);
    }
    for (uint32_t number = 1; number <= records; ++number) {
        const std::string text = when + ": record " + std::to_string(number);
        LONGS_EQUAL_TEXT(1, times[number], text.c_str());
    }
    CHECK_EQUAL_TEXT(records, times.size(), when.c_str());
    // Journals stay, without a record: who heard the last word nobody knows. A state that outlives
    // its journal says nothing any more.
    size_t journals = 0;
    for (const std::string& file : files_in(place / "open")) {
        const bool is_journal = file.ends_with(".open");
        journals += is_journal ? 1 : 0;
        CHECK_TEXT(is_journal || file == ".lock" || file.ends_with(".sealed"),
                   (when + ": " + file).c_str());
    }
    LONGS_EQUAL_TEXT(3, journals, when.c_str());
}

}  // namespace

TEST_GROUP(IntakeFaults) {
    tests::TemporaryFolder folder;
    fs::path archive = folder.path() / "archive";
    uint32_t records = 0;
    std::vector<Start> starts = all_starts(records);
    std::unique_ptr<DeviceGroups> groups;
    LabelFixture labels;
    Numbers known;  // of all runs

    void setup() override {
        put_groups(folder.path());
        groups = std::make_unique<DeviceGroups>(one_group(archive), folder.path());
    }
    void teardown() override {
        tests::watch_no_files();
    }

    // Starts over what `disk` is left with, and lets the probes send what was not acknowledged
    // before `at`. Gives the disk that this ends with.
    tests::Disk finish(const tests::Disk& disk,
                       Left left,
                       const Line& before,
                       size_t at,
                       const std::string& when) {
        const fs::path place = folder.path() / "left";
        disk.materialise(left, static_cast<unsigned>(at + 1), place);
        // Before anything is mended: no entry names what is not there.
        check_names(place, when);
        left == Left::kept ? tests::watch_files(place, disk) : tests::watch_files(place);
        Line line(place, *groups, labels, starts);
        known.insert(before.numbers.begin(), before.numbers.end());
        line.numbers = known;
        for (const Promise& promise : before.promises) {
            if (promise.at <= at) {
                line.know(promise.start, promise.acknowledged);
            }
        }
        CHECK_TEXT(line.run(), (when + ": did not finish").c_str());
        CHECK_TEXT(line.failures.empty(), when.c_str());
        line.tidy_up();
        known = line.numbers;
        tests::Disk end = tests::watched_disk();
        tests::watch_no_files();
        check(place, line, records, when);
        fs::remove_all(place);
        return end;
    }
};

TEST(IntakeFaults, every_prefix_of_a_run_keeps_what_was_acknowledged) {
    tests::watch_files(archive);
    Line line(archive, *groups, labels, starts);
    CHECK(line.run(4));
    line.tidy_up();
    CHECK(line.failures.empty());
    const std::vector<tests::FileCall> log = tests::file_log();
    tests::watch_no_files();
    check(archive, line, records, "run");
    CHECK_FALSE(ArchiveIndex(archive).removed().empty());
    tests::LogReplay replay(tests::Disk(), log);
    for (size_t at = 0; at <= log.size(); at += tests::fault_stride()) {
        const tests::Disk& disk = replay.after(at);
        const std::string when = "after " + std::to_string(at);
        finish(disk, Left::dropped, line, at, when + ", dropped");
        finish(disk, Left::torn, line, at, when + ", torn");
        // The process alone died; and then, when the next one is done, the power goes.
        const tests::Disk end = finish(disk, Left::kept, line, at, when + ", kept");
        finish(end, Left::dropped, line, log.size(), when + ", dropped in the end");
    }
    std::printf("%zu prefixes ", log.size() / tests::fault_stride() + 1);
}

TEST(IntakeFaults, every_call_that_fails_is_survived) {
    int failures = 0;
    // A crash is a prefix.
    for (const Fault fault : {Fault::no_space, Fault::broken}) {
        bool struck = true;
        for (uint64_t k = 1; struck; k += tests::fault_stride()) {
            const std::string when =
                "fault " + std::to_string(int(fault)) + " of call " + std::to_string(k);
            fs::remove_all(archive);
            tests::watch_files(archive);
            tests::arm_fault(fault, k);
            Line line(archive, *groups, labels, starts);
            CHECK_TEXT(line.run(4), (when + ": did not finish").c_str());
            struck = tests::has_struck();
            const tests::Disk disk = tests::watched_disk();
            const size_t end = tests::file_log_size();
            tests::watch_no_files();
            for (const std::string& failure : line.failures) {
                STRCMP_CONTAINS_TEXT("cannot ", failure.c_str(), when.c_str());
            }
            finish(disk, Left::dropped, line, end, when);
            failures += struck ? 1 : 0;
        }
    }
    std::printf("%d failures ", failures);
}

}  // namespace curlew::collector
