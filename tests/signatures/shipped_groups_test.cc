#include <filesystem>
#include <string>

#include "signatures/group_rules.h"
#include "tests/support/cpputest.h"

// The shipped group files against the published rules: one test for each rule, or for the rules
// that follow from one another, with values that no earlier rule takes.

using curlew::signatures::GroupRules;
using curlew::signatures::RuleView;

namespace {

GroupRules shipped(const std::string& group) {
    auto rules = GroupRules::load(std::filesystem::path(CURLEW_SIGNATURES_FOLDER) / "groups" /
                                  (group + ".toml"));
    for (const auto& problem : rules.problems()) {
        FAIL(to_string(problem).c_str());
    }
    return rules;
}

// A TCP or UDP flow between hosts that no rule names, answered from far away.
RuleView flow(int32_t sp, int32_t dp) {
    RuleView view;
    view.sp = sp;
    view.dp = dp;
    view.sa = "192.168.3.50";
    view.da = "10.1.2.3";
    view.out_ttl = 64;
    view.has_in_ttl = true;
    view.in_ttl = 57;
    return view;
}

RuleView out_ttl(RuleView view, uint32_t ttl) {
    view.out_ttl = ttl;
    return view;
}

RuleView in_ttl(RuleView view, uint32_t ttl) {
    view.in_ttl = ttl;
    return view;
}

RuleView one_way(RuleView view) {
    view.has_in_ttl = false;
    view.in_ttl = 0;
    return view;
}

RuleView between(RuleView view, std::string_view sa, std::string_view da) {
    view.sa = sa;
    view.da = da;
    return view;
}

// ICMP or IGMP: no ports, one way.
RuleView no_ports(std::string_view da) {
    return one_way(between(flow(-1, -1), "192.168.3.50", da));
}

}  // namespace

#define LABELLED(expected, view) STRCMP_EQUAL(expected, std::string(rules.label(view)).c_str())

TEST_GROUP(IkeaApp) {
    GroupRules rules = shipped("ikea-app");
};

TEST(IkeaApp, membership_reports_go_to_addresses_that_begin_with_2) {
    LABELLED("Membership Report Group", no_ports("224.0.0.251"));
    LABELLED("Membership Report Group", no_ports("23.1.2.3"));
}

TEST(IkeaApp, application_data_is_dp_5684_answered_with_ttl_255) {
    LABELLED("Ikea Application Data", in_ttl(flow(40000, 5684), 255));
    LABELLED("Unknown", in_ttl(flow(40000, 5684), 254));
    LABELLED("Flow Error", one_way(flow(40000, 5684)));
    LABELLED("Flow Error", one_way(out_ttl(flow(5684, 5684), 255)));
}

TEST(IkeaApp, a_port_test_is_sp_5684_with_ttl_255) {
    LABELLED("Ikea Port Test", out_ttl(flow(5684, 40000), 255));
    LABELLED("Ikea Port Test", one_way(out_ttl(flow(5684, 40000), 255)));
    LABELLED("Unknown", flow(5684, 40000));
}

TEST(IkeaApp, icmp_goes_to_other_addresses) {
    LABELLED("ICMP (Port Unreachable)", no_ports("192.168.3.213"));
}

TEST(IkeaApp, mdns_has_5353_at_both_ends) {
    LABELLED("MDNS", one_way(flow(5353, 5353)));
    LABELLED("Unknown", flow(40000, 5353));
}

TEST(IkeaApp, dhcp_is_from_67_to_68) {
    LABELLED("DHCP", one_way(flow(67, 68)));
    LABELLED("Unknown", one_way(flow(68, 67)));
}

TEST(IkeaApp, dns_is_told_by_the_ports_of_the_gateway) {
    LABELLED("DNS (GW Init)", flow(53, 30003));
    LABELLED("DNS (GW Init)", flow(53, 30004));
    LABELLED("DNS (GW Init)", flow(999, 30004));
    LABELLED("Unknown", flow(999, 30003));
    LABELLED("Unknown", flow(53, 40000));
}

TEST(IkeaApp, webhook_and_firmware_check_leave_with_ttl_128) {
    LABELLED("TLS (Webhook Ikea Cloud)", out_ttl(flow(40000, 443), 128));
    LABELLED("Unknown", flow(40000, 443));
    LABELLED("FW Version Check", out_ttl(flow(40000, 80), 128));
    LABELLED("FW Version Check", one_way(out_ttl(flow(40000, 80), 128)));
    LABELLED("FW Version Check", in_ttl(out_ttl(flow(40000, 80), 128), 128));
}

