#include "collector/live_collector.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include "collector/retention.h"
#include "collector/sealing_thread.h"
#include "signatures/config_file.h"

namespace curlew::collector {
namespace {

using std::chrono::milliseconds;
using Clock = std::chrono::steady_clock;

// How long a wait for a frame lasts before everything else is looked at again.
constexpr milliseconds kLivePoll{50};
// Frames of one commit, so that fast probes still get their acknowledgements.
constexpr int kLiveFramesPerCommit = 256;
// After a stop request, at most this is taken of what has arrived: twice what one probe may have on
// its way.
constexpr int kFramesToDrain = 2 * static_cast<int>(proto::kMaximumWindowFrames);
constexpr std::chrono::seconds kTurn{1};
// Room is made in less, where old datasets are left to remove.
constexpr std::chrono::seconds kRoomIsMade{3};
constexpr std::chrono::minutes kTidyUp{1};

}  // namespace

std::vector<std::pair<const char*, uint64_t>> Refusals::by_reason() const {
    return {{"keys_unknown", connections.keys_unknown},
            {"handshakes_failed", connections.handshakes_failed},
            {"connections_over_bound", connections.connections_over_bound},
            {"connections_without_measure", connections.connections_without_measure},
            {"frames_refused", frames_refused},
            {"frames_of_unknown_keys", frames_of_unknown_keys},
            {"frames_impersonating", frames_impersonating},
            {"frames_foreign", frames_foreign},
            {"frames_unexpected", frames_unexpected},
            {"hellos_refused", hellos_refused},
            {"complaints", complaints}};
}

uint64_t Refusals::total() const {
    uint64_t sum = 0;
    for (const auto& [reason, count] : by_reason()) {
        sum += count;
    }
    return sum;
}

std::string Refusals::sentence() const {
    std::string text;
    for (const auto& [reason, count] : by_reason()) {
        if (count != 0) {
            text += fmt::format("{}{} {}", text.empty() ? "" : ", ", reason, count);
        }
    }
    return text;
}

std::string LiveStatus::sentence() const {
    std::string text = fmt::format("{} {}, {} records received, {} sealed in {} datasets",
                                   probes,
                                   probes == 1 ? "probe" : "probes",
                                   intake.records_stored,
                                   records_sealed,
                                   datasets_sealed);
    if (refusals.total() != 0) {
        text += "; refused: " + refusals.sentence();
    }
    for (const std::string* trouble : {&intake_trouble, &seal_trouble, &retention_trouble}) {
        if (!trouble->empty()) {
            text += "; " + *trouble;
        }
    }
    return text;
}

struct LiveCollector::Implementation {
    Implementation(CollectorConfig config,
                   const std::filesystem::path& signatures,
                   std::string version)
        : archive(config.archive),
          program_version(std::move(version)),
          setup(std::make_shared<const LiveSetup>(config, signatures, program_version)),
          intake(archive, config.rotate, problems, Clock::now()),
          place(place_of(archive)) {}

    // Which folder a path is now; nothing: none.
    static std::optional<std::pair<dev_t, ino_t>> place_of(const std::filesystem::path& folder) {
        struct stat facts {};
        return ::stat(folder.c_str(), &facts) == 0
                   ? std::optional(std::pair(facts.st_dev, facts.st_ino))
                   : std::nullopt;
    }

    // Journals that are open would follow a folder that is moved away, and nobody would seal them.
    void look_around(const proto::ChannelReceiver& receiver) {
        is_there = place_of(archive) == place;
        lost_endpoint = receiver.lost_endpoint();
    }

    void send_answers(proto::ChannelReceiver& receiver) {
        for (const Answer& answer : intake.answers()) {
            // A peer that is gone says hello again when it comes back.
            switch (answer.kind) {
                case Answer::Kind::welcome:
                    static_cast<void>(receiver.welcome(answer.hello, answer.last_durable));
                    break;
                case Answer::Kind::refuse:
                    static_cast<void>(
                        receiver.refuse(answer.hello, answer.reason, answer.sentence));
                    break;
                case Answer::Kind::acknowledge:
                    static_cast<void>(receiver.acknowledge(
                        answer.peer, answer.probe_id, answer.epoch, answer.last_durable));
                    break;
            }
        }
    }

