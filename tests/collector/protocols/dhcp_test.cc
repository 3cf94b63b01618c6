#include "collector/protocols/dhcp.h"

#include <string>

#include "tests/collector/hex_octets.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

// A client's message with these options, and with these octets as file name.
std::string message_with(const std::string& options, std::string file = "") {
    file.resize(128, '\0');
    return hex_octets("01 01 06 00 3903f326 0000 0000 00000000 00000000 00000000 00000000") +
           hex_octets("020000000001") + std::string(10, '\0') + std::string(64, '\0') + file +
           hex_octets("63825363" + options);
}

std::string dhcp_object(const std::string& octets, bool cut = false) {
    const DhcpMessage message = decode_dhcp(octets, cut);
    JsonLine json;
    json.start_object();
    write_dhcp(json, message);
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text + (message.malformed ? " malformed" : "");
}

const std::string kAddresses =
    R"("xid":"3903f326","ciaddr":"0.0.0.0","yiaddr":"0.0.0.0","siaddr":"0.0.0.0",)"
    R"("giaddr":"0.0.0.0","chaddr":"02:00:00:00:00:01",)";

}  // namespace

TEST_GROUP(Dhcp){};

TEST(Dhcp, a_request_tells_who_asks_for_what) {
    const std::string expected = R"({"op":1,"type":"REQUEST",)" + kAddresses +
                                 R"("host_name":"cam","vendor_class":"v","requested":"10.0.0.9",)"
                                 R"("parameters":[1,3],"file":"boot","options":[)"
                                 R"({"code":53,"data":"03"},{"code":12,"data":"63616d00"},)"
                                 R"({"code":60,"data":"76"},{"code":50,"data":"0a000009"},)"
                                 R"({"code":55,"data":"0103"}]})";
    STRCMP_EQUAL(
        expected.c_str(),
        dhcp_object(
            message_with("350103 00 0c0463616d00 3c0176 32040a000009 37020103 ff 99", "boot"))
            .c_str());
}

TEST(Dhcp, an_option_in_parts_is_one) {
    const std::string expected = R"({"op":1,"type":"REQUEST",)" + kAddresses +
                                 R"("host_name":"cam-2","parameters":[1,3,6],"options":[)"
                                 R"({"code":53,"data":"03"},{"code":12,"data":"63616d"},)"
                                 R"({"code":55,"data":"0103"},{"code":12,"data":"2d32"},)"
                                 R"({"code":55,"data":"06"}]})";
    STRCMP_EQUAL(
        expected.c_str(),
        dhcp_object(message_with("350103 0c0363616d 37020103 0c022d32 370106 ff")).c_str());
}

TEST(Dhcp, of_an_option_of_one_length_the_first_counts) {
    const std::string expected = R"({"op":1,"type":"REQUEST",)" + kAddresses +
                                 R"("options":[{"code":53,"data":"03"},{"code":53,"data":"01"}]})";
    STRCMP_EQUAL(expected.c_str(), dhcp_object(message_with("350103 350101 ff")).c_str());
}

TEST(Dhcp, options_may_stand_in_the_file_field) {
    const std::string expected = R"({"op":1,"type":"DISCOVER",)" + kAddresses +
                                 R"("host_name":"cam","options":[{"code":53,"data":"01"},)"
                                 R"({"code":52,"data":"01"},{"code":12,"data":"63616d"}]})";
    STRCMP_EQUAL(
        expected.c_str(),
        dhcp_object(message_with("350101 340101 ff", hex_octets("0c0363616d ff"))).c_str());
}

TEST(Dhcp, an_option_past_the_end_is_malformed) {
    const std::string expected =
        R"({"op":1,"type":"DISCOVER",)" + kAddresses + R"("options":[{"code":53,"data":"01"}]})";
    const std::string octets = message_with("350101 0c0963");
    STRCMP_EQUAL((expected + " malformed").c_str(), dhcp_object(octets).c_str());
    STRCMP_EQUAL(expected.c_str(), dhcp_object(octets, true).c_str());
}

TEST(Dhcp, a_short_message_is_malformed) {
    const std::string octets = message_with("").substr(0, 100);
    CHECK_TRUE(decode_dhcp(octets, false).malformed);
    CHECK_FALSE(decode_dhcp(octets, true).malformed);
    CHECK_TRUE(decode_dhcp("", false).malformed);
}

}  // namespace curlew::collector
