#include "collector/flow_identity.h"

#include <algorithm>
#include <cassert>
#include <charconv>
#include <tuple>

namespace curlew::collector {
namespace {

template <size_t kOctets>
uint8_t* put_number(uint8_t* to, uint32_t number) {
    for (size_t i = 0; i < kOctets; ++i) {
        to[i] = static_cast<uint8_t>(number >> (8 * (kOctets - 1 - i)));
    }
    return to + kOctets;
}

uint8_t* put_address(uint8_t* to, std::string_view address) {
    std::copy(address.begin(), address.end(), to);
    return to + 16;
}

}  // namespace

FlowKeyOctets flow_key_octets(const Endpoint& one,
                              const Endpoint& other,
                              uint8_t protocol,
                              uint32_t tunnel_id) {
    assert(one.address.size() == other.address.size());
    assert(one.address.size() == 4 || one.address.size() == 16);
    const bool in_order = std::tie(one.address, one.port) <= std::tie(other.address, other.port);
    const Endpoint& low = in_order ? one : other;
    const Endpoint& high = in_order ? other : one;

    FlowKeyOctets octets{};
    uint8_t* at = octets.data();
    *at++ = one.address.size() == 4 ? 4 : 6;
    at = put_address(at, low.address);
    at = put_address(at, high.address);
    at = put_number<2>(at, low.port);
    at = put_number<2>(at, high.port);
    *at++ = protocol;
    at = put_number<4>(at, tunnel_id);
    assert(at == octets.data() + octets.size());
    return octets;
}

FlowKeyOctets flow_key_octets(const proto::FlowSummary& flow) {
    return flow_key_octets({flow.initiator_address(), static_cast<uint16_t>(flow.initiator_port())},
                           {flow.responder_address(), static_cast<uint16_t>(flow.responder_port())},
                           static_cast<uint8_t>(flow.protocol_identifier()),
                           flow.tunnel_id());
}

RecordOrder record_order(const proto::FlowSummary& flow) {
    return {.flow_start_ns = flow.flow_start_ns(),
            .key = flow_key_octets(flow),
            .flow_ordinal = flow.flow_ordinal(),
            .record_number = flow.record_number()};
}

RecordOrder joy_record_order(const proto::FlowSummary& flow) {
    RecordOrder order;
    order.flow_start_ns = flow.joy().output_ordinal();
    return order;
}

std::string_view FlowIdMaker::make(const proto::FlowSummary& flow) {
    constexpr size_t kDigestOctets = 8;
    constexpr char kHexDigits[] = "0123456789abcdef";
    const FlowKeyOctets key = flow_key_octets(flow);
    digest_.update({reinterpret_cast<const char*>(key.data()), key.size()});
    const std::array<uint8_t, 32> sum = digest_.finish_octets();
    char* const end = text_.data() + text_.size();
    char* at = std::to_chars(text_.data(), end, flow.first_record_start_ns() / 1000).ptr;
    *at++ = '-';
    for (size_t i = 0; i < kDigestOctets; ++i) {
        *at++ = kHexDigits[sum[i] >> 4];
        *at++ = kHexDigits[sum[i] & 15];
    }
    if (flow.flow_ordinal() > 0) {
        *at++ = '+';
        at = std::to_chars(at, end, flow.flow_ordinal()).ptr;
    }
    return {text_.data(), static_cast<size_t>(at - text_.data())};
}

}  // namespace curlew::collector
