#include "probe/flow_summary.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>
#include <vector>

#include "probe/inspector.h"
#include "probe/message_pieces.h"
#include "probe/record_image.h"

namespace curlew::probe {

namespace {

// The probe's bits are the message's: the hot path has no protobuf.
constexpr bool same(FlowQuality ours, proto::Quality theirs) {
    return static_cast<int>(ours) == static_cast<int>(theirs);
}
static_assert(same(kQualityBeginSeen, proto::QUALITY_BEGIN_SEEN));
static_assert(same(kQualityEndSeen, proto::QUALITY_END_SEEN));
static_assert(same(kQualityOneWay, proto::QUALITY_ONE_WAY));
static_assert(same(kQualityTruncated, proto::QUALITY_TRUNCATED));
static_assert(same(kQualityFragmented, proto::QUALITY_FRAGMENTED));
static_assert(same(kQualityMergedFrames, proto::QUALITY_MERGED_FRAMES));
static_assert(same(kQualityMalformed, proto::QUALITY_MALFORMED));
static_assert(same(kQualityTimeReversed, proto::QUALITY_TIME_REVERSED));
static_assert(same(kQualityClassificationIncomplete, proto::QUALITY_CLASSIFICATION_INCOMPLETE));
static_assert(same(kQualityListCut, proto::QUALITY_LIST_CUT));
static_assert(same(kQualityTunnelTooDeep, proto::QUALITY_TUNNEL_TOO_DEEP));
static_assert(same(kQualityDuplicate, proto::QUALITY_DUPLICATE));
static_assert(same(kQualityGap, proto::QUALITY_GAP));

constexpr bool same(MessageKind ours, proto::MessageProtocol theirs) {
    return static_cast<int>(ours) == static_cast<int>(theirs);
}
static_assert(same(MessageKind::dns, proto::MESSAGE_PROTOCOL_DNS));
static_assert(same(MessageKind::mdns, proto::MESSAGE_PROTOCOL_MDNS));
static_assert(same(MessageKind::llmnr, proto::MESSAGE_PROTOCOL_LLMNR));
static_assert(same(MessageKind::ssdp, proto::MESSAGE_PROTOCOL_SSDP));
static_assert(same(MessageKind::http, proto::MESSAGE_PROTOCOL_HTTP));
static_assert(same(MessageKind::dhcp, proto::MESSAGE_PROTOCOL_DHCP));
static_assert(same(MessageKind::ntp, proto::MESSAGE_PROTOCOL_NTP));
static_assert(same(MessageKind::igmp, proto::MESSAGE_PROTOCOL_IGMP));
static_assert(same(MessageKind::tls, proto::MESSAGE_PROTOCOL_TLS));
static_assert(same(MessageKind::ssh, proto::MESSAGE_PROTOCOL_SSH));
static_assert(same(MessageKind::smb, proto::MESSAGE_PROTOCOL_SMB));
static_assert(same(MessageKind::quic, proto::MESSAGE_PROTOCOL_QUIC));
static_assert(same(MessageKind::dtls, proto::MESSAGE_PROTOCOL_DTLS));

// An image's sections one after the other.
class Sections {
  public:
    explicit Sections(std::span<const uint8_t> octets) : octets_(octets) {}

    std::span<const uint8_t> take(size_t count) {
        assert(count <= octets_.size());
        const auto section = octets_.first(count);
        octets_ = octets_.subspan(count);
        return section;
    }

    template <typename Value>
    std::vector<Value> take_values(size_t octets) {
        const auto section = take(octets);
        std::vector<Value> values(octets / sizeof(Value));
        if (!values.empty()) {
            std::memcpy(values.data(), section.data(), values.size() * sizeof(Value));
        }
        return values;
    }

