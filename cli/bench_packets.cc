#include "cli/bench_packets.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <fstream>
#include <stdexcept>
#include <unordered_set>
#include <utility>

#include "cli/bench_iot.h"
#include "cli/traffic_frames.h"
#include "cli/traffic_random.h"
#include "cli/traffic_tcp.h"
#include "cli/traffic_tls.h"
#include "probe/keyed_hash.h"
#include "probe/packet_parser.h"
#include "probe/replay_port.h"
#include "proto/frame.h"

namespace curlew::cli {

namespace {

constexpr uint64_t kSeed = 2026;
constexpr uint32_t kFcsOctets = 4;
constexpr size_t kEthernetOctets = 14;
constexpr size_t kIpv4Octets = 20;
constexpr size_t kUdpOctets = 8;
constexpr size_t kTcpOctets = 20;
constexpr size_t kShortestWithoutFcs = 60;
constexpr uint16_t kEphemeralPorts = 32768;
// Where an IPv4 header has its two addresses behind an Ethernet header.
constexpr std::array<uint16_t, 2> kIpv4AddressesAt{26, 30};

size_t lines_of(size_t octets) {
    return (octets + BenchPackets::kLineOctets - 1) / BenchPackets::kLineOctets;
}

void put(uint8_t* at, uint64_t number, size_t octets) {
    for (size_t i = 0; i < octets; ++i) {
        at[i] = static_cast<uint8_t>(number >> (8 * (octets - 1 - i)));
    }
}

struct Ends {
    uint32_t source = 0;
    uint32_t destination = 0;
    uint16_t source_port = 0;
    uint16_t destination_port = 0;

