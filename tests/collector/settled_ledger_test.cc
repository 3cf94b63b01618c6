#include "collector/settled_ledger.h"

#include <string>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

void add_doubt(proto::ProbeLedger& ledger,
               const char* reason,
               uint64_t first,
               uint64_t last,
               uint64_t from_ns) {
    proto::RecordsInDoubt& doubt = *ledger.add_in_doubt();
    doubt.set_first_sequence(first);
    doubt.set_last_sequence(last);
    doubt.mutable_loss()->set_reason(reason);
    doubt.mutable_loss()->set_lost(last - first + 1);
    doubt.mutable_loss()->set_from_ns(from_ns);
    doubt.mutable_loss()->set_to_ns(from_ns == 0 ? 0 : from_ns + 10);
}

// "reason count", a line each.
std::string lost_by(const proto::ProbeLedger& ledger) {
    std::string all;
    for (const proto::Count& count : ledger.records_lost()) {
        all += count.reason() + " " + std::to_string(count.packets()) + "\n";
    }
    return all;
}

}  // namespace

TEST_GROUP(SettledLedger) {
    proto::ProbeLedger ledger;

    void setup() override {
        ledger.set_final(true);
        ledger.set_records_created(100);
        ledger.set_records_sent(90);
        proto::Count& count = *ledger.add_records_lost();
        count.set_reason("outbox");
        count.set_packets(10);
    }
};

TEST(SettledLedger, what_arrived_stays_sent) {
    add_doubt(ledger, "outbox", 11, 20, 500);
    add_doubt(ledger, "dropped", 41, 50, 500);
    const proto::ProbeLedger now = settled(ledger, {{1, 10}, {21, 40}, {51, 60}});
    CHECK_EQUAL(90u, now.records_sent());
    STRCMP_EQUAL("outbox 10\n", lost_by(now).c_str());
    CHECK_EQUAL(0, now.losses_size());
    CHECK_EQUAL(0, now.in_doubt_size());
}

TEST(SettledLedger, what_is_missing_is_lost_and_told_when) {
    add_doubt(ledger, "outbox", 11, 20, 500);
    add_doubt(ledger, "outbox", 21, 30, 300);
    add_doubt(ledger, "outbox", 31, 40, 900);
    add_doubt(ledger, "dropped", 41, 45, 700);
    const proto::ProbeLedger now = settled(ledger, {{11, 30}, {41, 45}});
    CHECK_EQUAL(65u, now.records_sent());
    STRCMP_EQUAL("outbox 30\ndropped 5\n", lost_by(now).c_str());
    CHECK_EQUAL(2, now.losses_size());
    STRCMP_EQUAL("dropped", now.losses(0).reason().c_str());
    CHECK_EQUAL(5u, now.losses(0).lost());
    STRCMP_EQUAL("outbox", now.losses(1).reason().c_str());
    CHECK_EQUAL(300u, now.losses(1).from_ns());
    CHECK_EQUAL(510u, now.losses(1).to_ns());
    CHECK_EQUAL(20u, now.losses(1).lost());
}

TEST(SettledLedger, without_times_it_is_counted) {
    add_doubt(ledger, "outbox", 1, 20, 0);
    const proto::ProbeLedger now = settled(ledger, {{15, 15}});
    CHECK_EQUAL(70u, now.records_sent());
    STRCMP_EQUAL("outbox 30\n", lost_by(now).c_str());
    CHECK_EQUAL(0, now.losses_size());
}

TEST(SettledLedger, no_more_is_lost_than_was_sent) {
    add_doubt(ledger, "outbox", 1, 200, 500);
    const proto::ProbeLedger now = settled(ledger, {{150, 150}});
    CHECK_EQUAL(0u, now.records_sent());
    STRCMP_EQUAL("outbox 100\n", lost_by(now).c_str());
    CHECK_EQUAL(90u, now.losses(0).lost());
}

}  // namespace curlew::collector
