#include "collector/joy_check.h"

#include <cmath>
#include <functional>
#include <string>

#include "tests/collector/joy_records.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {

using Change = std::function<void(proto::JoySide&)>;

TEST_GROUP(JoyCheck){// Both sides are held to the same.
                     void expect(BatchError error, const Change& change){
                         proto::FlowSummary flow = joy_flow_with_twin();
change(*flow.mutable_joy()->mutable_record());
STRCMP_EQUAL(name_of(error), name_of(check_joy(flow.joy())));
flow = joy_flow_with_twin();
change(*flow.mutable_joy()->mutable_twin());
STRCMP_EQUAL(name_of(error), name_of(check_joy(flow.joy())));
}  // namespace curlew::collector
void expect_elements(BatchError error, const Change& change) {
    proto::FlowSummary flow = joy_flow_with_twin();
    change(*flow.mutable_joy()->mutable_record());
    const std::string octets = flow.joy().SerializeAsString();
    STRCMP_EQUAL(name_of(error),
                 name_of(check_joy_elements(
                     {reinterpret_cast<const uint8_t*>(octets.data()), octets.size()})));
}
}
;

TEST(JoyCheck, a_whole_record_passes) {
    expect(BatchError::none, [](proto::JoySide& side) {
        for (uint64_t i = 0; i < 50; ++i) {
            add_joy_packet(side, i, 65535);
            add_joy_segment(side, i, 1, 1, 16, std::string(40, '\x01'));
        }
        count_joy_octets(side, "abc");
        side.set_first_payload(std::string(32, 'a'));
        side.set_first_packet(std::string(1300, 'a'));
    });
}

TEST(JoyCheck, a_record_needs_its_first_side) {
    STRCMP_EQUAL("wrong_length", name_of(check_joy(proto::JoyRecord{})));
}

TEST(JoyCheck, lists_are_bounded_and_of_one_length) {
    expect(BatchError::too_many_elements, [](proto::JoySide& side) {
        for (uint64_t i = 0; i < 51; ++i) {
            add_joy_packet(side, i, 1);
        }
    });
    expect(BatchError::too_many_elements, [](proto::JoySide& side) {
        for (uint64_t i = 0; i < 51; ++i) {
            add_joy_segment(side, i, 1, 1, 16);
        }
    });
    expect(BatchError::too_many_elements,
           [](proto::JoySide& side) { side.mutable_ip_ids()->Resize(51, 0); });
    expect(BatchError::wrong_length,
           [](proto::JoySide& side) { side.mutable_listed()->add_payload_octets(1); });
    expect(BatchError::wrong_length, [](proto::JoySide& side) {
        add_joy_segment(side, 0, 1, 1, 16);
        side.mutable_segments()->mutable_flags()->Clear();
    });
    expect(BatchError::wrong_length, [](proto::JoySide& side) {
        add_joy_segment(side, 0, 1, 1, 16, "\x01");
        side.mutable_segments()->clear_options();
    });
    expect(BatchError::wrong_length,
           [](proto::JoySide& side) { side.mutable_byte_counts()->Resize(255, 0); });
    expect(BatchError::wrong_length,
           [](proto::JoySide& side) { side.mutable_walsh_sums()->Resize(3, 0); });
}

TEST(JoyCheck, octets_are_bounded) {
    expect(BatchError::wrong_length,
           [](proto::JoySide& side) { side.set_source_address(std::string(16, 'a')); });
    expect(BatchError::too_long_octets,
           [](proto::JoySide& side) { side.set_first_payload(std::string(33, 'a')); });
    expect(BatchError::too_long_octets,
           [](proto::JoySide& side) { side.set_first_packet(std::string(1301, 'a')); });
    expect(BatchError::too_long_octets, [](proto::JoySide& side) {
        side.mutable_tcp_start()->set_options(std::string(25, 'a'));
    });
}

TEST(JoyCheck, numbers_are_those_that_can_be) {
    expect(BatchError::out_of_range, [](proto::JoySide& side) { side.set_source_port(65536); });
    expect(BatchError::out_of_range, [](proto::JoySide& side) { add_joy_packet(side, 0, 65536); });
    expect(BatchError::out_of_range, [](proto::JoySide& side) {
        add_joy_segment(side, 0, 1, 1, 16, std::string(41, '\x01'));
    });
    expect(BatchError::out_of_range, [](proto::JoySide& side) { side.set_byte_mean(256); });
    expect(BatchError::out_of_range,
           [](proto::JoySide& side) { side.set_byte_mean(std::nan("")); });
    expect(BatchError::out_of_range, [](proto::JoySide& side) { side.set_byte_squares(-1); });
    expect(BatchError::out_of_range, [](proto::JoySide& side) { side.set_byte_squares(1e300); });
}

TEST(JoyCheck, messages_of_protocols_are_counted_before_they_are_made) {
    expect_elements(BatchError::none, [](proto::JoySide& side) {
        for (int i = 0; i < 50; ++i) {
            side.mutable_dns()->add_messages(std::string(1000, '\0'));
        }
        side.mutable_tls()->set_handshake(std::string(10'000, '\0'));
    });
    expect_elements(BatchError::too_many_elements, [](proto::JoySide& side) {
        for (int i = 0; i < 2049; ++i) {
            side.mutable_dns()->add_messages("");
        }
    });
    expect_elements(BatchError::too_many_elements, [](proto::JoySide& side) {
        proto::JoyHttpMessage& message = *side.mutable_http()->add_messages();
        for (int i = 0; i < 2049; ++i) {
            message.add_headers();
        }
    });
    expect_elements(BatchError::too_many_elements, [](proto::JoySide& side) {
        for (int i = 0; i < 2049; ++i) {
            side.mutable_tls()->add_records();
        }
    });
}

TEST(JoyCheck, octets_that_are_no_record_are_refused) {
    const uint8_t octets[] = {0x12, 0x05, 0x00};
    STRCMP_EQUAL("not_a_batch", name_of(check_joy_elements(octets)));
}

}  // namespace curlew::collector