    Ends reversed() const { return {destination, source, destination_port, source_port}; }
};

// Ethernet, IPv4 and the transport's ports into zeros; all else of the transport is the caller's.
uint8_t* write_headers(uint8_t* frame, size_t octets, uint8_t protocol, const Ends& ends) {
    put(frame, 0x020000000001, 6);
    put(frame + 6, 0x020000000002, 6);
    put(frame + 12, 0x0800, 2);
    uint8_t* ip = frame + kEthernetOctets;
    ip[0] = 0x45;
    put(ip + 2, octets - kEthernetOctets, 2);
    ip[8] = 64;
    ip[9] = protocol;
    put(ip + 12, ends.source, 4);
    put(ip + 16, ends.destination, 4);
    uint8_t* transport = ip + kIpv4Octets;
    put(transport, ends.source_port, 2);
    put(transport + 2, ends.destination_port, 2);
    return transport;
}

void write_udp(uint8_t* frame, size_t octets, const Ends& ends) {
    uint8_t* udp = write_headers(frame, octets, kProtocolUdp, ends);
    put(udp + 4, octets - kEthernetOctets - kIpv4Octets, 2);
}

Ends random_ends(TrafficRandom& random) {
    const uint64_t addresses = random.next();
    const uint64_t ports = random.next();
    // Unicast addresses; ports that no signature asks for.
    return {static_cast<uint32_t>(addresses) & 0x7fffffff,
            static_cast<uint32_t>(addresses >> 32) & 0x7fffffff,
            static_cast<uint16_t>(ports | kEphemeralPorts),
            static_cast<uint16_t>((ports >> 16) | kEphemeralPorts)};
}

uint32_t crc_of(const Ends& ends) {
    std::array<uint8_t, 12> octets;
    put(octets.data(), ends.source_port, 2);
    put(octets.data() + 2, ends.destination_port, 2);
    put(octets.data() + 4, ends.source, 4);
    put(octets.data() + 8, ends.destination, 4);
    return proto::crc32c(octets);
}

// For each bit of a CRC the last four octets that, as a difference, change that bit alone: a CRC is
// linear, and its last 32 bits reach each value.
std::array<uint32_t, 32> crc_inverse() {
    std::array<std::pair<uint32_t, uint32_t>, 32> rows;  // change of the CRC, change of the octets
    const uint32_t zero = crc_of({});
    for (uint32_t bit = 0; bit < 32; ++bit) {
        rows[bit] = {crc_of({0, uint32_t{1} << bit, 0, 0}) ^ zero, uint32_t{1} << bit};
    }
    for (uint32_t bit = 0; bit < 32; ++bit) {
        const uint32_t mask = uint32_t{1} << bit;
        const auto pivot = std::find_if(rows.begin() + bit, rows.end(), [mask](const auto& row) {
            return (row.first & mask) != 0;
        });
        assert(pivot != rows.end());
        std::swap(rows[bit], *pivot);
        for (uint32_t other = 0; other < 32; ++other) {
            if (other != bit && (rows[other].first & mask) != 0) {
                rows[other].first ^= rows[bit].first;
                rows[other].second ^= rows[bit].second;
            }
        }
    }
    std::array<uint32_t, 32> inverse;
    for (uint32_t bit = 0; bit < 32; ++bit) {
        inverse[bit] = rows[bit].second;
    }
    return inverse;
}

using CapturedPacket = BenchPackets::CapturedPacket;

std::vector<CapturedPacket> read_capture(const std::filesystem::path& capture,
                                         size_t most_octets,
                                         size_t most_packets) {
    probe::ReplayPort port(capture);
    std::vector<CapturedPacket> packets;
    size_t octets = 0;
    std::array<probe::PacketView, probe::kMaximumBurst> burst;
    while (port.state() == probe::PortState::running && octets < most_octets &&
           packets.size() < most_packets) {
        const size_t count = std::min(port.receive(burst), most_packets - packets.size());
        for (size_t i = 0; i < count; ++i) {
            if (burst[i].captured_octets == 0) {
                continue;
            }
            packets.push_back(
                {{reinterpret_cast<const char*>(burst[i].data), burst[i].captured_octets},
                 burst[i].link});
            octets += burst[i].captured_octets;
        }
        port.release();
    }
    if (packets.empty()) {
        throw std::runtime_error(
            fmt::format("{}: there is no packet with octets in this capture", capture.string()));
    }
    return packets;
}

bool is_private(const uint8_t* address) {
    return address[0] == 10 || (address[0] == 172 && (address[1] & 0xf0) == 16) ||
           (address[0] == 192 && address[1] == 168);
}

// Makes the packet one of another client's: private and IPv6 unicast addresses and ephemeral ports
// are changed, each the same way in all packets of a copy. Returns where the addresses stand.
std::array<uint16_t, 2> change_clients(uint8_t* frame,
                                       const CapturedPacket& original,
                                       uint32_t copy) {
    const auto* data = reinterpret_cast<const uint8_t*>(original.octets.data());
    const auto octets = static_cast<uint32_t>(original.octets.size());
    probe::ParsedPacket packet;
    if (parse_packet({data, 0, octets, octets, original.link}, {}, packet) !=
        probe::ParseResult::metered) {
        return {};
    }
    std::array<uint16_t, 2> clients_at{};
    uint8_t* ip = frame + (packet.ip - data);
    const auto low = static_cast<uint8_t>(copy);
    const auto high = static_cast<uint8_t>(copy >> 8);
    for (const bool second : {false, true}) {
        if (packet.key.ip_version == 4) {
            uint8_t* address = ip + (second ? 16 : 12);
            if (is_private(address)) {
                address[2] ^= low;
                address[1] ^= high;
                clients_at[second ? 1 : 0] = static_cast<uint16_t>(address - frame);
            }
        } else {
            uint8_t* address = ip + (second ? 24 : 8);
            if (address[0] != 0xff) {
                address[13] ^= low;
                address[12] ^= high;
                clients_at[second ? 1 : 0] = static_cast<uint16_t>(address + 12 - frame);
            }
        }
    }
    const bool has_ports =
        packet.key.protocol == kProtocolTcp || packet.key.protocol == kProtocolUdp;
    if (packet.transport == nullptr || !has_ports || packet.payload < packet.transport + 4) {
        return clients_at;
    }
    uint8_t* transport = frame + (packet.transport - data);
    for (uint8_t* port : {transport, transport + 2}) {
        if ((port[0] & 0x80) != 0) {
            port[0] = static_cast<uint8_t>(port[0] ^ (high & 0x7f));
            port[1] ^= low;
        }
    }
    return clients_at;
}

// HTTP and TLS connections of the simple IMIX: of 12 datagrams about 7 are short, 4 of 576 octets,
// 1 of 1,500.
void play_imix(TrafficCapture& capture) {
    constexpr int kConnections = 64;
    constexpr size_t kMiddlingOctets = 576 - 40;  // without the headers of IP and TCP
    constexpr size_t kLongOctets = 1500 - 40;
    constexpr int kParts = 16;
    TrafficRandom& random = capture.random();
    for (int i = 0; i < kConnections; ++i) {
        TrafficHost client{.mac = {2, 0, 0, 0, 0, 1},
                           .address = ipv4(192, 168, 7, static_cast<uint8_t>(10 + i))};
        TrafficHost server{.mac = {2, 0, 0, 0, 0, 2},
                           .address = ipv4(198, 51, 100, static_cast<uint8_t>(1 + i))};
        const bool is_tls = i % 2 == 0;
        TcpConversation connection(capture,
                                   client,
                                   capture.ephemeral_port(),
                                   server,
                                   is_tls ? 443 : 80,
                                   {.round_trip_ns = kMillisecondNs},
                                   "");
        connection.open(capture.start_ns() + static_cast<uint64_t>(i) * kMillisecondNs);
        if (is_tls) {
            connection.client_sends(tls_client_hello(random, kTls12, "updates.example.net"));
            connection.server_sends(tls_server_hello(random, "updates.example.net"));
            connection.client_sends(tls_client_finish(random));
            connection.server_sends(tls_server_finish(random));
        } else {
            connection.client_sends(
                "GET /state HTTP/1.1\r\nHost: updates.example.net\r\nAccept: */*\r\n\r\n");
            connection.server_sends(
                fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                            "Content-Length: {}\r\n\r\n",
                            kParts / 4 * (3 * kMiddlingOctets + kLongOctets)));
        }
        for (int part = 0; part < kParts; ++part) {
            const size_t octets = part % 4 == 3 ? kLongOctets : kMiddlingOctets;
            connection.server_sends(is_tls ? tls_random_record(random, kTlsApplicationData, octets)
                                           : random.hex_digits(octets));
        }
        connection.close();
    }
}

}  // namespace

