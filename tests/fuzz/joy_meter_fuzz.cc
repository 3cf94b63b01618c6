#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "collector/joy_check.h"
#include "collector/joy_record_writer.h"
#include "collector/record_check.h"
#include "probe/joy_meter.h"

// Input: packets one after the other. Each: one octet for the time since the one before in tenths
// of a second, one for its tags and how many octets were not captured, two for its length, then the
// octets from the IP header on.

namespace curlew {

namespace {

constexpr size_t kPrologueOctets = 4;

// Stays on whatever the build says of asserts.
void require(bool condition) {
    if (!condition) {
        std::abort();
    }
}

// What the meter makes, the decoder takes, and what the writer writes is JSON in UTF-8.
void check_record(const proto::FlowSummary& flow) {
    static collector::JoyRecordWriter writer;
    const std::string octets = flow.joy().SerializeAsString();
    require(octets.size() < size_t{240} * 1024);
    require(collector::check_joy_elements({reinterpret_cast<const uint8_t*>(octets.data()),
                                           octets.size()}) == collector::BatchError::none);
    require(collector::check_joy(flow.joy()) == collector::BatchError::none);
    collector::RecordCheck check{"joy-3.0.3"};
    std::string_view line = writer.write(flow, nullptr);
    line.remove_suffix(1);
    require(check.check(line).empty());
}

std::vector<uint8_t> frame_of(uint8_t tags, const uint8_t* ip, size_t octets) {
    std::vector<uint8_t> frame(12, 2);
    for (uint8_t i = 0; i < (tags & 3); ++i) {
        frame.insert(frame.end(), {0x81, 0x00, 0x00, 0x07});
    }
    frame.insert(frame.end(), {0x08, 0x00});
    frame.insert(frame.end(), ip, ip + octets);
    return frame;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* input, size_t input_octets) {
    uint64_t records = 0;
    probe::JoyMeter meter({.memory_octets = 64 * 1024}, [&records](const auto& flow) {
        ++records;
        check_record(flow);
    });
    uint64_t time_ns = 1'000'000'000;
    while (input_octets >= kPrologueOctets) {
        const size_t octets = std::min<size_t>(input_octets - kPrologueOctets,
                                               static_cast<size_t>(input[2] & 7) << 8 | input[3]);
        const auto frame = frame_of(input[1], input + kPrologueOctets, octets);
        const size_t captured = frame.size() - std::min<size_t>(frame.size(), input[1] >> 2 & 31);
        // A copy of its own, so that the sanitizer sees a read past the end.
        const auto copy = std::make_unique<uint8_t[]>(captured);
        std::copy_n(frame.begin(), captured, copy.get());
        time_ns += uint64_t{input[0]} * 100'000'000;
        meter.add({.data = captured == 0 ? nullptr : copy.get(),
                   .time_ns = time_ns,
                   .captured_octets = static_cast<uint32_t>(captured),
                   .wire_octets = static_cast<uint32_t>(frame.size())});
        input += kPrologueOctets + octets;
        input_octets -= kPrologueOctets + octets;
    }
    meter.finish();
    require(meter.live_flows() == 0);
    require(records == meter.counters().records_created);
    return 0;
}

}  // namespace curlew
