#include "collector/statistics_fields.h"

#include <string_view>

#include "collector/spread.h"

namespace curlew::collector {
namespace {

double microseconds(uint64_t ns) {
    return static_cast<double>(static_cast<long double>(ns) / 1000);
}

void write_histogram(JsonLine& json, const proto::Spread& spread) {
    json.key("hist");
    json.start_array();
    for (const uint32_t bin : spread.histogram()) {
        json.number(bin);
    }
    json.end_array();
}

void write_lengths(JsonLine& json, std::string_view name, const proto::Spread& spread) {
    if (spread.count() == 0) {
        return;
    }
    const SpreadNumbers numbers = spread_numbers(spread);
    json.key(name);
    json.start_object();
    json.number("min", spread.minimum());
    json.real("mean", numbers.mean);
    json.number("max", spread.maximum());
    json.real("std", numbers.deviation);
    write_histogram(json, spread);
    json.end_object();
}

void write_gaps(JsonLine& json, const proto::Spread& spread) {
    json.key("gap_us");
    json.start_object();
    json.number("count", spread.count());
    if (spread.count() != 0) {
        const SpreadNumbers numbers = spread_numbers(spread);
        json.real("min", microseconds(spread.minimum()));
        json.real("mean", numbers.mean / 1000);
        json.real("max", microseconds(spread.maximum()));
        json.real("std", numbers.deviation / 1000);
    }
    write_histogram(json, spread);
    json.end_object();
}

void write_side(JsonLine& json, std::string_view name, const proto::Direction& direction) {
    if (!direction.has_payload_spread()) {
        return;
    }
    json.key(name);
    json.start_object();
    write_lengths(json, "payload", direction.payload_spread());
    write_lengths(json, "frame", direction.frame_spread());
    write_gaps(json, direction.gap_spread());
    json.number("bursts", direction.bursts());
    if (direction.has_tcp_statistics()) {
        const proto::TcpStatistics& tcp = direction.tcp_statistics();
        json.number("retransmissions", tcp.retransmissions());
        json.number("out_of_order", tcp.out_of_order());
        json.number("zero_windows", tcp.zero_windows());
    }
    json.end_object();
}

}  // namespace

void write_statistics(JsonLine& json, const proto::FlowSummary& flow) {
    if (!flow.forward().has_payload_spread() && !flow.reverse().has_payload_spread()) {
        return;
    }
    json.key("stats");
    json.start_object();
    write_side(json, "out", flow.forward());
    write_side(json, "in", flow.reverse());
    if (flow.has_rtt_out_ns() || flow.has_rtt_in_ns()) {
        json.key("rtt_us");
        json.start_object();
        if (flow.has_rtt_out_ns()) {
            json.real("out", microseconds(flow.rtt_out_ns()));
        }
        if (flow.has_rtt_in_ns()) {
            json.real("in", microseconds(flow.rtt_in_ns()));
        }
        json.end_object();
    }
    json.end_object();
}

}  // namespace curlew::collector
