#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "probe/capture_reader.h"
#include "tests/probe/capture_files.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::probe::test {

// What a reader made of a file's octets.
struct Reading {
    struct Packet {
        Octets octets;
        uint64_t time_ns;
        uint32_t wire_octets;
        LinkType link;
        bool is_untimed;
    };

    std::vector<Packet> packets;
    std::vector<CaptureLink> links;
    std::string fault;
    bool is_whole = false;  // it may end there
    bool nanosecond = false;
    uint64_t packets_lost = 0;
    LossIntervals losses;
    uint64_t end_ns = 0;
};

// The reader gets `piece` octets more whenever it asks.
inline Reading read_packets(const Octets& file, size_t piece = SIZE_MAX) {
    Reading reading;
    const auto reader = make_capture_reader(file);
    size_t at = 0;
    size_t given = 0;
    for (;;) {
        CapturedPacket packet;
        // By themselves, so that a sanitizer sees who reads behind them.
        const auto octets = std::make_unique_for_overwrite<uint8_t[]>(given);
        std::copy_n(file.data() + at, given, octets.get());
        std::span<uint8_t> unread(octets.get(), given);
        const auto step = reader->next(unread, packet);
        at += given - unread.size();
        given = unread.size();
        if (step == CaptureReader::Step::packet) {
            const PacketView& view = packet.view;
            reading.packets.push_back({Octets(view.data, view.data + view.captured_octets),
                                       view.time_ns,
                                       view.wire_octets,
                                       view.link,
                                       view.is_untimed});
        } else {
            const size_t left = file.size() - at - given;
            if (step == CaptureReader::Step::damaged || left == 0) {
                break;
            }
            CHECK(given < CaptureReader::kLongestRecord);
            given += std::min(piece, left);
        }
    }
    reading.links = reader->links();
    reading.fault = reader->fault();
    reading.is_whole = reading.fault.empty() && given == 0 && reader->is_between_records();
    reading.nanosecond = reader->nanosecond();
    reading.packets_lost = reader->packets_lost();
    reading.losses = reader->losses();
    reading.end_ns = reader->end_ns();
    return reading;
}

}  // namespace curlew::probe::test
