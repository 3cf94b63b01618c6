#include "collector/joy_dhcp.h"

#include <string>

#include "tests/collector/joy_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

// A discover of xid 989264683, with 192 octets of names and files and the cookie.
std::string fields(std::string server_name = "", std::string file = "") {
    server_name.resize(64);
    file.resize(128);
    return octets_from_hex(
               "01 01 06 00 3af6f32b 0003 8000 c0a80301 c0a803d5 c0a80302 c0a80303"
               "90e6ba3b473800000000000000000000") +
           server_name + file + octets_from_hex("63825363");
}

const std::string kFields =
    R"("op":"1","htype":"1","hlen":"6","hops":"0","xid":"989262635","secs":"3",)"
    R"("flags":"32768",)"
    R"("ciaddr":"192.168.3.1","yiaddr":"192.168.3.213","siaddr":"192.168.3.2",)"
    R"("giaddr":"192.168.3.3","chaddr":"90e6ba3b473800000000000000000000")";

std::string written_dhcp(const std::string& message) {
    proto::JoyDhcp record;
    record.add_messages(message);
    return members([&](JsonLine& json) { write_joy_dhcp(json, record); });
}

std::string with_options(const std::string& hex) {
    const std::string text = written_dhcp(fields() + octets_from_hex(hex));
    const std::string begin = "\"dhcp\":[{" + kFields;
    CHECK_TRUE(text.starts_with(begin));
    return text.substr(begin.size());
}

}  // namespace

TEST_GROUP(JoyDhcp){};

TEST(JoyDhcp, numbers_are_text) {
    STRCMP_EQUAL(("\"dhcp\":[{" + kFields + "}]").c_str(), written_dhcp(fields()).c_str());
}

TEST(JoyDhcp, names_are_there_when_they_are_not_empty) {
    STRCMP_EQUAL(("\"dhcp\":[{" + kFields + R"(,"sname":"boot.","file":"a.pxe"}])").c_str(),
                 written_dhcp(fields("boot/", "a/pxe")).c_str());
    STRCMP_EQUAL(
        ("\"dhcp\":[{" + kFields + ",\"sname\":\"" + std::string(63, 'x') + "\"}]").c_str(),
        written_dhcp(fields(std::string(64, 'x'))).c_str());
}

TEST(JoyDhcp, options_have_names_and_octets) {
    STRCMP_EQUAL(R"(,"options":[{"msg_type":"DHCPDISCOVER"},{"hostname":"7374617274"},{"kind":252,)"
                 R"("data":"0a"},{"kind":224}]}])",
                 with_options("350101 0c05 7374617274 fc010a e000 ff 0c0161").c_str());
}

TEST(JoyDhcp, padding_is_skipped_and_the_end_ends) {
    STRCMP_EQUAL(R"(,"options":[{"msg_type":"DHCPTLS"}]}])",
                 with_options("000000 350112 ff").c_str());
    STRCMP_EQUAL("}]", with_options("ff 350112").c_str());
}

TEST(JoyDhcp, an_option_without_a_value_is_empty) {
    STRCMP_EQUAL(R"(,"options":[{"rapid_commit":""},{"msg_type":""},{"msg_type":""}]}])",
                 with_options("5000 350113 350100").c_str());
}

TEST(JoyDhcp, an_option_that_passes_the_end_is_left_out) {
    STRCMP_EQUAL(R"(,"options":[{"msg_type":"DHCPACK"}]}])",
                 with_options("350105 0c05 73746172").c_str());
    STRCMP_EQUAL(R"(,"options":[{"msg_type":"DHCPACK"}]}])", with_options("350105 0c").c_str());
}

TEST(JoyDhcp, sixteen_options_are_printed) {
    std::string hex;
    std::string expected;
    for (int i = 0; i < 17; ++i) {
        hex += "390101";
        expected += i < 16 ? R"({"max_msg_size":"01"},)" : "";
    }
    expected.back() = ']';
    STRCMP_EQUAL((",\"options\":[" + expected + "}]").c_str(), with_options(hex).c_str());
}

TEST(JoyDhcp, an_option_begins_below_512_octets) {
    const std::string long_option = "2bff" + std::string(510, '0');  // 257 octets
    const std::string text = with_options(long_option + long_option + "350101");
    CHECK_TRUE(text.ends_with("00\"}]}]"));
    CHECK_TRUE(text.find("msg_type") == std::string::npos);
}

TEST(JoyDhcp, a_short_message_counts_as_zeros) {
    CHECK_TRUE(written_dhcp("\1"s).starts_with(R"("dhcp":[{"op":"1","htype":"0",)"));
    STRCMP_EQUAL("", members([](JsonLine& json) { write_joy_dhcp(json, {}); }).c_str());
}

}  // namespace curlew::collector
