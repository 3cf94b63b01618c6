#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "probe/flow.h"
#include "probe/message_pieces.h"
#include "probe/packet_parser.h"
#include "probe/segment_sorter.h"
#include "probe/stream_cutter.h"

// Keeps copies of the messages of recognised protocols, for the collector to decode. A flow without
// any pays a look at the first octets of each payload; one with takes a block for its state, and
// blocks for what is kept, from a pool of fixed size. One partition's, one worker's.

namespace curlew::probe {

// One block per flow that keeps messages. The pieces are the record's, all else is the flow's.
struct MessageState {
    MessagePieces pieces;
    std::array<StreamSide, 2> sides;
    uint8_t smb_fronts;  // kept in this record
};
static_assert(sizeof(MessageState) <= kBlockOctets);

class MessageStore {
  public:
    MessageStore() = default;
    // Requires: as BlockPool.
    explicit MessageStore(std::span<uint8_t> blocks) noexcept : pool_(blocks) {}

    // Looks at one packet of a flow after the inspector did, and note_first_numbers(). True when it
    // adds to a hello that no single payload shows whole: it completes a first record of TLS that
    // began in an earlier segment, or is a QUIC client's.
    bool add(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;

    // False for packets that add() would do nothing with, and look at no flow for.
    static bool may_add(const ParsedPacket& packet) noexcept {
        return packet.payload_captured_octets != 0 || tcp_beginning(packet.tcp_flags) != 0;
    }
    // Of a packet to come that may: the flow's state.
    void prefetch(const ParsedPacket& packet, const FlowWarm& warm) const noexcept {
        if (warm.messages != 0 && (warm.streams_off >> (packet.from_low ? 0 : 1) & 1) == 0) {
            const uint8_t* block = pool_.at(warm.messages - 1);
            for (size_t line = 0; line < sizeof(MessageState); line += 64) {
                __builtin_prefetch(block + line, 1);
            }
        }
    }

    // Copies what is kept of a side's TLS stream or QUIC handshake from its beginning, as far as
    // there is room. Returns its octets there.
    size_t copy_hello(const FlowHot& hot,
                      const FlowWarm& warm,
                      bool from_high,
                      std::span<uint8_t> room) const noexcept;

    // The flow ends: what waits for segments that did not come is let go in order.
    void finish(FlowHot& hot, const FlowWarm& warm) noexcept;

    // The record's pieces.
    ChainLength chain(const FlowWarm& warm) const noexcept {
        return {&pool_, warm.messages == 0 ? 0 : state(warm).pieces.head};
    }
    template <typename Visit>
    void visit(const FlowWarm& warm, Visit&& visit) const {
        if (warm.messages != 0) {
            visit_chain(pool_, state(warm).pieces.head, visit);
        }
    }

    // A record was written; the flow goes on.
    void end_record(const FlowWarm& warm) noexcept;
    // Gives back all that the flow holds.
    void release(FlowWarm& warm) noexcept;

    // How often something was left out because the pool was empty.
    uint64_t shortages() const noexcept { return shortages_; }
    uint32_t blocks_left() const noexcept { return pool_.left(); }

  private:
    MessageState& state(const FlowWarm& warm) const noexcept {
        return *reinterpret_cast<MessageState*>(pool_.at(warm.messages - 1));
    }
    bool take_state(FlowHot& hot, FlowWarm& warm) noexcept;
    PieceSink sink(MessageState& state, size_t side, const FlowHot& hot) noexcept;
    void note(const PieceSink& sink, FlowHot& hot) noexcept;
    bool add_datagram(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;
    bool add_quic(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;
    bool add_segment(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;
    bool begins_stream(const ParsedPacket& packet, const FlowWarm& warm, bool first) const noexcept;
    static bool is_first_seen(const ParsedPacket& packet,
                              const FlowWarm& warm,
                              bool first) noexcept;
    static bool overtook_first(const ParsedPacket& packet,
                               const FlowWarm& warm,
                               bool first) noexcept;
    bool is_passed_over(const ParsedPacket& packet, FlowWarm& warm, bool& first) const noexcept;

    ChainPool pool_;
    uint64_t shortages_ = 0;
};

}  // namespace curlew::probe
