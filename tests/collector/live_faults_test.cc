#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>

#include "collector/intake.h"
#include "tests/collector/label_fixture.h"
#include "tests/collector/live_fixture.h"
#include "tests/support/cpputest.h"
#include "tests/support/file_faults.h"
#include "tests/support/temporary_folder.h"

// Random probes, restarts and disks that fail or lose power, against a simple model: what was
// acknowledged is in exactly one dataset, and what was not is in one at most.

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using tests::arm_fault;
using tests::Fault;
using tests::has_crashed;

constexpr int kRounds = 60;
constexpr int kSteps = 120;

// What one record became, as far as its probe knows.
enum class Fate { held, acknowledged, given_up };

struct HeldFrame {
    proto::ReceivedFrame frame;
    uint64_t last_sequence;
    std::vector<uint32_t> numbers;  // of its records; of a refused batch none
};

// A probe with its outbox, start after start.
struct ModelProbe {
    std::string name;
    uint64_t next_epoch = 1;
    std::unique_ptr<TestProbe> start;
    std::deque<HeldFrame> held;
    bool welcomed = false;
    uint64_t sent = 0;  // the last sequence
    bool ended = false;

    uint64_t first_held() const {
        return held.empty() ? start->next_sequence() : held.front().frame.header.first_sequence;
    }
};

// Probes, a collector without threads, and what is known of each record.
class Line {
  public:
    std::mt19937 random;
    std::unique_ptr<tests::TemporaryFolder> folder;
    fs::path archive;
    CollectorConfig config;
    std::unique_ptr<DeviceGroups> groups;
    LabelFixture labels;
    std::unique_ptr<Intake> intake;
    std::optional<SealJob> job;  // taken and not yet done
    Moment now;
    uint64_t clock_ns = 0;
    uint32_t next_number = 1;
    std::vector<ModelProbe> probes;
    std::map<uint32_t, Fate> fates;
    std::set<std::pair<uint64_t, uint64_t>> ended_epochs;
    std::map<std::pair<uint64_t, uint64_t>, uint64_t> records_sent;

    unsigned below(unsigned bound) { return static_cast<unsigned>(random() % bound); }
    bool chance(unsigned percent) { return random() % 100 < percent; }

    void begin(unsigned seed) {
        random.seed(seed);
        folder = std::make_unique<tests::TemporaryFolder>();
        archive = folder->path() / "archive";
        put_groups(folder->path());
        tests::watch_files(archive);
        clock_ns = kWindow;
        now = Moment() + std::chrono::hours(1);
        next_number = 1;
        fates.clear();
        ended_epochs.clear();
        records_sent.clear();
        intake.reset();
        job.reset();
        configure();
        probes.clear();
        for (const char* name : {"attic", "cellar", "garden-1"}) {
            probes.push_back({.name = name});
            start(probes.back());
        }
        restart();
    }

    // Groups and windows change from start to start.
    void configure() {
        config = live_config(archive);
        config.compress = chance(30);
        config.rotate.minutes = std::vector<uint32_t>{10, 10, 10, 60, 0}[random() % 5];
        config.rotate.octets = chance(30) ? 4000 : 1 << 30;
        if (chance(30)) {
            config.groups.clear();
        }
        groups = std::make_unique<DeviceGroups>(config, folder->path());
    }

    void start(ModelProbe& probe) {
        for (const HeldFrame& frame : probe.held) {
            for (const uint32_t number : frame.numbers) {
                fates[number] = Fate::given_up;
            }
        }
        probe.held.clear();
        const uint64_t epoch = probe.next_epoch++;
        probe.start =
            std::make_unique<TestProbe>(probe.name, epoch, probe.name + std::to_string(epoch));
        probe.start->started_ns = clock_ns;
        probe.welcomed = false;
        probe.ended = false;
        ++clock_ns;
    }

