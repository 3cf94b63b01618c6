#include "probe/packet_lane.h"

#include <memory>

#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

constexpr size_t kRing = size_t{2} << 20;

}  // namespace

TEST_GROUP(PacketMerger) {
    PacketLane first{kRing};
    PacketLane second{kRing};
    ReceiverProgress first_progress;
    ReceiverProgress second_progress;
    PacketMerger merger{{{&first.ring(), &first_progress}, {&second.ring(), &second_progress}}};
    std::array<uint8_t, 64> octets{};

    void put(PacketLane & lane, uint64_t time_ns) {
        ParsedPacket packet{};
        packet.frame = octets.data();
        packet.ip = octets.data() + 14;
        packet.ip_captured_octets = 50;
        packet.time_ns = time_ns;
        CHECK_TRUE(lane.add(packet, time_ns));
    }
    // Times of what may be taken now.
    std::vector<uint64_t> taken() {
        std::vector<uint64_t> times;
        for (const ParsedPacket& packet : merger.gather().packets) {
            times.push_back(packet.time_ns);
        }
        merger.release();
        return times;
    }
};

TEST(PacketMerger, takes_packets_of_both_in_order_of_time) {
    for (const uint64_t time : {10, 30, 50}) {
        put(first, time);
    }
    for (const uint64_t time : {20, 30, 60}) {
        put(second, time);
    }
    first.flush();
    second.flush();
    first_progress.ended = true;
    second_progress.ended = true;
    std::vector<uint64_t> all = taken();
    for (auto more = taken(); !more.empty(); more = taken()) {
        all.insert(all.end(), more.begin(), more.end());
    }
    CHECK(all == (std::vector<uint64_t>{10, 20, 30, 30, 50, 60}));
}

TEST(PacketMerger, waits_for_a_receiver_that_has_not_passed) {
    put(first, 10);
    first.flush();
    CHECK(taken().empty());
    second_progress.handed_over_ns = 9;
    CHECK(taken().empty());
    second_progress.handed_over_ns = 10;
    CHECK(taken() == std::vector<uint64_t>{10});
}

TEST(PacketMerger, two_polls_in_vain_release_a_packet_and_one_does_not) {
    put(first, 10);
    first.flush();
    second_progress.empty_polls = 7;
    CHECK(taken().empty());
    second_progress.empty_polls = 8;
    CHECK(taken().empty());
    second_progress.empty_polls = 9;
    CHECK(taken() == std::vector<uint64_t>{10});
}

TEST(PacketMerger, an_ended_receiver_is_not_waited_for) {
    put(second, 10);
    second.flush();
    CHECK(taken().empty());
    first_progress.ended = true;
    CHECK(taken() == std::vector<uint64_t>{10});
}

TEST(PacketMerger, what_arrives_late_but_earlier_goes_first) {
    put(first, 10);
    first.flush();
    CHECK(taken().empty());
    put(second, 5);
    second.flush();
    second_progress.handed_over_ns = 5;
    CHECK(taken() == std::vector<uint64_t>{5});
}

TEST_GROUP(PacketLane){};

TEST(PacketLane, a_full_ring_refuses) {
    PacketLane lane(kRing);
    std::array<uint8_t, 64> octets{};
    ParsedPacket packet{};
    packet.frame = octets.data();
    packet.ip = octets.data();
    packet.ip_captured_octets = 64;
    size_t added = 0;
    while (lane.add(packet, 1)) {
        ++added;
        CHECK(added < kRing);
        lane.flush();
    }
    CHECK(added > kRing / 4096);
    while (!lane.ring().front().empty()) {
        lane.ring().pop();
    }
    CHECK_TRUE(lane.add(packet, 1));
}
