#include "probe/pcap_reader.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "probe/capture_order.h"

namespace curlew::probe {

namespace {

constexpr uint32_t kMicrosecondMagic = 0xa1b2c3d4;
constexpr uint32_t kNanosecondMagic = 0xa1b23c4d;
// Of patched Linux kernels: eight octets more before each packet.
constexpr uint32_t kKuznetsovMagic = 0xa1b2cd34;

constexpr size_t kLongerPacketHeader = 24;

bool is_magic(uint32_t magic) noexcept {
    return magic == kMicrosecondMagic || magic == kNanosecondMagic || magic == kKuznetsovMagic;
}

}  // namespace

// magic number (32 bits), version (16, 16), zone, accuracy, snapshot length, link type (32 each);
// of the last one 26 bits are the number, one says whether the length of a check sequence is told,
// which is, in words of 16 bits, in the highest four.
PcapReader::PcapReader(std::span<const uint8_t> head) {
    constexpr uint32_t kNumberBits = 0x03ffffff;
    constexpr uint32_t kHasCheckSequence = 0x04000000;
    constexpr int kCheckSequenceShift = 28;
    if (head.size() < 4 || (!is_magic(load<uint32_t>(head.data(), false)) &&
                            !is_magic(load<uint32_t>(head.data(), true)))) {
        throw std::runtime_error("unknown file format");
    }
    if (head.size() < kCaptureHeadOctets) {
        throw std::runtime_error("its header is cut");
    }
    swapped_ = !is_magic(load<uint32_t>(head.data(), false));
    const auto magic = load<uint32_t>(head.data(), swapped_);
    unit_ns_ = magic == kNanosecondMagic ? 1 : 1000;
    packet_header_octets_ = magic == kKuznetsovMagic ? kLongerPacketHeader : packet_header_octets_;
    const auto major = load<uint16_t>(head.data() + 4, swapped_);
    const auto minor = load<uint16_t>(head.data() + 6, swapped_);
    const bool is_dg_ux = major == 543 && minor == 0;
    if (!is_dg_ux && (major != 2 || minor > 4)) {
        throw std::runtime_error("version " + std::to_string(major) + "." + std::to_string(minor) +
                                 " of pcap is not known");
    }
    if (is_dg_ux || minor < 3) {
        lengths_ = Lengths::swapped;
    } else if (minor == 3) {
        lengths_ = Lengths::swapped_where_greater;
    }
    const auto snapshot = load<uint32_t>(head.data() + 16, swapped_);
    if (snapshot != 0 && snapshot <= INT32_MAX) {
        snapshot_octets_ = snapshot;
    }
    const auto link = load<uint32_t>(head.data() + 20, swapped_);
    check_sequence_ = (link & kHasCheckSequence) != 0 ? 2 * (link >> kCheckSequenceShift) : 0;
    link_ = link_of(link & kNumberBits, swapped_);
}

// seconds, fraction, captured length, wire length (32 bits each)
CaptureReader::Step PcapReader::next(std::span<uint8_t>& octets, CapturedPacket& packet) noexcept {
    constexpr uint64_t kSecond = 1'000'000'000;
    const size_t skipped = std::min(header_left_, octets.size());
    header_left_ -= skipped;
    octets = octets.subspan(skipped);
    if (header_left_ > 0 || octets.size() < packet_header_octets_) {
        return Step::more;
    }
    auto captured = load<uint32_t>(octets.data() + 8, swapped_);
    auto wire = load<uint32_t>(octets.data() + 12, swapped_);
    if (lengths_ == Lengths::swapped ||
        (lengths_ == Lengths::swapped_where_greater && captured > wire)) {
        std::swap(captured, wire);
    }
    if (captured > kMaximumPacketOctets) {
        return damage("captured length " + std::to_string(captured));
    }
    if (octets.size() - packet_header_octets_ < captured) {
        return Step::more;
    }
    // The fraction may be more than a second: files say what they like.
    const uint64_t time_ns = load<uint32_t>(octets.data(), swapped_) * kSecond +
                             uint64_t{load<uint32_t>(octets.data() + 4, swapped_)} * unit_ns_;
    fill({octets.data() + packet_header_octets_,
          time_ns,
          std::min(captured, snapshot_octets_),
          wire,
          check_sequence_},
         link_,
         packet);
    octets = octets.subspan(packet_header_octets_ + captured);
    return Step::packet;
}

}  // namespace curlew::probe
