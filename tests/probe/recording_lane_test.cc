#include "probe/recording_lane.h"

#include <cstring>

#include "probe/packet_filter.h"
#include "tests/probe/recording_files.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;
using namespace curlew::tests;

namespace {

constexpr size_t kLaneRingOctets = size_t{2} << 20;

RecordingLaneConfig config(const RecordingChoice& choice = {}) {
    return {.ring_octets = kLaneRingOctets, .choice = choice, .queues = 2};
}

// Packets in the ring, and how many their headers say were lost.
struct Taken {
    explicit Taken(RecordingLane& lane) {
        for (auto message = lane.ring().front(); !message.empty(); message = lane.ring().front()) {
            while (!message.empty()) {
                RecordedPacket packet;
                std::memcpy(&packet, message.data(), sizeof(packet));
                packets.push_back(packet);
                lost += packet.lost_before;
                message = message.subspan(packet.message_octets());
            }
            lane.ring().pop();
        }
    }
    std::vector<RecordedPacket> packets;
    uint64_t lost = 0;
};

}  // namespace

TEST_GROUP(RecordingLane){};

TEST(RecordingLane, a_packet_keeps_what_the_port_said_of_it) {
    RecordingLane lane(config());
    const Packet packet = PacketBuilder{}
                              .ethernet()
                              .vlan(7)
                              .ipv4()
                              .udp(1, 2)
                              .payload("x")
                              .padding(13)
                              .time_ns(5)
                              .build()
                              .captured(60);
    offer(lane, packet, 1);
    CHECK(lane.ring().front().empty());
    lane.flush();
    const auto message = lane.ring().front();
    RecordedPacket recorded;
    std::memcpy(&recorded, message.data(), sizeof(recorded));
    LONGS_EQUAL(5, recorded.time_ns);
    LONGS_EQUAL(60, recorded.captured_octets);
    LONGS_EQUAL(packet.wire_octets, recorded.wire_octets);
    LONGS_EQUAL(1, recorded.queue);
    MEMCMP_EQUAL(packet.octets.data(), message.data() + sizeof(recorded), 60);
    LONGS_EQUAL(recorded.message_octets(), message.size());
}

TEST(RecordingLane, a_full_ring_loses_packets_and_the_next_of_the_queue_says_how_many) {
    RecordingLane lane(config());
    const Packet packet = packet_at(1, 1400);
    while (lane.packets_lost() < 3) {
        offer(lane, packet, 0);
        lane.flush();
    }
    offer(lane, packet, 1);
    const Taken before(lane);
    LONGS_EQUAL(0, before.lost);
    offer(lane, packet, 0);
    offer(lane, packet, 1);
    offer(lane, packet, 0);
    lane.flush();
    const Taken after(lane);
    LONGS_EQUAL(3, after.packets.size());
    LONGS_EQUAL(3, after.packets[0].lost_before);
    LONGS_EQUAL(1, after.packets[1].lost_before);
    LONGS_EQUAL(0, after.packets[2].lost_before);
    LONGS_EQUAL(4, lane.packets_lost());
}

TEST(RecordingLane, the_longest_packet_finds_room) {
    RecordingLane lane(config());
    Packet packet = packet_at(1);
    packet.octets.resize(kMaximumPacketOctets);
    packet.wire_octets = kMaximumPacketOctets;
    offer(lane, packet_at(1));
    offer(lane, packet);
    offer(lane, packet_at(2));
    lane.flush();
    LONGS_EQUAL(3, Taken(lane).packets.size());
    LONGS_EQUAL(0, lane.packets_lost());
}

TEST(RecordingLane, a_flow_is_recorded_up_to_the_packet_that_passes_its_octets) {
    RecordingLane lane(config({.octets_per_flow = 100}));
    ParsedPacket parsed;
    const Packet packet = packet_at(1, 32);  // 60 octets of IP
    CHECK(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
    FlowHot hot;
    for (const size_t side : {0, 1, 0, 1}) {
        hot.octets[side] += parsed.octets;
        lane.offer(parsed, hot, {});
    }
    lane.flush();
    LONGS_EQUAL(2, Taken(lane).packets.size());
    LONGS_EQUAL(2, lane.packets_not_chosen());
    LONGS_EQUAL(0, lane.packets_lost());
}

TEST(RecordingLane, a_flow_is_recorded_while_it_may_be_of_a_protocol_that_is_wanted) {
    FlowHot hot;
    const auto taken = [&hot](const FlowWarm& warm) {
        RecordingLane lane(config({.signatures = {0, 1}}));
        ParsedPacket parsed;
        const Packet packet = packet_at(1);
        CHECK(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
        lane.offer(parsed, hot, warm);
        lane.flush();
        return Taken(lane).packets.size() == 1;
    };
    FlowWarm warm;
    hot.key.protocol = 1;
    CHECK_FALSE(taken(warm));
    hot.key.protocol = kProtocolUdp;
    CHECK_TRUE(taken(warm));
    hot.packets = {30, 35};
    CHECK_FALSE(taken(warm));
    warm.inspected = {1, 0};
    CHECK_TRUE(taken(warm));
    warm.inspected = {0, 0};
    hot.packets = {30, 34};
    CHECK_TRUE(taken(warm));
    warm.inspected = {2, 1};
    CHECK_TRUE(taken(warm));
    warm.inspected = {3, 1};
    CHECK_FALSE(taken(warm));
    warm.hit_count = 1;
    warm.hits[0].signature = 1;
    CHECK_TRUE(taken(warm));
    warm.hits[0].signature = 0;
    warm.inspected = {1, 0};
    CHECK_FALSE(taken(warm));
    warm.hit_count = 2;
    warm.hits[1].signature = 1;
    CHECK_TRUE(taken(warm));
}

TEST(RecordingLane, a_filter_chooses_packets) {
    const PacketFilter filter("udp port 53", LinkType::ethernet);
    RecordingLane lane(config({.filter = filter.for_port()}));
    offer(lane, packet_at(1));
    offer(lane, PacketBuilder{}.ethernet().ipv4().udp(1, 2).build());
    lane.flush();
    LONGS_EQUAL(1, Taken(lane).packets.size());
    LONGS_EQUAL(1, lane.packets_not_chosen());
}