    static Intake::AcknowledgeAgain acknowledging_by(proto::ChannelReceiver& receiver) {
        return [&receiver](const ProbeStream& stream) {
            return receiver.acknowledge(stream.peer(),
                                        stream.facts().probe_id,
                                        stream.facts().epoch,
                                        stream.last_durable());
        };
    }

    // Takes what is there, at most `limit` frames, and answers it. False when nothing was.
    bool take_some(proto::ChannelReceiver& receiver, milliseconds patience, int limit) {
        std::optional<proto::ReceivedFrame> frame = receiver.receive(patience);
        const bool took = frame.has_value();
        for (int taken = 0; frame; ++taken) {
            intake.take(*frame, acknowledging_by(receiver), Clock::now());
            frame = taken + 1 < limit ? receiver.receive(milliseconds(0)) : std::nullopt;
        }
        intake.commit(Clock::now());
        send_answers(receiver);
        return took;
    }

    bool has_enough_to_seal() const {
        const uint64_t bound = kRotationsToWait * setup->seal.config.rotate.octets *
                               std::max<uint64_t>(1, intake.probes());
        return intake.sealable_octets() >= bound;
    }

    // Nothing when it cannot be told: the next write says what is wrong.
    std::optional<uint64_t> room() const {
        try {
            return free_octets(archive);
        } catch (const std::runtime_error&) {
            return std::nullopt;
        }
    }

    bool has_room() const {
        const Retention& keep = setup->seal.config.keep;
        return keep.min_free == 0 || room().value_or(UINT64_MAX) >= octets_for_sealing(keep);
    }

    // Probes may send faster than datasets are sealed or removed; what waits here is bounded all
    // the same, and what waits there is the probes' to keep or to count.
    void take_if_possible(proto::ChannelReceiver& receiver, SealingThread& sealing) {
        if (!is_there) {
            std::this_thread::sleep_for(kLivePoll);
            return;
        }
        const bool is_full = !has_room();
        full_since =
            is_full ? full_since.value_or(Clock::now()) : std::optional<Clock::time_point>();
        if (is_full) {
            sealing.make_room();
            std::this_thread::sleep_for(kLivePoll);
        } else if (!has_enough_to_seal() || sealing.wait_until_idle(kLivePoll)) {
            take_some(receiver, kLivePoll, kLiveFramesPerCommit);
        }
    }

    void take_setup(SealingThread& sealing) {
        const std::lock_guard lock(mutex);
        if (next_setup != nullptr) {
            setup = std::exchange(next_setup, nullptr);
            intake.set_rotation(setup->seal.config.rotate);
            sealing.set_setup(setup);
        }
    }

    void take_reports(SealingThread& sealing) {
        for (SealReport& report : sealing.reports()) {
            if (report.failure.empty()) {
                intake.sealed(report.job, report.sealed);
            } else {
                intake.seal_failed(report.job, Clock::now());
            }
        }
    }

    // False when no job is due.
    bool submit_jobs(SealingThread& sealing, proto::ChannelReceiver& receiver) {
        bool submitted = false;
        if (!is_there) {
            return false;
        }
        while (auto job = intake.next_job(Clock::now())) {
            sealing.submit(std::move(*job));
            submitted = true;
        }
        // A job begins with a commit.
        send_answers(receiver);
        return submitted;
    }

    // What has arrived is stored and acknowledged, what is complete is sealed.
    void drain(proto::ChannelReceiver& receiver,
               SealingThread& sealing,
               const std::function<void()>& turn) {
        for (int taken = 0; taken < kFramesToDrain && is_there; taken += kLiveFramesPerCommit) {
            if (!take_some(receiver, milliseconds(0), kLiveFramesPerCommit)) {
                break;
            }
        }
        // A stream has one job at a time: the last is due only when the one before is reported.
        do {
            while (!sealing.wait_until_idle(kTurn)) {
                turn();
            }
            take_reports(sealing);
        } while (submit_jobs(sealing, receiver));
        intake.tidy_up();
    }

