#include "collector/joy_dhcp.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "collector/joy_text.h"
#include "collector/protocols/dhcp.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// Names of options with successive codes, a space behind each.
struct NameRun {
    size_t first_code;
    std::string_view names;
};

constexpr NameRun kNameRuns[] = {
    {0,
     "pad subnet_mask time_offset router time_server name_server domain_server "
     "log_server quotes_server lpr_server impress_server rlp_server hostname "
     "boot_file_size merit_dump_file domain_name swap_server root_path extension_file "
     "forward_on_off src_rte_on_off policy_filter max_dg_assembly default_ipttl "
     "mtu_timeout mtu_plateau mtu_interface mtu_subnet broadcast_address "
     "mask_discovery mask_supplier router_discovery router_request static_route "
     "trailers arp_timeout ethernet default_tcpttl keepalive_time keepalive_data "
     "nis_domain nis_servers ntp_servers vendor_specific netbios_name_srv "
     "netbios_dist_srv netbios_node_type netbios_scope xwindow_font xwindow_manager "
     "address_request address_time overload msg_type server_id parameter_list message "
     "max_msg_size renewal_time rebinding_time class_id client_id netWare_ip_domain "
     "netware_ip_option nis_domain_name nis_server_addr server_name bootfile_name "
     "home_agent_addrs smtp_server pop3_server nntp_server www_server finger_server "
     "irc_server street_talk_server stda_server user_class directory_agent "
     "service_scope rapid_commit client_fqdn relay_agent_information isns "},
    {85,
     "nds_servers nds_tree_name nds_context bcmcs_controller_domain_name_list "
     "bcmcs_controller_ipv4_address authentication client_last_transaction_time "
     "associated_ip client_system client_ndi ldap "},
    {97, "uuid_guid user_auth geoconf_civic pcode tcode "},
    {112, "netinfo_address netinfo_tag url "},
    {116,
     "auto_config name_service_search subnet_selection domain_search sip_servers "
     "classless_static_route ccc geo_conf vendor_class vendor_specific_information "},
    {136,
     "option_pana_agent option_v4_lost option_capwap_ac_v4 option_ipv4_address_mos "
     "option_ipv4_fqdn_mos sip_ua_configuration_service_domains "
     "option_ipv4_address_andsf "},
    {144, "geo_loc forcerenew_nonce_capable rdnss_selection "},
    {150,
     "tftp_server_address|etherboot|grub_configuration_path_name status_code base_time "
     "start_time_of_state query_start_time query_end_time dhcp_state data_source "
     "option_v4_pcp_server option_v4_portparams captive_portal option_mud_url_v4 "},
    {175, "etherboot ip_telephone etherboot|packetcable_cablehome "},
    {208,
     "pxelinux_magic configuration_file path_prefix reboot_time option_6rd "
     "option_v4_access_domain "},
    {220, "subnet_allocation virtual_subnet_selection "},
    {255, "end "},
};

// Joy's names of options. A code without one is printed as a kind.
constexpr std::array<std::string_view, 256> make_option_names() {
    std::array<std::string_view, 256> table{};
    for (const NameRun& run : kNameRuns) {
        size_t code = run.first_code;
        std::string_view names = run.names;
        while (!names.empty()) {
            const size_t length = names.find(' ');
            table[code++] = names.substr(0, length);
            names.remove_prefix(length + 1);
        }
    }
    return table;
}
constexpr std::array<std::string_view, 256> kOptionNames = make_option_names();
static_assert(kOptionNames[53] == "msg_type");
static_assert(kOptionNames[161] == "option_mud_url_v4");
static_assert(kOptionNames[221] == "virtual_subnet_selection");

constexpr std::array<std::string_view, 19> kMessageTypes{"",
                                                         "DHCPDISCOVER",
                                                         "DHCPOFFER",
                                                         "DHCPREQUEST",
                                                         "DHCPDECLINE",
                                                         "DHCPACK",
                                                         "DHCPNAK",
                                                         "DHCPRELEASE",
                                                         "DHCPINFORM",
                                                         "DHCPFORCERENEW",
                                                         "DHCPLEASEQUERY",
                                                         "DHCPLEASEUNASSIGNED",
                                                         "DHCPLEASEUNKNOWN",
                                                         "DHCPLEASEACTIVE",
                                                         "DHCPBULKLEASEQUERY",
                                                         "DHCPLEASEQUERYDONE",
                                                         "DHCPACTIVELEASEQUERY",
                                                         "DHCPLEASEQUERYSTATUS",
                                                         "DHCPTLS"};

