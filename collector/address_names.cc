#include "collector/address_names.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <utility>

#include "collector/protocols/dns.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// Longer chains are followed by nobody.
constexpr size_t kMaximumChain = 16;
// An answer with a time to live of 0 is for the connection that follows at once (RFC 1035 section
// 3.2.1).
constexpr uint64_t kShortestLife_us = 1'000'000;
constexpr uint64_t kSecond_us = 1'000'000;
constexpr uint64_t kLongestLife_us = 7 * 86'400 * kSecond_us;  // RFC 8767 section 4

// The names that lead to `owner`, and the shortest time to live on the way.
struct Origin {
    std::string name;
    uint32_t ttl;
};

// The aliases of a message by what they lead to; of several the first.
using Aliases = FlatMap<std::string, const DnsRecord*, OctetHash>;

Aliases aliases_of(const DnsMessage& message) {
    Aliases aliases;
    for (const DnsRecord& one : message.answers) {
        if (one.type == kDnsCname && one.decoded) {
            aliases.emplace(lower_case(one.text), &one);
        }
    }
    return aliases;
}

// From an address record back through CNAMEs to the name that was asked for.
Origin origin_of(const Aliases& aliases, const DnsRecord& address) {
    Origin origin{lower_case(address.name), address.ttl};
    for (size_t step = 0; step < kMaximumChain; ++step) {
        const auto alias = aliases.find(origin.name);
        if (alias == aliases.end()) {
            break;
        }
        origin = {lower_case(alias->second->name), std::min(origin.ttl, alias->second->ttl)};
    }
    return origin;
}

// What bindings are found by, without memory of its own.
class BindingKey {
  public:
    // What a client asked: its address and the other one.
    BindingKey(std::string_view client, std::string_view address) { put(client).put(address); }

    // A service: as nobody's client, with its port.
    BindingKey(std::string_view address, uint16_t port) {
        const char digits[] = {static_cast<char>(port >> 8), static_cast<char>(port & 0xff)};
        put("srv ").put(address).put({digits, sizeof digits});
    }

    std::string_view view() const { return {octets_.data(), size_}; }

  private:
    BindingKey& put(std::string_view octets) {
        assert(size_ + octets.size() <= octets_.size());
        std::copy(octets.begin(), octets.end(), octets_.begin() + size_);
        size_ += octets.size();
        return *this;
    }

    std::array<char, 32> octets_;
    size_t size_ = 0;
};

// Told before it is decoded: most messages ask.
bool is_response(const proto::ProtocolMessage& message) {
    constexpr size_t kFlagsAt = 2;
    const std::string& octets = message.octets();
    return octets.size() > kFlagsAt && (static_cast<uint8_t>(octets[kFlagsAt]) & 0x80) != 0;
}

uint64_t time_of(const proto::FlowSummary& flow, const proto::ProtocolMessage& message) {
    const uint64_t start_us = flow.flow_start_ns() / 1000;
    const uint64_t end_us = std::max(start_us, flow.flow_end_ns() / 1000);
    return start_us + std::min<uint64_t>(message.offset_us(), end_us - start_us);
}

// How long an answer is good for (RFC 2181 section 8: the highest bit is never set by who means
// it).
uint64_t life_us(uint64_t ttl) {
    constexpr uint64_t kNoTtl = uint64_t{1} << 31;
    return ttl >= kNoTtl ? kShortestLife_us
                         : std::clamp(ttl * kSecond_us, kShortestLife_us, kLongestLife_us);
}

}  // namespace

void AddressNames::add(const proto::FlowSummary& flow) {
    for (const proto::ProtocolMessage& message : flow.messages()) {
        if (!is_response(message)) {
            continue;
        }
        if (message.protocol() == proto::MESSAGE_PROTOCOL_DNS) {
            add_answers(flow, message);
        } else if (message.protocol() == proto::MESSAGE_PROTOCOL_MDNS) {
            add_services(flow, message);
        }
    }
}

void AddressNames::add_answers(const proto::FlowSummary& flow,
                               const proto::ProtocolMessage& message) {
    const DnsMessage decoded = decode_dns(message.octets(), message.cut());
    if (decoded.questions.empty()) {
        return;
    }
    const std::string asked = lower_case(decoded.questions.front().name);
    const std::string& client =
        message.reverse() ? flow.initiator_address() : flow.responder_address();
    const Aliases aliases = aliases_of(decoded);
    for (const DnsRecord& record : decoded.answers) {
        const size_t octets = record.type == kDnsA ? 4 : record.type == kDnsAaaa ? 16 : 0;
        if (octets == 0 || record.data.size() != octets) {
            continue;
        }
        const Origin origin = origin_of(aliases, record);
        // An answer to something that was not asked is nobody's name.
        if (origin.name == asked) {
            const uint64_t from_us = time_of(flow, message);
            bind(BindingKey(client, record.data).view(),
                 record.data,
                 false,
                 wire_text(asked),
                 {from_us, from_us + life_us(origin.ttl)});
        }
    }
}

