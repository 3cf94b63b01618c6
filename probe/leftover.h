#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "probe/spool.h"
#include "proto/channel.h"

// What earlier runs of the probe left in its spool, delivered before anything of this run: epoch by
// epoch, each over a connection of its own, as the collector knows it. One thread calls everything.

namespace curlew::probe {

class Leftover {
  public:
    // `runs` as SpoolFolder::left gives them. `sender` says where the collector is; epoch, probe
    // and hello are the runs'. Requires: folder and context outlive this.
    Leftover(SpoolFolder& folder,
             std::vector<SpooledRun> runs,
             proto::ChannelContext& context,
             proto::SenderConfig sender);
    ~Leftover();

    // Moves on what can be moved; returns when something changed, at the latest after `timeout`.
    // Never throws for what a file holds: that is a problem.
    void turn(std::chrono::milliseconds timeout);

    // Nothing is left to do. What a collector refused for a while stays in the spool for the next
    // run, and is a problem.
    bool is_done() const noexcept { return runs_.empty(); }

    uint64_t records_waiting() const noexcept;
    // That its files take.
    uint64_t octets() const noexcept { return octets_; }
    proto::SenderState channel() const noexcept;
    const std::string& refusal() const noexcept;
    // Sentences for people; each is given once.
    std::vector<std::string> problems();

  private:
    void begin_run();
    void end_run(bool delivered);
    void send();

    SpoolFolder& folder_;
    std::vector<SpooledRun> runs_;  // the one in front is being delivered
    proto::ChannelContext& context_;
    proto::SenderConfig config_;
    std::unique_ptr<proto::ChannelSender> sender_;
    size_t acknowledged_ = 0;  // frames of the front run
    uint64_t octets_ = 0;      // of all runs' frames
    std::chrono::steady_clock::time_point not_refused_;
    std::vector<std::string> problems_;
};

}  // namespace curlew::probe
