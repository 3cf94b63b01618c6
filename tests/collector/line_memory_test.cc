#include "collector/line_memory.h"

#include "collector/found_devices.h"
#include "tests/collector/label_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(LineMemory) {
    LabelFixture labels{any_group(),
                        field_signature("plug", "ssdp.server", "Plug/.*", "device = 'plug'")};
};

TEST(LineMemory, keeps_names_and_what_devices_say_in_their_messages) {
    LineMemory& memory = labels.memory;
    memory.add(answer_to("10.0.0.5", "a.example", "192.0.2.1", 60, 0));
    CHECK_EQUAL(1, memory.names().size());

    proto::FlowSummary notify = flow_between("10.0.0.9", 1900, "239.255.255.250", 1900, 17);
    notify.mutable_forward()->set_source_mac(std::string("\x00\x1f\x1f\x00\x00\x01", 6));
    proto::ProtocolMessage& message = *notify.add_messages();
    message.set_protocol(proto::MESSAGE_PROTOCOL_SSDP);
    message.set_octets("NOTIFY * HTTP/1.1\r\nServer: Plug/1.0\r\n\r\n");
    memory.add(notify);
    const auto devices = FoundDevices(memory.devices(), labels.group).known();
    const auto plug = std::find_if(devices.begin(), devices.end(), [](const Device& one) {
        return one.mac == "00:1f:1f:00:00:01";
    });
    CHECK(plug != devices.end());
    STRCMP_EQUAL("plug", plug->device.c_str());
    memory.forget_before(kStart / 1000 + 60'000'001);
    CHECK_EQUAL(0, memory.names().size());
}

TEST(LineMemory, who_says_the_same_is_noted_each_with_its_own_ends) {
    const auto notify = [](const std::string& mac, const char* address, bool others) {
        proto::FlowSummary flow = flow_between(address, 1900, "239.255.255.250", 1900, 17);
        flow.mutable_forward()->set_source_mac(mac);
        proto::ProtocolMessage& message = *flow.add_messages();
        message.set_protocol(proto::MESSAGE_PROTOCOL_SSDP);
        message.set_octets(others ? "NOTIFY * HTTP/1.1\r\nServer: Lamp/1.0\r\n\r\n"
                                  : "NOTIFY * HTTP/1.1\r\nServer: Plug/1.0\r\n\r\n");
        return flow;
    };
    const std::string one("\x00\x1f\x1f\x00\x00\x01", 6);
    const std::string other("\x00\x1f\x1f\x00\x00\x02", 6);
    LineMemory& memory = labels.memory;
    for (int i = 0; i < 3; ++i) {
        memory.add(notify(one, "10.0.0.9", false));
        memory.add(notify(other, "10.0.0.8", false));
        memory.add(notify(other, "10.0.0.8", true));
    }
    const auto devices = FoundDevices(memory.devices(), labels.group).known();
    CHECK_EQUAL(2, devices.size());
    for (const Device& device : devices) {
        STRCMP_EQUAL("plug", device.device.c_str());
        CHECK_EQUAL(1, device.clues.size());
        CHECK_EQUAL(3, device.clues[0].flows);
    }
}

TEST(LineMemory, ends_of_flows_without_a_beginning_are_known_before_anything_is_labelled) {
    LabelFixture known{any_group(),
                       payload_signature("get", "label = 'web'\nservice = 'shop'") +
                           payload_signature("hello", "protocol = 'tls'") +
                           name_signature("logs", "logs.example", "service = 'logs'")};
    LineMemory& memory = known.memory;
    const auto flow_from = [](uint32_t port, uint64_t payload_octets, uint32_t quality) {
        proto::FlowSummary flow = flow_between("10.0.0.5", port, "192.0.2.1", 443, 6);
        flow.mutable_forward()->set_payload_octets(payload_octets);
        flow.set_quality(quality);
        return flow;
    };
    memory.add(flow_from(1, 0, 0));
    memory.add(flow_from(2, 9, proto::QUALITY_BEGIN_SEEN));
    proto::FlowSummary web = flow_from(3, 9, 0);
    add_match(web, proto::EVIDENCE_KIND_PAYLOAD, "", "get");
    memory.add(web);
    proto::FlowSummary logs = flow_from(4, 9, 0);
    add_match(logs, proto::EVIDENCE_KIND_NAME, "logs.example", "");
    memory.add(logs);
    for (const uint32_t port : {1, 2, 3, 4}) {
        CHECK_FALSE(memory.any_goes_on_between(flow_from(port, 9, 0)));
    }
    // Neither says what it is: by no signature that is known, by no name that one lists.
    proto::FlowSummary other = flow_from(3, 9, 0);
    add_match(other, proto::EVIDENCE_KIND_PAYLOAD, "", "put");
    memory.add(other);
    proto::FlowSummary named = flow_from(4, 9, 0);
    add_match(named, proto::EVIDENCE_KIND_NAME, "other.example", "");
    memory.add(named);
    memory.add(flow_from(1, 9, 0));
    CHECK_TRUE(memory.any_goes_on_between(web));
    CHECK_TRUE(memory.any_goes_on_between(logs));
    CHECK_FALSE(memory.any_goes_on_between(flow_from(2, 9, 0)));
    // Whom a connection speaks to may have been told when it began; a datagram goes on with none.
    for (const uint32_t protocol : {6, 17}) {
        proto::FlowSummary silent = flow_between("10.0.0.5", 5, "192.0.2.1", 443, protocol);
        silent.mutable_forward()->set_payload_octets(9);
        add_match(silent, proto::EVIDENCE_KIND_PAYLOAD, "", "hello");
        memory.add(silent);
        CHECK_EQUAL(protocol == 6, memory.any_goes_on_between(silent));
    }
    // In whatever direction and tunnel.
    proto::FlowSummary back = flow_between("192.0.2.1", 443, "10.0.0.5", 1, 6);
    back.set_tunnel_id(7);
    CHECK_TRUE(memory.any_goes_on_between(back));
    memory.forget_before(0);
    CHECK_FALSE(memory.any_goes_on_between(web));
}

}  // namespace curlew::collector
