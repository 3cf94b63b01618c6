#include "collector/metadata_fields.h"

#include <string>

#include "tests/collector/flows.h"
#include "tests/collector/hex_octets.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string json_of(const proto::FlowSummary& flow, MetadataCounts& counts) {
    JsonLine json;
    CertificateWriter certificates;
    json.start_object();
    counts = write_metadata(json, certificates, flow);
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text;
}

}  // namespace

TEST_GROUP(MetadataFields){};

TEST(MetadataFields, nothing_is_written_of_nothing) {
    MetadataCounts counts;
    STRCMP_EQUAL("{}", json_of({}, counts).c_str());
    CHECK_EQUAL(0u, counts.messages);
}

TEST(MetadataFields, messages_stand_by_protocol_in_their_order) {
    proto::FlowSummary flow;
    add_message(flow, proto::MESSAGE_PROTOCOL_IGMP, hex_octets("16 00 0000 ef000001"));
    add_message(flow,
                proto::MESSAGE_PROTOCOL_DNS,
                hex_octets("0001 0000 0001 0000 0000 0000 016100 0001 0001"));
    add_message(flow,
                proto::MESSAGE_PROTOCOL_DNS,
                hex_octets("0001 8000 0001 0000 0000 0000 016100 0001 0001"),
                true);
    MetadataCounts counts;
    STRCMP_EQUAL(R"({"dns":[{"dir":">","id":1,"qr":false,"opcode":0,"qn":"a","qt":"A","rc":0},)"
                 R"({"dir":"<","id":1,"qr":true,"opcode":0,"rn":"a","qt":"A","rc":0}],)"
                 R"("igmp":[{"dir":">","type":22,"group":"239.0.0.1"}]})",
                 json_of(flow, counts).c_str());
    CHECK_EQUAL(3u, counts.messages);
    CHECK_EQUAL(0u, counts.malformed);
}

TEST(MetadataFields, what_is_malformed_or_cut_says_so_and_is_counted) {
    proto::FlowSummary flow;
    add_message(flow, proto::MESSAGE_PROTOCOL_IGMP, hex_octets("16"));
    add_message(flow, proto::MESSAGE_PROTOCOL_IGMP, hex_octets("16"), false, true);
    MetadataCounts counts;
    STRCMP_EQUAL(R"({"igmp":[{"dir":">","type":22,"malformed":true},)"
                 R"({"dir":">","type":22,"cut":true}]})",
                 json_of(flow, counts).c_str());
    CHECK_EQUAL(2u, counts.messages);
    CHECK_EQUAL(1u, counts.malformed);
}

TEST(MetadataFields, streams_of_both_sides_make_one_object) {
    proto::FlowSummary flow;
    add_message(flow, proto::MESSAGE_PROTOCOL_SSH, "SSH-2.0-s\r\n", true);
    add_message(flow, proto::MESSAGE_PROTOCOL_SSH, "SSH-2.0-c\r\n");
    MetadataCounts counts;
    STRCMP_EQUAL(R"({"ssh":{"client":"SSH-2.0-c","server":"SSH-2.0-s"}})",
                 json_of(flow, counts).c_str());
    CHECK_EQUAL(2u, counts.messages);
    CHECK_EQUAL(0u, counts.malformed);
}

TEST(MetadataFields, every_decoder_is_reached) {
    proto::FlowSummary flow;
    for (const proto::MessageProtocol protocol : {proto::MESSAGE_PROTOCOL_DNS,
                                                  proto::MESSAGE_PROTOCOL_MDNS,
                                                  proto::MESSAGE_PROTOCOL_LLMNR,
                                                  proto::MESSAGE_PROTOCOL_HTTP,
                                                  proto::MESSAGE_PROTOCOL_DHCP,
                                                  proto::MESSAGE_PROTOCOL_SSDP,
                                                  proto::MESSAGE_PROTOCOL_NTP,
                                                  proto::MESSAGE_PROTOCOL_IGMP}) {
        add_message(flow, protocol, "");
    }
    MetadataCounts counts;
    const std::string text = json_of(flow, counts);
    for (const char* name : {"dns", "mdns", "llmnr", "http", "dhcp", "ssdp", "ntp", "igmp"}) {
        CHECK(text.find('"' + std::string(name) + "\":[{\"dir\":\">\"") != std::string::npos);
    }
    CHECK_EQUAL(8u, counts.malformed);
}

}  // namespace curlew::collector
