#include "collector/joy_record_writer.h"

#include <fmt/compile.h>

#include <cassert>

#include "collector/flow_identity.h"
#include "collector/joy_dhcp.h"
#include "collector/joy_dns.h"
#include "collector/joy_http.h"
#include "collector/joy_statistics.h"
#include "collector/joy_tcp_fields.h"
#include "collector/joy_tls.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// From this length on Joy takes a packet for a number of repetitions.
constexpr uint32_t kRepetitions = 32768;

void write_joy_seconds(JsonLine& json, std::string_view name, uint64_t time_us) {
    json.key(name);
    json.raw(fmt::format(FMT_COMPILE("{}.{:06}"), time_us / 1'000'000, time_us % 1'000'000));
}

void write_joy_endpoints(JsonLine& json, const proto::FlowSummary& flow) {
    const proto::JoySide& record = flow.joy().record();
    const uint32_t protocol = flow.protocol_identifier();
    json.text("sa", address_text(record.source_address()));
    json.text("da", address_text(record.destination_address()));
    json.number("pr", protocol);
    if (protocol == kProtocolTcp || protocol == kProtocolUdp) {
        json.number("sp", record.source_port());
        json.number("dp", record.destination_port());
    } else {
        json.null("sp");
        json.null("dp");
    }
}

void write_counters(JsonLine& json, const proto::JoyRecord& joy) {
    json.number("bytes_out", joy.record().payload_octets());
    json.number("num_pkts_out", joy.record().packets());
    if (joy.has_twin()) {
        json.number("bytes_in", joy.twin().payload_octets());
        json.number("num_pkts_in", joy.twin().packets());
    }
    write_joy_seconds(json, "time_start", joy.time_start_us());
    write_joy_seconds(json, "time_end", joy.time_end_us());
}

void write_packet(JsonLine& json, uint32_t octets, const char* direction, uint32_t milliseconds) {
    json.start_object();
    if (octets < kRepetitions) {
        json.number("b", octets);
    } else {
        json.number("rep", 65536 - octets);
    }
    json.text("dir", direction);
    json.number("ipt", milliseconds);
    json.end_object();
}

// A record without a twin shows its packets as coming back.
void write_one_way(JsonLine& json, const proto::JoyPackets& packets) {
    for (int i = 0; i < packets.time_us_size(); ++i) {
        const uint64_t before_us = packets.time_us(i == 0 ? 0 : i - 1);
        write_packet(
            json, packets.payload_octets(i), "<", joy_milliseconds(before_us, packets.time_us(i)));
    }
}

// In order of time, of equal times the twin's first.
void write_both_ways(JsonLine& json, const proto::JoyRecord& joy) {
    const proto::JoyPackets& out = joy.record().listed();
    const proto::JoyPackets& in = joy.twin().listed();
    uint64_t before_us = joy.time_start_us();
    int i = 0;
    int j = 0;
    while (i < out.time_us_size() || j < in.time_us_size()) {
        const bool takes_out =
            j == in.time_us_size() || (i < out.time_us_size() && out.time_us(i) < in.time_us(j));
        const proto::JoyPackets& list = takes_out ? out : in;
        const int at = takes_out ? i++ : j++;
        write_packet(json,
                     list.payload_octets(at),
                     takes_out ? ">" : "<",
                     joy_milliseconds(before_us, list.time_us(at)));
        before_us = list.time_us(at);
    }
}

void write_packets(JsonLine& json, const proto::JoyRecord& joy) {
    json.key("packets");
    json.start_array();
    if (joy.has_twin()) {
        write_both_ways(json, joy);
    } else {
        write_one_way(json, joy.record().listed());
    }
    json.end_array();
}

void write_ip_side(JsonLine& json, std::string_view name, const proto::JoySide& side) {
    json.key(name);
    json.start_object();
    json.number("ttl", side.minimum_ttl());
    if (side.ip_ids_size() != 0) {
        json.key("id");
        json.start_array();
        for (const uint32_t id : side.ip_ids()) {
            json.number(id);
        }
        json.end_array();
    }
    json.end_object();
}

void write_ip(JsonLine& json, const proto::JoyRecord& joy) {
    json.key("ip");
    json.start_object();
    write_ip_side(json, "out", joy.record());
    if (joy.has_twin()) {
        write_ip_side(json, "in", joy.twin());
    }
    json.end_object();
}

void write_payload(JsonLine& json, const proto::JoyRecord& joy) {
    if (joy.record().first_payload().empty() && joy.twin().first_payload().empty()) {
        return;
    }
    json.key("payload");
    json.start_object();
    if (!joy.record().first_payload().empty()) {
        json.hex("out", joy.record().first_payload());
    }
    if (!joy.twin().first_payload().empty()) {
        json.hex("in", joy.twin().first_payload());
    }
    json.end_object();
}

