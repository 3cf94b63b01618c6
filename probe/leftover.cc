#include "probe/leftover.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace curlew::probe {

namespace {

using Clock = std::chrono::steady_clock;

// A collector that still takes the run before for connected refuses for seconds; one that refuses
// for longer does not want this, and what is new shall not wait for that.
constexpr std::chrono::seconds kRefusedFor{30};

// A run may have gone on in memory alone, behind what its disk took, and its collector then has
// more than was spooled: no more than this, which is twelve days of a million records a second.
constexpr uint64_t kMostBehindSpool = uint64_t{1} << 40;

}  // namespace

Leftover::Leftover(SpoolFolder& folder,
                   std::vector<SpooledRun> runs,
                   proto::ChannelContext& context,
                   proto::SenderConfig sender)
    : folder_(folder), runs_(std::move(runs)), context_(context), config_(std::move(sender)) {
    for (const SpooledRun& run : runs_) {
        octets_ += run.octets();
    }
    if (!runs_.empty()) {
        begin_run();
    }
}

Leftover::~Leftover() = default;

void Leftover::begin_run() {
    const SpooledRun& run = runs_.front();
    config_.probe_id = run.probe_id;
    config_.epoch = run.epoch;
    config_.hello = run.hello;
    sender_ = std::make_unique<proto::ChannelSender>(context_, config_);
    acknowledged_ = 0;
    not_refused_ = Clock::now();
}

void Leftover::end_run(bool delivered) {
    const uint64_t epoch = runs_.front().epoch;
    const uint64_t last = runs_.front().frames.back().last_sequence;
    // What is refused stays, and takes its room.
    octets_ -= delivered ? std::min(octets_, runs_.front().octets()) : 0;
    runs_.erase(runs_.begin());
    const bool is_last = runs_.empty() || runs_.front().epoch != epoch;
    if (delivered) {
        folder_.note(epoch, last);
        if (is_last) {
            folder_.remove(epoch);
        }
    } else {
        // The rest of the epoch would be refused as well.
        std::erase_if(runs_, [&](const SpooledRun& run) { return run.epoch == epoch; });
    }
    sender_.reset();
    if (!runs_.empty()) {
        begin_run();
    }
}

void Leftover::send() {
    std::vector<SpooledRun::Frame>& frames = runs_.front().frames;
    while (sender_->state() == proto::SenderState::welcomed && sender_->has_room()) {
        const auto next =
            std::partition_point(frames.begin(), frames.end(), [&](const SpooledRun::Frame& frame) {
                return frame.last_sequence <= sender_->last_sent();
            });
        if (next == frames.end()) {
            return;
        }
        std::shared_ptr<const std::string> octets;
        try {
            octets = std::make_shared<const std::string>(read_spooled(*next));
        } catch (const std::runtime_error& error) {
            // The collector goes on behind it when it has all before.
            if (frames.begin() + static_cast<std::ptrdiff_t>(acknowledged_) != next) {
                return;
            }
            problems_.push_back(fmt::format("{} records are lost: {}; {}",
                                            next->records,
                                            error.what(),
                                            keep_aside(next->file)));
            // What comes behind is told to the collector as the first that is held.
            if (next + 1 == frames.end()) {
                end_run(true);
            } else {
                frames.erase(frames.begin(), next + 1);
                begin_run();
            }
            return;
        }
        if (!sender_->send(std::move(octets), next->last_sequence)) {
            return;
        }
    }
}

void Leftover::turn(std::chrono::milliseconds timeout) {
    if (is_done()) {
        return;
    }
    const std::vector<SpooledRun::Frame>& frames = runs_.front().frames;
    sender_->turn(frames[acknowledged_].first_sequence,
                  timeout,
                  frames.back().last_sequence + kMostBehindSpool);
    while (acknowledged_ < frames.size() &&
           frames[acknowledged_].last_sequence <= sender_->last_acknowledged()) {
        ++acknowledged_;
    }
    if (acknowledged_ == frames.size()) {
        end_run(true);
        return;
    }
    if (sender_->state() != proto::SenderState::refused) {
        not_refused_ = Clock::now();
    } else if (Clock::now() - not_refused_ >= kRefusedFor) {
        problems_.push_back(fmt::format(
            "{} records of an earlier run stay in the spool, for the collector refuses: {}",
            runs_.front().records(),
            sender_->refusal()));
        end_run(false);
        return;
    }
    send();
}

uint64_t Leftover::records_waiting() const noexcept {
    uint64_t sum = 0;
    for (const SpooledRun& run : runs_) {
        sum += run.records();
    }
    if (!runs_.empty()) {
        const auto& frames = runs_.front().frames;
        for (size_t i = 0; i < acknowledged_; ++i) {
            sum -= frames[i].records;
        }
    }
    return sum;
}

proto::SenderState Leftover::channel() const noexcept {
    return sender_ == nullptr ? proto::SenderState::connecting : sender_->state();
}

const std::string& Leftover::refusal() const noexcept {
    static const std::string kNone;
    return sender_ == nullptr ? kNone : sender_->refusal();
}

std::vector<std::string> Leftover::problems() {
    return std::exchange(problems_, {});
}

}  // namespace curlew::probe
