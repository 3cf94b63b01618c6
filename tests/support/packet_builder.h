#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "probe/port.h"

// Packets in words, outermost header first:
//
//   const Packet packet = PacketBuilder{}.ethernet().vlan(7).ipv4("10.0.0.1", "10.0.0.2").ttl(3)
//                             .tcp(40000, 80).flags("S").build();
//
// Each call adds a header, or says more about the header added last. Lengths, checksums and next
// protocols are right unless told otherwise. A call that does not fit the last header, or an
// address that cannot be read, is a bug of the test and aborts.

namespace curlew::tests {

using Octets = std::vector<uint8_t>;

// A built packet; owns its octets.
struct Packet {
    Octets octets;
    uint64_t time_ns = 0;
    uint32_t wire_octets = 0;
    probe::LinkType link = probe::LinkType::ethernet;

    // Reads out of this packet, which has to outlive it.
    probe::PacketView view() const noexcept;

    // What a capture cut to so many octets has of it.
    Packet captured(size_t octets_kept) const;
};

// "01 ff 3c", blanks optional.
Octets from_hex(std::string_view text);

class PacketBuilder {
  public:
    // Link layers. A packet that begins with IP is of link type raw_ip.
    PacketBuilder& ethernet(std::string_view source = "02:00:00:00:00:01",
                            std::string_view destination = "02:00:00:00:00:02");
    PacketBuilder& vlan(uint16_t id, uint16_t tag_type = 0x8100);
    PacketBuilder& llc_snap();  // in place of the ethertype, whose field becomes the length
    PacketBuilder& null_loopback(uint32_t family = 2, bool big_endian = false);
    PacketBuilder& linux_sll();
    PacketBuilder& linux_sll2();
    PacketBuilder& ppp(bool framed = true, bool compressed_protocol = false);
    // A link header of any type whose last two octets name what follows, as an ethertype does.
    PacketBuilder& link(probe::LinkType type, const Octets& octets);
    // A link header that names nothing.
    PacketBuilder& plain_link(probe::LinkType type, const Octets& octets);
    PacketBuilder& ethertype(uint16_t value);  // of the last link header or tag

    // Tunnels. Ethernet, IP and PPP may follow one, as if the packet began there. `header` is
    // octets of a tunnel that names nothing; the other has the ethertype of what follows in two of
    // its own.
    PacketBuilder& mpls(uint32_t label, bool bottom = true);
    PacketBuilder& pppoe(uint16_t session);
    PacketBuilder& gre(const Octets& flags = {0, 0}, const Octets& fields = {});
    PacketBuilder& header(const Octets& octets);
    PacketBuilder& vxlan(uint32_t network);
    PacketBuilder& geneve(uint32_t network, const Octets& options = {});
    PacketBuilder& gtp_user(uint32_t endpoint, const Octets& optional = {});

    // IP, with what may follow for the last IP header.
    PacketBuilder& ipv4(std::string_view source = "10.0.0.1",
                        std::string_view destination = "10.0.0.2");
    PacketBuilder& ipv6(std::string_view source = "2001:db8::1",
                        std::string_view destination = "2001:db8::2");
    PacketBuilder& ttl(uint8_t value);  // hop limit of IPv6
    PacketBuilder& class_of_service(uint8_t value);
    PacketBuilder& ip_id(uint16_t value);
    PacketBuilder& protocol(uint8_t value);  // also of an extension header
    // IPv4: the field; IPv6: a fragment header. Requires: offset_octets is a multiple of 8.
    PacketBuilder& fragment(uint32_t id, uint16_t offset_octets, bool more);
    // An IPv6 extension header; its body is padded to the header's unit.
    PacketBuilder& extension(uint8_t kind, const Octets& body = {});

    // Transports, with what may follow for TCP.
    PacketBuilder& tcp(uint16_t source_port, uint16_t destination_port);
    PacketBuilder& flags(std::string_view letters);  // of FSRPAUEC; without this: A
    PacketBuilder& sequence(uint32_t value);
    PacketBuilder& acknowledgement(uint32_t value);
    PacketBuilder& window(uint16_t value);
    PacketBuilder& udp(uint16_t source_port, uint16_t destination_port);
    PacketBuilder& icmp(uint8_t type, uint8_t code = 0, uint32_t rest = 0);
    PacketBuilder& icmp6(uint8_t type, uint8_t code = 0, uint32_t rest = 0);
    PacketBuilder& igmp(uint8_t type, uint8_t code, std::string_view group);

    // Of the last header: options of IPv4 or TCP, padded to 4 octets; its own length (IHL and data
    // offset, in octets); the length field of IPv4, IPv6 or UDP.
    PacketBuilder& options(const Octets& octets);
    PacketBuilder& header_octets(uint8_t value);
    PacketBuilder& length(uint16_t value);

    PacketBuilder& payload(std::string_view text);
    PacketBuilder& payload(const Octets& octets);

    // The packet as a whole.
    PacketBuilder& padding(size_t octets);  // behind the IP packet, as of short Ethernet frames
    PacketBuilder& trailer(const Octets& octets);  // the same, not zero
    PacketBuilder& time_ns(uint64_t value);

    Packet build() const;

  private:
    enum class Kind : uint8_t {
        link,
        pppoe,
        gtp_user,
        header,
        ppp,
        llc,
        ipv4,
        ipv6,
        extension,
        tcp,
        udp,
        icmp,
        icmp6,
        igmp,
        payload,
    };

    struct Header {
        Kind kind;
        Octets octets;
        uint16_t ethertype = 0;        // how a link header names it
        uint8_t protocol = 59;         // how IP names it
        size_t next_at = 0;            // where it names what follows
        size_t next_octets = 0;        // 0: nowhere, or told by the test
        bool length_told = false;      // length()
        bool own_length_told = false;  // header_octets()
    };

    PacketBuilder& add(Header header);
    PacketBuilder& add_link(probe::LinkType type, Octets octets, size_t next_at);
    PacketBuilder& add_header(Octets octets, size_t next_at, uint16_t ethertype, uint8_t protocol);
    Header& last();
    Header& last_of(Kind kind);
    const Header* ip_before(size_t index) const;
    Header& last_ip();
    static bool is_ip(const Header& header);
    static void write_header_octets(Header& header, size_t value);
    static void name_next(Header& header, const Header& next, size_t body_octets);
    static void write_length(Header& header, size_t body_octets);
    static void write_checksum(Octets& packet, const Header& header, const Header* ip);

    std::vector<Header> headers_;
    probe::LinkType link_ = probe::LinkType::raw_ip;
    Octets trailer_;
    uint64_t time_ns_ = 0;
};

}  // namespace curlew::tests
