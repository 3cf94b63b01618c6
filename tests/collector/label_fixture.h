#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "collector/annotator.h"
#include "collector/wire_text.h"
#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

// Signatures and a group to label by, and what the line remembers.
struct LabelFixture {
    explicit LabelFixture(signatures::GroupRules group_rules = any_group(),
                          std::string_view toml = {})
        : group(std::move(group_rules)),
          set(toml.empty() ? signatures::SignatureSet()
                           : signatures::SignatureSet::parse(toml, "test.toml")),
          content(set),
          memory(content, vendors) {
        for (const signatures::Problem& problem : set.problems()) {
            FAIL(to_string(problem).c_str());
        }
    }

    LabelRules rules() const { return {group, content, vendors}; }

    signatures::GroupRules group;
    signatures::SignatureSet set;
    signatures::ContentRules content;
    MacVendors vendors = MacVendors::parse(
        "00-0B-57   (hex)\t\tSilicon Laboratories\r\n"
        "00-1F-1F   (hex)\t\tEdimax Technology Co. Ltd.\r\n");
    LineMemory memory;
};

// The facts of a device's flow to multicast DNS' group.
inline FlowFacts multicast_facts(const std::string& mac,
                                 const std::string& address,
                                 uint64_t time_us = 1000) {
    FlowFacts facts;
    facts.protocol = 17;
    facts.initiator = address;
    facts.responder = "224.0.0.251";
    facts.initiator_mac = mac;
    facts.flow_start_us = time_us;
    facts.end_us = time_us + 10;
    return facts;
}

// A flow of DNS in which the server 10.0.0.1 answers `client`: `name` has this address, `after_us`
// behind kStart. With `alias`, through a CNAME of the same life.
inline proto::FlowSummary answer_to(const std::string& client,
                                    const std::string& name,
                                    const std::string& address,
                                    uint32_t ttl,
                                    uint32_t after_us,
                                    const std::string& alias = "") {
    const auto wire_name = [](const std::string& text) {
        std::string octets;
        for (size_t begin = 0; begin <= text.size();) {
            const size_t end = std::min(text.find('.', begin), text.size());
            octets += static_cast<char>(end - begin);
            octets += text.substr(begin, end - begin);
            begin = end + 1;
        }
        return octets + '\0';
    };
    const auto number = [](uint32_t value, size_t octets) {
        std::string text;
        for (size_t shift = 8 * octets; shift > 0; shift -= 8) {
            text += static_cast<char>(value >> (shift - 8));
        }
        return text;
    };
    const auto record = [&](const std::string& owner, uint32_t type, const std::string& data) {
        return wire_name(owner) + number(type, 2) + number(1, 2) + number(ttl, 4) +
               number(static_cast<uint32_t>(data.size()), 2) + data;
    };
    const std::string octets = address_octets(address);
    const uint32_t type = octets.size() == 4 ? 1 : 28;
    std::string message = number(0x1234, 2) + number(0x8180, 2) + number(1, 2) +
                          number(alias.empty() ? 1 : 2, 2) + number(0, 4);
    message += wire_name(name) + number(type, 2) + number(1, 2);
    if (!alias.empty()) {
        message += record(name, 5, wire_name(alias));
    }
    message += record(alias.empty() ? name : alias, type, octets);

    proto::FlowSummary flow = flow_between(client, 30003, "10.0.0.1", 53, 17);
    proto::ProtocolMessage& answer = *flow.add_messages();
    answer.set_protocol(proto::MESSAGE_PROTOCOL_DNS);
    answer.set_reverse(true);
    answer.set_octets(message);
    answer.set_offset_us(after_us);
    flow.set_flow_end_ns(
        std::max(flow.flow_end_ns(), flow.flow_start_ns() + uint64_t{after_us} * 1000));
    return flow;
}

// One payload signature with that id; its pattern is never scanned here.
inline std::string payload_signature(std::string_view id, std::string_view says) {
    return "[[signature]]\nid = '" + std::string(id) +
           "'\ntitle = 't'\nreference = 'r'\nkind = 'payload'\npattern = '^ab'\n" +
           std::string(says) + "\nexamples.match = ['ab']\nexamples.no_match = ['b']\n";
}

inline std::string name_signature(std::string_view id,
                                  std::string_view name,
                                  std::string_view says) {
    return "[[signature]]\nid = '" + std::string(id) +
           "'\ntitle = 't'\nreference = 'r'\nkind = 'name'\npattern = '" + std::string(name) +
           "'\n" + std::string(says) + "\nexamples.match = ['a']\nexamples.no_match = ['b']\n";
}

inline std::string field_signature(std::string_view id,
                                   std::string_view field,
                                   std::string_view pattern,
                                   std::string_view says) {
    return "[[signature]]\nid = '" + std::string(id) +
           "'\ntitle = 't'\nreference = 'r'\nkind = 'field'\nfield = '" + std::string(field) +
           "'\npattern = '" + std::string(pattern) + "'\n" + std::string(says) +
           "\nexamples.match = ['a']\nexamples.no_match = ['b']\n";
}

}  // namespace curlew::collector
