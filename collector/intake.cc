#include "collector/intake.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <stdexcept>
#include <tuple>
#include <utility>

#include "collector/damaged_states.h"
#include "collector/seal_state.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

constexpr const char* kLockName = ".lock";
// Beyond that, hellos are no probes'. One probe's starts, that are not sealed yet, do not keep
// others out.
constexpr size_t kMaximumStreams = 1024;
constexpr auto kMaximumEpochs = 64;
// Of a probe, those that ended and are sealed: what they had is known when it comes again.
constexpr auto kRememberedEpochs = 4;
// So long is told of one that ended.
constexpr std::chrono::minutes kSilence{10};
// Nobody has sent so much: what follows is counted without an end.
constexpr uint64_t kHighestFirstSequence = uint64_t{1} << 62;
// How long two epochs of a probe may seem connected before the second one is refused.
constexpr std::chrono::seconds kRivalPatience{1};

// The one that is spoken of last, as far as this can be told.
bool is_newer(const ProbeStream& one, const ProbeStream& other) {
    const auto rank = [](const ProbeStream& stream) {
        return std::tuple(
            !stream.superseded(), stream.facts().hello.started_ns(), stream.facts().epoch);
    };
    return rank(one) > rank(other);
}

// How young an epoch is among those of its probe: by when it was stored last, by its own clock, by
// its number, so that no two are equal.
using EpochAge = std::tuple<fs::file_time_type, uint64_t, uint64_t>;

EpochAge age_of(const EpochFacts& facts, fs::file_time_type stored) {
    return {stored, facts.hello.started_ns(), facts.epoch};
}

}  // namespace

Intake::Intake(const fs::path& archive,
               const Rotation& rotation,
               std::vector<std::string>& problems,
               Moment now,
               uint64_t journal_file_octets)
    : folder_(open_folder(archive)),
      rotation_(rotation),
      journal_file_octets_(journal_file_octets) {
    std::vector<fs::path> ignored;
    try {
        make_folders_durably(folder_, ignored);
    } catch (const std::runtime_error& error) {
        throw std::runtime_error(
            fmt::format("cannot write the archive {}: {}", archive.string(), error.what()));
    }
    lock();
    set_damaged_states_aside(folder_, problems);
    const std::set<fs::path> bound = complete_publications(archive, problems);
    recover(bound, problems, now);
}

void Intake::lock() {
    const fs::path path = folder_ / kLockName;
    lock_ = open_file(path, O_RDWR | O_CREAT);
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) {
            throw std::runtime_error(fmt::format("another collector serves the archive {}",
                                                 folder_.parent_path().string()));
        }
        throw_file_error("lock", path);
    }
}

void Intake::recover(const std::set<fs::path>& bound,
                     std::vector<std::string>& problems,
                     Moment now) {
    // Names sort by sequence within an epoch.
    std::map<std::pair<std::string, uint64_t>, std::vector<fs::path>> epochs;
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_)) {
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) {
        const auto name = parse_journal_name(file.filename().string());
        if (name && !fs::is_regular_file(file)) {
            problems.push_back(fmt::format("{} is no file", file.string()));
        } else if (name) {
            epochs[{name->probe, name->epoch}].push_back(file);
        }
    }
    std::map<std::pair<std::string, uint64_t>, fs::file_time_type> stored;
    for (const auto& [name, journals] : epochs) {
        stored[name] = last_stored(journals);
        try {
            Stream& stream = streams_.emplace_back(Stream{ProbeStream(
                Journal(folder_, journals, rotation_.minutes, problems, journal_file_octets_))});
            stream.stream.recovered(now);
            if (bound.contains(seal_state_path(folder_, name.first, name.second))) {
                stream.stream.set_bound(now);
            }
        } catch (const JournalFrontError& error) {
            problems.emplace_back(error.what());
        }
    }
    const auto stored_at = [&stored](const EpochFacts& facts) {
        const auto found = stored.find({facts.probe, facts.epoch});
        return found == stored.end() ? fs::file_time_type::min() : found->second;
    };
    // Of several epochs of one probe the one goes on that was stored last: a probe's clock may have
    // been set back.
    for (Stream& one : streams_) {
        const EpochFacts& facts = one.stream.facts();
        const EpochAge age = age_of(facts, stored_at(facts));
        const EpochFacts* next = nullptr;
        EpochAge next_age;
        for (const Stream& other : streams_) {
            const EpochFacts& others = other.stream.facts();
            const EpochAge others_age = age_of(others, stored_at(others));
            if (others.probe_id == facts.probe_id && others_age > age &&
                (next == nullptr || others_age < next_age)) {
                next = &others;
                next_age = others_age;
            }
        }
        if (next != nullptr) {
            one.stream.supersede(next->hello.started_ns());
        }
    }
}

