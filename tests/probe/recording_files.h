#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "probe/recorder.h"
#include "probe/recording_lane.h"
#include "tests/support/packet_builder.h"
#include "tests/support/temporary_folder.h"

// Recordings in words, and what their files hold, read block by block without the writer's code.

namespace curlew::probe::test {

struct Block {
    uint32_t type = 0;
    std::string body;
    size_t end = 0;  // in the file

    template <typename Number>
    Number at(size_t offset) const {
        Number number{};
        std::memcpy(&number, body.substr(offset, sizeof(number)).data(), sizeof(number));
        return number;
    }
    uint64_t time(size_t offset) const {
        return uint64_t{at<uint32_t>(offset)} << 32 | at<uint32_t>(offset + 4);
    }
    // By code, those that stand from `offset` on.
    std::map<uint16_t, std::string> options(size_t offset) const {
        std::map<uint16_t, std::string> found;
        while (at<uint16_t>(offset) != 0) {
            const auto octets = at<uint16_t>(offset + 2);
            found[at<uint16_t>(offset)] = body.substr(offset + 4, octets);
            offset += 4 + (octets + 3u) / 4 * 4;
        }
        return found;
    }
};

inline constexpr uint32_t kSection = 0x0a0d0d0a;
inline constexpr uint32_t kInterface = 1;
inline constexpr uint32_t kStatistics = 5;
inline constexpr uint32_t kPacket = 6;

inline uint64_t number_of(const std::string& octets) {
    uint64_t number = 0;
    std::memcpy(&number, octets.data(), std::min(octets.size(), sizeof(number)));
    return number;
}

inline std::vector<Block> blocks_of(const std::string& content) {
    std::vector<Block> blocks;
    size_t at = 0;
    while (at < content.size()) {
        Block block;
        uint32_t octets = 0;
        std::memcpy(&block.type, &content[at], 4);
        std::memcpy(&octets, &content[at + 4], 4);
        block.body = content.substr(at + 8, octets - 12);
        at += octets;
        block.end = at;
        blocks.push_back(block);
    }
    return blocks;
}

// What a packet's block says.
struct Recorded {
    explicit Recorded(const Block& block)
        : interface(block.at<uint32_t>(0)),
          time_ns(block.time(4)),
          wire_octets(block.at<uint32_t>(16)) {
        const auto captured = block.at<uint32_t>(12);
        const auto* first = reinterpret_cast<const uint8_t*>(block.body.data()) + 20;
        octets.assign(first, first + captured);
        const auto options = block.options(20 + (captured + 3u) / 4 * 4);
        flags = number_of(options.at(2));
        queue = number_of(options.at(6));
        lost_before = options.count(4) != 0 ? number_of(options.at(4)) : 0;
    }

    uint32_t interface;
    uint64_t time_ns;
    uint32_t wire_octets;
    tests::Octets octets;
    uint64_t flags = 0;
    uint64_t queue = 0;
    uint64_t lost_before = 0;
};

inline std::vector<Recorded> packets_of(const std::filesystem::path& file) {
    std::vector<Recorded> packets;
    for (const Block& block : blocks_of(tests::content_of(file))) {
        if (block.type == kPacket) {
            packets.emplace_back(block);
        }
    }
    return packets;
}

// Names in the folder in order, but for the lock.
inline std::vector<std::string> names_in(const std::filesystem::path& folder) {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().filename() != ".lock") {
            names.push_back(entry.path().filename().string());
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

inline std::vector<Recorded> packets_in(const std::filesystem::path& folder) {
    std::vector<Recorded> packets;
    for (const std::string& name : names_in(folder)) {
        for (const Recorded& packet : packets_of(folder / name)) {
            packets.push_back(packet);
        }
    }
    return packets;
}

inline tests::Packet packet_at(uint64_t time_ns, size_t payload_octets = 4) {
    return tests::PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .udp(7, 53)
        .payload(tests::Octets(payload_octets, static_cast<uint8_t>(time_ns)))
        .time_ns(time_ns)
        .build();
}

// As a worker that has just metered it into a flow of which nothing is known.
inline void offer(RecordingLane& lane, const tests::Packet& packet, uint16_t queue = 0) {
    ParsedPacket parsed;
    parse_packet(packet.view(), {}, parsed);
    parsed.queue = queue;
    FlowHot hot;
    hot.octets[0] = parsed.octets;
    lane.offer(parsed, hot, {});
}

inline RecorderConfig recorder_config(const std::filesystem::path& folder) {
    RecorderConfig config;
    config.folder = folder;
    config.probe = "hall-2";
    config.program = "curlew-probe 1.2.3";
    config.epoch = 0x0123456789abcdef;
    config.interfaces = {{"net_x0", "net_x", "udp"}};
    config.queues = {{0, 0}};
    config.keep.min_free = 0;
    return config;
}

// All that lies in the lanes into files; nothing waits for anything.
inline RecordingLedger record(const RecorderConfig& config,
                              const std::vector<RecordingLane*>& lanes,
                              const std::vector<PortCounters>& at_end = {{}}) {
    Recorder recorder(config, lanes, [&at_end] { return at_end; });
    recorder.finish(0);
    recorder.run();
    return recorder.ledger();
}

}  // namespace curlew::probe::test
