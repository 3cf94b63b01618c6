#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "collector/config.h"
#include "collector/device_groups.h"
#include "collector/seal_windows.h"
#include "proto/settled_clock.h"

// Seals, one job after the other, and holds the archive to its bounds after each job and every
// minute.

namespace curlew::collector {

// One configuration with its groups read; shared, for a job ends with what it began with.
struct LiveSetup {
    LiveSetup(CollectorConfig config,
              const std::filesystem::path& signatures,
              const std::string& program_version)
        : groups(config, signatures), seal{std::move(config), groups, program_version} {}

    DeviceGroups groups;
    SealSetup seal;
};

struct SealReport {
    SealJob job;
    SealedWindows sealed;
    std::string failure;  // one sentence; empty: sealed
};

struct SealingState {
    uint64_t datasets_sealed = 0;
    uint64_t records_sealed = 0;
    Tally records_refused;
    uint64_t datasets_removed = 0;
    uint64_t octets_removed = 0;
    std::string seal_trouble;  // of the last job
    std::string retention_trouble;
};

class SealingThread {
  public:
    explicit SealingThread(std::shared_ptr<const LiveSetup> setup);
    // Lets the running job come to its end; jobs that wait are dropped.
    ~SealingThread();

    // These may be called by any thread.
    void submit(SealJob job);
    // Keeps the bounds now, not only after the next job or minute.
    void make_room();
    std::vector<SealReport> reports();
    void set_setup(std::shared_ptr<const LiveSetup> setup);
    SealingState state() const;
    // False when it still works after `timeout`.
    bool wait_until_idle(std::chrono::milliseconds timeout);

  private:
    void run(std::stop_token stop);
    SealReport seal(SealJob job, const std::shared_ptr<const LiveSetup>& setup);
    LineMemory& memory_of(const std::string& probe, const std::shared_ptr<const LiveSetup>& setup);
    void keep_bounds(const LiveSetup& setup);

    mutable std::mutex mutex_;  // guards all up to the thread's own
    std::condition_variable_any changed_;
    std::shared_ptr<const LiveSetup> setup_;
    std::deque<SealJob> jobs_;
    std::vector<SealReport> reports_;
    SealingState state_;
    bool works_ = true;
    bool wants_room_ = false;
    // The thread's own: by probe, made by the rules of a configuration that may be an earlier one.
    std::shared_ptr<const LiveSetup> memories_setup_;
    std::map<std::string, LineMemory> memories_;
    proto::SettledClock clock_;
    std::jthread thread_;
};

}  // namespace curlew::collector
