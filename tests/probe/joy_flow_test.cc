#include "probe/joy_flow.h"

#include <string>

#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using curlew::tests::Packet;
using curlew::tests::PacketBuilder;

namespace {

constexpr uint64_t kJoySecond = 1'000'000;

PacketBuilder out(uint64_t time_us) {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.1", "10.0.0.2").time_ns(time_us * 1000);
}

PacketBuilder back(uint64_t time_us) {
    return PacketBuilder{}.ethernet().ipv4("10.0.0.2", "10.0.0.1").time_ns(time_us * 1000);
}

}  // namespace

// 10.0.0.1:1000 is the older side.
TEST_GROUP(JoyFlow) {
    JoyPacketReader reader;
    JoyPacket packet;
    std::unique_ptr<JoyFlow> flow;

    void older(PacketBuilder builder) {
        const Packet built = builder.build();
        CHECK(reader.read(built.view(), packet) == JoyVerdict::metered);
        if (!flow) {
            flow = std::make_unique<JoyFlow>(packet.key);
        }
        flow->older.add(packet);
    }
    void newer(PacketBuilder builder) {
        const Packet built = builder.build();
        CHECK(reader.read(built.view(), packet) == JoyVerdict::metered);
        if (!flow->newer) {
            flow->newer.emplace(packet.key);
        }
        flow->newer->add(packet);
    }
    bool older_first() {
        return orient(*flow).record == &flow->older;
    }
};

TEST(JoyFlow, of_one_direction_is_that_direction) {
    older(out(5).udp(1000, 2000));
    older(out(9).udp(1000, 2000));
    const JoyOrientation found = orient(*flow);
    CHECK(found.record == &flow->older);
    CHECK(found.twin == nullptr);
    CHECK_EQUAL(5u, found.start_us);
    CHECK_EQUAL(9u, found.end_us);
}

TEST(JoyFlow, without_a_sign_begins_with_the_earlier_side_and_ends_with_the_later) {
    older(out(5).udp(1000, 2000));
    newer(back(7).udp(2000, 1000));
    newer(back(30).udp(2000, 1000));
    CHECK_TRUE(older_first());
    CHECK_EQUAL(5u, orient(*flow).start_us);
    CHECK_EQUAL(30u, orient(*flow).end_us);
    CHECK(orient(*flow).source == JoyDirectionSource::first_packet);
}

TEST(JoyFlow, of_equal_times_begins_with_the_newer_side) {
    older(out(5).udp(1000, 2000));
    newer(back(5).udp(2000, 1000));
    CHECK_FALSE(older_first());
}

TEST(JoyFlow, the_client_by_payload_goes_first_with_its_own_start_and_the_older_side_end) {
    older(out(5).tcp(80, 1000).payload("x"));
    newer(back(8).tcp(1000, 80).payload("GET / HTTP/1.1"));
    newer(back(20).tcp(1000, 80));
    CHECK_FALSE(older_first());
    CHECK_EQUAL(8u, orient(*flow).start_us);
    CHECK_EQUAL(5u, orient(*flow).end_us);
    CHECK(orient(*flow).source == JoyDirectionSource::payload);
}

TEST(JoyFlow, dns_is_turned_round) {
    const auto query = curlew::tests::from_hex("00 02 01 00 00 01 00 00 00 00 00 00");
    older(out(100).udp(1000, 53).payload(query));
    newer(back(200).udp(53, 1000).payload("answer"));
    CHECK_FALSE(older_first());
    CHECK_EQUAL(200u, orient(*flow).start_us);
    CHECK_EQUAL(100u, orient(*flow).end_us);
}

TEST(JoyFlow, a_server_by_payload_goes_last_against_the_flags) {
    older(out(5).tcp(1000, 80).flags("S"));
    newer(back(6).tcp(80, 1000).flags("SA"));
    CHECK_TRUE(older_first());
    older(out(7).tcp(1000, 80).payload("HTTP/1.1 200 OK"));
    CHECK_FALSE(older_first());
}

TEST(JoyFlow, a_syn_tells_and_an_answer_alone_tells_too) {
    older(out(5).tcp(80, 1000).flags("SA"));
    newer(back(6).tcp(1000, 80));
    CHECK_FALSE(older_first());
    CHECK(orient(*flow).source == JoyDirectionSource::synack);
    newer(back(7).tcp(1000, 80).flags("S"));
    CHECK_FALSE(older_first());
    CHECK(orient(*flow).source == JoyDirectionSource::syn);
}

TEST(JoyFlow, two_syns_decide_nothing) {
    older(out(5).tcp(1000, 80).flags("S"));
    newer(back(6).tcp(80, 1000).flags("S"));
    CHECK_TRUE(older_first());
    CHECK(orient(*flow).source == JoyDirectionSource::first_packet);
}

TEST(JoyFlow, is_inactive_after_more_than_ten_seconds) {
    older(out(kJoySecond).udp(1000, 2000));
    CHECK(age_of(*flow, 11 * kJoySecond) == JoyAge::live);
    CHECK(age_of(*flow, 11 * kJoySecond + 1) == JoyAge::inactive);
}

TEST(JoyFlow, is_active_too_long_after_more_than_thirty_seconds_whatever_its_end) {
    older(out(kJoySecond).udp(1000, 2000));
    CHECK(age_of(*flow, 31 * kJoySecond) == JoyAge::inactive);
    CHECK(age_of(*flow, 31 * kJoySecond + 1) == JoyAge::active);
    older(out(31 * kJoySecond).udp(1000, 2000));
    CHECK(age_of(*flow, 31 * kJoySecond) == JoyAge::live);
    CHECK(age_of(*flow, 31 * kJoySecond + 1) == JoyAge::active);
}

TEST(JoyFlow, lives_as_long_as_either_side) {
    older(out(kJoySecond).udp(1000, 2000));
    newer(back(5 * kJoySecond).udp(2000, 1000));
    CHECK(age_of(*flow, 15 * kJoySecond) == JoyAge::live);
    CHECK(age_of(*flow, 15 * kJoySecond + 1) == JoyAge::inactive);
    CHECK(age_of(*flow, 35 * kJoySecond) == JoyAge::inactive);
    CHECK(age_of(*flow, 35 * kJoySecond + 1) == JoyAge::active);
}