Intake::Stream* Intake::find(uint64_t probe_id, uint64_t epoch) {
    const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& stream) {
        return stream.stream.facts().probe_id == probe_id && stream.stream.facts().epoch == epoch;
    });
    return found == streams_.end() ? nullptr : &*found;
}

Intake::Stream* Intake::current(uint64_t probe_id) {
    const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const Stream& stream) {
        return stream.stream.facts().probe_id == probe_id && !stream.stream.superseded();
    });
    return found == streams_.end() ? nullptr : &*found;
}

std::string Intake::impersonation(const proto::ReceivedFrame& frame) {
    if (!frame.owner || frame.owner->probe_id == frame.header.probe_id) {
        return {};
    }
    return fmt::format(
        "its key is that of the probe {}: a probe has the name that its key stands for",
        frame.owner->name);
}

void Intake::take(const proto::ReceivedFrame& frame,
                  const AcknowledgeAgain& acknowledge_again,
                  Moment now) {
    if (std::string why = impersonation(frame); !why.empty()) {
        ++counters_.frames_impersonating;
        if (frame.header.kind == proto::FrameKind::hello) {
            refuse(frame, proto::REFUSAL_REASON_PROBE_ID, std::move(why));
        }
        return;
    }
    if (frame.header.kind == proto::FrameKind::hello) {
        take_hello(frame, acknowledge_again, now);
    } else {
        take_records(frame, now);
    }
}

void Intake::refuse(const proto::ReceivedFrame& frame,
                    proto::RefusalReason reason,
                    std::string sentence) {
    ++counters_.hellos_refused;
    answers_.push_back({.kind = Answer::Kind::refuse,
                        .hello = {.peer = frame.peer, .octets = {}, .header = frame.header},
                        .reason = reason,
                        .sentence = std::move(sentence),
                        .peer = frame.peer,
                        .probe_id = frame.header.probe_id,
                        .epoch = frame.header.epoch});
}

bool Intake::is_welcome(const proto::ReceivedFrame& frame,
                        const AcknowledgeAgain& acknowledge_again,
                        Moment now,
                        proto::Hello& hello) {
    const BatchError error = decoder_.decode(frame.view(), hello);
    if (error == BatchError::unknown_schema) {
        const auto theirs = static_cast<int>(hello.schema_version());
        const int ours = proto::SCHEMA_VERSION_CURRENT;
        refuse(frame,
               proto::REFUSAL_REASON_SCHEMA,
               fmt::format("the probe speaks schema {} and the collector schema {}: upgrade the {}",
                           theirs,
                           ours,
                           theirs < kOldestSchema ? "probe" : "collector"));
        return false;
    }
    if (error != BatchError::none) {
        refuse(frame,
               proto::REFUSAL_REASON_HELLO,
               fmt::format("the hello cannot be read: {}", name_of(error)));
        return false;
    }
    if (frame.header.first_sequence > kHighestFirstSequence) {
        refuse(frame,
               proto::REFUSAL_REASON_HELLO,
               fmt::format("the probe's first sequence is above {}", kHighestFirstSequence));
        return false;
    }
    if (!is_probe_name(hello.probe_name())) {
        refuse(frame,
               proto::REFUSAL_REASON_HELLO,
               "the probe's name is to be 1 to 32 of the characters a-z, 0-9 and \"-\"");
        return false;
    }
    // Datasets have the name, so the id alone is not enough.
    if (frame.owner && frame.owner->name != hello.probe_name()) {
        ++counters_.frames_impersonating;
        refuse(frame,
               proto::REFUSAL_REASON_PROBE_ID,
               fmt::format("the probe calls itself {} and its key is that of {}",
                           hello.probe_name(),
                           frame.owner->name));
        return false;
    }
    Stream* other = current(frame.header.probe_id);
    if (other != nullptr && other->stream.facts().epoch != frame.header.epoch &&
        !other->stream.ended() && !other->stream.peer().empty() &&
        acknowledge_again(other->stream)) {
        if (other->rival != frame.header.epoch) {
            other->rival = frame.header.epoch;
            other->rival_since = now;
        }
        // What one start of a probe left, the next one delivers before its own: the first one's
        // connection may take a while to be gone. It says hello again.
        if (now - other->rival_since < kRivalPatience) {
            return false;
        }
        refuse(frame,
               proto::REFUSAL_REASON_PROBE_ID,
               fmt::format("another probe named {} is connected: each needs a name of its own",
                           other->stream.facts().probe));
        return false;
    }
    return has_room_for(frame);
}

