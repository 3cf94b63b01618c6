#include "collector/protocols/ssdp.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string ssdp_json(std::string_view octets) {
    JsonLine json;
    json.start_object();
    write_ssdp(json, decode_http(octets, true));
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text;
}

}  // namespace

TEST_GROUP(Ssdp){};

TEST(Ssdp, an_announcement_tells_what_comes) {
    STRCMP_EQUAL(R"({"method":"NOTIFY","host":"239.255.255.250:1900","nt":"upnp:rootdevice",)"
                 R"("nts":"ssdp:alive","usn":"uuid:1","server":"x","location":"http://a/"})",
                 ssdp_json("NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\n"
                           "LOCATION: http://a/\r\nNT: upnp:rootdevice\r\nNTS: ssdp:alive\r\n"
                           "Server: x\r\nUSN: uuid:1\r\n\r\n")
                     .c_str());
}

TEST(Ssdp, a_search_tells_what_is_looked_for) {
    STRCMP_EQUAL(R"({"method":"M-SEARCH","st":"ssdp:all","man":"\"ssdp:discover\"","mx":"2"})",
                 ssdp_json("M-SEARCH * HTTP/1.1\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\n"
                           "ST: ssdp:all\r\n\r\n")
                     .c_str());
}

TEST(Ssdp, an_answer_is_called_response) {
    STRCMP_EQUAL(R"({"method":"response","st":""})",
                 ssdp_json("HTTP/1.1 200 OK\r\nST:\r\n\r\n").c_str());
}

}  // namespace curlew::collector
