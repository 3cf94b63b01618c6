#pragma once

#include <cstring>
#include <string>

#include "probe/stream_cutter.h"
#include "tests/support/block_memory.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::tests {

inline Octets text(const std::string& letters) {
    return {letters.begin(), letters.end()};
}

inline Octets joined(Octets first, const Octets& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

// Base of test groups: one direction of a connection on its way through the cutter.
struct CutDirection : public Utest {
    BlockMemory memory{1000};
    probe::ChainPool pool{memory.octets()};
    probe::MessagePieces pieces{};
    uint8_t smb_fronts = 0;
    probe::StreamSide side{};
    probe::MessageKind hint = probe::MessageKind::none;
    probe::MessageKind dns = probe::MessageKind::none;
    bool bound_reached = false;

    void cut(const Octets& octets, bool gap = false) {
        probe::PieceSink sink{&pool, &pieces, &smb_fronts, 0, 0};
        cut_stream(side, octets, gap, hint, dns, sink);
        bound_reached = bound_reached || sink.cut;
    }

    void cut_singly(const Octets& octets) {
        for (const uint8_t octet : octets) {
            cut({octet});
        }
    }

    // The messages one after the other: octets, "]" at the end of each, "!" where it was cut.
    std::string messages() const {
        const Octets octets = chain_octets(pool, pieces.head);
        std::string all;
        for (size_t at = 0; at < octets.size();) {
            probe::StoredPiece piece;
            std::memcpy(&piece, &octets[at], sizeof(piece));
            at += sizeof(piece);
            if ((piece.flags & probe::kPieceBegins) != 0) {
                all += "[";
            }
            all.append(octets.begin() + static_cast<ptrdiff_t>(at),
                       octets.begin() + static_cast<ptrdiff_t>(at + piece.octets));
            all += (piece.flags & probe::kPieceCut) != 0 ? "!" : "";
            all += (piece.flags & probe::kPieceEnds) != 0 ? "]" : "";
            at += piece.octets;
        }
        return all;
    }
};

}  // namespace curlew::tests