TEST(IkeaApp, homekit_data_has_port_80_at_a_host_with_ttl_128) {
    LABELLED("Homekit Data", in_ttl(flow(40000, 80), 128));
    LABELLED("Homekit Data", out_ttl(flow(80, 40000), 128));
    LABELLED("Unknown", flow(40000, 80));
    LABELLED("Unknown", flow(80, 40000));
    LABELLED("Flow Error", one_way(flow(40000, 80)));
}

TEST(IkeaApp, the_gateway_is_what_was_published) {
    STRCMP_EQUAL("host 192.168.3.213", rules.publish().c_str());
    rules.set_role("gateway", "192.0.2.7");
    STRCMP_EQUAL("host 192.0.2.7", rules.publish().c_str());
}

TEST_GROUP(IkeaHomekit) {
    GroupRules rules = shipped("ikea-homekit");
};

TEST(IkeaHomekit, mdns_has_5353_at_both_ends) {
    LABELLED("MDNS", one_way(flow(5353, 5353)));
}

TEST(IkeaHomekit, flows_without_ports_are_told_by_the_address) {
    LABELLED("Membership Report Group", no_ports("224.0.0.251"));
    LABELLED("ICMP (Port Unreachable)", no_ports("192.168.3.213"));
}

TEST(IkeaHomekit, homekit_data_is_dp_80_answered_with_ttl_128) {
    LABELLED("Homekit Data", in_ttl(flow(40000, 80), 128));
    LABELLED("Homekit Data", in_ttl(out_ttl(flow(40000, 80), 128), 128));
    LABELLED("Unknown", flow(40000, 80));
    LABELLED("Unknown", out_ttl(flow(80, 40000), 128));
    LABELLED("Flow Error", one_way(flow(40000, 80)));
    LABELLED("Flow Error", one_way(out_ttl(flow(40000, 80), 128)));
}

TEST(IkeaHomekit, application_data_and_port_test_are_told_by_ttl_255) {
    LABELLED("Ikea Application Data", in_ttl(flow(40000, 5684), 255));
    LABELLED("Flow Error", one_way(flow(40000, 5684)));
    LABELLED("Ikea Port Test", out_ttl(flow(5684, 40000), 255));
}

TEST(IkeaHomekit, the_webhook_leaves_with_ttl_128) {
    LABELLED("TLS (Webhook Ikea Cloud)", out_ttl(flow(40000, 443), 128));
    LABELLED("Unknown", flow(40000, 443));
}

TEST(IkeaHomekit, dhcp_and_dns_have_no_rule) {
    LABELLED("Unknown", one_way(flow(67, 68)));
    LABELLED("Unknown", flow(53, 30003));
    LABELLED("Unknown", flow(53, 30004));
}

TEST(IkeaHomekit, the_gateway_is_what_was_published) {
    STRCMP_EQUAL("host 192.168.3.213", rules.publish().c_str());
}

TEST_GROUP(IpCam) {
    GroupRules rules = shipped("ipcam");
};

TEST(IpCam, the_nas_is_told_by_the_port) {
    LABELLED("NetBIOS", flow(40000, 139));
    LABELLED("SMB (Local NAS Connection)", flow(40000, 445));
    LABELLED("NetBIOS", flow(53, 139));
}

TEST(IpCam, ssdp_is_told_by_the_source_port) {
    LABELLED("SSDP (m-search)", one_way(flow(40000, 1900)));
    LABELLED("SSDP (notify)", one_way(flow(1900, 1900)));
    LABELLED("Unknown", flow(1900, 40000));
}

TEST(IpCam, the_cloud_is_told_by_the_port) {
    LABELLED("TLS (myedimax.com)", flow(40000, 55443));
    LABELLED("UDP myedimax.com Init", flow(40000, 8760));
    LABELLED("UDP Heartbeat myedimax.com", flow(40000, 9765));
    LABELLED("UDP Heartbeat myedimax.com", flow(28844, 40000));
}

TEST(IpCam, dns_is_sp_53) {
    LABELLED("DNS (google.com/myedimax.com)", flow(53, 40000));
    LABELLED("DNS (google.com/myedimax.com)", flow(53, 9765));
}

