#include "probe/capture_losses.h"

#include <algorithm>
#include <cstring>

namespace curlew::probe {

namespace {

constexpr uint32_t kSection = 0x0a0d0d0a;
constexpr uint32_t kByteOrder = 0x1a2b3c4d;
constexpr uint32_t kInterface = 1;
constexpr uint32_t kOldPacket = 2;
constexpr uint32_t kStatistics = 5;
constexpr uint32_t kPacket = 6;

// Octets of a block: type and length; then these; behind its options the length again.
constexpr size_t kFront = 8;
constexpr size_t kSectionFixed = 4;      // byte-order magic
constexpr size_t kOldPacketFixed = 4;    // interface (16 bits), drop count (16 bits)
constexpr size_t kPacketFixed = 20;      // interface, time, captured length, length
constexpr size_t kStatisticsFixed = 12;  // interface, time
constexpr size_t kEnd = 4;

// More is noise.
constexpr uint64_t kMostLost = uint64_t{1} << 48;

uint64_t believed(uint64_t packets) noexcept {
    return packets <= kMostLost ? packets : 0;
}

}  // namespace

template <typename Integer>
Integer CaptureLosses::load(size_t offset) const noexcept {
    Integer value{};
    std::memcpy(&value, part_.data() + offset, sizeof(value));
    if (!swapped_) {
        return value;
    }
    if constexpr (sizeof(Integer) == 2) {
        return __builtin_bswap16(value);
    } else if constexpr (sizeof(Integer) == 4) {
        return __builtin_bswap32(value);
    } else {
        return __builtin_bswap64(value);
    }
}

void CaptureLosses::add(std::span<const uint8_t> octets) noexcept {
    while (step_ != Step::over && !octets.empty()) {
        const auto skipped = static_cast<size_t>(std::min<uint64_t>(skip_, octets.size()));
        skip_ -= skipped;
        octets = octets.subspan(skipped);
        const size_t part = std::min(wanted_ - have_, octets.size());
        std::copy_n(octets.data(), part, part_.data() + have_);
        have_ += part;
        octets = octets.subspan(part);
        if (have_ == wanted_) {
            have_ = 0;
            take();
        }
    }
}

uint64_t CaptureLosses::packets() const noexcept {
    uint64_t sum = of_sections_;
    for (const Interface& one : std::span(interfaces_).first(interface_count_)) {
        sum += std::max(one.by_packets, one.by_statistics);
    }
    return std::min(sum, kMostLost);
}

void CaptureLosses::want(Step step, uint64_t octets) noexcept {
    if (octets > left_) {
        step_ = Step::over;
        return;
    }
    step_ = step;
    wanted_ = static_cast<size_t>(octets);
    left_ -= octets;
}

void CaptureLosses::skip_rest() noexcept {
    skip_ = left_;
    step_ = Step::front;
    wanted_ = kFront;
}

// Behind the octets that are to be skipped, up to the end of the block.
void CaptureLosses::want_options() noexcept {
    if (left_ <= kEnd || left_ - kEnd > kMostOptions) {
        skip_ += left_;
        left_ = 0;
        step_ = Step::front;
        wanted_ = kFront;
        return;
    }
    want(Step::options, left_ - kEnd);
}

void CaptureLosses::take() noexcept {
    if (step_ == Step::front) {
        take_front();
    } else if (step_ == Step::options) {
        take_options();
        skip_rest();
    } else if (type_ == kSection) {
        take_section();
    } else if (type_ == kOldPacket) {
        // 0xffff: not known.
        const auto lost = load<uint16_t>(2);
        add_lost(load<uint16_t>(0), lost == UINT16_MAX ? 0 : lost);
        skip_rest();
    } else if (type_ == kPacket) {
        take_packet();
    } else {
        interface_ = load<uint32_t>(0);
        want_options();
    }
}

void CaptureLosses::take_front() noexcept {
    type_ = load<uint32_t>(0);
    const auto length = load<uint32_t>(4);
    if (type_ == kSection) {
        // What it is can be read when the byte order is known.
        std::memcpy(&section_length_, part_.data() + 4, sizeof(section_length_));
        left_ = kSectionFixed;
        want(Step::fixed, kSectionFixed);
        return;
    }
    if (length < kFront + kEnd || length % 4 != 0) {
        step_ = Step::over;
        return;
    }
    left_ = length - kFront;
    switch (type_) {
        case kOldPacket:
            want(Step::fixed, kOldPacketFixed);
            break;
        case kStatistics:
            want(Step::fixed, kStatisticsFixed);
            break;
        case kPacket:
            want(Step::fixed, kPacketFixed);
            break;
        default:
            interface_count_ += type_ == kInterface && interface_count_ < kMostInterfaces ? 1 : 0;
            skip_rest();
    }
}

void CaptureLosses::take_section() noexcept {
    swapped_ = false;
    swapped_ = load<uint32_t>(0) != kByteOrder;
    const uint32_t length = swapped_ ? __builtin_bswap32(section_length_) : section_length_;
    if (load<uint32_t>(0) != kByteOrder || length < kFront + kSectionFixed + kEnd ||
        length % 4 != 0) {
        step_ = Step::over;
        return;
    }
    of_sections_ = packets();
    interfaces_ = {};
    interface_count_ = 0;
    left_ = length - kFront - kSectionFixed;
    skip_rest();
}

void CaptureLosses::take_packet() noexcept {
    interface_ = load<uint32_t>(0);
    const uint64_t padded = (uint64_t{load<uint32_t>(12)} + 3) / 4 * 4;
    if (padded + kEnd > left_) {
        step_ = Step::over;
        return;
    }
    skip_ = padded;
    left_ -= padded;
    want_options();
}

void CaptureLosses::take_options() noexcept {
    constexpr uint16_t kDropCount = 4;      // epb_dropcount
    constexpr uint16_t kInterfaceDrop = 5;  // isb_ifdrop
    constexpr uint16_t kSystemDrop = 7;     // isb_osdrop
    uint64_t dropped = 0;
    for (size_t at = 0; at + 4 <= wanted_;) {
        const auto code = load<uint16_t>(at);
        const size_t length = load<uint16_t>(at + 2);
        at += 4;
        if (code == 0 || length > wanted_ - at) {
            break;
        }
        if (length == 8 && type_ == kPacket && code == kDropCount) {
            add_lost(interface_, load<uint64_t>(at));
        } else if (length == 8 && type_ == kStatistics &&
                   (code == kInterfaceDrop || code == kSystemDrop)) {
            dropped += believed(load<uint64_t>(at));
        }
        at += (length + 3) / 4 * 4;
    }
    if (type_ == kStatistics && interface_ < interface_count_) {
        uint64_t& told = interfaces_[interface_].by_statistics;
        told = std::max(told, believed(dropped));
    }
}

void CaptureLosses::add_lost(uint32_t interface, uint64_t packets) noexcept {
    if (interface < interface_count_) {
        uint64_t& told = interfaces_[interface].by_packets;
        told = std::min(told + believed(packets), kMostLost);
    }
}

}  // namespace curlew::probe
