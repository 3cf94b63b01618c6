#include "collector/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <set>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "collector/durable_file.h"
#include "collector/settled_ledger.h"
#include "collector/window.h"

namespace curlew::collector {
namespace {

bool delete_file(const std::filesystem::path& path) noexcept {
    return ::unlink(path.c_str()) == 0 || errno == ENOENT;
}

}  // namespace

Journal::Journal(std::filesystem::path folder,
                 EpochFacts facts,
                 uint32_t minutes,
                 uint64_t file_octets)
    : folder_(std::move(folder)),
      facts_(std::move(facts)),
      minutes_(minutes),
      file_octets_(file_octets),
      sequence_(facts_.probe_id, facts_.epoch),
      times_(facts_.clock_ns()) {}

Journal::Journal(std::filesystem::path folder,
                 const std::vector<std::filesystem::path>& files,
                 uint32_t minutes,
                 std::vector<std::string>& problems,
                 uint64_t file_octets)
    : folder_(std::move(folder)),
      minutes_(minutes),
      file_octets_(file_octets),
      sequence_(0, 0),
      times_(0) {
    assert(!files.empty());
    const auto name_of_file = [](const std::filesystem::path& file) {
        const auto name = parse_journal_name(file.filename().string());
        assert(name.has_value());
        return *name;
    };
    const JournalName first = name_of_file(files.front());
    const SealState sealed = load_seal_state(seal_state_path(folder_, first.probe, first.epoch));
    final_ledger_sealed_ = sealed.final_ledger_sealed;
    unclean_end_sealed_ = sealed.unclean_end_sealed;
    durable_sequence_ = first.first_sequence - 1;
    for (size_t i = 0; i < files.size(); ++i) {
        const bool is_last = i + 1 == files.size();
        take_up(files[i],
                is_last ? UINT64_MAX : name_of_file(files[i + 1]).first_sequence,
                sealed,
                problems);
    }
    if (files_.empty()) {
        throw JournalFrontError(
            fmt::format("nothing of the probe {} can be taken up", first.probe));
    }
    // What the probe is told to be durable must be so; a crash may have come before the sync, or
    // after one that failed. A file behind which another was begun is durable as far as it counts.
    const std::filesystem::file_time_type stored = last_stored({files_.back().path});
    const FileDescriptor last = open_file(files_.back().path, O_RDWR);
    write_again_durably(last.get(), files_.back().octets, files_.back().path);
    // The same octets: what the file's time tells goes on to be true, see last_stored().
    std::error_code unknown;
    std::filesystem::last_write_time(files_.back().path, stored, unknown);
    sync_folder(folder_);
    sequence_ = FrameSequence(facts_.probe_id, facts_.epoch, durable_sequence_);
    if (facts_.has_final_ledger()) {
        sequence_.end();
    }
    times_.set_clock(facts_.clock_ns());
    delete_front_files();
}

void Journal::take_up(const std::filesystem::path& path,
                      uint64_t before_sequence,
                      const SealState& sealed,
                      std::vector<std::string>& problems) {
    File file{.path = path};
    EpochFacts facts;
    try {
        const JournalReader reader(path, before_sequence);
        facts = reader.facts();
        file.first_sequence = reader.first_sequence();
    } catch (const JournalFrontError& error) {
        std::filesystem::path aside = path;
        aside += ".damaged";
        rename_durably(path, aside);
        problems.push_back(
            fmt::format("{}; it is kept as {}", error.what(), aside.filename().string()));
        return;
    }
    std::swap(facts_, facts);
    for (const Gap& gap : facts.gaps) {
        add_gap(facts_.gaps, gap);
    }
    if (file.first_sequence > durable_sequence_ + 1) {
        const Gap gap{durable_sequence_ + 1, file.first_sequence - 1};
        std::vector<Gap> with = facts_.gaps;
        add_gap(with, gap);
        if (with != facts_.gaps) {
            problems.push_back(fmt::format(
                "the journal of the probe {} is damaged: {} to {} of its sequence is missing",
                facts_.probe,
                gap.first,
                gap.last));
        }
        facts_.gaps = std::move(with);
    }
    count_file(file, before_sequence, sealed);
    durable_sequence_ = file.last_sequence;
    files_.push_back(std::move(file));
}

void Journal::count_file(File& file, uint64_t before_sequence, const SealState& sealed) {
    JournalReader reader(file.path, before_sequence);
    proto::FrameView frame;
    file.waiting.clear();
    while (reader.next(frame)) {
        const auto& ledger = reader.facts().ledger;
        if (frame.header.kind == proto::FrameKind::batch) {
            count(reader.record_times(frame),
                  frame.header.first_sequence,
                  &sealed,
                  ledger ? ledger->complete_until_ns() : 0,
                  file.waiting);
        }
    }
    file.last_sequence = reader.last_sequence();
    file.octets = reader.octets();
    if (reader.facts().ledger) {
        facts_.ledger = settled(*reader.facts().ledger, facts_.gaps);
        facts_.ledger_frame = reader.facts().ledger_frame;
    }
}

void Journal::count(const std::vector<uint64_t>& times,
                    uint64_t first_sequence,
                    const SealState* sealed,
                    uint64_t complete_until_ns,
                    WaitingWindows& waiting) const {
    for (size_t i = 0; i < times.size(); ++i) {
        if (sealed != nullptr && sealed->covers(first_sequence + i, times[i])) {
            continue;
        }
        const Window window = window_of(times[i], minutes_);
        Waiting& counted = waiting[window.from_ns];
        if (counted.records == 0) {
            // One that is late waits for the end of the window that is open by now.
            counted.due_ns = complete_until_ns < window.to_ns
                                 ? window.to_ns
                                 : window_of(complete_until_ns, minutes_).to_ns;
        }
        ++counted.records;
    }
}

uint64_t Journal::complete_until_ns() const {
    const auto& ledger = pending_ledger_ ? pending_ledger_ : facts_.ledger;
    return ledger ? ledger->complete_until_ns() : 0;
}

void Journal::begin_file() {
    const uint64_t first = durable_sequence_ + 1;
    const std::string front = journal_front(facts_);
    File file{.path = folder_ / JournalName{facts_.probe, facts_.epoch, first}.file(),
              .first_sequence = first,
              .last_sequence = first - 1,
              .octets = front.size()};
    // Whole or not there, so that what it replaces, one of that name with nothing behind its front,
    // is never missed.
    write_file_durably(file.path, front);
    segment_ = std::make_unique<Segment>(file.path);
    if (!files_.empty() && files_.back().first_sequence == first) {
        files_.pop_back();
    }
    files_.push_back(std::move(file));
    delete_front_files();
}

void Journal::append(const proto::FrameView& frame, std::string_view octets) {
    assert(judge(frame.header) == FrameVerdict::next);
    if (segment_ == nullptr) {
        assert(!is_dirty());
        begin_file();
    }
    segment_->append({reinterpret_cast<const uint8_t*>(octets.data()), octets.size()});
    pending_octets_ += octets.size();
    sequence_.take(frame.header);
    if (frame.header.kind == proto::FrameKind::batch) {
        count(times_.of(frame),
              frame.header.first_sequence,
              nullptr,
              complete_until_ns(),
              pending_waiting_);
        return;
    }
    proto::ProbeLedger ledger;
    ledger_error_ = decoder_.decode(frame, ledger);
    if (ledger_error_ != BatchError::none) {
        return;
    }
    times_.set_clock(ledger.clock_ns());
    if (ledger.final()) {
        sequence_.end();
    }
    pending_ledger_ = std::move(ledger);
    pending_ledger_frame_ = octets;
}

void Journal::sync() {
    if (!is_dirty()) {
        return;
    }
    segment_->sync();
    File& file = files_.back();
    file.octets += std::exchange(pending_octets_, 0);
    file.last_sequence = sequence_.last();
    durable_sequence_ = sequence_.last();
    for (const auto& [window, added] : pending_waiting_) {
        Waiting& waiting = file.waiting[window];
        waiting.due_ns = waiting.records == 0 ? added.due_ns : waiting.due_ns;
        waiting.records += added.records;
    }
    pending_waiting_.clear();
    if (pending_ledger_) {
        facts_.ledger = settled(*std::exchange(pending_ledger_, std::nullopt), facts_.gaps);
        facts_.ledger_frame = std::exchange(pending_ledger_frame_, {});
    }
    if (file.octets >= file_octets_) {
        segment_.reset();
    }
}

void Journal::fall_back() noexcept {
    if (segment_ != nullptr) {
        // When this fails too, the next file's name still says where this one ends.
        try {
            segment_->cut(files_.back().octets);
        } catch (const std::runtime_error&) {
        }
        segment_.reset();
    }
    pending_octets_ = 0;
    pending_waiting_.clear();
    pending_ledger_.reset();
    pending_ledger_frame_.clear();
    sequence_.set_last(durable_sequence_);
    times_.set_clock(facts_.clock_ns());
    if (facts_.has_final_ledger()) {
        sequence_.end();
    }
}

void Journal::skip_to(uint64_t sequence) {
    assert(!is_dirty());
    assert(sequence > durable_sequence_ + 1);
    const uint64_t before = durable_sequence_;
    const std::vector<Gap> gaps = facts_.gaps;
    segment_.reset();
    durable_sequence_ = sequence - 1;
    add_gap(facts_.gaps, {before + 1, durable_sequence_});
    try {
        begin_file();
    } catch (const std::runtime_error&) {
        durable_sequence_ = before;
        facts_.gaps = gaps;
        segment_.reset();
        throw;
    }
    sequence_.set_last(durable_sequence_);
}

uint64_t Journal::waiting_octets() const noexcept {
    uint64_t octets = 0;
    for (const File& file : files_) {
        octets += file.waiting.empty() ? 0 : file.octets;
    }
    return octets;
}

bool Journal::has_waiting() const noexcept {
    return waiting_octets() > 0;
}

std::vector<uint64_t> Journal::waiting_windows() const {
    std::set<uint64_t> windows;
    for (const File& file : files_) {
        for (const auto& [window, waiting] : file.waiting) {
            windows.insert(window);
        }
    }
    return {windows.begin(), windows.end()};
}

std::vector<uint64_t> Journal::complete_windows() const {
    const uint64_t until_ns = facts_.ledger ? facts_.ledger->complete_until_ns() : 0;
    std::set<uint64_t> windows;
    for (const File& file : files_) {
        for (const auto& [window, waiting] : file.waiting) {
            if (waiting.due_ns <= until_ns) {
                windows.insert(window);
            }
        }
    }
    return {windows.begin(), windows.end()};
}

std::vector<ClosedFile> Journal::close() {
    assert(!is_dirty());
    segment_.reset();
    std::vector<ClosedFile> closed;
    for (const File& file : files_) {
        if (!file.waiting.empty()) {
            closed.push_back({file.path, file.first_sequence, file.last_sequence});
        }
    }
    return closed;
}

uint64_t Journal::first_sequence() const noexcept {
    return files_.empty() ? durable_sequence_ + 1 : files_.front().first_sequence;
}

void Journal::forget(const std::vector<uint64_t>& windows, uint64_t through) {
    for (File& file : files_) {
        if (file.last_sequence <= through) {
            for (const uint64_t window : windows) {
                file.waiting.erase(window);
            }
        }
    }
    delete_front_files();
    const bool only_name_matters = files_.size() == 1 && files_.back().waiting.empty() &&
                                   files_.back().last_sequence >= files_.back().first_sequence;
    if (only_name_matters && segment_ == nullptr) {
        begin_file();
    }
}

// Only from the front: a file that is missing in the middle would look like a gap.
void Journal::delete_front_files() {
    while (files_.size() > 1 && files_.front().waiting.empty() &&
           delete_file(files_.front().path)) {
        files_.pop_front();
    }
}

void Journal::set_minutes(uint32_t minutes) {
    assert(!is_dirty());
    if (minutes == minutes_) {
        return;
    }
    minutes_ = minutes;
    const SealState sealed = load_seal_state(seal_state_path(folder_, facts_.probe, facts_.epoch));
    for (size_t i = 0; i < files_.size(); ++i) {
        const bool is_last = i + 1 == files_.size();
        count_file(files_[i], is_last ? UINT64_MAX : files_[i + 1].first_sequence, sealed);
    }
}

void Journal::remove() {
    segment_.reset();
    while (!files_.empty() && delete_file(files_.front().path)) {
        files_.pop_front();
    }
    if (files_.empty()) {
        // What is left of the files after a crash must still find the state.
        sync_folder(folder_);
        delete_file(seal_state_path(folder_, facts_.probe, facts_.epoch));
    }
}

std::filesystem::file_time_type last_stored(const std::vector<std::filesystem::path>& journals) {
    std::filesystem::file_time_type last = std::filesystem::file_time_type::min();
    for (const std::filesystem::path& file : journals) {
        std::error_code unknown;
        const std::filesystem::file_time_type time =
            std::filesystem::last_write_time(file, unknown);
        last = unknown ? last : std::max(last, time);
    }
    return last;
}

}  // namespace curlew::collector
