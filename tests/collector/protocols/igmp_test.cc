#include "collector/protocols/igmp.h"

#include <string>

#include "tests/collector/hex_octets.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string igmp_json(const std::string& hex, bool cut = false) {
    const std::string octets = hex_octets(hex);
    const IgmpMessage message = decode_igmp(octets, cut);
    JsonLine json;
    json.start_object();
    write_igmp(json, message);
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text + (message.malformed ? " malformed" : "");
}

}  // namespace

TEST_GROUP(Igmp){};

TEST(Igmp, a_report_of_version_2_tells_its_group) {
    STRCMP_EQUAL(R"({"type":22,"group":"239.255.255.250"})",
                 igmp_json("16 00 0000 effffffa").c_str());
}

TEST(Igmp, a_report_of_version_3_tells_its_records) {
    STRCMP_EQUAL(R"({"type":34,"records":[{"type":4,"group":"239.0.0.1","sources":[]},)"
                 R"({"type":1,"group":"239.0.0.2","sources":["10.0.0.1"]}]})",
                 igmp_json("22 00 0000 0000 0002 04 00 0000 ef000001 "
                           "01 01 0001 ef000002 0a000001 deadbeef")
                     .c_str());
}

TEST(Igmp, a_query_of_version_3_tells_its_sources) {
    STRCMP_EQUAL(R"({"type":17,"group":"0.0.0.0","sources":["10.0.0.1"]})",
                 igmp_json("11 64 0000 00000000 02 7d 0001 0a000001").c_str());
}

TEST(Igmp, records_past_the_end_are_malformed) {
    STRCMP_EQUAL(R"({"type":34,"records":[{"type":4,"group":"239.0.0.1","sources":[]}]} malformed)",
                 igmp_json("22 00 0000 0000 0002 04 00 0000 ef000001 01").c_str());
    STRCMP_EQUAL(R"({"type":17} malformed)", igmp_json("11 64 0000 00").c_str());
    STRCMP_EQUAL(R"({"type":17})", igmp_json("11 64 0000 00", true).c_str());
}

}  // namespace curlew::collector
