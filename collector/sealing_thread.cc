#include "collector/sealing_thread.h"

#include <malloc.h>

#include <exception>
#include <utility>

#include "collector/retention.h"

namespace curlew::collector {
namespace {

constexpr std::chrono::minutes kRetentionInterval{1};

uint64_t wall_time_ns() {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
}

bool remembers_alike(const LiveSetup& one, const LiveSetup& other) {
    const auto signatures_of = [](const LiveSetup& setup) {
        return setup.groups.label_rules(0).content.set().content_hash();
    };
    return &one == &other || (one.seal.config.rotate.minutes == other.seal.config.rotate.minutes &&
                              signatures_of(one) == signatures_of(other));
}

}  // namespace

SealingThread::SealingThread(std::shared_ptr<const LiveSetup> setup)
    : setup_(std::move(setup)), thread_([this](std::stop_token stop) { run(std::move(stop)); }) {}

SealingThread::~SealingThread() {
    thread_.request_stop();
    thread_.join();
}

void SealingThread::submit(SealJob job) {
    {
        const std::lock_guard lock(mutex_);
        jobs_.push_back(std::move(job));
        works_ = true;
    }
    changed_.notify_all();
}

void SealingThread::make_room() {
    {
        const std::lock_guard lock(mutex_);
        wants_room_ = true;
    }
    changed_.notify_all();
}

std::vector<SealReport> SealingThread::reports() {
    const std::lock_guard lock(mutex_);
    return std::exchange(reports_, {});
}

void SealingThread::set_setup(std::shared_ptr<const LiveSetup> setup) {
    const std::lock_guard lock(mutex_);
    setup_ = std::move(setup);
}

SealingState SealingThread::state() const {
    const std::lock_guard lock(mutex_);
    return state_;
}

bool SealingThread::wait_until_idle(std::chrono::milliseconds timeout) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, timeout, [this] { return !works_; });
}

void SealingThread::run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
        if (!jobs_.empty()) {
            SealJob job = std::move(jobs_.front());
            jobs_.pop_front();
            const std::shared_ptr<const LiveSetup> setup = setup_;
            lock.unlock();
            SealReport report = seal(std::move(job), setup);
            lock.lock();
            state_.datasets_sealed += report.sealed.datasets;
            state_.records_sealed += report.sealed.records;
            for (const auto& [reason, count] : report.sealed.records_refused) {
                state_.records_refused[reason] += count;
            }
            state_.datasets_removed += report.sealed.datasets_removed;
            state_.octets_removed += report.sealed.octets_removed;
            state_.seal_trouble = report.failure;
            reports_.push_back(std::move(report));
        }
        const std::shared_ptr<const LiveSetup> setup = setup_;
        lock.unlock();
        keep_bounds(*setup);
        lock.lock();
        works_ = !jobs_.empty();
        changed_.notify_all();
        changed_.wait_for(
            lock, stop, kRetentionInterval, [this] { return !jobs_.empty() || wants_room_; });
        wants_room_ = false;
    }
}

// What a line's flows said goes on to be known after a configuration was read again, as long as
// they say the same by its signatures. A newer list of vendors counts from the next start on.
LineMemory& SealingThread::memory_of(const std::string& probe,
                                     const std::shared_ptr<const LiveSetup>& setup) {
    if (memories_setup_ == nullptr || !remembers_alike(*memories_setup_, *setup)) {
        memories_.clear();
        memories_setup_ = setup;
    }
    const LabelRules rules = memories_setup_->groups.label_rules(0);
    return memories_.try_emplace(probe, rules.content, rules.vendors).first->second;
}

SealReport SealingThread::seal(SealJob job, const std::shared_ptr<const LiveSetup>& setup) {
    SealReport report{.job = std::move(job)};
    try {
        LineMemory& memory = memory_of(report.job.facts.probe, setup);
        report.sealed = seal_windows(report.job, setup->seal, memory);
        memory.forget_before(forgotten_before_ns(report.job) / 1000);
    } catch (const NotYetPublished& error) {
        report.sealed = error.sealed;
        report.failure = error.what();
    } catch (const std::exception& error) {
        report.failure = error.what();
    }
    // A job takes much for a short while, and the next one may be hours away.
    ::malloc_trim(0);
    return report;
}

void SealingThread::keep_bounds(const LiveSetup& setup) {
    Removed removed;
    std::string trouble;
    try {
        Retention keep = setup.seal.config.keep;
        if (!clock_.is_settled(std::chrono::steady_clock::now(),
                               std::chrono::system_clock::now())) {
            keep.days = 0;
        }
        removed = enforce(keep, setup.seal.config.archive, wall_time_ns());
        if (!removed.within_bounds) {
            trouble = "the archive is beyond its bounds and no dataset is left to remove";
        } else if (removed.newest_too) {
            trouble = "keep is so small that the newest dataset was removed as well";
        }
    } catch (const std::exception& error) {
        trouble = error.what();
    }
    const std::lock_guard lock(mutex_);
    state_.datasets_removed += removed.datasets;
    state_.octets_removed += removed.octets;
    state_.retention_trouble = std::move(trouble);
}

}  // namespace curlew::collector
