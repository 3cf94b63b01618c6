#include "collector/protocols/ntp.h"

#include <string>

#include "tests/collector/hex_octets.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string ntp_json(const std::string& octets, bool cut = false) {
    const NtpMessage message = decode_ntp(octets, cut);
    JsonLine json;
    json.start_object();
    write_ntp(json, message);
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text + (message.malformed ? " malformed" : "");
}

std::string ntp_packet(const std::string& front) {
    std::string octets = hex_octets(front);
    octets.resize(48, '\0');
    return octets;
}

}  // namespace

TEST_GROUP(Ntp){};

TEST(Ntp, a_client_says_little) {
    STRCMP_EQUAL(R"({"version":3,"mode":3,"leap":0,"stratum":0,"poll":0,"precision":0,)"
                 R"("reference_id":""})",
                 ntp_json(ntp_packet("1b")).c_str());
}

TEST(Ntp, a_server_tells_its_clock) {
    STRCMP_EQUAL(R"({"version":4,"mode":4,"leap":3,"stratum":1,"poll":-6,"precision":-20,)"
                 R"("reference_id":"GPS"})",
                 ntp_json(ntp_packet("e4 01 fa ec 00000000 00000000 47505300")).c_str());
    STRCMP_EQUAL(R"({"version":4,"mode":4,"leap":0,"stratum":2,"poll":6,"precision":-20,)"
                 R"("reference_id":"10.0.0.1"})",
                 ntp_json(ntp_packet("24 02 06 ec 00000000 00000000 0a000001")).c_str());
}

TEST(Ntp, a_control_message_has_only_its_mode) {
    STRCMP_EQUAL(R"({"version":2,"mode":7,"leap":0})", ntp_json(hex_octets("17 00 03 2a")).c_str());
}

TEST(Ntp, a_short_packet_is_malformed) {
    STRCMP_EQUAL(R"({"version":4,"mode":3,"leap":0} malformed)",
                 ntp_json(hex_octets("23 00 06")).c_str());
    STRCMP_EQUAL(R"({"version":4,"mode":3,"leap":0})",
                 ntp_json(hex_octets("23 00 06"), true).c_str());
    STRCMP_EQUAL(R"({"version":4,"mode":3,"leap":0,"stratum":0,"poll":0,"precision":0,)"
                 R"("reference_id":""} malformed)",
                 ntp_json(ntp_packet("23").substr(0, 47)).c_str());
}

}  // namespace curlew::collector
