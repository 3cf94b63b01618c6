#include "probe/receiver.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>
#include <utility>

#include "probe/byte_ring.h"

namespace curlew::probe {

namespace {

// Polls between two calls of tick.
constexpr uint64_t kTickPolls = 1024;
// Polls between two looks at the clock that says when counters are told.
constexpr uint64_t kPublishPolls = 32;
constexpr uint64_t kPublishIntervalNs = 50'000'000;
// Of a packet, before it is parsed.
constexpr uint32_t kFetchedOctets = 192;
// A kernel may hand packets over some milliseconds after they came.
constexpr uint64_t kLastLook = 20'000'000;
constexpr uint64_t kLongestLastLook = 2'000'000'000;
// On a line that goes on: where packets are stamped as they are received, those that had waited
// have later stamps than the stop, too.
constexpr uint64_t kLastLookAtBusyLine = 200'000'000;

uint64_t steady_ns() noexcept {
    return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

}  // namespace

Receiver::Receiver(const ReceiverConfig& config, Port& port, const KeyedHash& hash, Worker& worker)
    : config_(config),
      port_(port),
      hash_(hash),
      worker_(&worker),
      is_live_(port.is_live()),
      fragments_(FragmentTableConfig{}, config.hash_key) {}

Receiver::Receiver(const ReceiverConfig& config,
                   Port& port,
                   const KeyedHash& hash,
                   std::vector<PacketLane*> lanes)
    : config_(config),
      port_(port),
      hash_(hash),
      lanes_(std::move(lanes)),
      is_live_(port.is_live()),
      fragments_(FragmentTableConfig{}, config.hash_key) {}

void Receiver::run(const std::atomic<bool>& stop, const std::function<void(double)>& tick) {
    std::array<PacketView, kMaximumBurst> burst;
    IdlePause pause(config_.idle_sleep_us);
    bool caught_up = false;
    while (!stop.load(std::memory_order_relaxed) || (is_live_ && !is_emptied(caught_up))) {
        const size_t count = port_.receive(burst);
        if (count == 0 && port_.state() != PortState::running) {
            break;
        }
        caught_up = port_.caught_up();
        if (!caught_up) {
            receive_burst({burst.data(), count});
            pause.found();
        }
        port_.release();
        pass_on_progress(caught_up);
        const uint64_t polls = polls_.load(std::memory_order_relaxed) + 1;
        polls_.store(polls, std::memory_order_relaxed);
        publish_if_due();
        if (caught_up) {
            pause.wait();
        }
        if (tick && polls % kTickPolls == 0) {
            tick(port_.progress());
        }
    }
    publish();
    const uint64_t end_ns = std::max(clock_.last_ns(), is_live_ ? port_.now_ns() : port_.end_ns());
    progress_.clock_ns.store(end_ns, std::memory_order_release);
    progress_.ended.store(true, std::memory_order_release);
    if (worker_ != nullptr) {
        worker_->finish(end_ns);
        publish();
    }
}

bool Receiver::is_emptied(bool caught_up) noexcept {
    const uint64_t now = steady_ns();
    if (stop_seen_at_ == 0) {
        stop_seen_at_ = now;
        stop_clock_ns_ = port_.now_ns();
        busy_at_ = now;
    }
    if (!caught_up) {
        busy_at_ = now;
    }
    const bool is_past =
        packets_.last_packet_ns > stop_clock_ns_ && now - stop_seen_at_ >= kLastLookAtBusyLine;
    return is_past || now - busy_at_ >= kLastLook || now - stop_seen_at_ >= kLongestLastLook;
}

void Receiver::receive_burst(std::span<const PacketView> burst) noexcept {
    enter(config_.stages, Stage::parse);
    // No cache has a packet that has just come. What is read of most of them is fetched at once:
    // headers, payloads' beginnings, what tells copies.
    for (const PacketView& view : burst) {
        for (uint32_t at = 0; at < std::min(view.captured_octets, kFetchedOctets); at += 64) {
            __builtin_prefetch(view.data + at);
        }
    }
    size_t count = 0;
    for (const PacketView& view : burst) {
        ParsedPacket& packet = parsed_[count];
        const ParseResult result = parse_packet(view, config_.parser, packet);
        packets_.first_packet_ns = std::min(packets_.first_packet_ns, view.time_ns);
        packets_.last_packet_ns = std::max(packets_.last_packet_ns, view.time_ns);
        const uint64_t arrival_ns = clock_.advance(view.time_ns);
        if (result != ParseResult::metered) {
            ++packets_.by_result[static_cast<size_t>(result)];
            continue;
        }
        if ((packet.notes & kNoteFragment) != 0) {
            fragments_.resolve(packet);
        }
        packet.queue = config_.queue;
        packet.arrival_ns = arrival_ns;
        ++count;
    }
    enter(config_.stages, Stage::look_up);
    // A key that has just been written in small pieces cannot be read in large ones at once.
    for (size_t i = 0; i < count; ++i) {
        hashes_[i] = hash_(parsed_[i].key);
    }
    received_.store(received_.load(std::memory_order_relaxed) + burst.size(),
                    std::memory_order_relaxed);
    meter({parsed_.data(), count}, {hashes_.data(), count});
    enter(config_.stages, Stage::receive);
}

void Receiver::meter(std::span<const ParsedPacket> packets,
                     std::span<const uint64_t> hashes) noexcept {
    if (worker_ != nullptr) {
        for (const ParsedPacket& packet : packets) {
            count(packet);
        }
        worker_->process(packets, hashes);
        return;
    }
    for (size_t i = 0; i < packets.size(); ++i) {
        hand_over(packets[i], hashes[i]);
        passed_ns_ = std::max(passed_ns_, packets[i].time_ns);
    }
    for (PacketLane* lane : lanes_) {
        lane->flush();
    }
}

void Receiver::hand_over(const ParsedPacket& packet, uint64_t hash) noexcept {
    PacketLane& lane = *lanes_[partition_of(hash) % lanes_.size()];
    while (!lane.add(packet, hash)) {
        if (is_live_) {
            ++packets_.packets_lost_handing_over;
            return;
        }
        // A worker may wait for what this burst has handed over so far.
        for (PacketLane* other : lanes_) {
            other->flush();
        }
        progress_.handed_over_ns.store(passed_ns_, std::memory_order_release);
        std::this_thread::sleep_for(kFullRingPause);
    }
    count(packet);
}

void Receiver::count(const ParsedPacket& packet) noexcept {
    ++packets_.by_result[static_cast<size_t>(ParseResult::metered)];
    packets_.octets_metered += packet.octets;
    if (packet.notes != 0) {
        for (int bit = 0; bit < kPacketNoteCount; ++bit) {
            packets_.by_note[static_cast<size_t>(bit)] += (packet.notes >> bit) & 1u;
        }
    }
}

void Receiver::pass_on_progress(bool caught_up) noexcept {
    if (is_live_) {
        // While more waits at the port, time is where its packets are: they may have waited long.
        const uint64_t now_ns =
            caught_up ? port_.now_ns() : std::min(packets_.last_packet_ns, port_.now_ns());
        // What was stamped before the last round's clock would have been found in this one.
        const uint64_t before_ns = progress_.clock_ns.load(std::memory_order_relaxed);
        passed_ns_ = std::max(passed_ns_, caught_up ? before_ns : packets_.last_packet_ns);
        progress_.handed_over_ns.store(passed_ns_, std::memory_order_release);
        progress_.clock_ns.store(now_ns, std::memory_order_release);
        if (worker_ != nullptr) {
            worker_->tick(now_ns);
        }
    } else {
        // A capture that has nothing more now will not have any later.
        passed_ns_ = caught_up ? ~uint64_t{0} : packets_.last_packet_ns;
        progress_.handed_over_ns.store(passed_ns_, std::memory_order_release);
    }
    if (caught_up) {
        progress_.empty_polls.store(progress_.empty_polls.load(std::memory_order_relaxed) + 1,
                                    std::memory_order_release);
    }
}

void Receiver::publish_if_due() noexcept {
    if (polls_.load(std::memory_order_relaxed) % kPublishPolls != 0) {
        return;
    }
    const uint64_t now = steady_ns();
    if (now - published_at_ >= kPublishIntervalNs) {
        published_at_ = now;
        publish();
    }
}

void Receiver::publish() noexcept {
    const PortCounters port = port_.counters();
    note_losses(port);
    const std::lock_guard lock(published_mutex_);
    published_.port = port;
    published_.packets = packets_;
    published_.fragments = fragments_.counters();
    published_.losses = losses_;
    published_.clock_steps = port_.clock_steps();
    if (worker_ != nullptr) {
        published_.flows = worker_->counters();
    }
    published_.state = port_.state();
}

// What a counter grew by was lost since the last look.
void Receiver::note_losses(const PortCounters& now) noexcept {
    if (!is_live_) {
        losses_ = port_.losses();
        return;
    }
    const uint64_t now_ns = std::max(port_.now_ns(), packets_.last_packet_ns);
    const bool is_first = looked_at_ns_ == 0;
    const uint64_t from_ns = std::min(is_first ? packets_.first_packet_ns : looked_at_ns_, now_ns);
    const auto note = [&](LossReason reason, uint64_t before, uint64_t after) {
        if (after > before) {
            losses_.note(reason, from_ns, now_ns, after - before);
        }
    };
    note(LossReason::port_missed, port_looked_.packets_missed, now.packets_missed);
    note(LossReason::port_in_error, port_looked_.packets_in_error, now.packets_in_error);
    note(LossReason::port_without_buffer,
         port_looked_.packets_without_buffer,
         now.packets_without_buffer);
    note(LossReason::hand_over, hand_over_looked_, packets_.packets_lost_handing_over);
    port_looked_ = now;
    hand_over_looked_ = packets_.packets_lost_handing_over;
    looked_at_ns_ = now_ns;
}

ReceiverCounters Receiver::counters() const {
    const std::lock_guard lock(published_mutex_);
    return published_;
}

}  // namespace curlew::probe