// Joy prints of a protocol what the side printed first has begun; of the twin's alone nothing.
void write_protocols(JsonLine& json, const proto::JoyRecord& joy) {
    const proto::JoySide& record = joy.record();
    const proto::JoySide& twin = joy.twin();
    if (record.has_dns()) {
        write_joy_dns(json, record.dns(), twin.has_dns() ? &twin.dns() : nullptr);
    }
    if (record.has_tls()) {
        write_joy_tls(json, record.tls(), twin.has_tls() ? &twin.tls() : nullptr);
    }
    if (record.has_dhcp()) {
        write_joy_dhcp(json, record.dhcp());
    }
    if (record.has_http()) {
        write_joy_http(json, record.http(), twin.has_http() ? &twin.http() : nullptr);
    }
}

void write_octet(JsonLine& json, std::string_view name, uint32_t value) {
    const auto octet = static_cast<char>(value);
    json.hex(name, {&octet, 1});
}

// Of the side printed first alone.
void write_first_octet(JsonLine& json, const proto::JoyFirstOctet& octet) {
    if (octet.segments() < 2) {
        return;
    }
    json.key("hd");
    json.start_object();
    json.number("n", octet.segments());
    write_octet(json, "cm", octet.constant_mask());
    write_octet(json, "cv", octet.constant_value());
    write_octet(json, "sm", octet.counter_mask());
    write_octet(json, "i", octet.initial());
    json.end_object();
}

// Fixed pairs of a range of TTLs and the first window.
std::string_view system_of(const proto::JoySide& side) {
    struct System {
        uint32_t lowest_ttl;
        uint32_t highest_ttl;
        uint32_t window;
        std::string_view name;
    };
    static constexpr System kSystems[] = {
        {33, 64, 5840, "Linux 2.4 and 2.6"},
        {33, 64, 5720, "Google Customized Linux"},
        {33, 64, 16384, "OpenBSD, AIX 4.3"},
        {33, 64, 32120, "Linux Kernel 2.2"},
        {33, 64, 65535, "FreeBSD / OS X"},
        {65, 128, 8192, "Windows 7, Vista, and Server 8"},
        {65, 128, 16384, "Windows 2000"},
        {65, 128, 65535, "Windows XP"},
        {129, 255, 4128, "Cisco Router IOS 12.4"},
        {129, 255, 8760, "Solaris 7"},
    };
    for (const System& system : kSystems) {
        if (side.minimum_ttl() >= system.lowest_ttl && side.minimum_ttl() <= system.highest_ttl &&
            side.tcp_start().window_size() == system.window) {
            return system.name;
        }
    }
    return {};
}

void write_systems(JsonLine& json, const proto::JoyRecord& joy) {
    const std::string_view out = system_of(joy.record());
    const std::string_view in = system_of(joy.twin());
    if (out.empty() && in.empty()) {
        return;
    }
    json.key("probable_os");
    json.start_object();
    if (!out.empty()) {
        json.text("out", out);
    }
    if (!in.empty()) {
        json.text("in", in);
    }
    json.end_object();
}

void write_first_packets(JsonLine& json, const proto::JoyRecord& joy) {
    if (!joy.record().first_packet().empty()) {
        json.hex("idp_out", joy.record().first_packet());
        json.number("idp_len_out", joy.record().first_packet().size());
    }
    if (!joy.twin().first_packet().empty()) {
        json.hex("idp_in", joy.twin().first_packet());
        json.number("idp_len_in", joy.twin().first_packet().size());
    }
}

void write_debug(JsonLine& json, const proto::JoyRecord& joy) {
    const uint32_t retransmissions = joy.record().retransmissions() + joy.twin().retransmissions();
    const uint32_t invalid = joy.record().invalid() + joy.twin().invalid();
    if (retransmissions == 0 && invalid == 0) {
        return;
    }
    json.key("debug");
    json.start_object();
    if (retransmissions != 0) {
        json.number("tcp_retrans", retransmissions);
    }
    if (invalid != 0) {
        json.number("invalid", invalid);
    }
    json.end_object();
}

void write_expiry(JsonLine& json, proto::JoyExpiry expiry) {
    if (expiry == proto::JOY_EXPIRY_ACTIVE) {
        json.text("expire_type", "a");
    } else if (expiry == proto::JOY_EXPIRY_INACTIVE) {
        json.text("expire_type", "i");
    }
}

}  // namespace

std::string_view JoyRecordWriter::write(const proto::FlowSummary& flow,
                                        const std::string* flow_type) {
    assert(flow.has_joy());
    const proto::JoyRecord& joy = flow.joy();
    json_.clear();
    json_.start_object();
    write_joy_endpoints(json_, flow);
    write_counters(json_, joy);
    write_packets(json_, joy);
    write_joy_statistics(json_, joy);
    write_ip(json_, joy);
    if (flow.protocol_identifier() == kProtocolTcp) {
        write_joy_tcp(json_, joy);
    }
    write_joy_walsh(json_, joy);
    write_protocols(json_, joy);
    write_payload(json_, joy);
    write_joy_segments(json_, joy);
    write_first_octet(json_, joy.record().first_octet());
    write_systems(json_, joy);
    write_first_packets(json_, joy);
    write_debug(json_, joy);
    write_expiry(json_, joy.expiry());
    if (flow_type != nullptr) {
        json_.text("flow_type", is_utf8(*flow_type) ? *flow_type : wire_text(*flow_type));
    }
    json_.end_object();
    return json_.finish();
}

}  // namespace curlew::collector
