#include "collector/traffic_fields.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <cstring>
#include <optional>
#include <span>

#include "collector/byte_counts.h"
#include "collector/payload_statistics.h"
#include "collector/tcp_options.h"
#include "collector/tunnel_fields.h"

namespace curlew::collector {
namespace {

constexpr size_t kPrintedPayloadOctets = 32;
constexpr size_t kPrintedFirstPacketOctets = 1300;

// In the order of Joy, lowest bit first.
std::string control_bit_letters(uint32_t bits) {
    static constexpr std::string_view kLetters = "FSRPAUEC";
    std::string letters;
    for (size_t bit = 0; bit < kLetters.size(); ++bit) {
        if ((bits >> bit & 1) != 0) {
            letters.push_back(kLetters[bit]);
        }
    }
    return letters;
}

uint32_t big_endian(std::string_view octets) {
    uint32_t number = 0;
    for (const char octet : octets) {
        number = number << 8 | static_cast<uint8_t>(octet);
    }
    return number;
}

// Requires: 6 octets.
void mac(JsonLine& json, std::string_view name, std::string_view mac) {
    static constexpr char kDigits[] = "0123456789abcdef";
    assert(mac.size() == 6);
    std::array<char, 17> text;
    text.fill(':');
    for (size_t i = 0; i < mac.size(); ++i) {
        const auto octet = static_cast<uint8_t>(mac[i]);
        text[3 * i] = kDigits[octet >> 4];
        text[3 * i + 1] = kDigits[octet & 15];
    }
    json.text(name, {text.data(), text.size()});
}

// Nearly all counts of a short flow are 0, so the text is laid out in pieces of zeros, which may
// reach over the end of a run: what comes next is written over them.
void write_byte_dist(JsonLine& json, std::span<const ByteCount> counts) {
    static constexpr std::string_view kZeros = "0,0,0,0,0,0,0,0,";
    constexpr size_t kLongestCount = 21;
    std::array<char, 256 * kLongestCount + kZeros.size()> text;
    char* at = text.data();
    const auto put_zeros = [&at](size_t run) {
        for (size_t put = 0; put < 2 * run; put += kZeros.size()) {
            std::memcpy(at + put, kZeros.data(), kZeros.size());
        }
        at += 2 * run;
    };
    size_t next = 0;
    for (const auto& [count, value] : counts) {
        put_zeros(value - next);
        if (count < 10) {
            *at++ = static_cast<char>('0' + count);
        } else {
            at = std::to_chars(at, at + kLongestCount - 1, count).ptr;
        }
        *at++ = ',';
        next = value + size_t{1};
    }
    put_zeros(256 - next);
    json.raw({text.data(), static_cast<size_t>(at - text.data()) - 1});
}

void ip_side(JsonLine& json,
             std::string_view name,
             const proto::Direction& direction,
             FieldSet fields) {
    json.key(name);
    json.start_object();
    json.number("ttl", direction.minimum_ttl());
    json.number("ttl_max", direction.maximum_ttl());
    if (fields == FieldSet::full && direction.ip_ids_size() > 0) {
        json.key("id");
        json.start_array();
        for (const uint32_t id : direction.ip_ids()) {
            json.number(id);
        }
        json.end_array();
    }
    json.end_object();
}

void tcp_option(JsonLine& json, const TcpOption& option) {
    json.start_object();
    if (option.malformed) {
        json.hex("malformed", option.data);
    } else if (option.kind == kTcpOptionNoOperation) {
        json.null("noop");
    } else if (option.kind == kTcpOptionMaximumSegmentSize) {
        json.number("mss", big_endian(option.data));
    } else if (option.kind == kTcpOptionWindowScale) {
        json.number("ws", big_endian(option.data));
    } else if (option.kind == kTcpOptionSackPermitted) {
        json.null("sackp");
    } else if (option.kind == kTcpOptionTimestamps) {
        json.key("ts");
        json.start_object();
        json.number("val", big_endian(option.data.substr(0, 4)));
        json.number("ecr", big_endian(option.data.substr(4, 4)));
        json.end_object();
    } else {
        json.number("kind", option.kind);
        json.hex("data", option.data);
    }
    json.end_object();
}

void tcp_side(JsonLine& json, std::string_view name, const proto::Direction& direction) {
    json.key(name);
    json.start_object();
    if (direction.has_tcp_start()) {
        const proto::TcpStart& start = direction.tcp_start();
        json.text("flags", control_bit_letters(start.syn_control_bits()));
        json.number("first_window_size", start.window_size());
        json.number("opt_len", start.options().size());
        json.key("opts");
        json.start_array();
        TcpOptionReader options(start.options());
        while (const std::optional<TcpOption> option = options.next()) {
            tcp_option(json, *option);
        }
        json.end_array();
    }
    json.text("control_bits", control_bit_letters(direction.tcp_control_bits()));
    json.end_object();
}

}  // namespace

// Gaps are differences of microseconds since 1970, so that they add up to the microsecond: the sum
// of `t` is the time of the last entry less time_start, both as printed.
void write_packet_list(JsonLine& json, const proto::FlowSummary& flow) {
    const proto::PacketList& packets = flow.packets();
    json.key("packets");
    json.start_array();
    uint64_t time_ns = flow.flow_start_ns();
    for (int i = 0; i < packets.gap_ns_size(); ++i) {
        const uint64_t before_us = time_ns / 1000;
        time_ns += packets.gap_ns(i);
        const uint64_t gap_us = time_ns / 1000 - before_us;
        json.start_object();
        json.number("b", packets.payload_octets(i));
        json.text("dir", (packets.flags(i) & 1) != 0 ? "<" : ">");
        json.number("ipt", gap_us / 1000);
        json.number("t", gap_us);
        if (packets.control_bits_size() != 0) {
            json.text("flags", control_bit_letters(packets.control_bits(i)));
        }
        json.end_object();
    }
    json.end_array();
}

void write_payload_numbers(JsonLine& json, const proto::FlowSummary& flow, FieldSet fields) {
    const uint64_t payload_octets =
        flow.forward().payload_octets() + flow.reverse().payload_octets();
    const bool counted = !flow.byte_counts().empty();
    if (!counted && (payload_octets > 0 || !flow.has_packets())) {
        return;  // not measured, or nothing is, as in profile line-rate: zeros would be a lie
    }
    ByteCounts byte_counts;
    [[maybe_unused]] const ByteCounts::Result result = byte_counts.read(flow.byte_counts());
    assert(result == ByteCounts::Result::whole);
    const std::span<const ByteCount> counts = byte_counts.counts();
    if (fields == FieldSet::full) {
        json.key("byte_dist");
        json.start_array();
        write_byte_dist(json, counts);
        json.end_array();
    }
    const PayloadStatistics statistics = payload_statistics(counts);
    if (statistics.octets == 0) {
        return;
    }
    const auto octets = static_cast<double>(statistics.octets);
    json.real("byte_dist_mean", statistics.mean);
    json.real("byte_dist_std", statistics.deviation);
    json.real("entropy", statistics.entropy);
    json.real("total_entropy", statistics.entropy * octets);
    if (flow.walsh_sums_size() == 4) {
        json.key("wht");
        json.start_array();
        for (const int64_t sum : flow.walsh_sums()) {
            json.real(static_cast<double>(sum) / octets);
        }
        json.end_array();
    }
}

void write_ip(JsonLine& json, const proto::FlowSummary& flow, FieldSet fields) {
    json.key("ip");
    json.start_object();
    if (flow.has_forward()) {
        ip_side(json, "out", flow.forward(), fields);
    }
    if (flow.has_reverse()) {
        ip_side(json, "in", flow.reverse(), fields);
    }
    json.end_object();
}

void write_tcp(JsonLine& json, const proto::FlowSummary& flow) {
    if (flow.protocol_identifier() != 6) {
        return;
    }
    json.key("tcp");
    json.start_object();
    if (flow.forward().has_tcp_start()) {
        json.number("first_seq", flow.forward().tcp_start().sequence_number());
    } else if (flow.reverse().has_tcp_start()) {
        json.number("first_seq", flow.reverse().tcp_start().sequence_number());
    }
    if (flow.has_forward()) {
        tcp_side(json, "out", flow.forward());
    }
    if (flow.has_reverse()) {
        tcp_side(json, "in", flow.reverse());
    }
    json.end_object();
}

void write_first_payloads(JsonLine& json, const proto::FlowSummary& flow) {
    const auto first_payload = [](const proto::Direction& direction) {
        const std::string_view packet = direction.first_packet();
        const size_t offset = std::min<size_t>(direction.first_payload_offset(), packet.size());
        return packet.substr(offset, kPrintedPayloadOctets);
    };
    const std::string_view out = first_payload(flow.forward());
    const std::string_view in = first_payload(flow.reverse());
    if (out.empty() && in.empty()) {
        return;
    }
    json.key("payload");
    json.start_object();
    if (!out.empty()) {
        json.hex("out", out);
    }
    if (!in.empty()) {
        json.hex("in", in);
    }
    json.end_object();
}

void write_first_packets(JsonLine& json, const proto::FlowSummary& flow) {
    const auto side = [&json](const proto::Direction& direction,
                              std::string_view packet_name,
                              std::string_view length_name) {
        const std::string_view packet =
            std::string_view(direction.first_packet()).substr(0, kPrintedFirstPacketOctets);
        if (!packet.empty()) {
            json.hex(packet_name, packet);
            json.number(length_name, packet.size());
        }
    };
    side(flow.forward(), "idp_out", "idp_len_out");
    side(flow.reverse(), "idp_in", "idp_len_in");
}

void write_link_layer(JsonLine& json, const proto::FlowSummary& flow) {
    json.number("octets_out", flow.forward().octets());
    if (flow.has_reverse()) {
        json.number("octets_in", flow.reverse().octets());
    }
    if (flow.forward().has_frame_octets() || flow.reverse().has_frame_octets()) {
        json.number("frame_octets_out", flow.forward().frame_octets());
        if (flow.has_reverse()) {
            json.number("frame_octets_in", flow.reverse().frame_octets());
        }
    }
    const std::string& mac_out = flow.forward().source_mac();
    const std::string& mac_in = flow.reverse().source_mac();
    if (!mac_out.empty() || !mac_in.empty()) {
        json.key("mac");
        json.start_object();
        if (!mac_out.empty()) {
            mac(json, "out", mac_out);
        }
        if (!mac_in.empty()) {
            mac(json, "in", mac_in);
        }
        json.end_object();
    }
    if (flow.vlan_ids_size() > 0) {
        json.key("vlan");
        json.start_array();
        for (const uint32_t vlan : flow.vlan_ids()) {
            json.number(vlan);
        }
        json.end_array();
    }
    write_tunnels(json, flow);
    if (flow.icmp_types_size() > 0) {
        json.key("icmp");
        json.start_array();
        for (const std::string& type_and_code : flow.icmp_types()) {
            json.start_object();
            json.number("type", static_cast<uint8_t>(type_and_code[0]));
            json.number("code", static_cast<uint8_t>(type_and_code[1]));
            json.end_object();
        }
        json.end_array();
    }
}

}  // namespace curlew::collector