// As a device's buffers, which are in huge pages.
BenchPackets::BenchPackets(size_t memory_octets)
    : memory_(proto::MappedMemory::of_huge_pages(memory_octets, "bench packets")) {}

bool BenchPackets::has_room(size_t octets) const noexcept {
    return (lines_used_ + lines_of(octets)) * kLineOctets <= memory_.octets();
}

uint8_t* BenchPackets::add(size_t octets, probe::LinkType link) {
    assert(has_room(octets));
    frames_.push_back({static_cast<uint32_t>(lines_used_), static_cast<uint32_t>(octets), link});
    lines_used_ += lines_of(octets);
    return this->octets(frames_.back());
}

uint8_t* BenchPackets::add_ipv4(size_t octets) {
    uint8_t* frame = add(octets);
    frames_.back().clients_at = kIpv4AddressesAt;
    return frame;
}

// Groups of so many frames stay together.
void BenchPackets::shuffle(size_t group) {
    TrafficRandom random(kSeed);
    std::vector<uint32_t> groups(frames_.size() / group);
    for (size_t i = 0; i < groups.size(); ++i) {
        groups[i] = static_cast<uint32_t>(i);
    }
    for (size_t i = groups.size(); i > 1; --i) {
        std::swap(groups[i - 1], groups[random.between(0, i - 1)]);
    }
    order_.reserve(frames_.size());
    for (const uint32_t first : groups) {
        for (size_t i = 0; i < group; ++i) {
            order_.push_back(static_cast<uint32_t>(first * group + i));
        }
    }
}

size_t BenchPackets::octets_of(uint32_t frame_octets) {
    return lines_of(std::max<size_t>(frame_octets - kFcsOctets, kShortestWithoutFcs)) * kLineOctets;
}

