#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// A label and what it rests on.

namespace curlew::collector {

// Strongest first.
enum class EvidenceKind : uint8_t {
    payload,      // a payload signature
    name,         // a host name that the flow itself tells
    field,        // a decoded field
    name_by_dns,  // a host name that the client was told for the other end's address
    sequence,     // directions and lengths of the first packets
    continued,    // an earlier flow between the same two endpoints
    behaviour,    // how a connection without payload went
    port,         // the responder's port
    none,
};

// As records name it: "payload", ..., "name-by-dns", ..., "none".
std::string_view name_of(EvidenceKind kind) noexcept;
// EvidenceKind::none for any other word.
EvidenceKind evidence_kind_named(std::string_view word) noexcept;

// Something that was seen of a flow. Texts are valid UTF-8.
struct Fact {
    // A decoded message alone tells the name: it is behind those whose packet is known.
    static constexpr uint32_t kNoPacket = UINT32_MAX;

    EvidenceKind kind = EvidenceKind::none;
    std::string field;      // where: "payload", "dns.question", "ssdp.server", ...
    std::string value;      // empty for a payload signature
    std::string signature;  // that lists it; empty: none does
    uint32_t packet = 0;    // payload, name: ordinal among the flow's payload packets, or kNoPacket
    uint32_t offset = 0;    // payload: end of the match
    bool reverse = false;   // from the responder
    std::string owner;      // MAC address of whom it tells; empty: of its sender
};

struct Label {
    std::string type;      // "unknown" when nothing says it
    std::string protocol;  // empty: not known, as the next three
    std::string service;   // "ambiguous" when names for one address say different ones
    std::string activity;
    std::string device;      // of one end, see devices.h
    std::string confidence;  // "certain", "likely" or "guess", fixed by the kind of the evidence
    std::vector<Fact> evidence;                       // strongest first; empty: nothing is known
    std::vector<Fact> matched;                        // all that hit, and all names, listed or not
    EvidenceKind type_evidence = EvidenceKind::none;  // what `type` rests on
};

// Kind of the strongest evidence, EvidenceKind::none when there is none.
EvidenceKind strongest_evidence(const Label& label) noexcept;

}  // namespace curlew::collector
