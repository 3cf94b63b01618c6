#include "cli/bench_port.h"

#include <algorithm>
#include <cstring>

namespace curlew::cli {

namespace {

constexpr uint64_t kBeginNs = 1'700'000'000'000'000'000;
// Bursts between two looks at the clock.
constexpr uint64_t kClockBursts = 64;
// Where an IPv4 source address stands behind an Ethernet header.
constexpr size_t kSourceAddressAt = 26;
// An odd factor gives each number of 32 bits its own product, and neighbours far ones.
constexpr uint32_t kFarApart = 0x9e3779b1;

}  // namespace

BenchPort::BenchPort(const BenchPackets& packets, const BenchWorkload& workload, bool keeps_frames)
    : packets_(packets), workload_(workload), keeps_frames_(keeps_frames), now_ns_(kBeginNs) {
    descriptors_.reserve(packets.order().size());
    for (const uint32_t frame : packets.order()) {
        descriptors_.push_back(packets.frames()[frame]);
    }
    begin_turn();
}

void BenchPort::begin(const BenchPlan& plan) {
    plan_ = plan;
    rounds_.clear();
    rounds_.reserve(static_cast<size_t>(plan.rounds));
    bursts_ = 0;
    packets_played_ = 0;
    is_warm_ = false;
    state_ = probe::PortState::running;
}

bool BenchPort::goes_on() noexcept {
    if (bursts_++ % kClockBursts == 0) {
        look_at_clock();
    }
    return state_ == probe::PortState::running;
}

uint64_t BenchPort::play(uint8_t* octets) noexcept {
    const BenchPackets::Frame& frame = next_frame();
    if (workload_.variation == FrameVariation::new_sender) {
        const uint32_t address = static_cast<uint32_t>(varied_++) * kFarApart;
        std::memcpy(octets + kSourceAddressAt, &address, sizeof(address));
    } else if (workload_.client_sets > 1) {
        const uint32_t mask = masks_[frame.is_ahead ? 1 : 0];
        for (const uint16_t at : frame.clients_at) {
            if (at != 0) {
                uint32_t address = 0;
                std::memcpy(&address, octets + at, sizeof(address));
                address ^= mask;
                std::memcpy(octets + at, &address, sizeof(address));
            }
        }
    }
    if (++next_ == descriptors_.size()) {
        next_ = 0;
        ++turn_;
        begin_turn();
    }
    now_ns_ += workload_.step_ns;
    return now_ns_;
}

// The first octet of an address, which says what kind it is of, stays.
uint32_t BenchPort::client_mask(uint64_t turn) const noexcept {
    const uint32_t mask = static_cast<uint32_t>(turn % workload_.client_sets) * kFarApart;
    const std::array<uint8_t, 4> octets{0,
                                        static_cast<uint8_t>(mask >> 8),
                                        static_cast<uint8_t>(mask >> 16),
                                        static_cast<uint8_t>(mask >> 24)};
    uint32_t in_order = 0;
    std::memcpy(&in_order, octets.data(), sizeof(in_order));
    return in_order;
}

void BenchPort::begin_turn() noexcept {
    masks_ = {client_mask(turn_), client_mask(turn_ + 1)};
    if (keeps_frames_) {
        masks_[1] ^= client_mask(turn_ == 0 ? 0 : turn_);
        masks_[0] ^= client_mask(turn_ == 0 ? 0 : turn_ - 1);
    }
}

// Only what is changed before it is handed out, a burst ahead: that is not the meter's work.
void BenchPort::prefetch(size_t frames) const noexcept {
    if (workload_.variation == FrameVariation::none && workload_.client_sets == 1) {
        return;
    }
    const size_t end = std::min(descriptors_.size(), next_ + frames);
    for (size_t i = next_; i < end; ++i) {
        __builtin_prefetch(packets_.octets(descriptors_[i]), 1);
    }
}

void BenchPort::look_at_clock() noexcept {
    const Clock::time_point now = Clock::now();
    if (!is_warm_) {
        is_warm_ = packets_played_ >= plan_.warm_up_packets;
        round_from_ = packets_played_;
        round_begin_ = now;
        return;
    }
    const double seconds = std::chrono::duration<double>(now - round_begin_).count();
    if (seconds < plan_.round_seconds) {
        return;
    }
    const BenchRound round{packets_played_ - round_from_, seconds};
    round_from_ = packets_played_;
    round_begin_ = now;
    if (rounds_.size() < static_cast<size_t>(plan_.rounds)) {
        rounds_.push_back(round);
        if (rounds_.size() < static_cast<size_t>(plan_.rounds)) {
            return;
        }
        if (plan_.stages != nullptr) {
            plan_.stages->start();
            return;
        }
    } else {
        plan_.stages->stop();
        stage_round_ = round;
    }
    state_ = probe::PortState::ended;
}

size_t MemoryPort::receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept {
    if (!goes_on()) {
        return 0;
    }
    for (probe::PacketView& view : burst) {
        const BenchPackets::Frame& frame = next_frame();
        uint8_t* octets = packets_.octets(frame);
        view = {octets, play(octets), frame.octets, frame.octets, frame.link};
        counters_.octets_offered += frame.octets;
    }
    prefetch(burst.size());
    counters_.packets_offered += burst.size();
    count(burst.size());
    return burst.size();
}

size_t DevicePort::receive(std::span<probe::PacketView, probe::kMaximumBurst> burst) noexcept {
    if (!goes_on()) {
        return 0;
    }
    const size_t received = device_->receive(burst);
    for (probe::PacketView& view : burst.first(received)) {
        // A copy that nobody else reads: the device made it into a buffer of the port's.
        view.time_ns = play(const_cast<uint8_t*>(view.data));
    }
    count(received);
    if (device_->state() == probe::PortState::broken) {
        break_off();
    }
    return received;
}

}  // namespace curlew::cli
