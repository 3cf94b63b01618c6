// Hot path.
#include "probe/flow_features.h"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <limits>
#include <type_traits>

namespace curlew::probe {

namespace {

// Octets of a payload that are fetched before they are counted; further on the processor sees by
// itself that they are read in order.
constexpr uint32_t kFetchedPayload = 512;

template <size_t kOctets>
void prefetch_lines(const uint8_t* octets) noexcept {
    for (size_t line = 0; line < kOctets; line += 64) {
        __builtin_prefetch(octets + line, 1);
    }
}

// Sums by position modulo 4; the Walsh-Hadamard sums of groups of four are their combinations.
void sum_positions(std::span<const uint8_t> payload, std::array<int64_t, 4>& sums) noexcept {
    // Eight octets at a time, each in 16 bits of its own: lanes hold positions 0, 2, 0, 2 and
    // 1, 3, 1, 3. After this many words a lane could overflow.
    constexpr size_t kWordsPerRound = 256;
    static_assert(kWordsPerRound * 255 <= 65535);
    static_assert(std::endian::native == std::endian::little);
    constexpr uint64_t kEvenOctets = 0x00ff00ff00ff00ff;
    std::array<uint64_t, 4> local{};
    size_t i = 0;
    while (payload.size() - i >= sizeof(uint64_t)) {
        const size_t words = std::min((payload.size() - i) / sizeof(uint64_t), kWordsPerRound);
        uint64_t even = 0;
        uint64_t odd = 0;
        for (const size_t end = i + words * sizeof(uint64_t); i < end; i += sizeof(uint64_t)) {
            uint64_t word;
            std::memcpy(&word, payload.data() + i, sizeof(word));
            even += word & kEvenOctets;
            odd += (word >> 8) & kEvenOctets;
        }
        local[0] += (even & 0xffff) + (even >> 32 & 0xffff);
        local[1] += (odd & 0xffff) + (odd >> 32 & 0xffff);
        local[2] += (even >> 16 & 0xffff) + (even >> 48);
        local[3] += (odd >> 16 & 0xffff) + (odd >> 48);
    }
    for (size_t position = 0; i < payload.size(); ++i, ++position) {
        local[position % 4] += payload[i];
    }
    for (size_t position = 0; position < 4; ++position) {
        sums[position] += static_cast<int64_t>(local[position]);
    }
}

// Octets that are alike follow each other, and each increment waits for the one before: a long
// payload is counted in four tables, one octet apart, which are added up behind it. From which
// length on that is worth it was measured.
template <typename Count>
inline constexpr size_t kWorthTables = sizeof(Count) == 1   ? 128
                                       : sizeof(Count) == 2 ? 256
                                                            : 1024;

// Requires: no count passes what it can hold.
template <typename Count>
void count_values(std::span<const uint8_t> payload, Count* counts) noexcept {
    using Cell = std::conditional_t<sizeof(Count) == 1, uint8_t, uint16_t>;
    constexpr size_t kTables = 4;
    // After so many octets a cell could overflow.
    constexpr size_t kAtOnce = kTables * std::numeric_limits<Cell>::max();
    while (payload.size() >= kWorthTables<Count>) {
        const size_t octets = std::min(payload.size() / kTables * kTables, kAtOnce);
        std::array<std::array<Cell, 256>, kTables> tables{};
        for (size_t i = 0; i < octets; i += kTables) {
            ++tables[0][payload[i]];
            ++tables[1][payload[i + 1]];
            ++tables[2][payload[i + 2]];
            ++tables[3][payload[i + 3]];
        }
        for (size_t value = 0; value < 256; ++value) {
            counts[value] = static_cast<Count>(counts[value] + tables[0][value] + tables[1][value] +
                                               tables[2][value] + tables[3][value]);
        }
        payload = payload.subspan(octets);
    }
    for (const uint8_t octet : payload) {
        ++counts[octet];
    }
}

template <typename To, typename From>
void copy_counts(const uint8_t* from, uint8_t* to) noexcept {
    const auto* smaller = reinterpret_cast<const From*>(from);
    auto* larger = reinterpret_cast<To*>(to);
    for (size_t value = 0; value < 256; ++value) {
        larger[value] = smaller[value];
    }
}

}  // namespace

FlowFeatures::FlowFeatures(const PacketListConfig& list, const FeatureMemory& memory) noexcept
    : list_(list),
      blocks_(memory.blocks),
      small_(memory.small_counts),
      middle_(memory.middle_counts),
      large_(memory.large_counts),
      statistics_(memory.statistics) {}

const FlowDetails* FlowFeatures::details(const FlowHot& hot) const noexcept {
    return hot.details == 0 ? nullptr
                            : reinterpret_cast<const FlowDetails*>(blocks_.at(hot.details - 1));
}

void FlowFeatures::prefetch_details(const FlowHot& hot) const noexcept {
    if (hot.details != 0) {
        prefetch_lines<kBlockOctets>(blocks_.at(hot.details - 1));
    }
}

void FlowFeatures::prefetch_chain(uint32_t head) const noexcept {
    if (head != 0) {
        prefetch_lines<kBlockOctets>(blocks_.at(head - 1));
    }
}

void FlowFeatures::prefetch_lists(const FlowHot& hot, const ParsedPacket& packet) const noexcept {
    if (hot.details == 0) {
        return;
    }
    const FlowDetails& record = *details(hot);
    const size_t side = packet.from_low ? 0 : 1;
    if (record.packets_tail != 0) {
        prefetch_lines<kBlockOctets>(blocks_.at(record.packets_tail - 1));
    }
    const bool is_counted = packet.payload_captured_octets != 0;
    for (uint32_t at = 64; at < std::min(packet.payload_captured_octets, kFetchedPayload);
         at += 64) {
        __builtin_prefetch(packet.payload + at);
    }
    if (is_counted && record.small_counts != 0) {
        prefetch_lines<kSmallCountsOctets>(small_.at(record.small_counts - 1));
    }
    if (is_counted && record.middle_counts != 0) {
        prefetch_lines<kMiddleCountsOctets>(middle_.at(record.middle_counts - 1));
    }
    if (record.statistics[side] != 0) {
        prefetch_lines<kEveryPacketOctets>(statistics_.at(record.statistics[side] - 1));
    }
    // What this side acknowledges is noted with the other one.
    if (hot.key.protocol == kProtocolTcp && record.statistics[1 - side] != 0) {
        __builtin_prefetch(statistics_.at(record.statistics[1 - side] - 1), 1);
    }
}

void FlowFeatures::prefetch_export(const FlowDetails& details) const noexcept {
    for (const uint32_t block : details.statistics) {
        if (block != 0) {
            prefetch_lines<sizeof(SideStatistics)>(statistics_.at(block - 1));
        }
    }
    const std::span<const uint8_t> counted = counts(details);
    for (size_t line = 0; line < counted.size(); line += 64) {
        __builtin_prefetch(counted.data() + line);
    }
    prefetch_chain(details.tcp_beginnings);
}

std::span<const uint8_t> FlowFeatures::counts(const FlowDetails& details) const noexcept {
    if (details.large_counts != 0) {
        return {large_.at(details.large_counts - 1), kLargeCountsOctets};
    }
    if (details.middle_counts != 0) {
        return {middle_.at(details.middle_counts - 1), kMiddleCountsOctets};
    }
    if (details.small_counts != 0) {
        return {small_.at(details.small_counts - 1), kSmallCountsOctets};
    }
    return {};
}

const TcpBeginning* FlowFeatures::tcp_beginnings(const FlowDetails& details) const noexcept {
    return details.tcp_beginnings == 0
               ? nullptr
               : reinterpret_cast<const TcpBeginning*>(blocks_.at(details.tcp_beginnings - 1));
}

const SideStatistics* FlowFeatures::statistics(const FlowDetails& details,
                                               size_t side) const noexcept {
    const SideStatistics* found = sequence(details, side);
    return found == nullptr || found->packets == 0 ? nullptr : found;
}

SideStatistics* FlowFeatures::sequence(const FlowDetails& details, size_t side) const noexcept {
    const uint32_t block = details.statistics[side];
    return block == 0 ? nullptr : reinterpret_cast<SideStatistics*>(statistics_.at(block - 1));
}

bool FlowFeatures::append(uint32_t& head,
                          uint32_t& tail,
                          std::span<const uint8_t> octets) noexcept {
    if (!append_to_chain(blocks_, head, tail, octets)) {
        ++shortages_;
        return false;
    }
    return true;
}

void FlowFeatures::release_chain(uint32_t& head) noexcept {
    probe::release_chain(blocks_, head);
}

void FlowFeatures::release_lists(FlowDetails& details) noexcept {
    release_chain(details.packets);
    release_chain(details.first_packet[0]);
    release_chain(details.first_packet[1]);
    if (details.small_counts != 0) {
        small_.give(details.small_counts - 1);
    }
    if (details.middle_counts != 0) {
        middle_.give(details.middle_counts - 1);
    }
    if (details.large_counts != 0) {
        large_.give(details.large_counts - 1);
    }
    if (details.tcp_beginnings != 0) {
        blocks_.give(details.tcp_beginnings - 1);
    }
}

void FlowFeatures::release(FlowHot& hot) noexcept {
    if (hot.details == 0) {
        return;
    }
    auto& details = *reinterpret_cast<FlowDetails*>(blocks_.at(hot.details - 1));
    release_lists(details);
    for (const uint32_t block : details.statistics) {
        if (block != 0) {
            statistics_.give(block - 1);
        }
    }
    blocks_.give(hot.details - 1);
    hot.details = 0;
}

void FlowFeatures::begin_record(FlowHot& hot) noexcept {
    if (hot.details == 0 || hot.key.protocol != kProtocolTcp) {
        release(hot);
        return;
    }
    auto& details = *reinterpret_cast<FlowDetails*>(blocks_.at(hot.details - 1));
    release_lists(details);
    const std::array<uint32_t, 2> blocks = details.statistics;
    details = FlowDetails{};
    details.statistics = blocks;
    for (const size_t side : {size_t{0}, size_t{1}}) {
        if (blocks[side] != 0) {
            continue_statistics(*sequence(details, side));
        }
    }
}

void FlowFeatures::add(FlowHot& hot, const ParsedPacket& packet) noexcept {
    if (hot.details == 0) {
        const uint32_t block = blocks_.take();
        if (block == kNoBlock) {
            ++shortages_;
            hot.quality |= kQualityListCut;
            return;
        }
        hot.details = block + 1;
    }
    auto& details = *reinterpret_cast<FlowDetails*>(blocks_.at(hot.details - 1));
    details.frame_octets[packet.from_low ? 0 : 1] += packet.frame_octets;
    count_packet(hot, details, packet);
    add_to_lists(hot, details, packet);
    if (packet.key.protocol == kProtocolTcp) {
        add_tcp_beginning(hot, details, packet);
    }
    if (packet.payload_captured_octets != 0) {
        count_octets(hot, details, packet);
    }
}

void FlowFeatures::count_packet(FlowHot& hot,
                                FlowDetails& details,
                                const ParsedPacket& packet) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    if (details.statistics[side] == 0) {
        const uint32_t block = statistics_.take();
        if (block == kNoBlock) {
            ++shortages_;
            hot.quality |= kQualityListCut;
            return;
        }
        details.statistics[side] = block + 1;
        begin_statistics(*sequence(details, side));
    }
    add_statistics(*sequence(details, side),
                   sequence(details, 1 - side),
                   packet,
                   (hot.state & kStateContinued) == 0);
}

