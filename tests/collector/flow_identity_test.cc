#include "collector/flow_identity.h"

#include <string>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(FlowIdentity){};

TEST(FlowIdentity, the_order_of_a_flow_is_that_of_either_direction) {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.1", 53, 17);
    const proto::FlowSummary back = flow_between("10.0.0.1", 53, "10.0.0.5", 40000, 17);
    CHECK(record_order(flow) == record_order(back));
    flow.set_tunnel_id(1);
    CHECK(record_order(flow) > record_order(back));
}

TEST(FlowIdentity, one_address_is_told_apart_by_port) {
    const FlowKeyOctets key = flow_key_octets({"\x7f\1\1\1", 9}, {"\x7f\1\1\1", 258}, 6, 0);
    const FlowKeyOctets same = flow_key_octets({"\x7f\1\1\1", 258}, {"\x7f\1\1\1", 9}, 6, 0);
    CHECK(key == same);
    // version, two addresses, then the lower port 9 and 258 = 0x0102, then the protocol.
    CHECK_EQUAL(4, key[0]);
    CHECK_EQUAL(9, key[34]);
    CHECK_EQUAL(1, key[35]);
    CHECK_EQUAL(2, key[36]);
    CHECK_EQUAL(6, key[37]);
}

TEST(FlowIdentity, an_id_is_first_start_key_and_ordinal) {
    proto::FlowSummary flow = flow_between("10.0.0.5", 40000, "10.0.0.1", 53, 17);
    flow.set_flow_start_ns(kStart + 1);
    flow.set_record_number(4);
    FlowIdMaker ids;
    STRCMP_EQUAL("1545661851869217-f41f224028796e60", std::string(ids.make(flow)).c_str());
    flow.set_flow_ordinal(12);
    STRCMP_EQUAL("1545661851869217-f41f224028796e60+12", std::string(ids.make(flow)).c_str());
}

TEST(FlowIdentity, records_of_joy_are_ordered_as_joy_wrote_them) {
    proto::FlowSummary first = flow_between("10.0.0.9", 1, "10.0.0.1", 53, 17);
    proto::FlowSummary second = flow_between("10.0.0.1", 1, "10.0.0.1", 53, 17);
    first.set_flow_start_ns(kStart + 1);
    first.mutable_joy()->set_output_ordinal(3);
    second.mutable_joy()->set_output_ordinal(4);
    CHECK(joy_record_order(first) < joy_record_order(second));
    CHECK(record_order(second) < record_order(first));
}

}  // namespace curlew::collector