bool Intake::has_room_for(const proto::ReceivedFrame& frame) {
    if (find(frame.header.probe_id, frame.header.epoch) != nullptr) {
        return true;
    }
    const auto epochs = std::count_if(streams_.begin(), streams_.end(), [&](const Stream& stream) {
        return stream.stream.facts().probe_id == frame.header.probe_id && !stream.stream.is_done();
    });
    if (epochs >= kMaximumEpochs) {
        refuse(
            frame,
            proto::REFUSAL_REASON_HELLO,
            fmt::format("{} starts of this probe are not sealed yet, and it is taken when one is",
                        epochs));
        return false;
    }
    if (streams_.size() >= kMaximumStreams && !make_room()) {
        refuse(frame,
               proto::REFUSAL_REASON_HELLO,
               fmt::format("the collector has {} probes already", kMaximumStreams));
        return false;
    }
    return true;
}

void Intake::take_hello(const proto::ReceivedFrame& frame,
                        const AcknowledgeAgain& acknowledge_again,
                        Moment now) {
    proto::Hello hello;
    if (!is_welcome(frame, acknowledge_again, now, hello)) {
        return;
    }
    Stream* known = find(frame.header.probe_id, frame.header.epoch);
    if (known != nullptr && known->stream.is_paused(now)) {
        return;  // it comes again
    }
    const bool is_new = known == nullptr;
    if (is_new) {
        EpochFacts facts;
        facts.probe = hello.probe_name();
        facts.probe_id = frame.header.probe_id;
        facts.epoch = frame.header.epoch;
        facts.hello_frame = frame.octets;
        facts.hello = std::move(hello);
        known = &streams_.emplace_back(Stream{ProbeStream(
            Journal(folder_, std::move(facts), rotation_.minutes, journal_file_octets_))});
    }
    ProbeStream& stream = known->stream;
    const uint64_t gaps = stream.facts().gaps.size();
    try {
        stream.hello(frame.peer, frame.header.first_sequence, now);
    } catch (const std::runtime_error& error) {
        // It comes again.
        disk_failed(error);
        if (is_new) {
            streams_.pop_back();
        }
        return;
    }
    counters_.gaps += stream.facts().gaps.size() - gaps;
    for (Stream& other : streams_) {
        if (&other != known && other.stream.facts().probe_id == frame.header.probe_id) {
            other.stream.supersede(stream.facts().hello.started_ns());
        }
    }
    known->to_answer = false;
    answers_.push_back({.kind = Answer::Kind::welcome,
                        .hello = {.peer = frame.peer, .octets = {}, .header = frame.header},
                        .peer = frame.peer,
                        .probe_id = frame.header.probe_id,
                        .epoch = frame.header.epoch,
                        .last_durable = stream.last_received()});
}