void FlowFeatures::add_to_lists(FlowHot& hot,
                                FlowDetails& details,
                                const ParsedPacket& packet) noexcept {
    const size_t side = packet.from_low ? 0 : 1;
    PacketEntry entry{};
    entry.time_ns = packet.time_ns;
    entry.payload_octets = packet.payload_octets;
    entry.ip_id = packet.ip_id;
    entry.tcp_flags = packet.tcp_flags;
    if (packet.payload_octets != 0 || list_.all) {
        if (details.listed_packets[side] < list_.packets) {
            ++details.listed_packets[side];
            entry.marks |= kListedPacket;
        } else if (list_.packets != 0) {
            hot.quality |= kQualityListCut;
        }
    }
    if (packet.key.ip_version == 4 && details.listed_ids[side] < kListedIpIds) {
        ++details.listed_ids[side];
        entry.marks |= kListedId;
    }
    const bool is_listed = entry.marks != 0;
    entry.marks |= packet.from_low ? 0 : kFromHigh;
    if (is_listed && !append(details.packets,
                             details.packets_tail,
                             {reinterpret_cast<const uint8_t*>(&entry), sizeof(entry)})) {
        hot.quality |= kQualityListCut;
    }
    if (packet.payload_captured_octets != 0 && details.first_packet[side] == 0) {
        const uint32_t octets = std::min<uint32_t>(packet.ip_captured_octets, kFirstPacketOctets);
        uint32_t tail = 0;
        if (!append(details.first_packet[side], tail, {packet.ip, octets})) {
            hot.quality |= kQualityListCut;
        }
        details.payload_offset[side] = static_cast<uint16_t>(
            std::min<ptrdiff_t>(packet.payload - packet.ip, kFirstPacketOctets));
    }
}