BenchPackets BenchPackets::of_udp(uint64_t flows, uint32_t frame_octets, size_t pool_octets) {
    const size_t octets = std::max<size_t>(frame_octets - kFcsOctets, kShortestWithoutFcs);
    const size_t fitting = pool_octets / octets_of(frame_octets);
    const size_t rounds = std::max<size_t>((fitting + flows - 1) / flows, 1);
    BenchPackets packets(rounds * flows * octets_of(frame_octets));
    for (size_t round = 0; round < rounds; ++round) {
        TrafficRandom random(kSeed);
        for (uint64_t flow = 0; flow < flows; ++flow) {
            const Ends ends = random_ends(random);
            write_udp(packets.add_ipv4(octets), octets, round % 2 == 0 ? ends : ends.reversed());
        }
    }
    packets.shuffle(1);
    return packets;
}

BenchPackets BenchPackets::of_colliding_keys(uint64_t flows) {
    BenchPackets packets(flows * kLineOctets);
    const std::array<uint32_t, 32> inverse = crc_inverse();
    TrafficRandom random(kSeed);
    for (uint64_t flow = 0; flow < flows; ++flow) {
        Ends ends = random_ends(random);
        const uint32_t wrong = crc_of(ends);
        for (uint32_t bit = 0; bit < 32; ++bit) {
            ends.destination ^= (wrong >> bit & 1) != 0 ? inverse[bit] : 0;
        }
        write_udp(packets.add_ipv4(kShortestWithoutFcs), kShortestWithoutFcs, ends);
    }
    packets.shuffle(1);
    return packets;
}

BenchPackets BenchPackets::of_syns(size_t frames) {
    BenchPackets packets(frames * kLineOctets);
    TrafficRandom random(kSeed);
    for (size_t i = 0; i < frames; ++i) {
        Ends ends = random_ends(random);
        ends.destination = ipv4(198, 51, 100, 7);
        ends.destination_port = 443;
        uint8_t* tcp = write_headers(
            packets.add(kShortestWithoutFcs), kShortestWithoutFcs, kProtocolTcp, ends);
        tcp[12] = (kTcpOctets / 4) << 4;
        tcp[13] = probe::kTcpSyn;
        put(tcp + 14, 64240, 2);
    }
    packets.shuffle(1);
    return packets;
}

BenchPackets BenchPackets::of_fragments(uint64_t flows) {
    constexpr uint16_t kMoreFragments = 0x2000;
    constexpr size_t kPartOctets = kShortestWithoutFcs - kEthernetOctets - kIpv4Octets - 2;
    static_assert(kPartOctets % 8 == 0);
    // Ethernet pads what is shorter.
    constexpr size_t kFrameOctets = kShortestWithoutFcs;
    BenchPackets packets(2 * flows * kLineOctets);
    TrafficRandom random(kSeed);
    for (uint64_t flow = 0; flow < flows; ++flow) {
        const Ends ends = random_ends(random);
        for (const uint16_t offset : {uint16_t{0}, uint16_t{kPartOctets / 8}}) {
            uint8_t* frame = packets.add_ipv4(kFrameOctets);
            uint8_t* udp = write_headers(frame, kFrameOctets, kProtocolUdp, ends);
            put(frame + kEthernetOctets + 2, kIpv4Octets + kPartOctets, 2);
            put(udp + 4, 2 * kPartOctets, 2);
            if (offset != 0) {
                std::memset(udp, 0, kUdpOctets);
            }
            put(frame + kEthernetOctets + 4, flow & 0xffff, 2);
            put(frame + kEthernetOctets + 6, offset == 0 ? kMoreFragments : offset, 2);
        }
    }
    packets.shuffle(2);
    return packets;
}

BenchPackets BenchPackets::of_imix(size_t pool_octets, size_t most_frames) {
    TrafficCapture capture(kSeed);
    play_imix(capture);
    std::vector<CapturedPacket> originals;
    for (std::string& frame : capture.take_frames()) {
        originals.push_back({std::move(frame), probe::LinkType::ethernet});
    }
    return of_copies(originals, pool_octets, most_frames);
}

BenchPackets BenchPackets::of_iot_mix(size_t pool_octets, size_t most_frames) {
    std::vector<CapturedPacket> originals;
    for (std::string& frame : iot_frames(kSeed)) {
        originals.push_back({std::move(frame), probe::LinkType::ethernet});
    }
    return of_copies(originals, pool_octets, most_frames);
}

BenchPackets BenchPackets::of_capture(const std::filesystem::path& capture,
                                      size_t pool_octets,
                                      size_t most_frames) {
    return of_copies(read_capture(capture, pool_octets, most_frames), pool_octets, most_frames);
}