    void restart() {
        intake.reset();
        job.reset();
        std::vector<std::string> problems;
        while (intake == nullptr) {
            try {
                if (has_crashed()) {
                    tests::restart_after_crash(static_cast<unsigned>(random()));
                }
                intake = std::make_unique<Intake>(archive, config.rotate, problems, now, 3000);
            } catch (const std::runtime_error&) {
            }
        }
        for (ModelProbe& probe : probes) {
            probe.welcomed = false;
        }
        for (const std::string& problem : problems) {
            // What the fault kept from being published waits, and is no damage.
            CHECK_TEXT(problem.starts_with("cannot ") && !problem.ends_with("with it"),
                       problem.c_str());
        }
    }

    void hold(ModelProbe& probe, proto::ReceivedFrame frame, std::vector<uint32_t> numbers) {
        probe.held.push_back(
            {std::move(frame), probe.start->next_sequence() - 1, std::move(numbers)});
    }

    void meter(ModelProbe& probe) {
        if (probe.ended) {
            start(probe);
        }
        if (chance(5)) {
            hold(probe, probe.start->refused_batch(next_number++, clock_ns), {});
        } else if (chance(20)) {
            probe.ended = chance(10);
            hold(probe, probe.start->ledger(clock_ns - kMinute, probe.ended), {});
        } else {
            std::vector<proto::FlowSummary> flows;
            std::vector<uint32_t> numbers;
            for (unsigned count = 1 + below(4); count > 0; --count) {
                const uint64_t age = chance(10) ? random() % (30 * kMinute) : random() % kMinute;
                flows.push_back(live_flow(next_number, clock_ns - age, chance(30)));
                fates[next_number] = Fate::held;
                numbers.push_back(next_number++);
            }
            hold(probe, probe.start->batch(flows), numbers);
        }
        records_sent[{probe.start->id, probe.start->epoch}] = probe.start->records_sent();
        if (probe.ended) {
            ended_epochs.insert({probe.start->id, probe.start->epoch});
        }
        clock_ns += random() % (3 * kMinute);
    }

    void take(const proto::ReceivedFrame& frame) {
        intake->take(
            frame, [](const ProbeStream&) { return false; }, now);
    }

    void send(ModelProbe& probe) {
        if (!probe.welcomed || chance(5)) {
            take(probe.start->hello(probe.first_held()));
            return;
        }
        for (const HeldFrame& frame : probe.held) {
            const bool lost = chance(2);
            const bool again = frame.last_sequence <= probe.sent && chance(5);
            if (!lost && (frame.last_sequence > probe.sent || again)) {
                take(frame.frame);
                probe.sent = std::max(probe.sent, frame.last_sequence);
            }
        }
    }

    // Answers that were given before a crash are no answers.
    void answer() {
        intake->commit(now);
        for (const Answer& answer : intake->answers()) {
            CHECK(answer.kind != Answer::Kind::refuse);
            for (ModelProbe& probe : probes) {
                if (probe.start->peer != answer.peer) {
                    continue;
                }
                if (answer.kind == Answer::Kind::welcome) {
                    probe.welcomed = true;
                    probe.sent = answer.last_durable;
                }
                while (!probe.held.empty() &&
                       probe.held.front().last_sequence <= answer.last_durable) {
                    for (const uint32_t number : probe.held.front().numbers) {
                        fates[number] = Fate::acknowledged;
                    }
                    probe.held.pop_front();
                }
            }
        }
    }

    void work_on_job() {
        if (!job) {
            job = intake->next_job(now);
        }
        if (!job || chance(30)) {
            return;
        }
        try {
            const SealedWindows sealed =
                seal_windows(*job, {config, *groups, "0.1.0"}, labels.memory, 2000);
            intake->sealed(*job, sealed);
        } catch (const std::runtime_error&) {
            intake->seal_failed(*job, now);
        }
        job.reset();
    }

