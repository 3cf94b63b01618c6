#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "probe/counters.h"
#include "probe/flow.h"
#include "probe/flow_features.h"
#include "probe/message_pieces.h"
#include "probe/packet_parser.h"
#include "probe/protocols/names.h"
#include "signatures/scanner.h"
#include "signatures/signature_set.h"

// Looks into a flow while it is undecided and in budget: payload signatures over the first payloads
// of each side, then the names that the recognised protocol tells; the collector looks them up.
// Const and shared by all workers; what changes is the worker's scratch and the flow.

namespace curlew::probe {

// A flow's payloads looked at by signatures, per side; names are read from a few more.
inline constexpr uint8_t kScannedPackets = signatures::kMaximumScannedPackets;
inline constexpr uint8_t kNamedPackets = 32;
inline constexpr uint8_t kMaximumNamesPerFlow = 16;
constexpr bool is_scanned_protocol(uint8_t protocol) noexcept {
    return protocol == kProtocolTcp || protocol == kProtocolUdp;
}
// A signature stands at the beginning; merged segments are not scanned to their end.
inline constexpr size_t kScannedOctets = 2048;

// A stored name as it stands in a flow's name chain, followed by its text.
struct StoredName {
    NameField field;
    uint8_t octets;
    uint8_t packet;
    uint8_t from_high;
};
static_assert(sizeof(StoredName) == 4);

class Inspector {
  public:
    // Requires: the set outlives this.
    explicit Inspector(const signatures::SignatureSet& set);

    const signatures::Scanner& scanner() const noexcept { return scanner_; }

    // Looks at one payload of a flow. Requires: packet.payload_captured_octets > 0.
    void inspect(const ParsedPacket& packet,
                 FlowHot& hot,
                 FlowWarm& warm,
                 FlowFeatures& features,
                 signatures::Scanner::Scratch& scratch,
                 FlowCounters& counters) const noexcept;

    // Looks at a message that came in several packets, of which `packet` is the last: as one
    // payload would have shown it, or the handshake of QUIC out of its cipher.
    void inspect_joined(const ParsedPacket& packet,
                        MessageKind kind,
                        std::span<const uint8_t> message,
                        FlowHot& hot,
                        FlowWarm& warm,
                        FlowFeatures& features,
                        signatures::Scanner::Scratch& scratch,
                        FlowCounters& counters) const noexcept;

  private:
    void scan(const ParsedPacket& packet,
              std::span<const uint8_t> payload,
              FlowHot& hot,
              FlowWarm& warm,
              signatures::Scanner::Scratch& scratch,
              FlowCounters& counters) const noexcept;
    void store_names(const FoundNames& names,
                     bool from_high,
                     FlowHot& hot,
                     FlowWarm& warm,
                     FlowFeatures& features) const noexcept;

    // What a signature tells beside its hit.
    struct Meaning {
        uint8_t parser = 0;  // which reads names, see inspector.cc
        uint8_t kind = 0;    // the MessageKind that it tells
    };

    signatures::Scanner scanner_;
    std::vector<Meaning> meanings_;  // by signature
};

}  // namespace curlew::probe