TEST(IpCam, a_broadcast_with_equal_ports_is_local_init) {
    LABELLED("Local Init Broadcast",
             one_way(between(flow(13364, 13364), "192.168.5.20", "255.255.255.255")));
    LABELLED("Local Init Broadcast", no_ports("255.255.255.255"));
    LABELLED("Unknown", one_way(between(flow(1, 2), "192.168.5.20", "255.255.255.255")));
    LABELLED("Unknown", flow(13364, 13364));
}

TEST(IpCam, the_connection_test_is_dp_80) {
    LABELLED("HTTP (Test Connection To google.com)", flow(40000, 80));
    LABELLED("HTTP (Test Connection To google.com)", one_way(flow(40000, 80)));
}

TEST(IpCam, membership_reports_are_told_and_icmp_is_not) {
    LABELLED("Membership Report Group", no_ports("239.255.255.250"));
    LABELLED("Unknown", no_ports("192.168.5.1"));
}

TEST(IpCam, everything_is_published) {
    STRCMP_EQUAL("", rules.publish().c_str());
    STRCMP_EQUAL("192.168.5.20", rules.roles().at("camera")[0].c_str());
    STRCMP_EQUAL("192.168.5.1", rules.roles().at("nas")[0].c_str());
}

TEST_GROUP(NormalUser) {
    GroupRules rules = shipped("normal-user");
};

TEST(NormalUser, every_rule_is_a_port) {
    LABELLED("TLS", flow(40000, 443));
    LABELLED("TLS", flow(53, 443));
    LABELLED("DNS", flow(53, 40000));
    LABELLED("DNS", flow(53, 22));
    LABELLED("SSH", flow(40000, 22));
    LABELLED("HTTP", flow(40000, 80));
    LABELLED("HTTP", flow(443, 80));
    LABELLED("TLS (Incoming)", flow(443, 40000));
    LABELLED("Unknown", flow(40000, 40001));
}

TEST_GROUP(VoiceAssistant) {
    GroupRules rules = shipped("voice-assistant");
};

TEST(VoiceAssistant, was_published_with_other_first_packets) {
    CHECK_EQUAL(256U, rules.joy_idp());
    CHECK_EQUAL(1300U, shipped("ipcam").joy_idp());
}

TEST(VoiceAssistant, a_scan_goes_to_port_8009_of_the_assistant) {
    LABELLED("Local Client TCP Scan", between(flow(40000, 8009), "192.168.3.109", "192.168.3.110"));
    LABELLED("Unknown", between(flow(40000, 8009), "192.168.3.50", "192.168.3.111"));
}

TEST(VoiceAssistant, any_flow_from_a_client_is_local_communication) {
    LABELLED("Local Client Communication", between(flow(53, 1), "192.168.3.109", "10.1.2.3"));
    LABELLED("Local Client Communication", between(flow(-1, -1), "192.168.3.164", "224.0.0.22"));
    LABELLED("DNS (Google Services)", between(flow(53, 1), "10.1.2.3", "192.168.3.109"));
}

TEST(VoiceAssistant, dhcp_is_told_by_its_direction) {
    LABELLED("DHCP", one_way(flow(67, 68)));
    LABELLED("DHCP (Partial)", one_way(flow(68, 67)));
}

TEST(VoiceAssistant, dns_is_sp_53) {
    LABELLED("DNS (Google Services)", flow(53, 443));
}

TEST(VoiceAssistant, flows_without_ports_are_told_by_the_address) {
    LABELLED("Membership Report Group", no_ports("224.0.0.251"));
    LABELLED("ICMP", no_ports("192.168.3.110"));
}

TEST(VoiceAssistant, mdns_has_5353_at_both_ends) {
    LABELLED("MDNS", one_way(flow(5353, 5353)));
}

TEST(VoiceAssistant, services_are_told_by_the_port_and_its_side) {
    LABELLED("TLS (Mtalk Service)", flow(40000, 5228));
    LABELLED("TLS (Mtalk Service - Missing TLS Connectivity Establishment)", flow(5228, 40000));
    LABELLED("TLS (Mtalk Service - Missing TLS Connectivity Establishment)", flow(5228, 443));
    LABELLED("TLS (Google Services)", flow(40000, 443));
    LABELLED("TLS (Google Services - Missing TLS Connectivity Establishment)", flow(443, 40000));
    LABELLED("TLS (Google Services - Missing TLS Connectivity Establishment)", flow(443, 123));
    LABELLED("NTP", flow(123, 123));
    LABELLED("NTP", flow(80, 123));
    LABELLED("HTTP (Connectivity Check)", flow(40000, 80));
    LABELLED("HTTP (Connectivity Check - Missing Flow Beginning)", flow(80, 40000));
    LABELLED("Unknown", flow(40000, 40001));
}

