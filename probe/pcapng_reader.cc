#include "probe/pcapng_reader.h"

#include <algorithm>
#include <string>

#include "probe/capture_order.h"

namespace curlew::probe {

namespace {

constexpr uint32_t kSection = 0x0a0d0d0a;
constexpr uint32_t kInterface = 1;
constexpr uint32_t kOldPacket = 2;
constexpr uint32_t kSimplePacket = 3;
constexpr uint32_t kStatistics = 5;
constexpr uint32_t kPacket = 6;

constexpr uint32_t kByteOrder = 0x1a2b3c4d;
constexpr size_t kFront = 8;           // type and length
constexpr size_t kEnd = 4;             // the length again
constexpr size_t kSmallestBlock = 12;  // a section's byte order is within
constexpr size_t kPacketFixed = 20;    // interface, time, captured length, wire length

constexpr size_t kMostInterfaces = 65'536;         // of a section
constexpr uint64_t kMostLost = uint64_t{1} << 48;  // more is noise

constexpr uint64_t kNsPerSecond = 1'000'000'000;

bool is_known(uint32_t type) noexcept {
    return type == kSection || type == kInterface || type == kOldPacket || type == kSimplePacket ||
           type == kStatistics || type == kPacket;
}

uint64_t believed(uint64_t packets) noexcept {
    return packets <= kMostLost ? packets : 0;
}

size_t to_words(size_t octets) noexcept {
    return (octets + 3) / 4 * 4;
}

// The upper half comes first, whatever the byte order.
uint64_t time_at(const uint8_t* at, bool swapped) noexcept {
    return uint64_t{load<uint32_t>(at, swapped)} << 32 | load<uint32_t>(at + 4, swapped);
}

constexpr uint64_t power_of_ten(uint8_t exponent) noexcept {
    uint64_t power = 1;
    for (uint8_t i = 0; i < exponent; ++i) {
        power *= 10;
    }
    return power;
}

// if_fcslen is in bits by the draft's words and in octets by its example. Files have both.
uint32_t check_sequence_octets(uint8_t told) noexcept {
    constexpr uint8_t kMostOctets = 15;
    if (told <= kMostOctets) {
        return told;
    }
    return told % 8 == 0 && told / 8 <= kMostOctets ? told / 8 : 0;
}

//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |      Option Code              |         Option Length         |
//   |                     value, padded to 32 bits                  |
// False: one is longer than what there is.
template <typename Take>
bool for_each_option(std::span<const uint8_t> options, bool swapped, Take take) {
    constexpr uint16_t kEndOfOptions = 0;
    while (options.size() >= 4) {
        const auto code = load<uint16_t>(options.data(), swapped);
        const size_t length = load<uint16_t>(options.data() + 2, swapped);
        options = options.subspan(4);
        if (code == kEndOfOptions) {
            return true;
        }
        if (length > options.size()) {
            return false;
        }
        take(code, options.first(length));
        options = options.subspan(std::min(to_words(length), options.size()));
    }
    return true;
}

}  // namespace

uint64_t PcapngReader::Clock::nanoseconds(uint64_t ticks) const noexcept {
    __extension__ using Wide = __int128;
    constexpr uint8_t kNanosecond = 9;
    constexpr uint8_t kMostDecimal = 19;  // whose ticks of a second 64 bits hold
    constexpr uint8_t kMostBinary = 63;
    if (!is_binary && exponent <= kNanosecond && offset_seconds == 0) {
        const uint64_t tick_ns = power_of_ten(kNanosecond - exponent);
        return ticks > kLatestTimeNs / tick_ns ? kLatestTimeNs : ticks * tick_ns;
    }
    Wide since = 0;
    if (is_binary) {
        const Wide seconds = exponent <= kMostBinary ? ticks >> exponent : 0;
        const Wide rest = Wide{ticks} - (exponent <= kMostBinary ? seconds << exponent : Wide{0});
        since = seconds * kNsPerSecond + (rest * kNsPerSecond >> exponent);
    } else if (exponent <= kMostDecimal) {
        const uint64_t per_second = power_of_ten(exponent);
        since = Wide{ticks / per_second} * kNsPerSecond +
                Wide{ticks % per_second} * kNsPerSecond / per_second;
    } else if (exponent - kNanosecond <= kMostDecimal) {
        since = ticks / power_of_ten(exponent - kNanosecond);
    }
    since += Wide{offset_seconds} * kNsPerSecond;
    return static_cast<uint64_t>(std::clamp(since, Wide{0}, Wide{kLatestTimeNs}));
}

bool PcapngReader::Clock::is_finer_than_microseconds() const noexcept {
    constexpr uint8_t kMicrosecond = 6;
    constexpr uint8_t kBinaryMicrosecond = 20;  // 2^20 are the first above a million
    return is_binary ? exponent >= kBinaryMicrosecond : exponent > kMicrosecond;
}

bool PcapngReader::begins(std::span<const uint8_t> head) noexcept {
    return head.size() >= 4 && load<uint32_t>(head.data(), false) == kSection;
}

CaptureReader::Step PcapngReader::next(std::span<uint8_t>& octets,
                                       CapturedPacket& packet) noexcept {
    Step step = Step::more;
    for (bool goes_on = true; goes_on;) {
        const auto skipped = static_cast<size_t>(std::min<uint64_t>(skip_, octets.size()));
        skip_ -= skipped;
        octets = octets.subspan(skipped);
        const size_t before = octets.size();
        step = skip_ == 0 ? take_block(octets, packet) : Step::more;
        goes_on = step == Step::more && octets.size() < before;
    }
    return step;
}

// More: a block, or what is here of it, was passed over, or octets are wanting.
CaptureReader::Step PcapngReader::take_block(std::span<uint8_t>& octets,
                                             CapturedPacket& packet) noexcept {
    if (length_again_ != 0) {
        if (octets.size() < kEnd) {
            return Step::more;
        }
        if (load<uint32_t>(octets.data(), swapped_) != length_again_) {
            return damage("a block's two lengths differ");
        }
        octets = octets.subspan(kEnd);
        length_again_ = 0;
    }
    if (octets.size() < kSmallestBlock) {
        return Step::more;
    }
    const auto type = load<uint32_t>(octets.data(), swapped_);
    if (type == kSection) {  // the same in either order
        swapped_ = load<uint32_t>(octets.data() + kFront, false) != kByteOrder;
        if (load<uint32_t>(octets.data() + kFront, swapped_) != kByteOrder) {
            return damage("a section in no known byte order");
        }
    }
    const auto length = load<uint32_t>(octets.data() + 4, swapped_);
    if (length < kSmallestBlock || length % 4 != 0) {
        return damage("a block of " + std::to_string(length) + " octets");
    }
    if (!is_known(type)) {
        octets = octets.subspan(kFront);
        skip_ = length - kFront - kEnd;
        length_again_ = length;
        return Step::more;
    }
    const bool is_whole = length <= kLongestRecord;
    const size_t wanted = is_whole ? length : kLongestRecord - kEnd;
    if (octets.size() < wanted) {
        return Step::more;
    }
    if (is_whole && load<uint32_t>(octets.data() + length - kEnd, swapped_) != length) {
        return damage("a block's two lengths differ");
    }
    const Block block{
        type, length, octets.subspan(kFront, wanted - kFront - (is_whole ? kEnd : 0))};
    octets = octets.subspan(wanted);
    if (!is_whole) {
        skip_ = length - wanted - kEnd;
        length_again_ = length;
    }
    return take(block, packet);
}

CaptureReader::Step PcapngReader::take(const Block& block, CapturedPacket& packet) noexcept {
    switch (block.type) {
        case kSection:
            return take_section(block);
        case kInterface:
            return take_interface(block);
        case kStatistics:
            take_statistics(block);
            return Step::more;
        case kSimplePacket:
            return take_simple_packet(block, packet);
        default:
            return take_packet(block, packet);
    }
}

// byte-order magic (32 bits), version (16, 16), section length (64), options
CaptureReader::Step PcapngReader::take_section(const Block& block) {
    constexpr size_t kFixed = 16;
    constexpr uint16_t kMajorVersion = 1;
    if (block.contents.size() < kFixed) {
        return damage("a section of no version");
    }
    if (const auto major = load<uint16_t>(block.contents.data() + 4, swapped_);
        major != kMajorVersion) {
        return damage("a section of version " + std::to_string(major));
    }
    note_rest_of_section(losses_);
    lost_ = packets_lost();
    interfaces_.clear();
    section_from_ns_ = UINT64_MAX;
    section_to_ns_ = 0;
    return Step::more;
}

// link type (16 bits), reserved (16), snapshot length (32), options
CaptureReader::Step PcapngReader::take_interface(const Block& block) {
    constexpr size_t kFixed = 8;
    constexpr uint16_t kResolution = 9;  // if_tsresol
    constexpr uint16_t kFcsLength = 13;  // if_fcslen
    constexpr uint16_t kOffset = 14;     // if_tsoffset
    constexpr uint8_t kBinary = 0x80;
    if (block.contents.size() < kFixed) {
        return damage("an interface of no link type");
    }
    if (interfaces_.size() == kMostInterfaces) {
        return damage("more than " + std::to_string(kMostInterfaces) + " interfaces");
    }
    Interface told;
    told.link = link_of(load<uint16_t>(block.contents.data(), swapped_), swapped_);
    told.snap_length = load<uint32_t>(block.contents.data() + 4, swapped_);
    const auto note = [&](uint16_t code, std::span<const uint8_t> value) {
        if (code == kResolution && value.size() == 1) {
            told.clock.is_binary = (value[0] & kBinary) != 0;
            told.clock.exponent = value[0] & static_cast<uint8_t>(~kBinary);
        } else if (code == kFcsLength && value.size() == 1) {
            told.check_sequence = check_sequence_octets(value[0]);
        } else if (code == kOffset && value.size() == 8) {
            told.clock.offset_seconds =
                static_cast<int64_t>(load<uint64_t>(value.data(), swapped_));
        }
    };
    const bool is_whole = block.length <= kLongestRecord;
    if (!for_each_option(block.contents.subspan(kFixed), swapped_, note) && is_whole) {
        return damage("an interface with an option that is longer than its block");
    }
    if (!knows_first_) {
        knows_first_ = true;
        is_finer_ = told.clock.is_finer_than_microseconds();
    }
    interfaces_.push_back(told);
    return Step::more;
}

// interface (32 bits), time (64), captured length (32), wire length (32), octets, padding, options;
// of the old kind interface (16) and drop count (16).
CaptureReader::Step PcapngReader::take_packet(const Block& block, CapturedPacket& packet) noexcept {
    const bool is_old = block.type == kOldPacket;
    const uint8_t* const fixed = block.contents.data();
    if (block.contents.size() < kPacketFixed) {
        return damage("a packet of no length");
    }
    const uint32_t index =
        is_old ? load<uint16_t>(fixed, swapped_) : load<uint32_t>(fixed, swapped_);
    const auto captured = load<uint32_t>(fixed + 12, swapped_);
    const size_t octets = to_words(captured);
    if (index >= interfaces_.size()) {
        return damage("a packet of interface " + std::to_string(index) +
                      ", which is not described");
    }
    if (octets > block.length - kFront - kPacketFixed - kEnd) {
        return damage("a packet that is longer than its block");
    }
    Interface& interface = interfaces_[index];
    packet_ns_ = interface.clock.nanoseconds(time_at(fixed + 4, swapped_));
    const size_t here = block.contents.size() - kPacketFixed;
    Raw raw{block.contents.data() + kPacketFixed,
            packet_ns_,
            static_cast<uint32_t>(std::min<size_t>({captured, here, kMaximumPacketOctets})),
            load<uint32_t>(fixed + 16, swapped_),
            interface.check_sequence};
    if (is_old) {
        const auto lost = load<uint16_t>(fixed + 2, swapped_);
        note_lost(interface, lost == UINT16_MAX ? 0 : lost);  // not known
    }
    if (octets < here) {
        note_options(block.contents.subspan(kPacketFixed + octets), interface, raw);
    }
    note_time(interface);
    is_finer_ = interface.clock.is_finer_than_microseconds() || (is_finer_ && had_packet_);
    had_packet_ = true;
    fill(raw, interface.link, packet);
    return Step::packet;
}

void PcapngReader::note_options(std::span<const uint8_t> options,
                                Interface& of,
                                Raw& packet) noexcept {
    constexpr uint16_t kFlags = 2;      // epb_flags, pack_flags
    constexpr uint16_t kDropCount = 4;  // epb_dropcount
    constexpr int kFcsShift = 5;
    constexpr uint32_t kFcsBits = 0xf;
    for_each_option(options, swapped_, [&](uint16_t code, std::span<const uint8_t> value) {
        if (code == kFlags && value.size() == 4) {
            const uint32_t fcs = load<uint32_t>(value.data(), swapped_) >> kFcsShift & kFcsBits;
            packet.check_sequence = fcs != 0 ? fcs : packet.check_sequence;  // 0: not known
        } else if (code == kDropCount && value.size() == 8) {
            note_lost(of, load<uint64_t>(value.data(), swapped_));
        }
    });
}

void PcapngReader::note_time(Interface& of) noexcept {
    end_ns_ = 0;
    of.last_ns = packet_ns_;
    section_from_ns_ = std::min(section_from_ns_, packet_ns_);
    section_to_ns_ = std::max(section_to_ns_, packet_ns_);
}

void PcapngReader::note_lost(Interface& of, uint64_t packets) noexcept {
    const uint64_t lost = std::min(believed(packets), kMostLost - lost_);
    if (lost != 0) {
        const uint64_t before_ns = of.last_ns != UINT64_MAX ? of.last_ns : section_from_ns_;
        of.lost_by_packets += lost;
        lost_ += lost;
        losses_.note(LossReason::port_missed,
                     std::min(before_ns, packet_ns_),
                     before_ns == UINT64_MAX ? packet_ns_ : std::max(before_ns, packet_ns_),
                     lost);
    }
}

uint64_t PcapngReader::rest_of_section() const noexcept {
    uint64_t rest = 0;
    for (const Interface& one : interfaces_) {
        const uint64_t told = std::max(one.lost_by_packets, one.lost_by_statistics);
        rest = std::min(rest + told - one.lost_by_packets, kMostLost - lost_);
    }
    return rest;
}

// Not told is when: at any time in the section.
void PcapngReader::note_rest_of_section(LossIntervals& losses) const noexcept {
    if (const uint64_t rest = rest_of_section(); rest != 0) {
        const uint64_t to_ns = std::max(section_to_ns_, packet_ns_);
        losses.note(LossReason::port_missed, std::min(section_from_ns_, to_ns), to_ns, rest);
    }
}

LossIntervals PcapngReader::losses() const noexcept {
    LossIntervals losses = losses_;
    note_rest_of_section(losses);
    return losses;
}

// wire length (32 bits), octets; of the first interface
CaptureReader::Step PcapngReader::take_simple_packet(const Block& block,
                                                     CapturedPacket& packet) noexcept {
    constexpr size_t kFixed = 4;
    if (block.contents.size() < kFixed) {
        return damage("a packet of no length");
    }
    if (interfaces_.empty()) {
        return damage("a packet of interface 0, which is not described");
    }
    Interface& interface = interfaces_.front();
    const auto wire = load<uint32_t>(block.contents.data(), swapped_);
    const uint32_t limit = interface.snap_length == 0 ? UINT32_MAX : interface.snap_length;
    const uint32_t captured = std::min(wire, limit);
    if (captured > block.length - kFront - kFixed - kEnd) {
        return damage("a packet that is longer than its block");
    }
    const auto here = static_cast<uint32_t>(block.contents.size() - kFixed);
    note_time(interface);
    fill({block.contents.data() + kFixed,
          packet_ns_,
          std::min({captured, here, kMaximumPacketOctets}),
          wire,
          interface.check_sequence,
          true},
         interface.link,
         packet);
    return Step::packet;
}

// interface (32 bits), time (64), options
void PcapngReader::take_statistics(const Block& block) noexcept {
    constexpr size_t kFixed = 12;
    constexpr uint16_t kEndTime = 3;        // isb_endtime
    constexpr uint16_t kInterfaceDrop = 5;  // isb_ifdrop
    constexpr uint16_t kSystemDrop = 7;     // isb_osdrop
    if (block.contents.size() < kFixed ||
        load<uint32_t>(block.contents.data(), swapped_) >= interfaces_.size()) {
        return;
    }
    Interface& of = interfaces_[load<uint32_t>(block.contents.data(), swapped_)];
    uint64_t dropped = 0;
    const auto note = [&](uint16_t code, std::span<const uint8_t> value) {
        if (value.size() != 8) {
            return;
        }
        if (code == kInterfaceDrop || code == kSystemDrop) {
            dropped += believed(load<uint64_t>(value.data(), swapped_));
        } else if (code == kEndTime) {
            end_ns_ = std::max(end_ns_, of.clock.nanoseconds(time_at(value.data(), swapped_)));
        }
    };
    for_each_option(block.contents.subspan(kFixed), swapped_, note);
    of.lost_by_statistics = std::max(of.lost_by_statistics, believed(dropped));
}

uint64_t PcapngReader::packets_lost() const noexcept {
    return lost_ + rest_of_section();
}

}  // namespace curlew::probe