void AddressNames::add_services(const proto::FlowSummary& flow,
                                const proto::ProtocolMessage& message) {
    constexpr size_t kPortOfSrv = 2;
    const DnsMessage decoded = decode_dns(message.octets(), message.cut());
    const std::string& host =
        message.reverse() ? flow.responder_address() : flow.initiator_address();
    for (const auto* section : {&decoded.answers, &decoded.additionals}) {
        for (const DnsRecord& record : *section) {
            if (record.type == kDnsSrv && record.decoded && record.numbers.size() > kPortOfSrv) {
                const BindingKey key(host, static_cast<uint16_t>(record.numbers[kPortOfSrv]));
                const uint64_t from_us = time_of(flow, message);
                bind(key.view(),
                     host,
                     true,
                     wire_text(lower_case(record.name)),
                     {from_us, from_us + life_us(record.ttl)});
            }
        }
    }
}

void AddressNames::bind(
    std::string_view key, std::string_view address, bool is_service, std::string name, Time time) {
    const uint64_t hash = octet_hash(address);
    Bound* const bound = bound_.find_or_add(
        key,
        [hash, is_service] {
            return Bound{{}, hash, is_service};
        },
        [this](const Bound& one) {
            for (const auto& [known, times] : one.names) {
                times_ -= times.size();
            }
        });
    if (bound == nullptr) {
        return;
    }
    (is_service ? hosts_ : named_).insert(hash);
    add_time(bound->names[std::move(name)], time);
    if (bound->names.size() > kMaximumOfOne) {
        const auto last = std::prev(bound->names.end());
        times_ -= last->second.size();
        bound->names.erase(last);
        left_out_ = true;
    }
}

// Those that it touches and it are one.
void AddressNames::add_time(Times& times, Time time) {
    auto at = times.upper_bound(time.from_us);
    if (at != times.begin() && std::prev(at)->second >= time.from_us) {
        --at;
    }
    const bool touches = at != times.end() && at->first <= time.until_us;
    if (!touches && times_ >= most_times_) {
        left_out_ = true;
        return;
    }
    while (at != times.end() && at->first <= time.until_us) {
        time = {std::min(at->first, time.from_us), std::max(at->second, time.until_us)};
        at = times.erase(at);
        --times_;
    }
    times.emplace_hint(at, time.from_us, time.until_us);
    ++times_;
}

std::vector<std::string> AddressNames::names_of(std::string_view key,
                                                uint64_t from_us,
                                                uint64_t to_us) const {
    std::vector<std::string> names;
    const auto found = bound_.entries().find(key);
    if (found == bound_.entries().end()) {
        return names;
    }
    for (const auto& [name, times] : found->second.names) {
        const auto behind = times.upper_bound(to_us);
        const bool is_valid = behind != times.begin() && from_us <= std::prev(behind)->second;
        if (is_valid && names.size() < kMaximumFound) {
            names.push_back(name);
        }
    }
    return names;
}

std::vector<std::string> AddressNames::find(std::string_view client,
                                            std::string_view address,
                                            uint64_t time_us) const {
    return named_.contains(octet_hash(address))
               ? names_of(BindingKey(client, address).view(), time_us, time_us)
               : std::vector<std::string>();
}

std::vector<std::string> AddressNames::find_services(std::string_view address,
                                                     uint16_t port,
                                                     uint64_t start_us,
                                                     uint64_t end_us) const {
    return !hosts_.empty() && hosts_.contains(octet_hash(address))
               ? names_of(BindingKey(address, port).view(), start_us, end_us)
               : std::vector<std::string>();
}

void AddressNames::forget_before(uint64_t time_us) {
    named_.clear();
    hosts_.clear();
    times_ = 0;
    left_out_ = false;
    bound_.erase_if([this, time_us](const std::string&, Bound& bound) {
        for (auto& [name, times] : bound.names) {
            while (!times.empty() && times.begin()->second < time_us) {
                times.erase(times.begin());
            }
            times_ += times.size();
        }
        std::erase_if(bound.names, [](const auto& name) { return name.second.empty(); });
        if (!bound.names.empty()) {
            (bound.is_service ? hosts_ : named_).insert(bound.address_hash);
        }
        return bound.names.empty();
    });
}

}  // namespace curlew::collector
