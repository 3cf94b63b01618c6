#include "probe/joy_meter.h"

#include <algorithm>

namespace curlew::probe {

namespace {

constexpr uint64_t kPacketsPerLook = 5;

JoyKey without_direction(const JoyKey& key) noexcept {
    return std::min(key, key.reversed());
}

}  // namespace

void JoyMeter::add(const PacketView& view) {
    JoyPacket packet;
    const JoyVerdict verdict = reader_.read(view, packet);
    ++counters_.by_verdict[static_cast<size_t>(verdict)];
    counters_.first_packet_ns = std::min(counters_.first_packet_ns, view.time_ns);
    counters_.last_packet_ns = std::max(counters_.last_packet_ns, view.time_ns);
    if (verdict == JoyVerdict::not_ethernet) {
        return;
    }
    if (verdict == JoyVerdict::metered) {
        meter(packet);
    }
    const bool counts = !config_.default_filter || passes_joy_filter(view);
    if (counts && ++counted_packets_ % kPacketsPerLook == 0) {
        expire();
    }
}

void JoyMeter::meter(const JoyPacket& packet) {
    counters_.octets_metered += packet.ip.size();
    counters_.packets_completed += packet.completed ? 1 : 0;
    now_us_ = std::max(now_us_, packet.time_us);
    JoyHalf& half = half_of(packet.key);
    const size_t before = half.memory_octets();
    half.add(packet);
    memory_octets_ += half.memory_octets() - before;
    keep_within_memory();
}

// A new direction whose exact reverse waits without a twin becomes its twin, and is not listed. A
// key that is its own reverse gets none.
JoyHalf& JoyMeter::half_of(const JoyKey& key) {
    const auto [known, is_new] = places_.try_emplace(key);
    if (!is_new) {
        return *known->second.half;
    }
    const auto reverse = places_.find(key.reversed());
    if (reverse != known && reverse != places_.end() && !reverse->second.flow->newer) {
        JoyFlow* flow = reverse->second.flow;
        known->second = {flow, &flow->newer.emplace(key, config_.idp)};
    } else {
        JoyFlow* flow = flows_.emplace_back(std::make_unique<JoyFlow>(key, config_.idp)).get();
        known->second = {flow, &flow->older};
    }
    memory_octets_ += known->second.half->memory_octets();
    return *known->second.half;
}

void JoyMeter::expire() {
    while (!flows_.empty()) {
        const JoyAge age = age_of(*flows_.front(), now_us_);
        if (age == JoyAge::live) {
            return;
        }
        end_front(age == JoyAge::active ? FlowEndReason::active_timeout
                                        : FlowEndReason::idle_timeout);
    }
}

void JoyMeter::keep_within_memory() {
    while (memory_octets_ > config_.memory_octets && flows_.size() > 1) {
        end_front(FlowEndReason::lack_of_resources);
    }
}

void JoyMeter::end_front(FlowEndReason reason) {
    const JoyFlow& flow = *flows_.front();
    Written& written = written_[without_direction(flow.older.key())];
    if (written.records == 0) {
        written.first_start_us = orient(flow).start_us;
        ++counters_.flows_created;
    }
    summarize(flow,
              {.output_ordinal = counters_.records_created,
               .first_start_us = written.first_start_us,
               .record_number = written.records,
               .end_reason = reason},
              summary_);
    ++written.records;
    ++counters_.records_created;
    ++counters_.records_by_reason[static_cast<size_t>(reason)];
    sink_(summary_);

    memory_octets_ -= flow.older.memory_octets();
    places_.erase(flow.older.key());
    if (flow.newer) {
        memory_octets_ -= flow.newer->memory_octets();
        places_.erase(flow.newer->key());
    }
    flows_.pop_front();
}

void JoyMeter::finish() {
    expire();
    while (!flows_.empty()) {
        end_front(FlowEndReason::forced_end);
    }
}

}  // namespace curlew::probe
