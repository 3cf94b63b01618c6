#include "probe/tcp_connection.h"

#include "tests/support/cpputest.h"

namespace curlew::probe {

TEST_GROUP(TcpConnection) {
    FlowHot hot;
    FlowWarm warm;

    static ParsedPacket packet(uint8_t flags, uint32_t sequence, bool from_low = true) {
        ParsedPacket parsed;
        parsed.tcp_flags = flags;
        parsed.tcp_sequence = sequence;
        parsed.tcp_acknowledgement = 7001;
        parsed.from_low = from_low;
        return parsed;
    }

    // As the meter does.
    void note(const ParsedPacket& parsed) {
        const size_t side = parsed.from_low ? 0 : 1;
        warm.beginning[side] = warm.beginning[side] != 0 ? warm.beginning[side] : parsed.tcp_flags;
        note_first_numbers(warm, parsed);
    }

    bool begins(uint8_t flags, uint32_t sequence, bool from_low = true) const {
        return begins_another(hot, warm, packet(flags, sequence, from_low));
    }
};

TEST(TcpConnection, both_fins_or_a_reset_close_it) {
    CHECK_FALSE(is_closed(hot));
    hot.state = kStateFinLow;
    CHECK_FALSE(is_closed(hot));
    hot.state = kStateFinLow | kStateFinHigh;
    CHECK_TRUE(is_closed(hot));
    hot.state = kStateReset;
    CHECK_TRUE(is_closed(hot));
}

TEST(TcpConnection, numbers_are_those_of_each_side) {
    note_first_numbers(warm, packet(kTcpSynAck, 500, false));
    CHECK_EQUAL(3, warm.streams_begun);
    CHECK_EQUAL(501u, warm.stream_begin[1]);
    CHECK_EQUAL(7001u, warm.stream_begin[0]);
    // The side's own SYN knows better than who answered it.
    note_first_numbers(warm, packet(kTcpSyn, 6000));
    note_first_numbers(warm, packet(kTcpSynAck, 500, false));
    CHECK_EQUAL(6001u, warm.stream_begin[0]);
}

TEST(TcpConnection, a_syn_of_the_same_number_is_the_same_one) {
    note(packet(kTcpSyn, 100));
    hot.packets = {1, 1};
    CHECK_FALSE(begins(kTcpSyn, 100));
    CHECK_TRUE(begins(kTcpSyn, 101));
    CHECK_FALSE(begins(kTcpAck, 101));
    hot.state = kStateReset;
    CHECK_TRUE(begins(kTcpSyn, 100));
}

TEST(TcpConnection, another_number_counts_when_the_connection_got_on) {
    note(packet(kTcpSyn, 100));
    hot.packets = {4, 0};
    CHECK_FALSE(begins(kTcpSyn, 9));
    hot.payload_octets = {1, 0};
    CHECK_TRUE(begins(kTcpSyn, 9));
    hot.payload_octets = {0, 0};
    // In an earlier record; one of nothing but SYNs is no connection that got on.
    hot.state = kStateContinued | kStateGotOnHigh;
    CHECK_FALSE(begins(kTcpSyn, 9));
    hot.state = kStateContinued | kStateGotOnLow;
    CHECK_TRUE(begins(kTcpSyn, 9));
    hot.state = 0;
    // Whose number is not known may be late; what somebody acknowledged may be wrong.
    CHECK_FALSE(begins(kTcpSyn, 9, false));
    note(packet(kTcpSynAck, 100));
    CHECK_FALSE(begins(kTcpSyn, 9, false));
}

TEST(TcpConnection, what_got_on_is_known_to_later_records) {
    CHECK_EQUAL(0, states_got_on(hot));
    hot.packets = {3, 0};
    CHECK_EQUAL(kStateGotOnHigh, states_got_on(hot));
    hot.packets = {0, 3};
    CHECK_EQUAL(kStateGotOnLow, states_got_on(hot));
    hot.state = kStateContinued | kStateGotOnHigh;
    CHECK_EQUAL(kStateGotOnLow | kStateGotOnHigh, states_got_on(hot));
    hot.state = 0;
    hot.packets = {3, 0};
    hot.payload_octets = {1, 0};
    CHECK_EQUAL(kStateGotOnLow | kStateGotOnHigh, states_got_on(hot));
}

TEST(TcpConnection, a_syn_long_after_a_connection_was_met_in_its_middle_is_anothers) {
    constexpr uint64_t kSecond = 1'000'000'000;
    ParsedPacket syn = packet(kTcpSyn, 9);
    warm.first_ns = {10 * kSecond, 10 * kSecond};
    hot.packets = {3, 3};
    hot.payload_octets = {100, 100};
    syn.time_ns = 15 * kSecond;
    CHECK_FALSE(begins_another(hot, warm, syn));
    syn.time_ns = 5 * kSecond;
    CHECK_FALSE(begins_another(hot, warm, syn));
    syn.time_ns = 15 * kSecond + 1;
    CHECK_TRUE(begins_another(hot, warm, syn));
    // The one that was answered, however late.
    note(packet(kTcpSynAck, 500, false));
    syn.tcp_sequence = 7000;
    CHECK_FALSE(begins_another(hot, warm, syn));
    // A side that was not heard may have begun now.
    warm.first_ns = {0, 10 * kSecond};
    syn.tcp_sequence = 9;
    CHECK_FALSE(begins_another(hot, warm, syn));
}

TEST(TcpConnection, a_syn_ack_begins_another_only_after_the_end) {
    note(packet(kTcpSynAck, 500, false));
    hot.packets = {3, 3};
    CHECK_FALSE(begins(kTcpSynAck, 900, false));
    hot.state = kStateFinLow | kStateFinHigh;
    CHECK_TRUE(begins(kTcpSynAck, 900, false));
    CHECK_FALSE(begins(kTcpSynAck, 500, false));
}

}  // namespace curlew::probe
