#include "probe/packet_lane.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

constexpr size_t kRingOctets = size_t{2} << 20;

// A receiver's side of one lane.
struct Feeder {
    PacketLane lane{kRingOctets};
    ReceiverProgress progress;

    // Its octets are gone when this returns, as after a port's release().
    bool add(uint64_t time_ns, size_t payload_octets = 4) {
        const Packet packet = PacketBuilder{}
                                  .ethernet()
                                  .ipv4("10.0.0.1", "10.0.0.2")
                                  .udp(7, 53)
                                  .payload(Octets(payload_octets, static_cast<uint8_t>(time_ns)))
                                  .time_ns(time_ns)
                                  .build();
        ParsedPacket parsed;
        CHECK(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
        return lane.add(parsed, time_ns + 1000);
    }

    void hand_over(const std::vector<uint64_t>& times_ns) {
        for (const uint64_t time_ns : times_ns) {
            CHECK(add(time_ns));
        }
        lane.flush();
    }

    void pass(uint64_t time_ns) { progress.handed_over_ns = time_ns; }
    void poll_in_vain() { ++progress.empty_polls; }
    void end() { progress.ended = true; }
};

}  // namespace

TEST_GROUP(PacketMerger) {
    std::deque<Feeder> feeders;
    std::unique_ptr<PacketMerger> merger;

    void begin(size_t lanes) {
        std::vector<PacketMerger::Source> sources;
        feeders.clear();
        for (size_t i = 0; i < lanes; ++i) {
            Feeder& feeder = feeders.emplace_back();
            sources.push_back({&feeder.lane.ring(), &feeder.progress});
        }
        merger = std::make_unique<PacketMerger>(sources);
    }

    // Times of one burst.
    std::vector<uint64_t> gather() {
        std::vector<uint64_t> times_ns;
        const PacketMerger::Burst burst = merger->gather();
        CHECK_EQUAL(burst.packets.size(), burst.hashes.size());
        for (size_t i = 0; i < burst.packets.size(); ++i) {
            CHECK_EQUAL(burst.packets[i].time_ns + 1000, burst.hashes[i]);
            times_ns.push_back(burst.packets[i].time_ns);
        }
        merger->release();
        return times_ns;
    }

    void check_gathers(const std::vector<uint64_t>& expected) {
        const std::vector<uint64_t> times_ns = gather();
        CHECK(expected == times_ns);
    }
};

TEST(PacketMerger, shows_nothing_of_empty_lanes) {
    for (const size_t lanes : {size_t{1}, size_t{2}, size_t{3}}) {
        begin(lanes);
        check_gathers({});
    }
}

TEST(PacketMerger, packets_are_seen_after_the_flush) {
    begin(1);
    CHECK(feeders[0].add(5));
    check_gathers({});
    feeders[0].lane.flush();
    check_gathers({5});
    check_gathers({});
}

TEST(PacketMerger, one_lane_keeps_its_own_order_and_waits_for_nobody) {
    begin(1);
    feeders[0].hand_over({5, 3, 9, 3});
    check_gathers({5, 3, 9, 3});
}

