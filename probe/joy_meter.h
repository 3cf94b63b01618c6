#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "probe/flow.h"
#include "probe/joy_flow.h"
#include "probe/joy_packet.h"
#include "probe/joy_summary.h"
#include "probe/port.h"
#include "proto/flow.pb.h"

// The meter of preset joy-3.0.3: where Joy 3.0.3 cuts flows into records, in Joy's order of output.
// Joy's expiry is global and sequential: after every fifth packet that passed its filter it looks
// at the list of flows in order of creation and stops at the first that is not old, so that one
// long flow keeps all younger ones. One thread, for captures: memory is taken as flows come.

namespace curlew::probe {

struct JoyMeterConfig {
    // Without a filter of the user's own: packets that are neither `ip` nor `vlan` do not count
    // for the fifth packet. With one the port has filtered, and every packet counts.
    bool default_filter = true;
    size_t idp = kJoyIdp;
    // Joy has no bound. Past this the oldest flow is ended, for lack of resources.
    uint64_t memory_octets = uint64_t{1} << 30;
};

// packets = sum of by_verdict; records_created = sum of records_by_reason.
struct JoyMeterCounters {
    std::array<uint64_t, static_cast<size_t>(JoyVerdict::count_)> by_verdict{};
    uint64_t packets_completed = 0;           // lacked up to 22 octets, which were taken for 0
    uint64_t octets_metered = 0;              // IP total lengths
    uint64_t first_packet_ns = ~uint64_t{0};  // as it is here without a packet
    uint64_t last_packet_ns = 0;
    uint64_t flows_created = 0;  // 5-tuples, either direction
    uint64_t records_created = 0;
    std::array<uint64_t, 6> records_by_reason{};  // by FlowEndReason
};

class JoyMeter {
  public:
    using Sink = std::function<void(const proto::FlowSummary&)>;

    // `sink` gets each record; the message is good during the call.
    JoyMeter(const JoyMeterConfig& config, Sink sink) : config_(config), sink_(std::move(sink)) {}

    void add(const PacketView& view);

    // End of input: one more look at the list, then everything that is left ends.
    void finish();

    const JoyMeterCounters& counters() const noexcept { return counters_; }
    size_t live_flows() const noexcept { return flows_.size(); }

  private:
    struct Place {
        JoyFlow* flow = nullptr;
        JoyHalf* half = nullptr;
    };
    // What is known of a 5-tuple once a record of it was written. It is kept to the end: a capture
    // costs more octets per 5-tuple than this.
    struct Written {
        uint64_t first_start_us = 0;
        uint32_t records = 0;
    };

    void meter(const JoyPacket& packet);
    JoyHalf& half_of(const JoyKey& key);
    void expire();
    void end_front(FlowEndReason reason);
    void keep_within_memory();

    JoyMeterConfig config_;
    Sink sink_;
    JoyPacketReader reader_;
    std::deque<std::unique_ptr<JoyFlow>> flows_;  // in order of creation
    std::map<JoyKey, Place> places_;              // of both directions
    std::map<JoyKey, Written> written_;           // by the lower of both keys
    uint64_t now_us_ = 0;
    uint64_t counted_packets_ = 0;  // that passed the filter
    uint64_t memory_octets_ = 0;    // of all halves, about
    JoyMeterCounters counters_;
    proto::FlowSummary summary_;
};

}  // namespace curlew::probe
