#include "collector/statistics_fields.h"

#include <string>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string written(const proto::FlowSummary& flow) {
    JsonLine json;
    json.start_object();
    write_statistics(json, flow);
    json.end_object();
    return std::string(json.finish());
}

// Two values, 10 and 20, of which one is below 16.
void set_two(proto::Spread& spread) {
    spread.set_count(2);
    spread.set_minimum(10);
    spread.set_maximum(20);
    spread.set_sum(30);
    spread.set_squares_low(500);
    for (const uint32_t bin : {1, 1, 0, 0, 0, 0, 0, 0}) {
        spread.add_histogram(bin);
    }
}

void set_none(proto::Spread& spread) {
    for (int bin = 0; bin < 8; ++bin) {
        spread.add_histogram(0);
    }
}

proto::FlowSummary flow_with_statistics() {
    proto::FlowSummary flow = small_flow();
    proto::Direction& forward = *flow.mutable_forward();
    set_two(*forward.mutable_payload_spread());
    set_two(*forward.mutable_frame_spread());
    proto::Spread& gap = *forward.mutable_gap_spread();
    gap.set_count(1);
    gap.set_minimum(1'234'567);
    gap.set_maximum(1'234'567);
    gap.set_sum(1'234'567);
    gap.set_squares_low(1'524'155'677'489);
    for (const uint32_t bin : {1, 0, 0, 0, 0, 0, 0, 0}) {
        gap.add_histogram(bin);
    }
    forward.set_bursts(3);
    return flow;
}

}  // namespace

TEST_GROUP(StatisticsFields){};

TEST(StatisticsFields, a_direction_has_its_lengths_gaps_and_bursts) {
    STRCMP_EQUAL(R"({"stats":{"out":{)"
                 R"("payload":{"min":10,"mean":15.0,"max":20,"std":7.0710678118654759,)"
                 R"("hist":[1,1,0,0,0,0,0,0]},)"
                 R"("frame":{"min":10,"mean":15.0,"max":20,"std":7.0710678118654759,)"
                 R"("hist":[1,1,0,0,0,0,0,0]},)"
                 R"("gap_us":{"count":1,"min":1234.567,"mean":1234.567,"max":1234.567,"std":0.0,)"
                 R"("hist":[1,0,0,0,0,0,0,0]},"bursts":3}}})"
                 "\n",
                 written(flow_with_statistics()).c_str());
}

TEST(StatisticsFields, without_a_gap_there_is_only_their_count) {
    proto::FlowSummary flow = flow_with_statistics();
    proto::Spread& gap = *flow.mutable_forward()->mutable_gap_spread();
    gap.Clear();
    set_none(gap);
    CHECK(written(flow).find(R"("gap_us":{"count":0,"hist":[0,0,0,0,0,0,0,0]})") !=
          std::string::npos);
}

TEST(StatisticsFields, tcp_has_what_its_sequence_numbers_say_and_its_round_trips) {
    proto::FlowSummary flow = flow_with_statistics();
    proto::TcpStatistics& tcp = *flow.mutable_forward()->mutable_tcp_statistics();
    tcp.set_out_of_order(2);
    tcp.set_zero_windows(1);
    CHECK(written(flow).find(
              R"("bursts":3,"retransmissions":0,"out_of_order":2,"zero_windows":1}}})") !=
          std::string::npos);
    flow.set_rtt_in_ns(0);
    CHECK(written(flow).find(R"(},"rtt_us":{"in":0.0}}})") != std::string::npos);
    flow.set_rtt_out_ns(1'500);
    CHECK(written(flow).find(R"(},"rtt_us":{"out":1.5,"in":0.0}}})") != std::string::npos);
}

TEST(StatisticsFields, a_direction_without_packets_is_absent) {
    proto::FlowSummary flow = flow_with_statistics();
    *flow.mutable_reverse() = flow.forward();
    flow.clear_forward();
    CHECK(written(flow).find(R"({"stats":{"in":{"payload")") == 0);
}

TEST(StatisticsFields, nothing_is_said_of_what_was_not_kept) {
    STRCMP_EQUAL("{}\n", written(small_flow()).c_str());
}

}  // namespace curlew::collector