  private:
    std::span<const uint8_t> octets_;
};

// Into the message's own string: the setters of protobuf make another one first.
void assign(const uint8_t* octets, size_t count, std::string& out) {
    out.assign(reinterpret_cast<const char*>(octets), count);
}

void assign_address(const std::array<uint8_t, 16>& address, uint8_t ip_version, std::string& out) {
    assign(address.data(), ip_version == 4 ? 4 : 16, out);
}

void fill_direction(const RecordImage& image, size_t side, proto::Direction& direction) {
    const FlowHot& hot = image.hot;
    const FlowWarm& warm = image.warm;
    direction.set_packets(hot.packets[side]);
    direction.set_octets(hot.octets[side]);
    direction.set_payload_octets(hot.payload_octets[side]);
    direction.set_minimum_ttl(hot.ttl_minimum[side]);
    direction.set_maximum_ttl(warm.ttl_maximum[side]);
    direction.set_tcp_control_bits(hot.tcp_flags[side]);
    direction.set_ip_class_of_service(hot.class_of_service[side]);
    direction.set_copies(warm.copies[side]);
    if (warm.has_macs[side] != 0) {
        const auto* macs = reinterpret_cast<const char*>(warm.macs[side].data());
        direction.set_destination_mac(macs, 6);
        direction.set_source_mac(macs + 6, 6);
    }
    if (image.has_details != 0) {
        direction.set_frame_octets(image.details.frame_octets[side]);
    }
}

void fill_identity(const RecordImage& image, proto::FlowSummary& summary) {
    const FlowHot& hot = image.hot;
    const FlowWarm& warm = image.warm;
    const bool high = warm.initiator_is_high != 0;
    const auto& initiator = high ? hot.key.high_address : hot.key.low_address;
    const auto& responder = high ? hot.key.low_address : hot.key.high_address;
    assign_address(initiator, hot.key.ip_version, *summary.mutable_initiator_address());
    assign_address(responder, hot.key.ip_version, *summary.mutable_responder_address());
    summary.set_initiator_port(high ? hot.key.high_port : hot.key.low_port);
    summary.set_responder_port(high ? hot.key.low_port : hot.key.high_port);
    summary.set_protocol_identifier(hot.key.protocol);
    summary.set_direction_source(static_cast<proto::DirectionSource>(warm.direction_source));
    summary.set_flow_start_ns(hot.start_ns);
    summary.set_flow_end_ns(hot.last_ns);
    summary.set_flow_end_reason(static_cast<proto::FlowEndReason>(image.end_reason));
    summary.set_first_record_start_ns(warm.flow_start_ns);
    summary.set_flow_ordinal(warm.ordinal);
    summary.set_record_number(warm.record_number);
    summary.set_tunnel_id(hot.key.tunnel_id);
    summary.set_quality(image.quality);
    for (const uint16_t vlan : warm.vlans) {
        if (vlan != kNoVlan) {
            summary.add_vlan_ids(vlan);
        }
    }
    for (size_t i = 0; i < warm.icmp_type_count; ++i) {
        summary.add_icmp_types(warm.icmp_types[i].data(), warm.icmp_types[i].size());
    }
    summary.set_published_reversed(warm.published_reversed != 0);
    summary.set_published_ttl_out(warm.published_ttl_out);
    if (warm.published_answered != 0) {
        summary.set_published_ttl_in(warm.published_ttl_in);
    }
}

void add_hits(const RecordImage& image,
              const signatures::SignatureSet& set,
              proto::FlowSummary& summary) {
    for (size_t i = 0; i < image.warm.hit_count; ++i) {
        const SignatureHit& hit = image.warm.hits[i];
        const signatures::Signature& signature = set.signatures()[hit.signature];
        const bool from_initiator = (hit.from_high != 0) == (image.warm.initiator_is_high != 0);
        // Who is the initiator may have been open when the payload was looked at.
        if (signature.sender != signatures::Sender::any &&
            from_initiator != (signature.sender == signatures::Sender::initiator)) {
            continue;
        }
        proto::Match& match = *summary.add_matches();
        match.set_kind(proto::EVIDENCE_KIND_PAYLOAD);
        match.set_field("payload");
        match.set_signature(signature.id);
        match.set_packet(hit.packet);
        match.set_offset(hit.end_offset);
        match.set_reverse(!from_initiator);
    }
}

void add_names(const RecordImage& image,
               std::span<const uint8_t> octets,
               proto::FlowSummary& summary) {
    while (octets.size() >= sizeof(StoredName)) {
        StoredName stored;
        std::memcpy(&stored, octets.data(), sizeof(stored));
        octets = octets.subspan(sizeof(stored));
        assert(stored.octets <= octets.size());
        proto::Match& match = *summary.add_matches();
        match.set_kind(proto::EVIDENCE_KIND_NAME);
        match.set_field(name_of(stored.field));
        assign(octets.data(), stored.octets, *match.mutable_value());
        match.set_packet(stored.packet);
        match.set_reverse((stored.from_high != 0) != (image.warm.initiator_is_high != 0));
        octets = octets.subspan(stored.octets);
    }
}

// Pieces of one side follow each other; a piece that goes on with nothing is the rest of what the
// record before had.
void add_messages(const RecordImage& image,
                  std::span<const uint8_t> octets,
                  proto::FlowSummary& summary) {
    std::array<proto::ProtocolMessage*, 2> open{};
    while (octets.size() >= sizeof(StoredPiece)) {
        StoredPiece piece;
        std::memcpy(&piece, octets.data(), sizeof(piece));
        octets = octets.subspan(sizeof(piece));
        assert(piece.octets <= octets.size());
        const size_t side = (piece.flags & kPieceFromHigh) != 0 ? 1 : 0;
        if ((piece.flags & kPieceBegins) != 0) {
            open[side] = summary.add_messages();
            open[side]->set_protocol(static_cast<proto::MessageProtocol>(piece.kind));
            open[side]->set_reverse((side != 0) != (image.warm.initiator_is_high != 0));
            open[side]->set_packet(piece.packet);
            open[side]->set_offset_us(offset_us_of(piece, image.hot.start_ns / 1000));
            open[side]->set_cut(true);
        }
        if (open[side] != nullptr) {
            open[side]->mutable_octets()->append(reinterpret_cast<const char*>(octets.data()),
                                                 piece.octets);
            if ((piece.flags & kPieceEnds) != 0) {
                open[side]->set_cut((piece.flags & kPieceCut) != 0);
                open[side] = nullptr;
            }
        }
        octets = octets.subspan(piece.octets);
    }
}

// Addresses as of a packet from the initiator, whoever sent the first one.
void add_tunnels(const RecordImage& image,
                 const std::vector<StoredTunnel>& tunnels,
                 proto::FlowSummary& summary) {
    const bool first_from_high = (image.hot.state & kStateFirstFromHigh) != 0;
    const bool turned = first_from_high != (image.warm.initiator_is_high != 0);
    for (const StoredTunnel& stored : tunnels) {
        proto::Tunnel& tunnel = *summary.add_tunnels();
        tunnel.set_type(static_cast<proto::TunnelType>(stored.type));
        if (stored.has_id != 0) {
            tunnel.set_id(stored.id);
        }
        const auto& source = turned ? stored.destination : stored.source;
        const auto& destination = turned ? stored.source : stored.destination;
        assign(source.data(), stored.address_octets, *tunnel.mutable_source_address());
        assign(destination.data(), stored.address_octets, *tunnel.mutable_destination_address());
    }
    if (tunnels.empty() && image.hot.key.tunnel_id != 0) {
        // There was no block for them. The key's part is never lost.
        proto::Tunnel& tunnel = *summary.add_tunnels();
        tunnel.set_type(proto::TUNNEL_TYPE_UNSPECIFIED);
        tunnel.set_id(image.hot.key.tunnel_id - 1);
    }
}

void add_packets(const RecordImage& image,
                 std::vector<PacketEntry> entries,
                 proto::FlowSummary& summary) {
    const bool initiator_is_high = image.warm.initiator_is_high != 0;
    const auto is_forward = [initiator_is_high](const PacketEntry& entry) {
        return ((entry.marks & kFromHigh) != 0) == initiator_is_high;
    };
    for (const PacketEntry& entry : entries) {
        if ((entry.marks & kListedId) != 0) {
            proto::Direction& direction =
                is_forward(entry) ? *summary.mutable_forward() : *summary.mutable_reverse();
            direction.add_ip_ids(entry.ip_id);
        }
    }
    // By time, so that no gap is negative; packets of one time keep the order they came in.
    std::stable_sort(
        entries.begin(), entries.end(), [](const PacketEntry& a, const PacketEntry& b) {
            return a.time_ns < b.time_ns;
        });
    const bool with_control_bits =
        image.lists_all_packets != 0 && image.hot.key.protocol == kProtocolTcp;
    proto::PacketList& list = *summary.mutable_packets();
    uint64_t before = image.hot.start_ns;
    for (const PacketEntry& entry : entries) {
        if ((entry.marks & kListedPacket) == 0) {
            continue;
        }
        list.add_gap_ns(entry.time_ns - before);
        list.add_payload_octets(entry.payload_octets);
        list.add_flags(is_forward(entry) ? 0 : 1);
        if (with_control_bits) {
            list.add_control_bits(entry.tcp_flags);
        }
        before = entry.time_ns;
    }
}

void add_tcp_beginnings(const RecordImage& image,
                        const std::vector<TcpBeginning>& sides,
                        proto::FlowSummary& summary) {
    for (size_t side = 0; side < sides.size(); ++side) {
        const TcpBeginning& beginning = sides[side];
        if (beginning.flags == 0) {
            continue;
        }
        proto::Direction& direction = side == image.warm.initiator_is_high
                                          ? *summary.mutable_forward()
                                          : *summary.mutable_reverse();
        proto::TcpStart& start = *direction.mutable_tcp_start();
        start.set_syn_control_bits(beginning.flags);
        start.set_sequence_number(beginning.sequence);
        start.set_window_size(beginning.window);
        assign(beginning.options.data(), beginning.option_octets, *start.mutable_options());
    }
}

// For each value that occurs: the value, then its count as a varint.
template <typename Count>
void fill_byte_counts(std::span<const uint8_t> counts, std::string& out) {
    constexpr size_t kLongestVarint = 10;
    assert(counts.size() == 256 * sizeof(Count));
    std::array<uint8_t, 256 * (1 + kLongestVarint)> octets;
    size_t used = 0;
    for (size_t value = 0; value < 256; ++value) {
        Count count = 0;
        std::memcpy(&count, counts.data() + value * sizeof(Count), sizeof(Count));
        if (count == 0) {
            continue;
        }
        octets[used++] = static_cast<uint8_t>(value);
        uint64_t rest = count;
        for (; rest >= 0x80; rest >>= 7) {
            octets[used++] = static_cast<uint8_t>(rest | 0x80);
        }
        octets[used++] = static_cast<uint8_t>(rest);
    }
    out.assign(reinterpret_cast<const char*>(octets.data()), used);
}

void add_counts(const RecordImage& image,
                std::span<const uint8_t> counts,
                proto::FlowSummary& summary) {
    if (counts.empty()) {
        return;
    }
    if (counts.size() == kLargeCountsOctets) {
        fill_byte_counts<uint64_t>(counts, *summary.mutable_byte_counts());
    } else if (counts.size() == kMiddleCountsOctets) {
        fill_byte_counts<uint16_t>(counts, *summary.mutable_byte_counts());
    } else {
        fill_byte_counts<uint8_t>(counts, *summary.mutable_byte_counts());
    }
    // Walsh-Hadamard sums of groups a, b, c, d from the sums by position.
    const auto& s = image.details.position_sums;
    summary.add_walsh_sums(s[0] + s[1] + s[2] + s[3]);
    summary.add_walsh_sums(s[0] - s[1] + s[2] - s[3]);
    summary.add_walsh_sums(s[0] + s[1] - s[2] - s[3]);
    summary.add_walsh_sums(s[0] - s[1] - s[2] + s[3]);
}

void fill_spread(uint64_t count, const auto& sums, proto::Spread& spread) {
    spread.set_count(count);
    if (count != 0) {
        spread.set_minimum(sums.minimum);
        spread.set_maximum(sums.maximum);
        spread.set_sum(sums.sum);
        spread.set_squares_low(sums.squares.low);
        spread.set_squares_high(sums.squares.high);
    }
    for (const uint32_t bin : sums.bins) {
        spread.add_histogram(bin);
    }
}

void fill_statistics(const RecordImage& image,
                     std::span<const uint8_t> octets,
                     bool forward,
                     proto::FlowSummary& summary) {
    if (octets.empty()) {
        return;
    }
    assert(octets.size() == sizeof(SideStatistics));
    SideStatistics side;
    std::memcpy(&side, octets.data(), sizeof(side));
    proto::Direction& direction = forward ? *summary.mutable_forward() : *summary.mutable_reverse();
    fill_spread(side.packets, side.payload, *direction.mutable_payload_spread());
    fill_spread(side.packets, side.frame, *direction.mutable_frame_spread());
    fill_spread(side.packets - 1, side.gap, *direction.mutable_gap_spread());
    direction.set_bursts(side.bursts);
    if (image.hot.key.protocol != kProtocolTcp) {
        return;
    }
    proto::TcpStatistics& tcp = *direction.mutable_tcp_statistics();
    tcp.set_retransmissions(side.retransmissions);
    tcp.set_out_of_order(side.out_of_order);
    tcp.set_zero_windows(side.zero_windows);
    if ((side.handshake & kAnswered) != 0) {
        if (forward) {
            summary.set_rtt_out_ns(side.response_ns);
        } else {
            summary.set_rtt_in_ns(side.response_ns);
        }
    }
}

}  // namespace

void summarize(std::span<const uint8_t> octets,
               const signatures::SignatureSet& set,
               proto::FlowSummary& summary) {
    summary.Clear();
    Sections sections(octets);
    RecordImage image;
    std::memcpy(static_cast<void*>(&image), sections.take(sizeof(image)).data(), sizeof(image));
    fill_identity(image, summary);
    const size_t initiator = image.warm.initiator_is_high;
    if (image.hot.packets[initiator] != 0) {
        fill_direction(image, initiator, *summary.mutable_forward());
    }
    if (image.hot.packets[1 - initiator] != 0) {
        fill_direction(image, 1 - initiator, *summary.mutable_reverse());
    }
    add_hits(image, set, summary);
    add_names(image, sections.take(image.names_octets), summary);
    add_messages(image, sections.take(image.messages_octets), summary);
    add_tunnels(image, sections.take_values<StoredTunnel>(image.tunnels_octets), summary);
    if (image.has_details == 0) {
        return;
    }
    add_packets(image, sections.take_values<PacketEntry>(image.packets_octets), summary);
    for (const size_t side : {size_t{0}, size_t{1}}) {
        const auto first = sections.take(image.first_packet_octets[side]);
        if (!first.empty()) {
            proto::Direction& direction =
                side == initiator ? *summary.mutable_forward() : *summary.mutable_reverse();
            assign(first.data(), first.size(), *direction.mutable_first_packet());
            direction.set_first_payload_offset(image.details.payload_offset[side]);
        }
    }
    add_tcp_beginnings(image, sections.take_values<TcpBeginning>(image.tcp_octets), summary);
    add_counts(image, sections.take(image.counts_octets), summary);
    for (const size_t side : {size_t{0}, size_t{1}}) {
        fill_statistics(
            image, sections.take(image.statistics_octets[side]), side == initiator, summary);
    }
}

}  // namespace curlew::probe
