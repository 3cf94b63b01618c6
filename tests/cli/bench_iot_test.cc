#include "cli/bench_iot.h"

#include <array>
#include <map>
#include <set>

#include "probe/keyed_hash.h"
#include "probe/packet_parser.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::cli;
namespace probe = curlew::probe;

namespace {

probe::ParsedPacket parsed(const std::string& frame) {
    const auto octets = static_cast<uint32_t>(frame.size());
    probe::ParsedPacket packet;
    CHECK(probe::ParseResult::metered ==
          parse_packet({reinterpret_cast<const uint8_t*>(frame.data()),
                        0,
                        octets,
                        octets,
                        probe::LinkType::ethernet},
                       {},
                       packet));
    return packet;
}

// Without a direction.
std::string flow_of(const probe::FlowKey& key) {
    std::string text(key.low_address.begin(), key.low_address.end());
    text.append(key.high_address.begin(), key.high_address.end());
    return text + std::to_string(key.low_port) + "-" + std::to_string(key.high_port) + "-" +
           std::to_string(key.protocol);
}

}  // namespace

TEST_GROUP(IotFrames){};

TEST(IotFrames, eight_packets_a_flow_of_160_octets_and_a_third_is_ipv6) {
    const std::vector<std::string> frames = iot_frames(1);
    std::set<std::string> flows;
    size_t octets = 0;
    size_t ipv6 = 0;
    for (const std::string& frame : frames) {
        const probe::ParsedPacket packet = parsed(frame);
        flows.insert(flow_of(packet.key));
        octets += frame.size();
        ipv6 += packet.key.ip_version == 6 ? 1 : 0;
    }
    const auto count = static_cast<double>(frames.size());
    DOUBLES_EQUAL(8.0, count / static_cast<double>(flows.size()), 0.5);
    DOUBLES_EQUAL(160.0, static_cast<double>(octets) / count, 8);
    DOUBLES_EQUAL(0.33, static_cast<double>(ipv6) / count, 0.03);
}

TEST(IotFrames, every_protocol_is_at_its_port) {
    std::set<std::pair<int, int>> seen;
    for (const std::string& frame : iot_frames(1)) {
        const probe::FlowKey key = parsed(frame).key;
        for (const uint16_t port : {key.low_port, key.high_port}) {
            seen.insert({key.protocol, port});
        }
    }
    const std::pair<int, int> wanted[] = {{17, 53},
                                          {17, 67},
                                          {17, 123},
                                          {17, 1900},
                                          {17, 5353},
                                          {17, 5683},
                                          {6, 80},
                                          {6, 443},
                                          {6, 1883}};
    for (const auto& protocol_and_port : wanted) {
        CHECK(seen.contains(protocol_and_port));
    }
}

TEST(IotFrames, one_seed_makes_the_same_octets) {
    CHECK(iot_frames(1) == iot_frames(1));
    CHECK(iot_frames(1) != iot_frames(2));
}
