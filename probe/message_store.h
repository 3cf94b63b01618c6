#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "probe/flow.h"
#include "probe/message_pieces.h"
#include "probe/packet_parser.h"
#include "probe/protocols/quic_keys.h"
#include "probe/segment_sorter.h"
#include "probe/stream_cutter.h"

// Keeps copies of the messages of recognised protocols, for the collector to decode. A flow without
// any pays a look at the first octets of each payload; one with takes a block for its state, and
// blocks for what is kept, from a pool of fixed size. One partition's, one worker's.
//
// In the line-rate profile it keeps for the record what labels of other flows rest on, of UDP:
// answers of DNS, and what DHCP's clients say. Besides, what names come from and no packet shows
// whole, until it is: of TLS and QUIC a client's first message, a request of HTTP, a DNS message
// over TCP.

namespace curlew::probe {

// One block per flow that keeps messages. The pieces are the record's, all else is the flow's.
struct MessageState {
    MessagePieces pieces;
    std::array<StreamSide, 2> sides;
    uint8_t smb_fronts;  // kept in this record
    uint8_t of_record;   // line-rate: the pieces are the record's, not kept for names alone
};
static_assert(sizeof(MessageState) <= kBlockOctets);

class MessageStore {
  public:
    enum class Keeps : uint8_t { all, little };

    // Keeps nothing. Throws std::bad_alloc, as the other does.
    MessageStore() = default;
    // Requires: as BlockPool.
    explicit MessageStore(std::span<uint8_t> blocks, Keeps keeps = Keeps::all)
        : pool_(blocks), keeps_(keeps) {}

    // Looks at one packet of a flow after the inspector did, and note_first_numbers(). Returns of
    // what kind the message is that it completes or, of QUIC, adds to, and that no single payload
    // shows whole: TLS, QUIC, HTTP, DNS. None: nothing new is to be read.
    MessageKind add(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;

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

    // Copies what add() told of last, as one payload would have shown it, as far as there is room.
    // Returns its octets there, 0 when its beginning is not kept. Requires: room for two.
    size_t copy_joined(MessageKind kind,
                       const FlowWarm& warm,
                       bool from_high,
                       std::span<uint8_t> room) const noexcept;

    // After add() and what followed from it: gives back what is kept for names alone, once nothing
    // is awaited.
    void let_go(const FlowHot& hot, FlowWarm& warm) noexcept;
    // Something is kept for names alone.
    bool awaits_names(const FlowWarm& warm) const noexcept {
        return warm.messages != 0 && !has_messages(warm);
    }

    // The flow ends: what waits for segments that did not come is let go in order.
    void finish(FlowHot& hot, const FlowWarm& warm) noexcept;

    // The record's pieces.
    ChainLength chain(const FlowWarm& warm) const noexcept {
        return {&pool_, has_messages(warm) ? state(warm).pieces.head : 0};
    }
    template <typename Visit>
    void visit(const FlowWarm& warm, Visit&& visit) const {
        if (has_messages(warm)) {
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
    // For the record.
    bool has_messages(const FlowWarm& warm) const noexcept {
        return warm.messages != 0 && (keeps_ == Keeps::all || state(warm).of_record != 0);
    }
    // False when there is no block, or none but the `spared` ones: then nothing more is kept.
    bool take_state(FlowHot& hot, FlowWarm& warm, uint32_t spared = 0) noexcept;
    PieceSink sink(MessageState& state, size_t side, const FlowHot& hot, uint64_t time_ns) noexcept;
    void note(const PieceSink& sink, FlowHot& hot) noexcept;
    MessageKind add_datagram(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;
    bool add_quic(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;
    MessageKind add_segment(const ParsedPacket& packet, FlowHot& hot, FlowWarm& warm) noexcept;
    bool is_worth_state(const ParsedPacket& packet,
                        const FlowWarm& warm,
                        bool first) const noexcept;
    bool begins_stream(const ParsedPacket& packet, const FlowWarm& warm, bool first) const noexcept;
    static bool is_first_seen(const ParsedPacket& packet,
                              const FlowWarm& warm,
                              bool first) noexcept;
    static bool overtook_first(const ParsedPacket& packet,
                               const FlowWarm& warm,
                               bool first) noexcept;
    bool is_passed_over(const ParsedPacket& packet, FlowWarm& warm, bool& first) const noexcept;

    ChainPool pool_;
    QuicCipher quic_cipher_;
    Keeps keeps_ = Keeps::all;
    uint16_t ended_since_ = 0;  // behind what add() told of last
    uint64_t shortages_ = 0;
};

}  // namespace curlew::probe
