#include "probe/pcapng_writer.h"

#include <cassert>
#include <cstring>
#include <string_view>

#include "probe/link_types.h"

namespace curlew::probe {

namespace {

// A block (section 3.1): its type, its length in octets, a multiple of 4, the body, the length
// again.
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   +---------------------------------------------------------------+
//   |                          Block Type                           |
//   +---------------------------------------------------------------+
//   |                      Block Total Length                       |
//   +---------------------------------------------------------------+
//   /                          Block Body                           /
//   +---------------------------------------------------------------+
//   |                      Block Total Length                       |
//   +---------------------------------------------------------------+
constexpr uint32_t kSectionHeader = 0x0a0d0d0a;
constexpr uint32_t kInterfaceDescription = 1;
constexpr uint32_t kInterfaceStatistics = 5;
constexpr uint32_t kEnhancedPacket = 6;
constexpr size_t kShortestBlock = 12;
constexpr size_t kShortestSection = 28;

constexpr uint32_t kByteOrderMagic = 0x1a2b3c4d;
constexpr uint64_t kLengthNotTold = ~uint64_t{0};

// Options (sections 3.5 and 4): code, length, value padded to 4 octets.
constexpr uint16_t kEndOfOptions = 0;
constexpr uint16_t kComment = 1;
constexpr uint16_t kSectionProgram = 4;
constexpr uint16_t kInterfaceName = 2;
constexpr uint16_t kInterfaceResolution = 9;
constexpr uint16_t kInterfaceFilter = 11;
constexpr uint16_t kInterfaceHardware = 15;
constexpr uint16_t kPacketFlags = 2;
constexpr uint16_t kPacketDropCount = 4;
constexpr uint16_t kPacketQueue = 6;
constexpr uint16_t kStatisticsStart = 2;
constexpr uint16_t kStatisticsEnd = 3;
constexpr uint16_t kStatisticsReceived = 4;
constexpr uint16_t kStatisticsDropped = 5;
constexpr uint16_t kStatisticsAccepted = 6;
constexpr uint16_t kStatisticsDroppedLater = 7;
constexpr uint16_t kStatisticsDelivered = 8;
constexpr char kNanoseconds = 9;
constexpr char kFilterIsText = 0;
constexpr size_t kLongestText = 1024;

// What stands before a packet's octets and behind them (section 4.3).
struct PacketBegin {
    uint32_t type;
    uint32_t block_octets;
    uint32_t interface;
    uint32_t time_high;
    uint32_t time_low;
    uint32_t captured_octets;
    uint32_t wire_octets;
};
static_assert(sizeof(PacketBegin) == 28);

struct PacketEnd {
    uint16_t flags_code = kPacketFlags;
    uint16_t flags_octets = sizeof(uint32_t);
    uint32_t flags = 0;
    uint16_t queue_code = kPacketQueue;
    uint16_t queue_octets = sizeof(uint32_t);
    uint32_t queue = 0;
    uint32_t end_of_options = kEndOfOptions;
    uint32_t block_octets = 0;
};
static_assert(sizeof(PacketEnd) == 24);

// Bits of epb_flags.
constexpr uint32_t kInbound = 1;
constexpr uint32_t kMulticast = 2 << 2;
constexpr uint32_t kBroadcast = 3 << 2;
constexpr uint32_t kPromiscuous = 4 << 2;

size_t padded(size_t octets) {
    return (octets + 3) & ~size_t{3};
}

template <typename Number>
void append_number(Number number, std::string& out) {
    char octets[sizeof(number)];
    std::memcpy(octets, &number, sizeof(number));
    out.append(octets, sizeof(number));
}

void append_text(uint16_t code, std::string_view text, std::string& out) {
    text = text.substr(0, kLongestText);
    append_number(code, out);
    append_number(static_cast<uint16_t>(text.size()), out);
    out.append(text);
    out.append(padded(text.size()) - text.size(), '\0');
}

void append_count(uint16_t code, uint64_t count, std::string& out) {
    append_number(code, out);
    append_number(static_cast<uint16_t>(sizeof(count)), out);
    append_number(count, out);
}

// A time stands in two halves, the upper first, whatever the byte order.
void append_time(uint64_t time_ns, std::string& out) {
    append_number(static_cast<uint32_t>(time_ns >> 32), out);
    append_number(static_cast<uint32_t>(time_ns), out);
}

void append_time(uint16_t code, uint64_t time_ns, std::string& out) {
    append_number(code, out);
    append_number(static_cast<uint16_t>(sizeof(time_ns)), out);
    append_time(time_ns, out);
}

// Writes a block's length when its end is known.
class Block {
  public:
    Block(uint32_t type, std::string& out) : out_(out), begin_(out.size()) {
        append_number(type, out);
        append_number(uint32_t{0}, out);
    }
    ~Block() {
        append_number(uint32_t{kEndOfOptions}, out_);
        const auto octets = static_cast<uint32_t>(out_.size() - begin_ + sizeof(uint32_t));
        std::memcpy(&out_[begin_ + sizeof(uint32_t)], &octets, sizeof(octets));
        append_number(octets, out_);
    }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

