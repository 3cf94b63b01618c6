#include "collector/joy_statistics.h"

#include <fmt/compile.h>

#include <array>
#include <bit>
#include <cassert>
#include <cfloat>
#include <cmath>
#include <iterator>
#include <string>

namespace curlew::collector {
namespace {

using OctetCounts = std::array<uint32_t, 256>;

OctetCounts counts_of(const proto::JoyRecord& record) {
    OctetCounts counts{};
    for (const proto::JoySide* side : {&record.record(), &record.twin()}) {
        for (int i = 0; i < side->byte_counts_size(); ++i) {
            counts[static_cast<size_t>(i)] += side->byte_counts(i);
        }
    }
    return counts;
}

// All counts are shifted until the largest fits eight bits.
void shift_counts(OctetCounts& counts) {
    uint32_t bits = 0;
    for (const uint32_t count : counts) {
        bits |= count;
    }
    const int shift = std::max(0, static_cast<int>(std::bit_width(bits)) - 8);
    for (uint32_t& count : counts) {
        count >>= shift;
    }
}

// Of counts that were shifted, but of all octets. In single precision, as the digits tell.
float entropy_of(const OctetCounts& counts, uint32_t octets) {
    float sum = 0;
    for (const uint32_t count : counts) {
        const float part = static_cast<float>(count) / static_cast<float>(octets);
        if (part > FLT_EPSILON) {
            sum -= part * std::log(part);
        }
    }
    return sum / std::log(2.0F);
}

struct Moments {
    double mean = 0;
    double deviation = 0;
};

Moments moments_of(const proto::JoySide& side) {
    const double octets = side.payload_octets();
    return {side.byte_mean(),
            side.payload_octets() == 1 ? 0 : std::sqrt(side.byte_squares() / (octets - 1))};
}

// Of two directions the mean of the sums of squares, divided once more: not the deviation of all
// octets together.
Moments moments_of(const proto::JoySide& out, const proto::JoySide& in) {
    const uint32_t sum = out.payload_octets() + in.payload_octets();
    const double octets = sum;
    const double out_part = out.payload_octets() / octets;
    const double in_part = in.payload_octets() / octets;
    Moments moments;
    moments.mean = out_part * out.byte_mean() + in_part * in.byte_mean();
    const double squares = out_part * out.byte_squares() + in_part * in.byte_squares();
    moments.deviation = sum == 1 ? 0 : std::sqrt(squares / static_cast<double>(sum - 1));
    return moments;
}

}  // namespace

void write_joy_real(JsonLine& json, std::string_view name, double value) {
    assert(std::isfinite(value));
    fmt::memory_buffer text;
    fmt::format_to(std::back_inserter(text), FMT_COMPILE("{:.6f}"), value);
    json.key(name);
    json.raw({text.data(), text.size()});
}

void write_joy_statistics(JsonLine& json, const proto::JoyRecord& record) {
    OctetCounts counts = counts_of(record);
    shift_counts(counts);
    json.key("byte_dist");
    json.start_array();
    for (const uint32_t count : counts) {
        json.number(count);
    }
    json.end_array();
    const uint32_t octets = record.record().payload_octets() + record.twin().payload_octets();
    if (octets == 0) {
        return;
    }
    const Moments moments = record.has_twin() ? moments_of(record.record(), record.twin())
                                              : moments_of(record.record());
    write_joy_real(json, "byte_dist_mean", moments.mean);
    write_joy_real(json, "byte_dist_std", moments.deviation);
    const double entropy = entropy_of(counts, octets);
    write_joy_real(json, "entropy", entropy);
    write_joy_real(json, "total_entropy", entropy * octets);
}

void write_joy_walsh(JsonLine& json, const proto::JoyRecord& record) {
    const uint32_t octets = record.record().payload_octets() + record.twin().payload_octets();
    if (octets == 0) {
        return;
    }
    std::array<uint32_t, 4> sums{};  // wraps as Joy's sums do
    for (const proto::JoySide* side : {&record.record(), &record.twin()}) {
        for (int i = 0; i < side->walsh_sums_size(); ++i) {
            sums[static_cast<size_t>(i)] += static_cast<uint32_t>(side->walsh_sums(i));
        }
    }
    json.key("wht");
    json.start_array();
    for (const uint32_t sum : sums) {
        const float part =
            static_cast<float>(static_cast<int32_t>(sum)) / static_cast<float>(octets);
        json.raw(fmt::format(FMT_COMPILE("{:.5g}"), static_cast<double>(part)));
    }
    json.end_array();
}

}  // namespace curlew::collector
