#include "probe/ledger_message.h"

#include <map>
#include <string>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
namespace proto = curlew::proto;

namespace {

std::map<std::string, uint64_t> tally(
    const google::protobuf::RepeatedPtrField<proto::Count>& counts) {
    std::map<std::string, uint64_t> tally;
    for (const proto::Count& count : counts) {
        tally[count.reason()] += count.packets();
    }
    return tally;
}

using Tally = std::map<std::string, uint64_t>;

}  // namespace

TEST_GROUP(LedgerMessage) {
    MeterLedger ledger;
};

TEST(LedgerMessage, packets_add_up_by_reason) {
    ledger.port.packets_offered = 100;
    ledger.port.packets_missed = 4;
    ledger.port.packets_filtered = 5;
    ledger.packets.packets_lost_handing_over = 6;
    ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)] = 80;
    ledger.packets.by_result[static_cast<size_t>(ParseResult::not_ip)] = 3;
    ledger.not_metered = {{"copy", 2}, {"ip_truncated", 0}};
    const proto::ProbeLedger message = ledger_message(ledger);
    CHECK(tally(message.packets_not_metered()) ==
          (Tally{{"copy", 2}, {"filtered", 5}, {"not_ip", 3}}));
    CHECK(tally(message.packets_lost()) == (Tally{{"hand_over", 6}, {"port_missed", 4}}));
    CHECK_EQUAL(80, message.packets_metered());
    CHECK_EQUAL(100, message.packets_offered());
}

TEST(LedgerMessage, losses_keep_when_and_where) {
    ledger.losses = {{10, 20, 3, LossReason::port_missed, 7}, {30, 40, 0, LossReason::dropped, 8}};
    const proto::ProbeLedger message = ledger_message(ledger);
    CHECK_EQUAL(2, message.losses_size());
    CHECK_EQUAL(10, message.losses(0).from_ns());
    CHECK_EQUAL(20, message.losses(0).to_ns());
    CHECK_EQUAL(3, message.losses(0).queue());
    CHECK_EQUAL(7, message.losses(0).lost());
    STRCMP_EQUAL("port_missed", message.losses(0).reason().c_str());
    STRCMP_EQUAL("dropped", message.losses(1).reason().c_str());
}

TEST(LedgerMessage, without_a_packet_there_are_no_times) {
    ledger.packets.first_packet_ns = UINT64_MAX;
    CHECK_EQUAL(0, ledger_message(ledger).first_packet_ns());
    ledger.packets.first_packet_ns = 5;
    ledger.packets.last_packet_ns = 6;
    CHECK_EQUAL(5, ledger_message(ledger).first_packet_ns());
    CHECK_EQUAL(6, ledger_message(ledger).last_packet_ns());
}