TEST(VoiceAssistant, the_roles_of_the_rules_can_be_set) {
    rules.set_role("assistant", "192.0.2.1");
    rules.set_role("clients", "192.0.2.2");
    LABELLED("Local Client TCP Scan", between(flow(1, 8009), "10.0.0.1", "192.0.2.1"));
    LABELLED("Unknown", between(flow(1, 8009), "10.0.0.1", "192.168.3.110"));
    LABELLED("Local Client Communication", between(flow(1, 2), "192.0.2.2", "10.0.0.1"));
    LABELLED("Unknown", between(flow(1, 2), "192.168.3.164", "10.0.0.1"));
}

// The same flow in every group with rules: ikea-app, ikea-homekit, ipcam, normal-user,
// voice-assistant.
TEST_GROUP(SameFlow){void labelled(const RuleView& view,
                                   const char* ikea_app,
                                   const char* ikea_homekit,
                                   const char* ipcam,
                                   const char* normal_user,
                                   const char* voice_assistant){
    const std::pair<const char*, const char*> expected[] = {{"ikea-app", ikea_app},
                                                            {"ikea-homekit", ikea_homekit},
                                                            {"ipcam", ipcam},
                                                            {"normal-user", normal_user},
                                                            {"voice-assistant", voice_assistant}};
for (const auto& [group, label] : expected) {
    const GroupRules rules = shipped(group);
    STRCMP_EQUAL_TEXT(label, std::string(rules.label(view)).c_str(), group);
}
}
}
;

TEST(SameFlow, dns_answers_have_the_label_of_the_group) {
    labelled(flow(53, 40000),
             "Unknown",
             "Unknown",
             "DNS (google.com/myedimax.com)",
             "DNS",
             "DNS (Google Services)");
}

TEST(SameFlow, port_443_is_tls_where_no_ttl_is_asked) {
    labelled(flow(40000, 443), "Unknown", "Unknown", "Unknown", "TLS", "TLS (Google Services)");
}

TEST(SameFlow, port_80_is_http_where_no_ttl_is_asked) {
    labelled(flow(40000, 80),
             "Unknown",
             "Unknown",
             "HTTP (Test Connection To google.com)",
             "HTTP",
             "HTTP (Connectivity Check)");
}

TEST(SameFlow, icmp_to_one_host_has_three_labels) {
    labelled(no_ports("192.168.1.1"),
             "ICMP (Port Unreachable)",
             "ICMP (Port Unreachable)",
             "Unknown",
             "Unknown",
             "ICMP");
}

TEST(SameFlow, igmp_is_known_to_all_but_normal_user) {
    labelled(no_ports("224.0.0.251"),
             "Membership Report Group",
             "Membership Report Group",
             "Membership Report Group",
             "Unknown",
             "Membership Report Group");
}

TEST(SameFlow, mdns_is_unknown_without_a_rule) {
    labelled(one_way(flow(5353, 5353)), "MDNS", "MDNS", "Unknown", "Unknown", "MDNS");
}

TEST(SameFlow, dhcp_is_unknown_without_a_rule) {
    labelled(one_way(flow(67, 68)), "DHCP", "Unknown", "Unknown", "Unknown", "DHCP");
}

TEST(SameFlow, a_missing_answer_is_an_error_only_where_its_ttl_is_asked) {
    labelled(
        one_way(flow(40000, 5684)), "Flow Error", "Flow Error", "Unknown", "Unknown", "Unknown");
}

TEST(SameFlow, icmp_to_an_address_that_begins_with_2_passes_for_igmp) {
    labelled(no_ports("23.1.2.3"),
             "Membership Report Group",
             "Membership Report Group",
             "Membership Report Group",
             "Unknown",
             "Membership Report Group");
}

TEST(SameFlow, the_default_group_has_no_rules) {
    const GroupRules rules = shipped("any");
    CHECK(!rules.has_rules());
    LABELLED("", flow(40000, 443));
}
