#include "collector/community_id.h"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "collector/flow_identity.h"

namespace curlew::collector {
namespace {

constexpr uint32_t kIcmp = 1;
constexpr uint32_t kIcmp6 = 58;
constexpr uint32_t kSctp = 132;

constexpr size_t kSha1Octets = 20;
constexpr size_t kBase64Characters = 28;
constexpr std::string_view kVersion = "1:";
constexpr size_t kLongestInput = 2 + 16 + 16 + 2 + 4;

// A question and its answer, each of which names the other.
using TypePair = std::pair<uint8_t, uint8_t>;
constexpr TypePair kIcmpPairs[] = {
    {8, 0},    // echo
    {10, 9},   // router solicitation and advertisement
    {13, 14},  // timestamp
    {15, 16},  // information
    {17, 18},  // address mask
};
constexpr TypePair kIcmp6Pairs[] = {
    {128, 129},  // echo
    {130, 131},  // multicast listener query and report
    {133, 134},  // router solicitation and advertisement
    {135, 136},  // neighbour solicitation and advertisement
    {139, 140},  // node information
    {144, 145},  // home agent address discovery
};

std::optional<uint8_t> counterpart(std::span<const TypePair> pairs, uint8_t type) {
    for (const auto& [question, answer] : pairs) {
        if (type == question) {
            return answer;
        }
        if (type == answer) {
            return question;
        }
    }
    return std::nullopt;
}

// What stands for the ports of a flow.
struct Ports {
    uint16_t initiator = 0;
    uint16_t responder = 0;
    bool ordered = true;  // the endpoints are put in order
};

std::optional<Ports> icmp_ports(const proto::FlowSummary& flow) {
    if (flow.icmp_types_size() == 0) {
        return std::nullopt;
    }
    const auto type = static_cast<uint8_t>(flow.icmp_types(0)[0]);
    const auto code = static_cast<uint8_t>(flow.icmp_types(0)[1]);
    const bool is_v4 = flow.protocol_identifier() == kIcmp;
    const std::optional<uint8_t> other =
        is_v4 ? counterpart(kIcmpPairs, type) : counterpart(kIcmp6Pairs, type);
    return Ports{type, other.value_or(code), other.has_value()};
}

// Nothing where they were not seen.
std::optional<Ports> ports_of(const proto::FlowSummary& flow) {
    const uint32_t protocol = flow.protocol_identifier();
    if (protocol == kIcmp || protocol == kIcmp6) {
        return icmp_ports(flow);
    }
    const Ports ports{static_cast<uint16_t>(flow.initiator_port()),
                      static_cast<uint16_t>(flow.responder_port()),
                      true};
    const bool unseen = protocol == kSctp && ports.initiator == 0 && ports.responder == 0;
    return unseen ? std::nullopt : std::optional(ports);
}

bool takes_ports(uint32_t protocol) {
    return protocol == kProtocolTcp || protocol == kProtocolUdp || protocol == kSctp ||
           protocol == kIcmp || protocol == kIcmp6;
}

uint8_t* put(uint8_t* to, std::string_view octets) {
    std::memcpy(to, octets.data(), octets.size());
    return to + octets.size();
}

uint8_t* put(uint8_t* to, uint16_t number) {
    to[0] = static_cast<uint8_t>(number >> 8);
    to[1] = static_cast<uint8_t>(number);
    return to + 2;
}

}  // namespace

struct CommunityIdMaker::Implementation {
    Implementation() : context(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        assert(context != nullptr);
        std::copy(kVersion.begin(), kVersion.end(), text.begin());
        [[maybe_unused]] const int done = EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr);
        assert(done == 1);
    }

    std::array<uint8_t, kSha1Octets> sha1(std::span<const uint8_t> input) {
        std::array<uint8_t, kSha1Octets> sum{};
        unsigned int length = 0;
        [[maybe_unused]] const bool done =
            EVP_DigestUpdate(context.get(), input.data(), input.size()) == 1 &&
            EVP_DigestFinal_ex(context.get(), sum.data(), &length) == 1 &&
            // The algorithm stays; to look for it anew costs more than the sum.
            EVP_DigestInit_ex(context.get(), nullptr, nullptr) == 1;
        assert(done);
        assert(length == sum.size());
        return sum;
    }

    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context;
    // OpenSSL writes a zero behind what it encodes.
    std::array<char, kVersion.size() + kBase64Characters + 1> text{};
};

CommunityIdMaker::CommunityIdMaker() : implementation_(std::make_unique<Implementation>()) {}
CommunityIdMaker::~CommunityIdMaker() = default;

std::string_view CommunityIdMaker::make(const proto::FlowSummary& flow) {
    const std::optional<Ports> ports = ports_of(flow);
    if (!ports) {
        return {};
    }
    std::tuple<std::string_view, uint16_t> first{flow.initiator_address(), ports->initiator};
    std::tuple<std::string_view, uint16_t> second{flow.responder_address(), ports->responder};
    // Addresses of one length in network order: as octets they compare as numbers do.
    if (ports->ordered && second < first) {
        std::swap(first, second);
    }
    const uint32_t protocol = flow.protocol_identifier();
    std::array<uint8_t, kLongestInput> input{};  // begins with the seed, 0
    uint8_t* at = input.data() + 2;
    at = put(at, std::get<0>(first));
    at = put(at, std::get<0>(second));
    *at++ = static_cast<uint8_t>(protocol);
    *at++ = 0;
    if (takes_ports(protocol)) {
        at = put(at, std::get<1>(first));
        at = put(at, std::get<1>(second));
    }
    const std::array<uint8_t, kSha1Octets> sum =
        implementation_->sha1({input.data(), static_cast<size_t>(at - input.data())});
    auto& text = implementation_->text;
    [[maybe_unused]] const int characters =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(text.data() + kVersion.size()),
                        sum.data(),
                        static_cast<int>(sum.size()));
    assert(characters == static_cast<int>(kBase64Characters));
    return {text.data(), text.size() - 1};
}

}  // namespace curlew::collector