    void step() {
        ModelProbe& probe = probes[random() % probes.size()];
        const unsigned what = below(100);
        if (what < 40) {
            meter(probe);
        } else if (what < 70) {
            send(probe);
            if (chance(70)) {
                answer();
            }
        } else if (what < 90) {
            work_on_job();
        } else if (what < 92) {
            start(probe);
        } else if (what < 94) {
            configure();
            if (chance(50)) {
                restart();
            } else {
                intake->set_rotation(config.rotate);
            }
        } else if (what < 97) {
            intake->tidy_up();
        } else {
            const Fault faults[] = {Fault::no_space, Fault::broken, Fault::crash, Fault::crash};
            arm_fault(faults[random() % 4], 1 + random() % 60);
        }
        now += std::chrono::milliseconds(random() % 3000);
        if (has_crashed()) {
            restart();
        }
    }

    void end() {
        arm_fault(Fault::broken, 0);
        restart();
        for (int i = 0; i < 20; ++i) {
            now += std::chrono::seconds(11);
            for (ModelProbe& probe : probes) {
                if (!probe.ended) {
                    probe.ended = true;
                    hold(probe, probe.start->ledger(clock_ns, true), {});
                    ended_epochs.insert({probe.start->id, probe.start->epoch});
                }
                send(probe);
                answer();
                if (!probe.held.empty() && i % 3 == 2) {
                    probe.welcomed = false;
                }
            }
            while (auto due = intake->next_job(now)) {
                intake->sealed(*due, seal_windows(*due, {config, *groups, "0.1.0"}, labels.memory));
            }
        }
        for (const ModelProbe& probe : probes) {
            CHECK_EQUAL(0, probe.held.size());
        }
    }

    void check(const std::string& seed) {
        const std::map<uint32_t, int> numbers = sealed_numbers(archive);
        for (const auto& [number, fate] : fates) {
            const auto found = numbers.find(number);
            const int times = found == numbers.end() ? 0 : found->second;
            const std::string text = seed + ", record " + std::to_string(number);
            CHECK_TEXT(times <= 1, (text + " is doubled").c_str());
            CHECK_TEXT(times == 1 || fate == Fate::given_up, (text + " is missing").c_str());
        }
        std::map<std::pair<uint64_t, uint64_t>, uint64_t> received;
        std::set<std::pair<uint64_t, uint64_t>> told;
        for (const SealedDataset& dataset : sealed_datasets(archive)) {
            const EpochManifest& live = *dataset.facts.live;
            received[{live.probe_id, live.epoch}] += live.records_received;
            CHECK_TEXT(live.gaps.empty(), seed.c_str());
            if (live.final_ledger) {
                told.insert({live.probe_id, live.epoch});
            }
        }
        for (const ModelProbe& probe : probes) {
            const std::pair epoch(probe.start->id, probe.start->epoch);
            CHECK_TEXT(told.contains(epoch), (seed + ": " + probe.name).c_str());
        }
        for (const auto& epoch : told) {
            UNSIGNED_LONGS_EQUAL_TEXT(records_sent[epoch], received[epoch], seed.c_str());
        }
        CHECK_TEXT(intake->waiting_octets() == 0, seed.c_str());
        for (const std::string& file : files_in(archive / "open")) {
            CHECK_FALSE_TEXT(file.ends_with(".part"), seed.c_str());
        }
    }
};

}  // namespace

TEST_GROUP(LiveFaults){};

TEST(LiveFaults, what_is_acknowledged_is_in_exactly_one_dataset) {
    const char* given = std::getenv("CURLEW_SEED");
    const unsigned first =
        given != nullptr ? static_cast<unsigned>(std::stoul(given)) : std::random_device{}();
    for (unsigned round = 0; round < kRounds; ++round) {
        const unsigned seed = first + round;
        Line line;
        line.begin(seed);
        for (int i = 0; i < kSteps; ++i) {
            line.step();
        }
        line.end();
        line.check("seed " + std::to_string(seed));
    }
}

}  // namespace curlew::collector