  private:
    std::string& out_;
    size_t begin_;
};

uint32_t number_at(std::span<const uint8_t> octets, size_t at) noexcept {
    uint32_t number = 0;
    std::memcpy(&number, octets.data() + at, sizeof(number));
    return number;
}

}  // namespace

uint32_t epb_flags(LinkType link, std::span<const uint8_t> octets, bool came_in) noexcept {
    constexpr uint8_t kGroupBit = 1;
    uint32_t flags = came_in ? kInbound : 0;
    if (link == LinkType::ethernet && octets.size() >= 6) {
        const uint64_t all = ~uint64_t{0};
        flags |= std::memcmp(octets.data(), &all, 6) == 0 ? kBroadcast
                 : (octets[0] & kGroupBit) != 0           ? kMulticast
                                                          : kPromiscuous;
    }
    return flags;
}

void append_section(const std::string& program, const std::string& comment, std::string& out) {
    constexpr uint16_t kMajorVersion = 1;
    constexpr uint16_t kMinorVersion = 0;
    const Block block(kSectionHeader, out);
    append_number(kByteOrderMagic, out);
    append_number(kMajorVersion, out);
    append_number(kMinorVersion, out);
    append_number(kLengthNotTold, out);
    append_text(kComment, comment, out);
    append_text(kSectionProgram, program, out);
}

void append_interface(const PcapngInterface& interface, std::string& out) {
    constexpr uint16_t kReserved = 0;
    const Block block(kInterfaceDescription, out);
    append_number(link_number(interface.link), out);
    append_number(kReserved, out);
    append_number(kMaximumPacketOctets, out);
    append_text(kInterfaceName, interface.name, out);
    append_text(kInterfaceResolution, std::string_view(&kNanoseconds, 1), out);
    if (!interface.filter.empty()) {
        append_text(kInterfaceFilter, kFilterIsText + interface.filter, out);
    }
    if (!interface.hardware.empty()) {
        append_text(kInterfaceHardware, interface.hardware, out);
    }
}

void append_packet(const PcapngPacket& packet, std::string& out) {
    const size_t captured = packet.octets.size();
    PacketEnd end;
    end.flags = packet.flags;
    end.queue = packet.queue;
    const size_t drop_count = packet.lost_before == 0 ? 0 : sizeof(uint32_t) + sizeof(uint64_t);
    end.block_octets = static_cast<uint32_t>(sizeof(PacketBegin) + padded(captured) + drop_count +
                                             sizeof(PacketEnd));
    const PacketBegin begin{.type = kEnhancedPacket,
                            .block_octets = end.block_octets,
                            .interface = packet.interface,
                            .time_high = static_cast<uint32_t>(packet.time_ns >> 32),
                            .time_low = static_cast<uint32_t>(packet.time_ns),
                            .captured_octets = static_cast<uint32_t>(captured),
                            .wire_octets = packet.wire_octets};
    out.append(reinterpret_cast<const char*>(&begin), sizeof(begin));
    out.append(reinterpret_cast<const char*>(packet.octets.data()), captured);
    out.append(padded(captured) - captured, '\0');
    if (drop_count != 0) {
        append_count(kPacketDropCount, packet.lost_before, out);
    }
    out.append(reinterpret_cast<const char*>(&end), sizeof(end));
}

void append_statistics(uint32_t interface, const PcapngStatistics& statistics, std::string& out) {
    const Block block(kInterfaceStatistics, out);
    append_number(interface, out);
    append_time(statistics.to_ns, out);
    append_time(kStatisticsStart, statistics.from_ns, out);
    append_time(kStatisticsEnd, statistics.to_ns, out);
    append_count(kStatisticsReceived, statistics.received, out);
    append_count(kStatisticsDropped, statistics.dropped, out);
    append_count(kStatisticsAccepted, statistics.filter_accepted, out);
    append_count(kStatisticsDroppedLater, statistics.dropped_later, out);
    append_count(kStatisticsDelivered, statistics.delivered, out);
}

size_t PcapngBlocks::next(std::span<const uint8_t> octets) noexcept {
    if (octets.size() < kShortestBlock) {
        return 0;
    }
    const uint32_t type = number_at(octets, 0);
    const size_t length = number_at(octets, 4);
    if (length < kShortestBlock || length % 4 != 0 || length > octets.size() ||
        length > kLongestBlock || number_at(octets, length - 4) != length) {
        return 0;
    }
    switch (type) {
        case kSectionHeader:
            if (length < kShortestSection || number_at(octets, 8) != kByteOrderMagic) {
                return 0;
            }
            in_section_ = true;
            break;
        case kEnhancedPacket:
            if (length < sizeof(PacketBegin) + sizeof(uint32_t) ||
                number_at(octets, offsetof(PacketBegin, captured_octets)) >
                    length - sizeof(PacketBegin) - sizeof(uint32_t)) {
                return 0;
            }
            packets_ += in_section_ ? 1 : 0;
            break;
        case kInterfaceDescription:
        case kInterfaceStatistics:
            break;
        default:
            return 0;
    }
    return in_section_ ? length : 0;
}

}  // namespace curlew::probe