TEST(PacketMerger, takes_the_earliest_of_all_lanes) {
    begin(3);
    feeders[0].hand_over({1, 6, 7});
    feeders[1].hand_over({2, 3, 9});
    feeders[2].hand_over({4, 5, 8});
    for (Feeder& feeder : feeders) {
        feeder.pass(9);
    }
    std::vector<uint64_t> times_ns;
    for (int i = 0; i < 4; ++i) {
        for (const uint64_t time_ns : gather()) {
            times_ns.push_back(time_ns);
        }
    }
    CHECK(times_ns == std::vector<uint64_t>({1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(PacketMerger, a_burst_has_the_room_of_a_burst) {
    begin(2);
    for (uint64_t time_ns = 0; time_ns < 100; ++time_ns) {
        CHECK(feeders[time_ns % 2].add(time_ns));
    }
    for (Feeder& feeder : feeders) {
        feeder.lane.flush();
        feeder.end();
    }
    const size_t first = gather().size();
    CHECK_EQUAL(64u, first);
    const size_t rest = gather().size() + gather().size();
    CHECK_EQUAL(36u, rest);
}

TEST(PacketMerger, a_packet_is_the_one_that_was_handed_over) {
    begin(1);
    const Packet packet = PacketBuilder{}
                              .ethernet("02:00:00:00:00:01", "02:00:00:00:00:0f")
                              .vlan(7)
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .tcp(7, 80)
                              .payload("GET /")
                              .padding(9)
                              .time_ns(3)
                              .build();
    ParsedPacket parsed;
    CHECK(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
    CHECK(feeders[0].lane.add(parsed, 77));
    feeders[0].lane.flush();
    const PacketMerger::Burst burst = merger->gather();
    CHECK_EQUAL(1u, burst.packets.size());
    CHECK_EQUAL(77u, burst.hashes[0]);
    const ParsedPacket& got = burst.packets[0];
    CHECK(got.key == parsed.key);
    CHECK(got.frame != parsed.frame);
    CHECK_EQUAL(0x0f, got.frame[5]);
    CHECK_EQUAL(18, got.ip - got.frame);
    CHECK_EQUAL(20, got.transport - got.ip);
    CHECK_EQUAL(20, got.payload - got.transport);
    CHECK_EQUAL(5u, got.payload_captured_octets);
    CHECK(std::equal(got.payload, got.payload + 5, "GET /"));
    CHECK_EQUAL(7, got.vlans[0]);
    merger->release();
}

TEST(PacketMerger, a_later_fragment_has_no_transport_on_the_way_either) {
    begin(1);
    const Packet packet = PacketBuilder{}
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .fragment(9, 1480, false)
                              .protocol(17)
                              .payload("x")
                              .build();
    ParsedPacket parsed;
    CHECK(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
    CHECK(feeders[0].lane.add(parsed, 1));
    feeders[0].lane.flush();
    CHECK(merger->gather().packets[0].transport == nullptr);
    merger->release();
}

TEST(PacketMerger, waits_for_a_receiver_that_has_not_passed) {
    begin(2);
    feeders[0].hand_over({10, 20});
    feeders[1].pass(9);
    check_gathers({});
    feeders[1].pass(10);
    check_gathers({10});
    feeders[1].pass(19);
    check_gathers({});
    feeders[1].pass(25);
    check_gathers({20});
}

TEST(PacketMerger, waits_for_each_of_several_receivers) {
    begin(3);
    feeders[1].hand_over({10});
    feeders[0].pass(10);
    check_gathers({});
    feeders[2].pass(10);
    check_gathers({10});
}

TEST(PacketMerger, what_the_awaited_receiver_brings_goes_first) {
    begin(2);
    feeders[0].hand_over({10});
    check_gathers({});
    feeders[1].hand_over({4, 5, 30});
    feeders[1].pass(30);
    check_gathers({4, 5, 10});
    check_gathers({});
    feeders[0].pass(30);
    check_gathers({30});
}

TEST(PacketMerger, two_polls_in_vain_let_a_quiet_receiver_be) {
    begin(2);
    // Those before the wait say nothing.
    feeders[1].poll_in_vain();
    feeders[1].poll_in_vain();
    feeders[0].hand_over({10});
    check_gathers({});
    check_gathers({});
    // This one may have begun before the wait.
    feeders[1].poll_in_vain();
    check_gathers({});
    feeders[1].poll_in_vain();
    check_gathers({10});
}

TEST(PacketMerger, polls_in_vain_count_for_the_packet_waited_with) {
    begin(2);
    feeders[0].hand_over({10, 20});
    check_gathers({});
    feeders[1].poll_in_vain();
    feeders[1].poll_in_vain();
    check_gathers({10});
    feeders[1].poll_in_vain();
    check_gathers({});
    feeders[1].poll_in_vain();
    check_gathers({20});
}

TEST(PacketMerger, a_receiver_that_ended_is_not_waited_for) {
    begin(2);
    feeders[0].hand_over({10, 20});
    check_gathers({});
    feeders[1].end();
    check_gathers({10, 20});
}

TEST(PacketMerger, what_came_before_the_end_is_taken_in_its_order) {
    begin(2);
    feeders[0].hand_over({10});
    feeders[1].hand_over({7, 12});
    feeders[0].end();
    feeders[1].end();
    check_gathers({7, 10});
    check_gathers({12});
}

TEST(PacketMerger, any_split_of_a_line_is_put_together_again) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    const std::string told = "seed " + std::to_string(seed);
    for (size_t round = 0; round < 20; ++round) {
        begin(1 + round % 3);
        std::vector<uint64_t> merged;
        uint64_t time_ns = 0;
        for (size_t step = 0; step < 400; ++step) {
            Feeder& feeder = feeders[random() % feeders.size()];
            const size_t burst = 1 + random() % 5;
            for (size_t i = 0; i < burst; ++i) {
                CHECK(feeder.add(++time_ns, random() % 900));
            }
            feeder.lane.flush();
            feeder.pass(time_ns);
            if (random() % 3 == 0) {
                for (const uint64_t taken : gather()) {
                    merged.push_back(taken);
                }
            }
        }
        for (Feeder& feeder : feeders) {
            feeder.end();
        }
        for (std::vector<uint64_t> rest = gather(); !rest.empty(); rest = gather()) {
            merged.insert(merged.end(), rest.begin(), rest.end());
        }
        CHECK_TEXT(merged.size() == time_ns, told.c_str());
        for (size_t i = 0; i < merged.size(); ++i) {
            CHECK_TEXT(merged[i] == i + 1, told.c_str());
        }
    }
}

TEST_GROUP(PacketLane){};

TEST(PacketLane, a_full_ring_refuses_until_there_is_room_again) {
    Feeder feeder;
    uint64_t taken = 0;
    while (taken < 1000 && feeder.add(taken + 1, 60'000)) {
        ++taken;
    }
    // 2 MiB, less what the end of the ring and of each batch does not hold.
    CHECK(taken >= 28);
    CHECK(taken <= 34);
    CHECK_FALSE(feeder.add(taken + 1, 60'000));
    PacketMerger merger({{&feeder.lane.ring(), &feeder.progress}});
    // What was taken is there, though nobody flushed.
    uint64_t merged = 0;
    for (size_t count = merger.gather().packets.size(); count != 0;
         count = merger.gather().packets.size()) {
        merged += count;
        merger.release();
    }
    CHECK_EQUAL(taken, merged);
    CHECK(feeder.add(taken + 1, 60'000));
}

TEST(PacketLane, the_longest_packet_has_a_batch_of_its_own) {
    Feeder feeder;
    const Packet packet = PacketBuilder{}
                              .ethernet()
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .length(0)
                              .tcp(7, 80)
                              .payload(Octets(262'144 - 54, 0x5a))
                              .build();
    CHECK_EQUAL(262'144u, packet.octets.size());
    ParsedPacket parsed;
    CHECK(parse_packet(packet.view(), {}, parsed) == ParseResult::metered);
    PacketMerger merger({{&feeder.lane.ring(), &feeder.progress}});
    // At many places of the ring.
    for (uint64_t round = 1; round <= 50; ++round) {
        CHECK(feeder.add(round, 1300 * round));
        CHECK(feeder.lane.add(parsed, 2));
        CHECK(feeder.add(round));
        feeder.lane.flush();
        std::vector<size_t> payloads;
        for (int i = 0; i < 3; ++i) {
            for (const ParsedPacket& got : merger.gather().packets) {
                payloads.push_back(got.payload_captured_octets);
                CHECK(got.payload[0] == got.payload[got.payload_captured_octets - 1]);
            }
            merger.release();
        }
        CHECK(payloads == std::vector<size_t>({1300 * round, 262'090, 4}));
    }
}