void Intake::take_records(const proto::ReceivedFrame& frame, Moment now) {
    Stream* known = find(frame.header.probe_id, frame.header.epoch);
    if (known != nullptr && known->stream.peer().empty()) {
        // Of an epoch from before the start: it was on its way before its probe could know of that.
        ++counters_.frames_out_of_sequence;
        return;
    }
    if (known == nullptr || known->stream.peer() != frame.peer || known->stream.superseded()) {
        ++counters_.frames_foreign;
        return;
    }
    if (known->stream.is_paused(now) || known->stream.is_full(rotation_)) {
        ++counters_.frames_unstored;
        return;
    }
    FrameVerdict verdict = FrameVerdict::unexpected;
    try {
        verdict = known->stream.take(frame, now);
    } catch (const std::runtime_error& error) {
        ++counters_.frames_unstored;
        disk_failed(error);
        return;
    }
    switch (verdict) {
        case FrameVerdict::next:
            ++counters_.frames_stored;
            counters_.records_stored +=
                frame.header.kind == proto::FrameKind::batch ? frame.header.record_count : 0;
            known->to_answer = true;
            if (frame.header.kind == proto::FrameKind::ledger) {
                judge_ledger(*known);
            }
            break;
        case FrameVerdict::duplicate:
            // An acknowledgement may have been lost.
            ++counters_.frames_duplicate;
            known->to_answer = true;
            break;
        case FrameVerdict::out_of_sequence:
            ++counters_.frames_out_of_sequence;
            break;
        case FrameVerdict::foreign:
            ++counters_.frames_foreign;
            break;
        case FrameVerdict::unexpected:
            ++counters_.frames_unexpected;
            break;
    }
}

// Its number is taken all the same: sent again it would be no better.
void Intake::judge_ledger(Stream& stream) {
    const BatchError error = stream.stream.ledger_error();
    const bool is_refused = error != BatchError::none;
    counters_.frames_unexpected += is_refused ? 1 : 0;
    if (is_refused && !stream.is_ledger_refused) {
        news_.push_back(
            fmt::format("a ledger of {} cannot be read ({}): what it tells is missing in manifests "
                        "and metrics",
                        stream.stream.facts().probe,
                        name_of(error)));
    }
    stream.is_ledger_refused = is_refused;
}

std::string Intake::trouble() const {
    if (!disk_trouble_.empty()) {
        return disk_trouble_;
    }
    const auto full = std::find_if(streams_.begin(), streams_.end(), [this](const Stream& stream) {
        return stream.stream.is_full(rotation_);
    });
    return full == streams_.end()
               ? upkeep_trouble_
               : fmt::format(
                     "records of the probe {} are not taken: what waits is much already, "
                     "and cannot be sealed",
                     full->stream.facts().probe);
}

void Intake::disk_failed(const std::exception& error) {
    disk_trouble_ = fmt::format("records are not taken: {}", error.what());
}

bool Intake::commit(Stream& stream, Moment now) {
    if (!stream.stream.is_dirty()) {
        return true;
    }
    try {
        stream.stream.commit(now);
    } catch (const std::runtime_error& error) {
        disk_failed(error);
        return false;
    }
    ++counters_.commits;
    disk_trouble_.clear();
    return true;
}

void Intake::commit(Moment now) {
    for (Stream& stream : streams_) {
        const bool is_durable = commit(stream, now);
        if (std::exchange(stream.to_answer, false) && is_durable) {
            stream.acknowledged = now;
            Answer answer;
            answer.peer = stream.stream.peer();
            answer.probe_id = stream.stream.facts().probe_id;
            answer.epoch = stream.stream.facts().epoch;
            answer.last_durable = stream.stream.last_durable();
            answers_.push_back(std::move(answer));
        }
    }
}

std::vector<Answer> Intake::answers() {
    return std::exchange(answers_, {});
}

std::vector<std::string> Intake::news() {
    return std::exchange(news_, {});
}

std::optional<SealJob> Intake::next_job(Moment now) {
    commit(now);
    for (Stream& stream : streams_) {
        try {
            // A full disk is made room on by sealing, for a dataset is smaller than its journal.
            auto job = stream.stream.next_job(rotation_, !disk_trouble_.empty(), now);
            if (job) {
                if (stream.stream.is_silent(now) && !job->windows.empty()) {
                    news_.push_back(fmt::format(
                        "nothing was heard of probe {} for {} hours: what it sent is sealed",
                        job->facts.probe,
                        kSealedAfterSilence.count()));
                }
                return job;
            }
        } catch (const std::runtime_error& error) {
            upkeep_trouble_ = error.what();
        }
    }
    return std::nullopt;
}

