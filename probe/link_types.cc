#include "probe/link_types.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstdio>
#include <new>
#include <stdexcept>

#include "probe/capture_reader.h"

namespace curlew::probe {

namespace {

struct Entry {
    uint32_t number;
    LinkType link;
};

// The first of a type is what we write.
constexpr std::array<Entry, 24> kEntries{{
    {1, LinkType::ethernet},
    {101, LinkType::raw_ip},
    {12, LinkType::raw_ip},  // as old files and those of OpenBSD have it
    {14, LinkType::raw_ip},
    {228, LinkType::raw_ip},  // IPv4 alone
    {229, LinkType::raw_ip},  // IPv6 alone
    {0, LinkType::null_loopback},
    {108, LinkType::null_loopback},  // the family in network order
    {113, LinkType::linux_sll},
    {276, LinkType::linux_sll2},
    {9, LinkType::ppp},
    {50, LinkType::ppp},  // in HDLC framing
    {51, LinkType::pppoe},
    {104, LinkType::cisco_hdlc},
    {107, LinkType::frame_relay},
    {239, LinkType::netfilter_log},
    {226, LinkType::solaris_ipnet},
    {10, LinkType::fddi},
    {100, LinkType::llc},
    {11, LinkType::llc},
    {105, LinkType::wifi},
    {127, LinkType::wifi_radiotap},
    {119, LinkType::wifi_prism},
    {163, LinkType::wifi_avs},
}};

}  // namespace

LinkType link_type_of(uint32_t number) noexcept {
    for (const Entry& entry : kEntries) {
        if (entry.number == number) {
            return entry.link;
        }
    }
    return LinkType::unsupported;
}

uint16_t link_number(LinkType link) noexcept {
    for (const Entry& entry : kEntries) {
        if (entry.link == link) {
            return static_cast<uint16_t>(entry.number);
        }
    }
    assert(false);
    return 0;
}

std::string link_name(uint32_t number) {
    // libpcap's own numbers differ from those in files.
    const char* name = pcap_datalink_val_to_name(pcap_datalink(empty_capture(number, false).get()));
    return name != nullptr ? name : std::to_string(number);
}

void ClosePcap::operator()(pcap* capture) const noexcept {
    pcap_close(capture);
}

std::unique_ptr<pcap, ClosePcap> empty_capture(uint32_t number, bool swapped) {
    std::array<uint8_t, kCaptureHeadOctets> header{};
    size_t at = 0;
    const auto append = [&](auto value) {
        const auto octets = std::bit_cast<std::array<uint8_t, sizeof(value)>>(value);
        if (swapped) {
            std::reverse_copy(octets.begin(), octets.end(), header.begin() + at);
        } else {
            std::copy(octets.begin(), octets.end(), header.begin() + at);
        }
        at += sizeof(value);
    };
    append(uint32_t{0xa1b2c3d4});  // magic number
    append(uint16_t{2});           // version
    append(uint16_t{4});
    append(uint64_t{0});  // zone and accuracy
    append(kMaximumPacketOctets);
    append(number);
    assert(at == header.size());

    // Of its own memory, which lasts as long as the capture; it ends what is written with a zero.
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(fmemopen(nullptr, header.size() + 1, "w+"),
                                                         &std::fclose);
    if (!file || std::fwrite(header.data(), header.size(), 1, file.get()) != 1) {
        throw std::bad_alloc();
    }
    std::rewind(file.get());
    char cause[PCAP_ERRBUF_SIZE] = "";
    std::unique_ptr<pcap, ClosePcap> capture(pcap_fopen_offline(file.get(), cause));
    if (!capture) {
        throw std::runtime_error(cause);
    }
    static_cast<void>(file.release());  // pcap_close() closes it
    return capture;
}

}  // namespace curlew::probe