void FlowFeatures::add_tcp_beginning(FlowHot& hot,
                                     FlowDetails& details,
                                     const ParsedPacket& packet) noexcept {
    if (tcp_beginning(packet.tcp_flags) == 0) {
        return;
    }
    if (details.tcp_beginnings == 0) {
        const uint32_t block = blocks_.take();
        if (block == kNoBlock) {
            ++shortages_;
            hot.quality |= kQualityListCut;
            return;
        }
        details.tcp_beginnings = block + 1;
    }
    auto* sides = reinterpret_cast<TcpBeginning*>(blocks_.at(details.tcp_beginnings - 1));
    TcpBeginning& side = sides[packet.from_low ? 0 : 1];
    if (side.flags == 0) {
        side.flags = packet.tcp_flags;
        side.sequence = packet.tcp_sequence;
        side.window = packet.tcp_window;
    }
    const size_t options = std::min<size_t>(packet.tcp_option_octets, kTcpOptionOctets);
    side.option_octets = static_cast<uint8_t>(options);
    if (options != 0) {
        std::memcpy(side.options.data(), packet.transport + 20, options);
    }
}

// So that no count can overflow when there are so many octets in all.
bool FlowFeatures::make_room(FlowDetails& details, uint64_t octets) noexcept {
    const uint32_t small = details.small_counts;
    const uint32_t middle = details.middle_counts;
    if (octets <= UINT8_MAX) {
        details.small_counts = small != 0 ? small : small_.take() + 1;
        return details.small_counts != 0;
    }
    if (octets <= UINT16_MAX) {
        details.middle_counts = middle != 0 ? middle : middle_.take() + 1;
        if (details.middle_counts == 0) {
            return false;
        }
        if (small != 0) {
            copy_counts<uint16_t, uint8_t>(small_.at(small - 1),
                                           middle_.at(details.middle_counts - 1));
            small_.give(small - 1);
            details.small_counts = 0;
        }
        return true;
    }
    details.large_counts = large_.take() + 1;
    if (details.large_counts == 0) {
        return false;
    }
    uint8_t* large = large_.at(details.large_counts - 1);
    if (middle != 0) {
        copy_counts<uint64_t, uint16_t>(middle_.at(middle - 1), large);
        middle_.give(middle - 1);
        details.middle_counts = 0;
    } else if (small != 0) {
        copy_counts<uint64_t, uint8_t>(small_.at(small - 1), large);
        small_.give(small - 1);
        details.small_counts = 0;
    }
    return true;
}

void FlowFeatures::count_octets(FlowHot& hot,
                                FlowDetails& details,
                                const ParsedPacket& packet) noexcept {
    const std::span<const uint8_t> payload(packet.payload, packet.payload_captured_octets);
    const uint64_t octets = details.counted_octets + payload.size();
    if (details.large_counts == 0 && !make_room(details, octets)) {
        ++shortages_;
        hot.quality |= kQualityListCut;
        return;
    }
    if (details.large_counts != 0) {
        count_values(payload, reinterpret_cast<uint64_t*>(large_.at(details.large_counts - 1)));
    } else if (details.middle_counts != 0) {
        count_values(payload, reinterpret_cast<uint16_t*>(middle_.at(details.middle_counts - 1)));
    } else {
        count_values(payload, small_.at(details.small_counts - 1));
    }
    details.counted_octets = octets;
    sum_positions(payload, details.position_sums);
}

}  // namespace curlew::probe