void Intake::sealed(const SealJob& job, const SealedWindows& result) {
    Stream* stream = find(job.facts.probe_id, job.facts.epoch);
    try {
        stream->stream.sealed(result);
    } catch (const std::runtime_error& error) {
        disk_failed(error);
    }
}

void Intake::seal_failed(const SealJob& job, Moment now) {
    find(job.facts.probe_id, job.facts.epoch)->stream.seal_failed(now);
}

void Intake::forget(std::list<Stream>::iterator stream) {
    try {
        stream->stream.remove();
        streams_.erase(stream);
    } catch (const std::runtime_error& error) {
        upkeep_trouble_ = error.what();
    }
}

// Whether a probe heard the last acknowledgement it alone knows, and what its spool has it sends
// again: before it begins another epoch, or later, where it was refused.
void Intake::tidy_up() {
    upkeep_trouble_.clear();
    for (auto stream = streams_.begin(); stream != streams_.end();) {
        const auto at = stream++;
        const EpochFacts& facts = at->stream.facts();
        const auto later = std::count_if(streams_.begin(), streams_.end(), [&](const Stream& one) {
            return one.stream.facts().probe_id == facts.probe_id &&
                   is_newer(one.stream, at->stream);
        });
        if (at->stream.is_done() && at->stream.superseded() && later >= kRememberedEpochs) {
            forget(at);
        }
    }
}

bool Intake::make_room() {
    auto oldest = streams_.end();
    for (auto stream = streams_.begin(); stream != streams_.end(); ++stream) {
        if (stream->stream.is_done() &&
            (oldest == streams_.end() ||
             stream->stream.last_heard() < oldest->stream.last_heard())) {
            oldest = stream;
        }
    }
    if (oldest != streams_.end()) {
        forget(oldest);
    }
    return streams_.size() < kMaximumStreams;
}

size_t Intake::probes() const noexcept {
    return static_cast<size_t>(
        std::count_if(streams_.begin(), streams_.end(), [](const Stream& stream) {
            return !stream.stream.superseded() && !stream.stream.ended() &&
                   !stream.stream.peer().empty();
        }));
}

uint64_t Intake::waiting_octets() const noexcept {
    uint64_t octets = 0;
    for (const Stream& stream : streams_) {
        octets += stream.stream.journal().waiting_octets();
    }
    return octets;
}

uint64_t Intake::sealable_octets() const noexcept {
    uint64_t octets = 0;
    for (const Stream& stream : streams_) {
        octets += stream.stream.is_bound() ? 0 : stream.stream.journal().waiting_octets();
    }
    return octets;
}

std::vector<ProbeStatus> Intake::probe_status(Moment now) const {
    std::map<std::string, const Stream*> newest;
    for (const Stream& one : streams_) {
        if (one.stream.is_done() && now - one.stream.last_heard() >= kSilence) {
            continue;
        }
        const Stream*& chosen = newest[one.stream.facts().probe];
        if (chosen == nullptr || is_newer(one.stream, chosen->stream)) {
            chosen = &one;
        }
    }
    std::vector<ProbeStatus> result;
    for (const auto& [name, chosen] : newest) {
        const ProbeStream& stream = chosen->stream;
        ProbeStatus& status = result.emplace_back();
        status.name = name;
        status.started_ns = stream.facts().hello.started_ns();
        if (!stream.peer().empty()) {
            status.heard_ago = now - stream.last_heard();
        }
        if (chosen->acknowledged) {
            status.acknowledged_ago = now - *chosen->acknowledged;
        }
        status.last_durable = stream.last_durable();
        for (const Gap& gap : stream.facts().gaps) {
            status.sequences_missing += gap.last - gap.first + 1;
        }
        status.octets_waiting = stream.journal().waiting_octets();
        status.ledger = stream.facts().ledger;
    }
    return result;
}

}  // namespace curlew::collector
