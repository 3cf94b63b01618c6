// Hot path.
#include "probe/flow_meter.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <chrono>
#include <cstring>
#include <thread>

#include "probe/flow_direction.h"
#include "probe/flow_settled.h"
#include "probe/record_image_writer.h"
#include "probe/tcp_connection.h"

namespace curlew::probe {

namespace {

// Flows a single packet may have to end on its way.
constexpr int kSweepBudget = 32;
// A flow is silent only so much later than its timeout, so that packets which come late by their
// stamps still find it.
constexpr uint64_t kSilentLag = 5'000'000'000;

// Of a message that comes in several packets, this much is looked at for names.
constexpr size_t kJoinedOctets = 4096;

// How long a full ring is left alone: the exporter empties megabytes in this time.
constexpr std::chrono::microseconds kRingPause{50};

uint16_t quality_of(const FlowHot& hot, const FlowWarm& warm) noexcept {
    uint16_t quality = hot.quality;
    if (hot.key.protocol == kProtocolTcp) {
        if (warm.beginning[0] != 0 || warm.beginning[1] != 0) {
            quality |= kQualityBeginSeen;
        }
        if (is_closed(hot)) {
            quality |= kQualityEndSeen;
        }
    }
    if (hot.packets[0] == 0 || hot.packets[1] == 0) {
        quality |= kQualityOneWay;
    }
    return quality;
}

void note_quality(FlowHot& hot, const ParsedPacket& packet) noexcept {
    if (packet.notes == 0) [[likely]] {
        return;
    }
    const auto set = [&](uint16_t notes, uint16_t quality) {
        if ((packet.notes & notes) != 0) {
            hot.quality |= quality;
        }
    };
    set(kNoteTruncated, kQualityTruncated);
    set(kNoteFragment | kNoteLaterFragment, kQualityFragmented);
    set(kNoteMergedFrame | kNoteLengthFromFrame, kQualityMergedFrames);
    set(kNoteTransportMalformed | kNoteLengthBeyondFrame, kQualityMalformed);
    set(kNoteTunnelTooDeep, kQualityTunnelTooDeep);
}

void note_icmp_type(FlowHot& hot, FlowWarm& warm, const ParsedPacket& packet) noexcept {
    if (!has_icmp_type(packet.key.protocol)) {
        return;
    }
    // A later fragment has no type, and that of a packet cut before it is not known.
    const uint8_t* end = packet.ip + packet.ip_captured_octets;
    if (packet.transport == nullptr || end - packet.transport < 2) {
        return;
    }
    const std::array<uint8_t, 2> type{packet.icmp_type, packet.icmp_code};
    for (size_t i = 0; i < warm.icmp_type_count; ++i) {
        if (warm.icmp_types[i] == type) {
            return;
        }
    }
    if (warm.icmp_type_count < warm.icmp_types.size()) {
        warm.icmp_types[warm.icmp_type_count++] = type;
    } else {
        hot.quality |= kQualityListCut;
    }
}

}  // namespace

FlowMeter::FlowMeter(const FlowMeterConfig& config,
                     const PartitionMemory& memory,
                     const Inspector& inspector,
                     const KeyedHash& hash,
                     const PacketDigest& digest,
                     signatures::Scanner::Scratch& scratch,
                     ByteRing& ring)
    : table_(memory.buckets, memory.hot, memory.warm, memory.few_buckets, config.wait_for_ring),
      config_(config),
      copies_(memory.copies, config.copies, digest),
      features_(config.list, memory.features),
      messages_(memory.messages,
                config.details ? MessageStore::Keeps::all : MessageStore::Keeps::little),
      recent_(memory.recent),
      inspector_(&inspector),
      hash_(&hash),
      scratch_(&scratch),
      ring_(&ring) {
    assert(ring.longest_message() >= kLongestRecordImage);
}

FlowIndex FlowMeter::prefetch_flow(uint64_t hash) const noexcept {
    const FlowIndex flow = table_.likely(hash);
    if (flow != kNoFlow) {
        __builtin_prefetch(&table_.hot(flow), 1);
        __builtin_prefetch(reinterpret_cast<const uint8_t*>(&table_.hot(flow)) + 64, 1);
    }
    return flow;
}

void FlowMeter::prefetch_details(FlowIndex likely,
                                 const ParsedPacket& packet,
                                 uint64_t hash) const noexcept {
    if (likely == kNoFlow) {
        table_.prefetch_new(hash);
        __builtin_prefetch(&recent_start(hash, packet.time_ns / 1000), 1);
        return;
    }
    const FlowHot& hot = table_.hot(likely);
    if (hot.packets[packet.from_low ? 0 : 1] == 0) {
        table_.prefetch_warm(likely);
    } else if (shows_new(hot, packet) || (config_.details && MessageStore::may_add(packet))) {
        __builtin_prefetch(&table_.warm(likely), 1);
    }
    features_.prefetch_details(hot);
}

void FlowMeter::prefetch_lists(FlowIndex likely, const ParsedPacket& packet) const noexcept {
    if (likely == kNoFlow) {
        return table_.prefetch_second_new();
    }
    const FlowHot& hot = table_.hot(likely);
    if (shows_new(hot, packet)) {
        features_.prefetch_chain(table_.warm(likely).names);
    }
    if (config_.details && MessageStore::may_add(packet)) {
        messages_.prefetch(packet, table_.warm(likely));
    }
    features_.prefetch_lists(hot, packet);
}

uint64_t FlowMeter::idle_timeout(const FlowHot& hot) const noexcept {
    if (hot.key.protocol != kProtocolTcp) {
        return config_.timeouts.idle_other_ns;
    }
    const uint64_t idle = config_.timeouts.idle_tcp_ns;
    const uint64_t closed = config_.timeouts.closed_ns;
    if (!is_closed(hot) || closed == 0) {
        return idle;
    }
    return idle == 0 ? closed : std::min(idle, closed);
}

uint64_t FlowMeter::due_time(const FlowHot& hot) const noexcept {
    const uint64_t idle = idle_timeout(hot);
    if (idle == 0) {
        // It still comes by once a round; it costs nothing to look.
        return ~uint64_t{0};
    }
    const uint64_t delay = hot.delay == 0 ? 0 : uint64_t{1} << hot.delay;
    return hot.last_ns + delay + idle + kSilentLag;
}

FlowEndReason FlowMeter::natural_end(const FlowHot& hot) const noexcept {
    return is_closed(hot) ? FlowEndReason::end_of_flow : FlowEndReason::idle_timeout;
}

bool FlowMeter::is_over(const FlowHot& hot,
                        const ParsedPacket& packet,
                        uint64_t idle) const noexcept {
    if (packet.time_ns > hot.last_ns && packet.time_ns - hot.last_ns > idle) {
        return true;
    }
    // A capture whose time goes back by more than the timeout holds another flow, not this one.
    if (packet.time_ns < hot.start_ns && hot.start_ns - packet.time_ns > idle) {
        return true;
    }
    return due_time(hot) < clock_ns_;
}

bool FlowMeter::is_cut(FlowIndex flow,
                       const ParsedPacket& packet,
                       FlowEndReason& reason) const noexcept {
    const FlowHot& hot = table_.hot(flow);
    const uint64_t idle = idle_timeout(hot);
    const bool in_time =
        packet.time_ns >= hot.start_ns && std::max(packet.time_ns, clock_ns_) <= hot.last_ns + idle;
    if (!in_time && idle != 0 && is_over(hot, packet, idle)) {
        reason = natural_end(hot);
        return true;
    }
    if ((packet.tcp_flags & kTcpSyn) != 0 && begins_another(hot, table_.warm(flow), packet)) {
        reason = FlowEndReason::end_of_flow;
        return true;
    }
    const uint64_t active = config_.timeouts.active_ns;
    const bool too_long =
        active != 0 && packet.time_ns > hot.start_ns && packet.time_ns - hot.start_ns > active;
    // Counters are 32 bits wide; a record ends before one could wrap.
    if (too_long || hot.packets[packet.from_low ? 0 : 1] == UINT32_MAX) {
        reason = FlowEndReason::active_timeout;
        return true;
    }
    return false;
}

FlowIndex FlowMeter::find_flow(const ParsedPacket& packet,
                               uint64_t hash,
                               FlowIndex likely) const noexcept {
    // An earlier packet of the burst may have ended the likely flow; its key tells.
    if (likely == kNoFlow || (table_.hot(likely).state & kStateInUse) == 0 ||
        !(table_.hot(likely).key == packet.key)) {
        return table_.find(packet.key, hash);
    }
    return likely;
}

FlowIndex FlowMeter::add(const ParsedPacket& packet, uint64_t hash, FlowIndex likely) noexcept {
    clock_ns_ = std::max(clock_ns_, packet.arrival_ns);
    if (wheel_.has_due(clock_ns_)) {
        sweep(clock_ns_);
    }
    FlowIndex flow = find_flow(packet, hash, likely);
    const bool is_copy = copies_.is_on() && copies_.is_copy(packet, hash, answers_to(packet, flow));
    if (is_copy && config_.copies.action == CopyAction::remove) {
        remove_copy(packet, flow);
        return kNoFlow;
    }
    ++counters_.packets;
    FlowEndReason reason{};
    if (flow != kNoFlow && is_cut(flow, packet, reason)) {
        if (reason == FlowEndReason::active_timeout) {
            export_record(flow, reason);
            messages_.end_record(table_.warm(flow));
            begin_record(flow);
        } else {
            end_flow(flow, hash, reason);
            flow = kNoFlow;
        }
    }
    if (flow == kNoFlow) {
        flow = begin_flow(packet, hash);
    }
    update(flow, packet);
    if (is_copy) {
        ++counters_.copies;
        note_copy(packet, flow);
    }
    return flow;
}

uint32_t FlowMeter::answers_to(const ParsedPacket& packet, FlowIndex flow) const noexcept {
    if (flow == kNoFlow) {
        return 0;
    }
    const size_t other = packet.from_low ? 1 : 0;
    const FlowHot& hot = table_.hot(flow);
    // What is removed was not counted among them.
    const bool has_copies =
        config_.copies.action == CopyAction::count && (hot.quality & kQualityDuplicate) != 0;
    return hot.packets[other] - (has_copies ? table_.warm(flow).copies[other] : 0);
}

void FlowMeter::remove_copy(const ParsedPacket& packet, FlowIndex flow) noexcept {
    ++counters_.removed.packets;
    counters_.removed.octets += packet.octets;
    for (int bit = 0; bit < kPacketNoteCount; ++bit) {
        counters_.removed.by_note[static_cast<size_t>(bit)] += (packet.notes >> bit) & 1u;
    }
    // Its flow may be gone: ended, or pushed out.
    if (flow != kNoFlow) {
        note_copy(packet, flow);
    }
}

void FlowMeter::note_copy(const ParsedPacket& packet, FlowIndex flow) noexcept {
    table_.hot(flow).quality |= kQualityDuplicate;
    ++table_.warm(flow).copies[packet.from_low ? 0 : 1];
}

RecentStart& FlowMeter::recent_start(uint64_t hash, uint64_t start_us) const noexcept {
    const uint64_t mixed = (hash ^ start_us) * 0x9e3779b97f4a7c15;
    return recent_[(mixed >> 32) % recent_.size()];
}

uint32_t FlowMeter::take_ordinal(uint64_t hash, uint64_t start_ns) noexcept {
    const uint64_t start_us = start_ns / 1000;
    RecentStart& recent = recent_start(hash, start_us);
    const bool same = recent.hash == hash && recent.start_us == start_us;
    recent = {hash, start_us, same ? recent.ordinal + 1 : 0};
    return recent.ordinal;
}

FlowIndex FlowMeter::begin_flow(const ParsedPacket& packet, uint64_t hash) noexcept {
    FlowIndex flow = table_.insert(packet.key, hash);
    while (flow == kNoFlow) {
        const FlowIndex victim = table_.victim(hash);
        end_flow(victim, (*hash_)(table_.hot(victim).key), FlowEndReason::lack_of_resources);
        flow = table_.insert(packet.key, hash);
    }
    ++counters_.flows_created;
    FlowHot& hot = table_.hot(flow);
    FlowWarm& warm = table_.warm(flow);
    hot.start_ns = packet.time_ns;
    hot.last_ns = packet.time_ns;
    hot.ttl_minimum = {255, 255};
    if (!packet.from_low) {
        hot.state |= kStateFirstFromHigh;
    }
    warm.flow_start_ns = packet.time_ns;
    warm.ordinal = take_ordinal(hash, packet.time_ns);
    warm.vlans = packet.vlans;
    if (packet.tunnel_count != 0) {
        store_tunnels(hot, warm, packet);
    }
    wheel_.add(&table_.hot(0), flow, due_time(hot));
    return flow;
}

void FlowMeter::store_tunnels(FlowHot& hot, FlowWarm& warm, const ParsedPacket& packet) noexcept {
    std::array<StoredTunnel, kMaximumTunnels> stored;
    for (size_t i = 0; i < packet.tunnel_count; ++i) {
        stored[i] = stored_tunnel(packet.tunnels[i], packet.frame);
    }
    uint32_t tail = 0;
    const auto* octets = reinterpret_cast<const uint8_t*>(stored.data());
    if (!features_.append(
            warm.tunnels, tail, {octets, packet.tunnel_count * sizeof(StoredTunnel)})) {
        hot.quality |= kQualityListCut;
    }
}

void FlowMeter::begin_record(FlowIndex flow) noexcept {
    FlowHot& hot = table_.hot(flow);
    FlowWarm& warm = table_.warm(flow);
    features_.begin_record(hot);
    hot.state |= kStateContinued | states_got_on(hot);
    hot.octets = {};
    hot.payload_octets = {};
    hot.packets = {};
    hot.tcp_flags = {};
    hot.ttl_minimum = {255, 255};
    hot.class_of_service = {};
    hot.settled = 0;
    hot.quality = 0;
    warm.ttl_maximum = {};
    warm.copies = {};
    ++warm.record_number;
}

void FlowMeter::update(FlowIndex flow, const ParsedPacket& packet) noexcept {
    FlowHot& hot = table_.hot(flow);
    const size_t side = packet.from_low ? 0 : 1;
    const bool is_new = shows_new(hot, packet);
    if (hot.packets[0] == 0 && hot.packets[1] == 0) {
        hot.start_ns = packet.time_ns;
        hot.last_ns = packet.time_ns;
    } else if (packet.time_ns < hot.last_ns) {
        hot.quality |= kQualityTimeReversed;
        hot.start_ns = std::min(hot.start_ns, packet.time_ns);
    } else {
        hot.last_ns = packet.time_ns;
    }
    hot.delay = 0;
    if (clock_ns_ > hot.last_ns + kSilentLag) [[unlikely]] {
        hot.delay = static_cast<uint8_t>(std::bit_width(clock_ns_ - hot.last_ns));
    }
    ++hot.packets[side];
    hot.octets[side] += packet.octets;
    hot.payload_octets[side] += packet.payload_octets;
    hot.ttl_minimum[side] = std::min(hot.ttl_minimum[side], packet.ttl);
    hot.class_of_service[side] |= packet.class_of_service;
    note_quality(hot, packet);
    if (packet.key.protocol == kProtocolTcp) {
        note_tcp_flags(flow, packet);
    }
    if (is_new) {
        note_sender(flow, packet);
    }
    if (is_new || config_.details) {
        look_into(flow, packet, is_new);
    }
    if (packet.payload_captured_octets != 0 && hot.payload_packets != UINT8_MAX) {
        ++hot.payload_packets;
    }
    if (is_new) {
        FlowWarm& warm = table_.warm(flow);
        const bool awaits_names = messages_.awaits_names(warm);
        hot.settled = settled_of(hot, warm, awaits_names);
        // Nobody looks at this side any more.
        if (awaits_names && (hot.settled & (kSettledPayload << side)) != 0) {
            messages_.release(warm);
        }
    }
}

void FlowMeter::note_tcp_flags(FlowIndex flow, const ParsedPacket& packet) noexcept {
    FlowHot& hot = table_.hot(flow);
    const size_t side = packet.from_low ? 0 : 1;
    hot.tcp_flags[side] |= packet.tcp_flags;
    if ((packet.tcp_flags & (kTcpFin | kTcpReset)) == 0) {
        return;
    }
    const bool was_closed = is_closed(hot);
    if ((packet.tcp_flags & kTcpFin) != 0) {
        hot.state |= side == 0 ? kStateFinLow : kStateFinHigh;
    }
    if ((packet.tcp_flags & kTcpReset) != 0) {
        hot.state |= kStateReset;
    }
    if (!was_closed && is_closed(hot)) {
        wheel_.remove(&table_.hot(0), flow);
        wheel_.add(&table_.hot(0), flow, due_time(hot));
    }
}

void FlowMeter::note_sender(FlowIndex flow, const ParsedPacket& packet) noexcept {
    FlowHot& hot = table_.hot(flow);
    FlowWarm& warm = table_.warm(flow);
    const size_t side = packet.from_low ? 0 : 1;
    if (warm.has_macs[side] == 0 && packet.source_mac != nullptr) {
        warm.has_macs[side] = 1;
        std::memcpy(warm.macs[side].data(), packet.destination_mac, 6);
        std::memcpy(warm.macs[side].data() + 6, packet.source_mac, 6);
    }
    warm.ttl_maximum[side] = std::max(warm.ttl_maximum[side], packet.ttl);
    note_icmp_type(hot, warm, packet);
    observe_direction(warm, packet, (hot.state & kStateContinued) == 0);
    if (tcp_beginning(packet.tcp_flags) != 0) {
        note_first_numbers(warm, packet);
    }
}

void FlowMeter::look_into(FlowIndex flow, const ParsedPacket& packet, bool is_new) noexcept {
    FlowHot& hot = table_.hot(flow);
    FlowWarm& warm = table_.warm(flow);
    if (config_.details) {
        features_.add(hot, packet);
    }
    if (is_new && packet.payload_captured_octets != 0) {
        const StageTurn turn(config_.stages, Stage::inspect);
        inspector_->inspect(packet, hot, warm, features_, *scratch_, counters_);
    }
    // Where messages are kept for their names alone, as long as names are looked for.
    if (MessageStore::may_add(packet) && (config_.details || is_new)) {
        keep_messages(hot, warm, packet);
    }
}

void FlowMeter::keep_messages(FlowHot& hot, FlowWarm& warm, const ParsedPacket& packet) noexcept {
    const MessageKind joined = messages_.add(packet, hot, warm);
    const bool is_hello = joined == MessageKind::tls || joined == MessageKind::quic;
    if (is_hello || (joined != MessageKind::none && hot.payload_packets < kNamedPackets)) {
        std::array<uint8_t, kJoinedOctets> message;
        const size_t octets = messages_.copy_joined(joined, warm, !packet.from_low, message);
        inspector_->inspect_joined(packet,
                                   joined,
                                   std::span(message).first(octets),
                                   hot,
                                   warm,
                                   features_,
                                   *scratch_,
                                   counters_);
    }
    messages_.let_go(hot, warm);
}

void FlowMeter::tick(uint64_t now_ns) noexcept {
    clock_ns_ = std::max(clock_ns_, now_ns);
    sweep(clock_ns_);
}

void FlowMeter::sweep(uint64_t now_ns) noexcept {
    const StageTurn turn(config_.stages, Stage::expire);
    for (int budget = kSweepBudget; budget > 0; --budget) {
        const FlowIndex flow = wheel_.take_due(&table_.hot(0), now_ns);
        if (flow == kNoFlow) {
            swept_ns_ = now_ns;
            return;
        }
        const FlowHot& hot = table_.hot(flow);
        prefetch_due(hot.wheel_next, budget == kSweepBudget);
        if (const uint64_t due = due_time(hot); due < now_ns) {
            const uint64_t hash = (*hash_)(hot.key);
            table_.prefetch_erase(hash);
            export_last(flow, natural_end(hot));
            table_.erase(flow, hash);
        } else {
            wheel_.add(&table_.hot(0), flow, due);
        }
    }
}

// Of the flow that is due next, mostly, its names, and the flow behind it. The first of a sweep was
// not fetched while another ended, so nothing of it is read.
void FlowMeter::prefetch_due(FlowIndex next, bool is_first) const noexcept {
    if (next == kNoFlow) {
        return;
    }
    if (is_first) {
        table_.prefetch_flow(next);
        return;
    }
    features_.prefetch_chain(table_.warm(next).names);
    if (const FlowIndex behind = table_.hot(next).wheel_next; behind != kNoFlow) {
        table_.prefetch_flow(behind);
    }
}

void FlowMeter::end_flow(FlowIndex flow, uint64_t hash, FlowEndReason reason) noexcept {
    table_.prefetch_erase(hash);
    wheel_.remove(&table_.hot(0), flow);
    export_last(flow, reason);
    table_.erase(flow, hash);
}

void FlowMeter::export_last(FlowIndex flow, FlowEndReason reason) noexcept {
    FlowWarm& warm = table_.warm(flow);
    messages_.finish(table_.hot(flow), warm);
    export_record(flow, reason);
    features_.release(table_.hot(flow));
    features_.release_chain(warm.names);
    features_.release_chain(warm.tunnels);
    messages_.release(warm);
}

void FlowMeter::finish(uint64_t end_ns) noexcept {
    // No packet can be late any more, and a table holds more records than a ring.
    config_.wait_for_ring = true;
    for (FlowIndex flow = 0; flow < table_.fresh(); ++flow) {
        const FlowHot& hot = table_.hot(flow);
        if ((hot.state & kStateInUse) == 0) {
            continue;
        }
        // A flow that was silent for its timeout had ended by itself, whether or not a sweep came.
        const uint64_t idle = idle_timeout(hot);
        const bool ended =
            is_closed(hot) || (idle != 0 && end_ns > hot.last_ns && end_ns - hot.last_ns > idle);
        end_flow(flow, (*hash_)(hot.key), ended ? natural_end(hot) : FlowEndReason::forced_end);
    }
}

FlowCounters FlowMeter::counters() const noexcept {
    FlowCounters counters = counters_;
    counters.list_shortages = features_.shortages() + messages_.shortages();
    return counters;
}

void FlowMeter::export_record(FlowIndex flow, FlowEndReason reason) noexcept {
    FlowHot& hot = table_.hot(flow);
    FlowWarm& warm = table_.warm(flow);
    const StageTurn turn(config_.stages, Stage::export_record);
    decide_direction(hot, warm);
    ++counters_.records_created;
    ++counters_.records_by_reason[static_cast<size_t>(reason)];

    RecordImage image = make_image(hot, warm, features_, messages_);
    const FlowDetails* details = features_.details(hot);
    image.end_reason = reason;
    image.quality = quality_of(hot, warm);
    if (details != nullptr) {
        image.lists_all_packets = config_.list.all ? 1 : 0;
        image.quality |= count_unseen(*details);
    }
    const size_t octets = octets_of(image);
    uint8_t* out = ring_->reserve(octets);
    while (out == nullptr && config_.wait_for_ring) {
        std::this_thread::sleep_for(kRingPause);
        out = ring_->reserve(octets);
    }
    if (out == nullptr) {
        ++counters_.records_lost;
    } else {
        write_image(image, details, features_, messages_, out);
        ring_->commit(octets);
    }
}

uint16_t FlowMeter::count_unseen(const FlowDetails& details) noexcept {
    uint16_t quality = 0;
    for (const size_t side : {size_t{0}, size_t{1}}) {
        const SideStatistics* statistics = features_.sequence(details, side);
        if (statistics != nullptr && tells_unseen(*statistics)) {
            const uint64_t unseen = unseen_octets(*statistics);
            counters_.tcp_octets_seen += statistics->payload.sum;
            counters_.tcp_octets_unseen += unseen;
            quality |= unseen != 0 ? kQualityGap : 0;
        }
    }
    return quality;
}

}  // namespace curlew::probe