BenchPackets BenchPackets::of_copies(const std::vector<CapturedPacket>& originals,
                                     size_t pool_octets,
                                     size_t most_frames) {
    constexpr uint32_t kMostCopies = 65536;
    size_t copy_octets = 0;
    for (const CapturedPacket& original : originals) {
        copy_octets += lines_of(original.octets.size()) * kLineOctets;
    }
    const size_t fitting = std::min(pool_octets / copy_octets, most_frames / originals.size());
    const auto copies = static_cast<uint32_t>(std::clamp<size_t>(fitting, 1, kMostCopies));
    BenchPackets packets(copies * copy_octets);
    for (uint32_t copy = 0; copy < copies; ++copy) {
        for (const CapturedPacket& original : originals) {
            uint8_t* frame = packets.add(original.octets.size(), original.link);
            std::memcpy(frame, original.octets.data(), original.octets.size());
            packets.frames_.back().clients_at = change_clients(frame, original, copy);
        }
    }
    // Which copy is next is random, its packets keep their order; each copy begins somewhere.
    TrafficRandom random(kSeed);
    std::vector<uint32_t> turns;
    turns.reserve(packets.frames_.size());
    std::vector<size_t> next(copies);
    for (uint32_t copy = 0; copy < copies; ++copy) {
        turns.insert(turns.end(), originals.size(), copy);
        next[copy] = random.between(0, originals.size() - 1);
        for (size_t before = 0; before < next[copy]; ++before) {
            packets.frames_[copy * originals.size() + before].is_ahead = true;
        }
    }
    for (size_t i = turns.size(); i > 1; --i) {
        std::swap(turns[i - 1], turns[random.between(0, i - 1)]);
    }
    packets.order_.reserve(turns.size());
    for (const uint32_t copy : turns) {
        packets.order_.push_back(static_cast<uint32_t>(copy * originals.size() + next[copy]));
        next[copy] = next[copy] + 1 == originals.size() ? 0 : next[copy] + 1;
    }
    return packets;
}

uint64_t BenchPackets::count_flows() const {
    probe::KeyedHash::Key secret;
    for (size_t i = 0; i < secret.size(); ++i) {
        secret[i] = static_cast<uint8_t>(i);
    }
    const auto hash = [keyed = probe::KeyedHash(secret)](const probe::FlowKey& key) {
        return keyed(key);
    };
    std::unordered_set<probe::FlowKey, decltype(hash)> flows(frames_.size(), hash);
    for (const Frame& frame : frames_) {
        probe::ParsedPacket packet;
        if (parse_packet({octets(frame), 0, frame.octets, frame.octets, frame.link}, {}, packet) ==
            probe::ParseResult::metered) {
            flows.insert(packet.key);
        }
    }
    return flows.size();
}

void BenchPackets::write(const std::filesystem::path& capture) const {
    // The classic format of libpcap, with the time in nanoseconds left at 0.
    constexpr std::array<uint32_t, 6> kHead{
        0xa1b23c4d, 4 << 16 | 2, 0, 0, probe::kMaximumPacketOctets, 1};
    std::ofstream file(capture, std::ios::binary);
    file.write(reinterpret_cast<const char*>(kHead.data()), sizeof(kHead));
    for (const uint32_t index : order_) {
        const Frame& frame = frames_[index];
        if (frame.link != probe::LinkType::ethernet) {
            throw std::runtime_error("over a device only packets of Ethernet can be measured");
        }
        const std::array<uint32_t, 4> head{0, 0, frame.octets, frame.octets};
        file.write(reinterpret_cast<const char*>(head.data()), sizeof(head));
        file.write(reinterpret_cast<const char*>(octets(frame)), frame.octets);
    }
    file.close();
    if (!file) {
        throw std::runtime_error(fmt::format("{}: cannot be written", capture.string()));
    }
}

uint32_t BenchPackets::mean_frame_octets() const {
    uint64_t sum = 0;
    for (const Frame& frame : frames_) {
        sum += frame.octets + kFcsOctets;
    }
    return static_cast<uint32_t>((sum + frames_.size() / 2) / frames_.size());
}

}  // namespace curlew::cli
