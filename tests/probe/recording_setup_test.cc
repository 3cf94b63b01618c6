#include "probe/recording_setup.h"

#include <stdexcept>

#include "probe/scripted_port.h"
#include "tests/support/metering.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

TEST_GROUP(RecordingSetup) {
    PacketFilter everything{"", LinkType::ethernet};
};

TEST(RecordingSetup, without_a_folder_nothing_is_recorded) {
    LONGS_EQUAL(0, lane_config({}, test_signatures(), everything).ring_octets);
}

TEST(RecordingSetup, protocols_stand_for_the_signatures_that_recognise_them) {
    RecordConfig record;
    record.folder = "/r";
    record.octets_per_flow = 7;
    record.buffer_octets = (size_t{4} << 20) + 1;
    RecordingLaneConfig lane = lane_config(record, test_signatures(), everything);
    LONGS_EQUAL(size_t{4} << 20, lane.ring_octets);
    CHECK(lane.choice.signatures.empty());
    LONGS_EQUAL(7, lane.choice.octets_per_flow);
    record.protocols = {"dns", "tls"};
    lane = lane_config(record, test_signatures(), everything);
    const auto& all = test_signatures().signatures();
    LONGS_EQUAL(all.size(), lane.choice.signatures.size());
    for (size_t i = 0; i < all.size(); ++i) {
        const bool is_wanted = all[i].id == "dns-query" || all[i].id == "tls-client-hello";
        LONGS_EQUAL(is_wanted ? 1 : 0, lane.choice.signatures[i]);
    }
    record.protocols = {"dms"};
    CHECK_THROWS(std::runtime_error, lane_config(record, test_signatures(), everything));
}

TEST(RecordingSetup, a_device_is_an_interface_with_its_queues) {
    ServiceConfig config;
    config.probe.name = "hall-2";
    config.probe.filter = "udp";
    config.program_version = "1.2.3";
    ScriptedPort port({});
    const auto open = [&port](const char* device) {
        return OpenPort{&port, device, "net_x", "probe ns", "jit"};
    };
    const RecorderConfig recorder =
        recorder_config(config, {open("x0"), open("x0"), open("x1")}, 9);
    LONGS_EQUAL(2, recorder.interfaces.size());
    STRCMP_EQUAL("x1", recorder.interfaces[1].name.c_str());
    STRCMP_EQUAL("udp", recorder.interfaces[1].filter.c_str());
    LONGS_EQUAL(0, recorder.queues[1].interface);
    LONGS_EQUAL(1, recorder.queues[1].number);
    LONGS_EQUAL(1, recorder.queues[2].interface);
    LONGS_EQUAL(0, recorder.queues[2].number);
    STRCMP_EQUAL("curlew-probe 1.2.3", recorder.program.c_str());
    CHECK_FALSE(recorder.is_live);
}
