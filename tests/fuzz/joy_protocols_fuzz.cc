#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "probe/joy_protocols.h"

// Input: packets of one side, each one octet that chooses ports and protocol, two of length, then
// the payload. A payload lies in memory of its own length, so that a read past it is seen.

namespace {

using namespace curlew;

void hold(bool good) {
    if (!good) {
        std::abort();
    }
}

// Every bound of proto/joy_protocols.proto.
void check_bounds(const probe::JoyProtocols& protocols) {
    proto::JoyDns dns;
    proto::JoyHttp http;
    proto::JoyDhcp dhcp;
    proto::JoyTls tls;
    protocols.fill(dns);
    protocols.fill(http);
    protocols.fill(dhcp);
    protocols.fill(tls);
    hold(dns.messages_size() <= 50);
    hold(dns.ByteSizeLong() <= 66 * 1024);
    hold(http.messages_size() <= 15);
    for (const proto::JoyHttpMessage& message : http.messages()) {
        hold(message.headers_size() <= 32);
        hold(message.ByteSizeLong() <= 2400);
    }
    hold(dhcp.messages_size() <= 16);
    for (const std::string& message : dhcp.messages()) {
        hold(message.size() >= 240 && message.size() <= 2048);
    }
    hold(tls.handshake().size() < 11'000);
    hold(tls.records_size() <= 100);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    probe::JoyProtocols protocols;
    uint64_t time_us = 0;
    while (size >= 3) {
        const uint8_t kind = data[0];
        const size_t length = std::min<size_t>(data[1] * size_t{256} + data[2], size - 3);
        const std::vector<uint8_t> payload(data + 3, data + 3 + length);
        data += 3 + length;
        size -= 3 + length;
        constexpr uint16_t kPorts[] = {53, 67, 80, 443};
        probe::JoySegment segment;
        segment.payload = payload;
        segment.time_us = ++time_us;
        segment.source_port = kPorts[kind & 3];
        segment.destination_port = (kind & 4) != 0 ? uint16_t{68} : kPorts[kind >> 6];
        segment.protocol = (kind & 8) != 0 ? 6 : 17;
        segment.application = (kind & 16) != 0 ? kPorts[kind >> 6] : uint16_t{0};
        protocols.add(segment);
    }
    check_bounds(protocols);
    return 0;
}
