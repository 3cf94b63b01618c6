#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "probe/message_store.h"
#include "tests/support/block_memory.h"

// Input: packets of one flow. Each begins with a protocol and direction, a sequence number in steps
// from a common one, and a length; its payload lies in memory of its own length, so that a read
// past it is seen. In the end every block has to be back.

namespace {

using namespace curlew::probe;

constexpr size_t kBlocks = 700;

struct Input {
    const uint8_t* at;
    size_t left;

    uint8_t octet() {
        if (left == 0) {
            return 0;
        }
        --left;
        return *at++;
    }
    std::vector<uint8_t> take(size_t count) {
        count = std::min(count, left);
        std::vector<uint8_t> octets(at, at + count);
        at += count;
        left -= count;
        return octets;
    }
};

// Every piece lies whole in the chain.
void check_pieces(const std::vector<uint8_t>& octets) {
    size_t at = 0;
    while (at < octets.size()) {
        StoredPiece piece;
        if (octets.size() - at < sizeof(piece)) {
            std::abort();
        }
        std::memcpy(&piece, &octets[at], sizeof(piece));
        at += sizeof(piece);
        if (piece.octets > octets.size() - at || piece.kind == MessageKind::none) {
            std::abort();
        }
        at += piece.octets;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    static constexpr uint16_t kPorts[] = {53, 5353, 5355, 67, 123, 1900, 443, 8080};
    curlew::tests::BlockMemory memory(kBlocks);
    const auto keeps =
        size > 1 && (data[1] & 0x80) != 0 ? MessageStore::Keeps::little : MessageStore::Keeps::all;
    MessageStore store(memory.octets(), keeps);
    Input input{data, size};
    FlowHot hot;
    FlowWarm warm;
    const uint8_t kind = input.octet();
    hot.key.high_port = kPorts[kind & 7];
    hot.key.protocol = (kind & 8) != 0 ? kProtocolTcp : kProtocolUdp;
    warm.message_kind = kind >> 4 > 11 ? 0 : kind >> 4;
    while (input.left != 0) {
        const uint8_t choice = input.octet();
        ParsedPacket packet;
        packet.key = hot.key;
        packet.from_low = (choice & 1) != 0;
        packet.tcp_flags = (choice & 2) != 0 ? kTcpSyn : kTcpAck;
        packet.tcp_header_octets = 20;
        packet.tcp_sequence = 0xfffffff0 + input.octet() * ((choice & 4) != 0 ? 256u : 1u);
        const std::vector<uint8_t> payload =
            input.take(input.octet() * ((choice & 8) != 0 ? 64u : 1u));
        packet.payload = payload.data();
        packet.payload_captured_octets = static_cast<uint32_t>(payload.size());
        packet.payload_octets = packet.payload_captured_octets + ((choice & 16) != 0 ? 3 : 0);
        const MessageKind joined = store.add(packet, hot, warm);
        if (joined != MessageKind::none) {
            std::array<uint8_t, 64> room;
            if (store.copy_joined(joined, warm, !packet.from_low, room) > room.size()) {
                std::abort();
            }
        }
        store.let_go(hot, warm);
        if ((choice & 0xe0) == 0xe0) {
            store.end_record(warm);
        }
    }
    store.finish(hot, warm);
    std::vector<uint8_t> octets;
    store.visit(warm, [&](std::span<const uint8_t> part) {
        octets.insert(octets.end(), part.begin(), part.end());
    });
    ChainLength measured = store.chain(warm);
    measure_chains({&measured, 1});
    if (octets.size() != measured.octets || octets.size() > kMaximumMessageOctets) {
        std::abort();
    }
    check_pieces(octets);
    store.release(warm);
    if (store.blocks_left() != kBlocks) {
        std::abort();
    }
    return 0;
}
