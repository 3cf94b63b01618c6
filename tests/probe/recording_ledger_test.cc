#include "probe/recording_ledger.h"

#include "proto/flow.pb.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;

TEST_GROUP(RecordingLedger){};

TEST(RecordingLedger, crosses_with_every_count_and_file) {
    curlew::proto::Recording message;
    fill({.packets_recorded = 5,
          .octets_recorded = 300,
          .packets_not_chosen = 2,
          .packets_lost_in_ring = 0,
          .packets_lost_at_disk = 1,
          .files = {{"a.pcapng", 7, 9}}},
         message);
    LONGS_EQUAL(5, message.packets_recorded());
    LONGS_EQUAL(300, message.octets_recorded());
    LONGS_EQUAL(2, message.packets_not_chosen());
    LONGS_EQUAL(1, message.packets_lost_size());
    STRCMP_EQUAL("disk", message.packets_lost(0).reason().c_str());
    LONGS_EQUAL(1, message.packets_lost(0).packets());
    STRCMP_EQUAL("a.pcapng", message.files(0).name().c_str());
    LONGS_EQUAL(7, message.files(0).from_ns());
    LONGS_EQUAL(9, message.files(0).to_ns());
}