    Refusals refusals(const proto::ChannelReceiver& receiver) const {
        const proto::ReceiverCounters channel = receiver.counters();
        const IntakeCounters& taken = intake.counters();
        return {.connections = channel.connections,
                .frames_refused = channel.frames_refused,
                .frames_of_unknown_keys = channel.frames_of_unknown_keys,
                .frames_impersonating = taken.frames_impersonating,
                .frames_foreign = taken.frames_foreign,
                .frames_unexpected = taken.frames_unexpected,
                .hellos_refused = taken.hellos_refused,
                .complaints = BatchDecoder::complaints()};
    }

    std::string intake_trouble() const {
        if (!is_there) {
            return fmt::format(
                "nothing is taken: {} is not the folder any more that it was at the start",
                archive.string());
        }
        if (full_since && Clock::now() - *full_since >= kRoomIsMade) {
            return fmt::format("nothing is taken: less is free for {} than half of min_free",
                               archive.string());
        }
        if (!lost_endpoint.empty()) {
            return fmt::format(
                "no probe can connect any more: the socket of {} is gone; a restart "
                "makes it again",
                lost_endpoint);
        }
        return intake.trouble();
    }

    LiveStatus status(const SealingThread& sealing, const proto::ChannelReceiver& receiver) {
        const SealingState state = sealing.state();
        return {.probes = intake.probes(),
                .intake = intake.counters(),
                .octets_waiting = intake.waiting_octets(),
                .datasets_sealed = state.datasets_sealed,
                .records_sealed = state.records_sealed,
                .records_refused = state.records_refused,
                .datasets_removed = state.datasets_removed,
                .octets_removed = state.octets_removed,
                .octets_free = room(),
                .refusals = refusals(receiver),
                .probe_status = intake.probe_status(Clock::now()),
                .news = intake.news(),
                .intake_trouble = intake_trouble(),
                .seal_trouble = state.seal_trouble,
                .retention_trouble = state.retention_trouble};
    }

    const std::filesystem::path archive;
    const std::string program_version;
    std::vector<std::string> problems;
    std::mutex mutex;  // guards next_setup
    std::shared_ptr<const LiveSetup> next_setup;
    std::shared_ptr<const LiveSetup> setup;  // of the thread in run(), as the intake is
    Intake intake;
    const std::optional<std::pair<dev_t, ino_t>> place;  // the archive's, at the start
    bool is_there = true;                                // as of the last look
    std::string lost_endpoint;                           // likewise; empty: none
    std::optional<Clock::time_point> full_since;         // no room for datasets to be sealed
};

LiveCollector::LiveCollector(CollectorConfig config,
                             const std::filesystem::path& signatures,
                             std::string program_version)
    : implementation_(std::make_unique<Implementation>(
          std::move(config), signatures, std::move(program_version))) {}

LiveCollector::~LiveCollector() = default;

const std::vector<std::string>& LiveCollector::problems() const noexcept {
    return implementation_->problems;
}

void LiveCollector::run(proto::ChannelReceiver& receiver,
                        std::stop_token stop,
                        const std::function<void(const LiveStatus&)>& on_turn) {
    Implementation& self = *implementation_;
    SealingThread sealing(self.setup);
    const auto turn = [&] {
        if (on_turn) {
            on_turn(self.status(sealing, receiver));
        }
    };
    Clock::time_point next_turn = Clock::now();
    Clock::time_point next_tidy_up = Clock::now() + kTidyUp;
    while (!stop.stop_requested()) {
        self.take_setup(sealing);
        self.take_if_possible(receiver, sealing);
        self.take_reports(sealing);
        self.submit_jobs(sealing, receiver);
        const Clock::time_point now = Clock::now();
        if (now >= next_tidy_up) {
            self.intake.tidy_up();
            next_tidy_up = now + kTidyUp;
        }
        if (now >= next_turn) {
            self.look_around(receiver);
            turn();
            next_turn = now + kTurn;
        }
    }
    self.drain(receiver, sealing, turn);
    turn();
}

void LiveCollector::reconfigure(CollectorConfig config, const std::filesystem::path& signatures) {
    Implementation& self = *implementation_;
    if (config.archive != self.archive) {
        throw signatures::ConfigError(
            fmt::format("the archive cannot become {} without a restart", config.archive.string()));
    }
    auto setup =
        std::make_shared<const LiveSetup>(std::move(config), signatures, self.program_version);
    const std::lock_guard lock(self.mutex);
    self.next_setup = std::move(setup);
}

}  // namespace curlew::collector
