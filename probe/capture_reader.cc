#include "probe/capture_reader.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "probe/capture_order.h"
#include "probe/link_types.h"
#include "probe/pcap_reader.h"
#include "probe/pcapng_reader.h"

namespace curlew::probe {

namespace {

// An NFLOG packet (tcpdump.org/linktypes, LINKTYPE_NFLOG) has lengths and types in the byte order
// of the machine that captured; the resource, before them, is in network order always:
//
//    family (8 bits), version (8), resource (16)
//    length (16), type (16), value, padding to four octets, and so on
void swap_netfilter_log(std::span<uint8_t> octets) noexcept {
    constexpr size_t kHeader = 4;
    for (size_t at = kHeader; at + 4 <= octets.size();) {
        const size_t length = load<uint16_t>(octets.data() + at, true);
        std::swap(octets[at], octets[at + 1]);
        std::swap(octets[at + 2], octets[at + 3]);
        if (length < 4) {
            return;
        }
        at += (length + 3) / 4 * 4;
    }
}

}  // namespace

CaptureReader::Step CaptureReader::damage(std::string words) noexcept {
    fault_ = std::move(words);
    return Step::damaged;
}

size_t CaptureReader::link_of(uint32_t number, bool swapped) {
    const LinkType type = link_type_of(number);
    const auto known = std::find_if(links_.begin(), links_.end(), [&](const CaptureLink& link) {
        return link.type == type && (type == LinkType::unsupported ||
                                     (link.number == number && link.swapped == swapped));
    });
    const auto index = static_cast<size_t>(known - links_.begin());
    if (known == links_.end()) {
        links_.push_back({number, swapped, type});
    }
    return index;
}

void CaptureReader::fill(const Raw& raw, size_t link, CapturedPacket& packet) const noexcept {
    assert(link < links_.size());
    // No frame is longer than what can be captured of one: such a length is noise.
    const uint32_t wire =
        raw.wire > kMaximumPacketOctets ? raw.captured : std::max(raw.wire, raw.captured);
    PacketView& view = packet.view;
    view.data = raw.data;
    view.time_ns = std::min(raw.time_ns, kLatestTimeNs);
    const bool tells_itself = links_[link].type == LinkType::wifi_radiotap;
    view.wire_octets = tells_itself ? wire : wire - std::min(wire, raw.check_sequence);
    view.captured_octets = std::min({raw.captured, view.wire_octets, kMaximumPacketOctets});
    view.link = links_[link].type;
    view.is_untimed = raw.is_untimed;
    packet.link = link;
    if (view.link == LinkType::netfilter_log && links_[link].swapped) {
        swap_netfilter_log({raw.data, view.captured_octets});
    }
}

std::unique_ptr<CaptureReader> make_capture_reader(std::span<const uint8_t> head) {
    if (PcapngReader::begins(head)) {
        return std::make_unique<PcapngReader>();
    }
    return std::make_unique<PcapReader>(head);
}

}  // namespace curlew::probe
