#include "collector/loss_spans.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(LossSpans){};

TEST(LossSpans, both_ends_belong_to_a_span) {
    const LossSpans spans({{10, 20}, {40, 50}});
    CHECK_FALSE(spans.overlaps(0, 9));
    CHECK_TRUE(spans.overlaps(0, 10));
    CHECK_TRUE(spans.overlaps(12, 13));
    CHECK_TRUE(spans.overlaps(20, 30));
    CHECK_FALSE(spans.overlaps(21, 39));
    CHECK_TRUE(spans.overlaps(21, 40));
    CHECK_TRUE(spans.overlaps(0, 100));
    CHECK_FALSE(spans.overlaps(51, 60));
    CHECK_FALSE(LossSpans().overlaps(0, UINT64_MAX));
}

TEST(LossSpans, those_that_overlap_and_come_in_any_order) {
    const LossSpans spans({{100, UINT64_MAX}, {5, 50}, {10, 20}, {9, 8}});
    CHECK_TRUE(spans.overlaps(30, 30));
    CHECK_FALSE(spans.overlaps(51, 99));
    CHECK_TRUE(spans.overlaps(UINT64_MAX, UINT64_MAX));
}

TEST(LossSpans, of_a_ledger_only_packets_leave_records_incomplete) {
    proto::ProbeLedger ledger;
    ledger.add_packets_lost()->set_reason("port_missed");
    ledger.add_records_lost()->set_reason("outbox");
    for (const char* reason : {"port_missed", "outbox"}) {
        proto::LossInterval& loss = *ledger.add_losses();
        loss.set_from_ns(7);
        loss.set_to_ns(9);
        loss.set_reason(reason);
    }
    CHECK(packet_losses(ledger) == (std::vector<LossSpan>{{7, 9}}));
}

}  // namespace curlew::collector
