#include "tests/support/floods.h"

#include <algorithm>
#include <string>

namespace curlew::tests {

namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kStart = 1'500'000'000 * kSecond;
constexpr uint64_t kFloodLasts = 10 * kSecond;
constexpr uint32_t kFloodPacketsBetween = 10;
constexpr size_t kNewFlowPackets = 6;

// The number as part of a forged sender: 17 bits of the address, the rest in `low`.
std::string forged_sender(uint32_t number) {
    return "198." + std::to_string(18 + (number >> 16 & 1)) + "." +
           std::to_string(number >> 8 & 255) + "." + std::to_string(number & 255);
}

std::vector<Packet> flood_packets(Flood flood, uint32_t number) {
    const std::string sender = forged_sender(number);
    const char* victim = "10.9.9.9";
    const auto port = static_cast<uint16_t>(1024 + number % 60'000);
    const PacketBuilder there = PacketBuilder{}.ethernet().ipv4(sender, victim);
    const PacketBuilder back = PacketBuilder{}.ethernet().ipv4(victim, sender);
    const Packet syn = PacketBuilder(there).tcp(port, 443).flags("S").build();
    const auto fragment = [&](uint16_t offset, bool more) {
        return PacketBuilder(there).fragment(number, offset, more);
    };
    switch (flood) {
        case Flood::syn:
            return {syn};
        case Flood::syn_answered: {
            const Packet answer = PacketBuilder(back).tcp(443, port).flags("SA").build();
            return {syn, answer, answer};
        }
        case Flood::syn_refused:
            return {syn, PacketBuilder(back).tcp(443, port).flags("RA").build()};
        case Flood::datagrams:
            return {PacketBuilder(there).udp(port, 53).payload(Octets(600, 0x5a)).build()};
        case Flood::tiny_fragments:
            return {fragment(0, true).protocol(6).payload(Octets(8, 0x11)).build(),
                    fragment(8, false).protocol(6).payload(Octets(8, 0x22)).build()};
        case Flood::overlapping_fragments:
            return {fragment(0, true).udp(port, 53).length(64).payload(Octets(24, 1)).build(),
                    fragment(0, true).udp(53, port).length(64).payload(Octets(24, 2)).build(),
                    fragment(8, false).protocol(17).payload(Octets(48, 3)).build()};
        case Flood::incomplete_fragments:
            return {fragment(0, true).udp(port, 53).length(2000).payload(Octets(24, 1)).build()};
        case Flood::lone_fragments:
        case Flood::count_:
            break;
    }
    return {fragment(1480, false).protocol(17).payload(Octets(24, 1)).build()};
}

// The packet at this place in a conversation: three to begin it, then each side in turn.
Packet talk(const std::string& client, uint16_t port, uint64_t place) {
    const bool from_client = place != 1 && place % 2 == 0;
    PacketBuilder builder;
    builder.ethernet().ipv4(from_client ? client : "10.9.9.9", from_client ? "10.9.9.9" : client);
    builder.tcp(from_client ? port : 443, from_client ? 443 : port);
    builder.flags(place == 0 ? "S" : place == 1 ? "SA" : place == 2 ? "A" : "PA");
    builder.payload(Octets(place < 3 ? 0 : 10, 0x41));
    return builder.build();
}

struct Conversation {
    std::string client;
    uint16_t port;
    uint64_t place = 0;

    Packet next() { return talk(client, port, place++); }
};

}  // namespace

const char* name_of(Flood flood) {
    constexpr const char* kNames[] = {"syn",
                                      "syn answered",
                                      "syn refused",
                                      "datagrams",
                                      "tiny fragments",
                                      "overlapping fragments",
                                      "incomplete fragments",
                                      "lone fragments"};
    static_assert(std::size(kNames) == static_cast<size_t>(Flood::count_));
    return kNames[static_cast<size_t>(flood)];
}

FloodedLine flooded_line(const FloodPlan& plan) {
    FloodedLine line;
    std::vector<Conversation> talking;
    const auto add = [&line](Packet packet) { line.packets.push_back(std::move(packet)); };
    const auto begin = [&](const char* client, uint32_t number) {
        Conversation fresh{client, static_cast<uint16_t>(20'000 + number)};
        for (size_t i = 0; i < 4; ++i) {
            add(fresh.next());
        }
        return fresh;
    };
    for (uint32_t i = 0; i < plan.long_flows; ++i) {
        talking.push_back(begin("10.1.1.1", i));
    }
    uint64_t sent = 0;
    size_t next_to_talk = 0;
    for (uint32_t i = 0; i < plan.flood_flows; ++i) {
        if (plan.begun_meanwhile != 0 && i % (plan.flood_flows / plan.begun_meanwhile + 1) == 0) {
            talking.push_back(begin("10.2.2.2", i / (plan.flood_flows / plan.begun_meanwhile + 1)));
        }
        for (Packet& packet : flood_packets(plan.flood, i)) {
            add(std::move(packet));
            if (++sent % kFloodPacketsBetween == 0 && !talking.empty()) {
                add(talking[next_to_talk++ % talking.size()].next());
            }
        }
    }
    line.flood_end = line.packets.size();
    for (size_t i = 0; i < line.packets.size(); ++i) {
        line.packets[i].time_ns = kStart + i * (kFloodLasts / line.packets.size());
    }
    const size_t before = line.packets.size();
    for (uint32_t i = 0; i < plan.new_flows; ++i) {
        Conversation fresh = begin("10.3.3.3", i);
        while (fresh.place < kNewFlowPackets) {
            add(fresh.next());
        }
    }
    // All of them talk once more: whoever was evicted has a second record now.
    for (Conversation& conversation : talking) {
        add(conversation.next());
    }
    const size_t after = line.packets.size() - before;
    for (size_t i = 0; i < after; ++i) {
        line.packets[before + i].time_ns = kStart + kFloodLasts + i * (kSecond / after);
    }
    return line;
}

}  // namespace curlew::tests
