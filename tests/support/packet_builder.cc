#include "tests/support/packet_builder.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cassert>
#include <string>

namespace curlew::tests {

namespace {

constexpr uint8_t kFragmentHeader = 44;
constexpr uint8_t kAuthenticationHeader = 51;
constexpr uint16_t kBridgedEthertype = 0x6558;
constexpr uint16_t kPppEthertype = 0x880b;
constexpr size_t kNamesNothing = SIZE_MAX;

void append_16(Octets& octets, uint32_t value) {
    octets.push_back(static_cast<uint8_t>(value >> 8));
    octets.push_back(static_cast<uint8_t>(value));
}

void append_32(Octets& octets, uint32_t value) {
    append_16(octets, value >> 16);
    append_16(octets, value);
}

void set_16(Octets& octets, size_t at, size_t value) {
    octets.at(at) = static_cast<uint8_t>(value >> 8);
    octets.at(at + 1) = static_cast<uint8_t>(value);
}

void set_32(Octets& octets, size_t at, uint32_t value) {
    set_16(octets, at, value >> 16);
    set_16(octets, at + 2, value);
}

void append(Octets& octets, const Octets& more) {
    octets.insert(octets.end(), more.begin(), more.end());
}

void append_address(Octets& octets, int family, std::string_view text) {
    Octets address(family == AF_INET ? 4 : 16);
    const int read = inet_pton(family, std::string(text).c_str(), address.data());
    assert(read == 1);
    append(octets, address);
}

void append_mac(Octets& octets, std::string_view text) {
    std::string digits(text);
    std::erase(digits, ':');
    const Octets address = from_hex(digits);
    assert(address.size() == 6);
    append(octets, address);
}

uint8_t digit_of(char letter) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    const size_t digit = kDigits.find(letter);
    assert(digit != std::string_view::npos);
    return static_cast<uint8_t>(digit);
}

// RFC 1071: the ones' complement of the ones' complement sum of 16-bit words.
uint16_t internet_checksum(const Octets& octets) {
    uint32_t sum = 0;
    for (size_t i = 0; i < octets.size(); ++i) {
        sum += i % 2 == 0 ? static_cast<uint32_t>(octets[i]) << 8 : octets[i];
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<uint16_t>(~sum);
}

}  // namespace

probe::PacketView Packet::view() const noexcept {
    return {octets.data(), time_ns, static_cast<uint32_t>(octets.size()), wire_octets, link};
}

Packet Packet::captured(size_t octets_kept) const {
    Packet cut = *this;
    cut.octets.resize(std::min(octets_kept, octets.size()));
    // A reader past the end is found by the sanitizers only where the memory ends as well.
    cut.octets.shrink_to_fit();
    return cut;
}

Octets from_hex(std::string_view text) {
    std::string digits(text);
    std::erase(digits, ' ');
    assert(digits.size() % 2 == 0);
    Octets octets;
    for (size_t i = 0; i < digits.size(); i += 2) {
        octets.push_back(static_cast<uint8_t>(digit_of(digits[i]) << 4 | digit_of(digits[i + 1])));
    }
    return octets;
}

PacketBuilder& PacketBuilder::add(Header header) {
    headers_.push_back(std::move(header));
    return *this;
}

PacketBuilder& PacketBuilder::add_link(probe::LinkType type, Octets octets, size_t next_at) {
    if (headers_.empty()) {
        link_ = type;
    }
    // Inside a tunnel GRE names Ethernet by an ethertype, and Ethernet over IP by a protocol.
    const bool ethernet = type == probe::LinkType::ethernet;
    return add({.kind = Kind::link,
                .octets = std::move(octets),
                .ethertype = ethernet ? kBridgedEthertype : uint16_t{0},
                .protocol = 97,
                .next_at = next_at,
                .next_octets = 2});
}

PacketBuilder& PacketBuilder::add_header(Octets octets,
                                         size_t next_at,
                                         uint16_t ethertype,
                                         uint8_t protocol) {
    const size_t next_octets = next_at == kNamesNothing ? 0 : 2;
    return add({.kind = Kind::header,
                .octets = std::move(octets),
                .ethertype = ethertype,
                .protocol = protocol,
                .next_at = next_at,
                .next_octets = next_octets});
}

PacketBuilder::Header& PacketBuilder::last() {
    assert(!headers_.empty());
    return headers_.back();
}

PacketBuilder::Header& PacketBuilder::last_of(Kind kind) {
    assert(last().kind == kind);
    return last();
}

bool PacketBuilder::is_ip(const Header& header) {
    return header.kind == Kind::ipv4 || header.kind == Kind::ipv6;
}

// The IP header nearest before headers_[index], or null.
const PacketBuilder::Header* PacketBuilder::ip_before(size_t index) const {
    while (index > 0 && !is_ip(headers_[index - 1])) {
        --index;
    }
    return index == 0 ? nullptr : &headers_[index - 1];
}

PacketBuilder::Header& PacketBuilder::last_ip() {
    const auto found = std::find_if(headers_.rbegin(), headers_.rend(), is_ip);
    assert(found != headers_.rend());
    return *found;
}

PacketBuilder& PacketBuilder::ethernet(std::string_view source, std::string_view destination) {
    Octets octets;
    append_mac(octets, destination);
    append_mac(octets, source);
    append_16(octets, 0);
    return add_link(probe::LinkType::ethernet, octets, 12);
}

PacketBuilder& PacketBuilder::vlan(uint16_t id, uint16_t tag_type) {
    ethertype(tag_type);
    Octets octets;
    append_16(octets, id);
    append_16(octets, 0);
    return add({.kind = Kind::link, .octets = octets, .next_at = 2, .next_octets = 2});
}

PacketBuilder& PacketBuilder::llc_snap() {
    return add({.kind = Kind::llc,
                .octets = from_hex("aaaa03 000000 0000"),
                .next_at = 6,
                .next_octets = 2});
}

PacketBuilder& PacketBuilder::null_loopback(uint32_t family, bool big_endian) {
    Octets octets;
    append_32(octets, big_endian ? family : __builtin_bswap32(family));
    add_link(probe::LinkType::null_loopback, octets, 0);
    last().next_octets = 0;
    return *this;
}

PacketBuilder& PacketBuilder::linux_sll() {
    const Octets octets = from_hex("0000 0001 0006 0200000000010000 0000");
    return add_link(probe::LinkType::linux_sll, octets, 14);
}

PacketBuilder& PacketBuilder::linux_sll2() {
    const Octets octets = from_hex("0000 0000 00000001 0001 00 06 0200000000010000");
    return add_link(probe::LinkType::linux_sll2, octets, 0);
}

PacketBuilder& PacketBuilder::ppp(bool framed, bool compressed_protocol) {
    Octets octets = framed ? from_hex("ff03") : Octets{};
    const size_t next_at = octets.size();
    const size_t next_octets = compressed_protocol ? 1 : 2;
    octets.resize(next_at + next_octets);
    add_link(probe::LinkType::ppp, octets, next_at);
    last().kind = Kind::ppp;
    last().ethertype = kPppEthertype;
    last().next_octets = next_octets;
    return *this;
}

PacketBuilder& PacketBuilder::link(probe::LinkType type, const Octets& octets) {
    return add_link(type, octets, octets.size() - 2);
}

PacketBuilder& PacketBuilder::plain_link(probe::LinkType type, const Octets& octets) {
    add_link(type, octets, 0);
    last().next_octets = 0;
    return *this;
}

PacketBuilder& PacketBuilder::mpls(uint32_t label, bool bottom) {
    Octets octets;
    append_32(octets, label << 12 | (bottom ? 0x100u : 0u) | 64u);
    return add_header(octets, kNamesNothing, 0x8847, 137);
}

PacketBuilder& PacketBuilder::pppoe(uint16_t session) {
    Octets octets{0x11, 0};
    append_16(octets, session);
    append_16(octets, 0);
    add_header(octets, kNamesNothing, 0x8864, 59);
    last().kind = Kind::pppoe;
    return *this;
}

PacketBuilder& PacketBuilder::gre(const Octets& flags, const Octets& fields) {
    Octets octets = flags;
    append_16(octets, 0);
    append(octets, fields);
    return add_header(octets, 2, 0, 47);
}

PacketBuilder& PacketBuilder::header(const Octets& octets) {
    return add_header(octets, kNamesNothing, 0, 59);
}

PacketBuilder& PacketBuilder::vxlan(uint32_t network) {
    Octets octets = from_hex("08000000");
    append_32(octets, network << 8);
    return header(octets);
}

PacketBuilder& PacketBuilder::geneve(uint32_t network, const Octets& options) {
    Octets octets{static_cast<uint8_t>(options.size() / 4), 0, 0, 0};
    append_32(octets, network << 8);
    append(octets, options);
    return add_header(octets, 2, 0, 59);
}

// `optional` begins with the sequence number and brings the flag of extension headers.
PacketBuilder& PacketBuilder::gtp_user(uint32_t endpoint, const Octets& optional) {
    Octets octets{static_cast<uint8_t>(optional.empty() ? 0x30 : 0x34), 0xff, 0, 0};
    append_32(octets, endpoint);
    append(octets, optional);
    header(octets);
    last().kind = Kind::gtp_user;
    return *this;
}

PacketBuilder& PacketBuilder::ethertype(uint16_t value) {
    Header& header = last();
    assert(header.kind < Kind::ipv4);
    assert(header.next_octets != 0);
    if (header.next_octets == 1) {
        header.octets[header.next_at] = static_cast<uint8_t>(value);
    } else {
        set_16(header.octets, header.next_at, value);
    }
    header.next_octets = 0;
    return *this;
}

PacketBuilder& PacketBuilder::ipv4(std::string_view source, std::string_view destination) {
    Octets octets = from_hex("45 00 0000 0000 0000 40 ff 0000");
    append_address(octets, AF_INET, source);
    append_address(octets, AF_INET, destination);
    return add({.kind = Kind::ipv4,
                .octets = octets,
                .ethertype = 0x0800,
                .protocol = 4,
                .next_at = 9,
                .next_octets = 1});
}

PacketBuilder& PacketBuilder::ipv6(std::string_view source, std::string_view destination) {
    Octets octets = from_hex("60 00 0000 0000 3b 40");
    append_address(octets, AF_INET6, source);
    append_address(octets, AF_INET6, destination);
    return add({.kind = Kind::ipv6,
                .octets = octets,
                .ethertype = 0x86dd,
                .protocol = 41,
                .next_at = 6,
                .next_octets = 1});
}

PacketBuilder& PacketBuilder::ttl(uint8_t value) {
    Header& ip = last_ip();
    ip.octets[ip.kind == Kind::ipv4 ? 8 : 7] = value;
    return *this;
}

PacketBuilder& PacketBuilder::class_of_service(uint8_t value) {
    Header& ip = last_ip();
    if (ip.kind == Kind::ipv4) {
        ip.octets[1] = value;
    } else {
        set_16(ip.octets, 0, 0x6000u | static_cast<unsigned>(value) << 4);
    }
    return *this;
}

PacketBuilder& PacketBuilder::ip_id(uint16_t value) {
    Header& ip = last_ip();
    assert(ip.kind == Kind::ipv4);
    set_16(ip.octets, 4, value);
    return *this;
}

PacketBuilder& PacketBuilder::protocol(uint8_t value) {
    Header& header = last();
    assert(is_ip(header) || header.kind == Kind::extension);
    assert(header.next_octets != 0);
    header.octets[header.next_at] = value;
    header.next_octets = 0;
    return *this;
}

PacketBuilder& PacketBuilder::fragment(uint32_t id, uint16_t offset_octets, bool more) {
    assert(offset_octets % 8 == 0);
    if (Header& ip = last_ip(); ip.kind == Kind::ipv4) {
        set_16(ip.octets, 4, id);
        set_16(ip.octets, 6, offset_octets / 8u | (more ? 0x2000u : 0u));
        return *this;
    }
    Octets body;
    append_16(body, offset_octets | (more ? 1u : 0u));
    append_32(body, id);
    return extension(kFragmentHeader, body);
}

PacketBuilder& PacketBuilder::extension(uint8_t kind, const Octets& body) {
    Octets octets{59, 0};
    append(octets, body);
    const size_t unit = kind == kAuthenticationHeader ? 4 : 8;
    octets.resize(std::max((octets.size() + unit - 1) / unit * unit, size_t{8}));
    if (kind != kFragmentHeader) {
        octets[1] = static_cast<uint8_t>((octets.size() - 8) / unit);
    }
    return add({.kind = Kind::extension, .octets = octets, .protocol = kind, .next_octets = 1});
}

PacketBuilder& PacketBuilder::tcp(uint16_t source_port, uint16_t destination_port) {
    Octets octets;
    append_16(octets, source_port);
    append_16(octets, destination_port);
    append(octets, from_hex("00000000 00000000 50 10 ffff 0000 0000"));
    return add({.kind = Kind::tcp, .octets = octets, .protocol = 6});
}

PacketBuilder& PacketBuilder::flags(std::string_view letters) {
    uint8_t bits = 0;
    for (const char letter : letters) {
        const size_t bit = std::string_view("FSRPAUEC").find(letter);
        assert(bit != std::string_view::npos);
        bits = static_cast<uint8_t>(bits | 1u << bit);
    }
    last_of(Kind::tcp).octets[13] = bits;
    return *this;
}

PacketBuilder& PacketBuilder::sequence(uint32_t value) {
    set_32(last_of(Kind::tcp).octets, 4, value);
    return *this;
}

PacketBuilder& PacketBuilder::acknowledgement(uint32_t value) {
    set_32(last_of(Kind::tcp).octets, 8, value);
    return *this;
}

PacketBuilder& PacketBuilder::window(uint16_t value) {
    set_16(last_of(Kind::tcp).octets, 14, value);
    return *this;
}

PacketBuilder& PacketBuilder::udp(uint16_t source_port, uint16_t destination_port) {
    Octets octets;
    append_16(octets, source_port);
    append_16(octets, destination_port);
    append_32(octets, 0);
    return add({.kind = Kind::udp, .octets = octets, .protocol = 17});
}

PacketBuilder& PacketBuilder::icmp(uint8_t type, uint8_t code, uint32_t rest) {
    Octets octets{type, code, 0, 0};
    append_32(octets, rest);
    return add({.kind = Kind::icmp, .octets = octets, .protocol = 1});
}

PacketBuilder& PacketBuilder::icmp6(uint8_t type, uint8_t code, uint32_t rest) {
    icmp(type, code, rest);
    last().kind = Kind::icmp6;
    last().protocol = 58;
    return *this;
}

PacketBuilder& PacketBuilder::igmp(uint8_t type, uint8_t code, std::string_view group) {
    Octets octets{type, code, 0, 0};
    append_address(octets, AF_INET, group);
    return add({.kind = Kind::igmp, .octets = octets, .protocol = 2});
}

void PacketBuilder::write_header_octets(Header& header, size_t value) {
    assert(header.kind == Kind::ipv4 || header.kind == Kind::tcp);
    assert(value % 4 == 0);
    assert(value / 4 < 16);
    const bool ipv4 = header.kind == Kind::ipv4;
    header.octets[ipv4 ? 0 : 12] = static_cast<uint8_t>(ipv4 ? 0x40 | value / 4 : value / 4 << 4);
}

PacketBuilder& PacketBuilder::options(const Octets& octets) {
    Header& header = last();
    append(header.octets, octets);
    header.octets.resize((header.octets.size() + 3) / 4 * 4);
    if (!header.own_length_told) {
        write_header_octets(header, header.octets.size());
    }
    return *this;
}

PacketBuilder& PacketBuilder::header_octets(uint8_t value) {
    write_header_octets(last(), value);
    last().own_length_told = true;
    return *this;
}

PacketBuilder& PacketBuilder::length(uint16_t value) {
    Header& header = last();
    assert(is_ip(header) || header.kind == Kind::udp);
    set_16(header.octets, header.kind == Kind::ipv4 ? 2 : 4, value);
    header.length_told = true;
    return *this;
}

PacketBuilder& PacketBuilder::payload(std::string_view text) {
    return payload(Octets(text.begin(), text.end()));
}

PacketBuilder& PacketBuilder::payload(const Octets& octets) {
    return add({.kind = Kind::payload, .octets = octets});
}

PacketBuilder& PacketBuilder::padding(size_t octets) {
    return trailer(Octets(octets));
}

PacketBuilder& PacketBuilder::trailer(const Octets& octets) {
    append(trailer_, octets);
    return *this;
}

PacketBuilder& PacketBuilder::time_ns(uint64_t value) {
    time_ns_ = value;
    return *this;
}

void PacketBuilder::name_next(Header& header, const Header& next, size_t body_octets) {
    if (header.next_octets == 0) {
        return;
    }
    Octets& octets = header.octets;
    if (header.kind == Kind::ppp) {
        octets.back() = next.kind == Kind::ipv6 ? 0x57 : 0x21;
    } else if (is_ip(header) || header.kind == Kind::extension) {
        octets[header.next_at] = next.protocol;
    } else if (next.kind == Kind::llc) {
        // Ethernet has a length here (IEEE 802.3), cooked captures the number 4.
        const bool cooked = octets.size() >= 16;
        set_16(octets, header.next_at, cooked ? 4 : body_octets);
    } else if (next.ethertype != 0) {
        set_16(octets, header.next_at, next.ethertype);
    }
}

void PacketBuilder::write_length(Header& header, size_t body_octets) {
    if (header.length_told) {
        return;
    }
    if (header.kind == Kind::ipv4) {
        set_16(header.octets, 2, header.octets.size() + body_octets);
    } else if (header.kind == Kind::ipv6) {
        set_16(header.octets, 4, body_octets);
    } else if (header.kind == Kind::udp || header.kind == Kind::pppoe) {
        const size_t own = header.kind == Kind::udp ? header.octets.size() : 0;
        set_16(header.octets, 4, own + body_octets);
    } else if (header.kind == Kind::gtp_user) {
        set_16(header.octets, 2, header.octets.size() - 8 + body_octets);
    }
}

// `packet` begins with `header`. TCP, UDP and ICMPv6 cover a pseudo header of addresses, length
// and protocol as well (RFC 9293 section 3.1, RFC 8200 section 8.1).
void PacketBuilder::write_checksum(Octets& packet, const Header& header, const Header* ip) {
    if (header.kind == Kind::ipv4) {
        const auto end = packet.begin() + static_cast<std::ptrdiff_t>(header.octets.size());
        set_16(packet, 10, internet_checksum(Octets(packet.begin(), end)));
        return;
    }
    if (header.kind < Kind::tcp || header.kind == Kind::payload) {
        return;
    }
    Octets covered;
    if (header.kind != Kind::icmp && header.kind != Kind::igmp) {
        assert(ip != nullptr);
        const bool ipv4 = ip->kind == Kind::ipv4;
        const auto addresses = ip->octets.begin() + (ipv4 ? 12 : 8);
        covered.assign(addresses, addresses + (ipv4 ? 8 : 32));
        append_32(covered, static_cast<uint32_t>(packet.size()));
        append_32(covered, header.protocol);
    }
    append(covered, packet);
    const uint16_t checksum = internet_checksum(covered);
    const size_t at = header.kind == Kind::tcp ? 16 : header.kind == Kind::udp ? 6 : 2;
    // RFC 768: 0 says that there is none.
    set_16(packet, at, header.kind == Kind::udp && checksum == 0 ? 0xffffu : checksum);
}

Packet PacketBuilder::build() const {
    Octets body;
    for (size_t i = headers_.size(); i > 0; --i) {
        Header header = headers_[i - 1];
        if (i < headers_.size()) {
            name_next(header, headers_[i], body.size());
        }
        write_length(header, body.size());
        body.insert(body.begin(), header.octets.begin(), header.octets.end());
        write_checksum(body, header, ip_before(i - 1));
    }
    append(body, trailer_);
    const auto wire_octets = static_cast<uint32_t>(body.size());
    return {std::move(body), time_ns_, wire_octets, link_};
}

}  // namespace curlew::tests
