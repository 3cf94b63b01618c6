#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "probe/port.h"

struct pcap;

// Link types by the numbers that capture files have for them (tcpdump.org/linktypes), and what
// libpcap knows of them.

namespace curlew::probe {

// LinkType::unsupported where no parser of ours takes such packets.
LinkType link_type_of(uint32_t number) noexcept;

// Under which a file holds packets of this type. Requires: it is a supported one.
uint16_t link_number(LinkType link) noexcept;

// As libpcap names it, for example "EN10MB"; the number where it has no name.
std::string link_name(uint32_t number);

struct ClosePcap {
    void operator()(pcap* capture) const noexcept;
};

// An open capture without packets, for what libpcap tells of one alone. `swapped`: of the other
// byte order. Throws std::runtime_error with libpcap's reason, and std::bad_alloc.
std::unique_ptr<pcap, ClosePcap> empty_capture(uint32_t number, bool swapped);

}  // namespace curlew::probe