// RFC 2131 section 2, offsets in octets:
//   0 op, 1 htype, 2 hlen, 3 hops, 4 xid, 8 secs, 10 flags, 12 ciaddr, 16 yiaddr, 20 siaddr,
//   24 giaddr, 28 chaddr (16), 44 sname (64), 108 file (128), 236 cookie, 240 options
constexpr size_t kHardwareAddressAt = 28;
constexpr size_t kHardwareAddressOctets = 16;
constexpr size_t kServerNameAt = 44;
constexpr size_t kServerNameOctets = 64;
constexpr size_t kFileAt = 108;
constexpr size_t kFileOctets = 128;
constexpr size_t kOptionsAt = 240;
constexpr int kMaximumOptions = 16;
constexpr size_t kMaximumOptionOctets = 512;

// Joy keeps room for a NUL.
void write_text(JsonLine& json, std::string_view name, std::string_view octets) {
    if (octets[0] != 0) {
        json.text(name, joy_text(octets.substr(0, octets.size() - 1)));
    }
}

void write_joy_option(JsonLine& json, uint8_t code, std::string_view value) {
    const std::string_view name = kOptionNames[code];
    const auto type = value.empty() ? uint8_t{0} : static_cast<uint8_t>(value[0]);
    json.start_object();
    if (name.empty()) {
        json.number("kind", code);
        if (!value.empty()) {
            json.hex("data", value);
        }
    } else if (code == kDhcpMessageType) {
        json.text(name, type < kMessageTypes.size() ? kMessageTypes[type] : "");
    } else {
        json.hex(name, value);
    }
    json.end_object();
}

void write_joy_options(JsonLine& json, std::string_view options) {
    size_t octets = 0;
    int count = 0;
    while (!options.empty() && octets < kMaximumOptionOctets && count < kMaximumOptions) {
        const auto code = static_cast<uint8_t>(options[0]);
        if (code == kDhcpPad) {
            options.remove_prefix(1);
            continue;
        }
        const size_t length = options.size() < 2 ? 0 : static_cast<uint8_t>(options[1]);
        if (code == kDhcpEnd || options.size() < 2 + length) {
            break;
        }
        if (count == 0) {
            json.key("options");
            json.start_array();
        }
        write_joy_option(json, code, options.substr(2, length));
        options.remove_prefix(2 + length);
        octets += 2 + length;
        ++count;
    }
    if (count > 0) {
        json.end_array();
    }
}

void write_message(JsonLine& json, std::string_view octets) {
    const PaddedOctets message(octets);
    json.start_object();
    json.text("op", std::to_string(message[0]));
    json.text("htype", std::to_string(message[1]));
    json.text("hlen", std::to_string(message[2]));
    json.text("hops", std::to_string(message[3]));
    json.text("xid", std::to_string(message.four(4)));
    json.text("secs", std::to_string(message.two(8)));
    json.text("flags", std::to_string(message.two(10)));
    json.text("ciaddr", address_text(message.copy(12, 4)));
    json.text("yiaddr", address_text(message.copy(16, 4)));
    json.text("siaddr", address_text(message.copy(20, 4)));
    json.text("giaddr", address_text(message.copy(24, 4)));
    json.hex("chaddr", message.copy(kHardwareAddressAt, kHardwareAddressOctets));
    write_text(json, "sname", message.copy(kServerNameAt, kServerNameOctets));
    write_text(json, "file", message.copy(kFileAt, kFileOctets));
    write_joy_options(json, octets.substr(std::min(octets.size(), kOptionsAt)));
    json.end_object();
}

}  // namespace

void write_joy_dhcp(JsonLine& json, const proto::JoyDhcp& record) {
    if (record.messages_size() == 0) {
        return;
    }
    json.key("dhcp");
    json.start_array();
    for (const std::string& message : record.messages()) {
        write_message(json, message);
    }
    json.end_array();
}

}  // namespace curlew::collector
