#include "collector/protocols/dns.h"

#include <string>

#include "tests/collector/hex_octets.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string dns_json(const std::string& hex, bool cut = false) {
    const std::string octets = hex_octets(hex);
    const DnsMessage message = decode_dns(octets, cut);
    JsonLine json;
    json.start_object();
    write_dns(json, message);
    json.end_object();
    std::string text(json.finish());
    text.pop_back();
    return text + (message.malformed ? " malformed" : "") + (message.cut ? " cut" : "");
}

// One answer to "a", with this type, length and data.
std::string answer_of(const std::string& rest) {
    const std::string text =
        dns_json("0007 8180 0001 0001 0000 0000 01 61 00 0001 0001 c00c" + rest);
    const std::string front =
        R"({"id":7,"qr":true,"opcode":0,"rn":"a","qt":"A","rc":0,"rr":[{"name":"a",)";
    STRCMP_EQUAL(front.c_str(), text.substr(0, front.size()).c_str());
    return text.substr(front.size());
}

}  // namespace

TEST_GROUP(Dns){};

TEST(Dns, a_query_tells_its_question) {
    STRCMP_EQUAL(R"({"id":4660,"qr":false,"opcode":0,"qn":"www.a","qt":"AAAA","rc":0})",
                 dns_json("1234 0100 0001 0000 0000 0000 03777777 0161 00 001c 0001").c_str());
}

TEST(Dns, the_upper_bits_of_a_response_code_stand_in_the_opt_record) {
    const std::string text = dns_json("0004 8181 0000 0000 0000 0001 00 0029 04d0 01 00 8000 0000");
    STRCMP_CONTAINS(R"("rc":17,)", text.c_str());
}

TEST(Dns, addresses_are_text) {
    STRCMP_EQUAL(R"("type":"A","ttl":60,"a":"10.0.0.1"}]})",
                 answer_of("0001 0001 0000003c 0004 0a000001").c_str());
    STRCMP_EQUAL(R"("type":"AAAA","ttl":60,"aaaa":"2001:db8::1"}]})",
                 answer_of("001c 0001 0000003c 0010 20010db8000000000000000000000001").c_str());
}

TEST(Dns, names_in_data_follow_pointers) {
    STRCMP_EQUAL(R"("type":"CNAME","ttl":1,"cname":"b.a"}]})",
                 answer_of("0005 0001 00000001 0004 0162c00c").c_str());
    STRCMP_EQUAL(R"("type":"PTR","ttl":1,"ptr":"b.a"}]})",
                 answer_of("000c 0001 00000001 0004 0162c00c").c_str());
    STRCMP_EQUAL(R"("type":"NS","ttl":1,"ns":"a"}]})",
                 answer_of("0002 0001 00000001 0002 c00c").c_str());
}

TEST(Dns, structured_data_are_objects) {
    STRCMP_EQUAL(
        R"("type":"SRV","ttl":1,"srv":{"priority":1,"weight":2,"port":80,"target":"a"}}]})",
        answer_of("0021 0001 00000001 0008 0001 0002 0050 c00c").c_str());
    STRCMP_EQUAL(R"("type":"MX","ttl":1,"mx":{"preference":10,"exchange":"a"}}]})",
                 answer_of("000f 0001 00000001 0004 000a c00c").c_str());
    STRCMP_EQUAL(R"("type":"TXT","ttl":1,"txt":["ab","c"]}]})",
                 answer_of("0010 0001 00000001 0005 026162 0163").c_str());
    STRCMP_EQUAL(R"("type":"SOA","ttl":1,"soa":{"mname":"a","rname":"b","serial":1,"refresh":2,)"
                 R"("retry":3,"expire":4,"minimum":5}}]})",
                 answer_of("0006 0001 00000001 0019 c00c 016200 00000001 00000002 00000003 "
                           "00000004 00000005")
                     .c_str());
}

TEST(Dns, a_denial_lists_the_types_there_are) {
    STRCMP_EQUAL(R"("type":"NSEC","ttl":1,"nsec":{"next":"a","types":["A","AAAA","CAA"]}}]})",
                 answer_of("002f 0001 00000001 000b c00c 00 04 40000008 01 01 40").c_str());
    STRCMP_EQUAL(R"("type":"NSEC","ttl":1,"data":"c00c0009"}]} malformed)",
                 answer_of("002f 0001 00000001 0004 c00c 00 09").c_str());
}

TEST(Dns, other_types_keep_their_data) {
    STRCMP_EQUAL(R"("type":"65280","ttl":1,"data":"beef"}]})",
                 answer_of("ff00 0001 00000001 0002 beef").c_str());
}

TEST(Dns, several_questions_are_all_listed) {
    STRCMP_EQUAL(
        R"({"id":0,"qr":false,"opcode":0,"qn":"a","qt":"PTR",)"
        R"("questions":[{"name":"a","type":"PTR"},{"name":"b","type":"ANY"}],"rc":0})",
        dns_json("0000 0000 0002 0000 0000 0000 0161 00 000c 8001 0162 00 00ff 0001").c_str());
}

TEST(Dns, sections_stand_apart) {
    STRCMP_EQUAL(R"({"id":0,"qr":true,"opcode":0,"rc":3,)"
                 R"("ns":[{"name":"a","type":"NS","ttl":0,"ns":""}],)"
                 R"("ar":[{"name":"","type":"OPT","ttl":0,"data":""}]})",
                 dns_json("0000 8003 0000 0000 0001 0001 016100 0002 0001 00000000 0001 00 "
                          "00 0029 1000 00000000 0000")
                     .c_str());
}

TEST(Dns, what_is_before_a_contradiction_is_told) {
    STRCMP_EQUAL(R"({"id":1,"qr":false,"opcode":0,"qn":"a","qt":"A","rc":0} malformed)",
                 dns_json("0001 0100 0002 0000 0000 0000 0161 00 0001 0001 05 61").c_str());
    // The data are shorter than their length says.
    STRCMP_EQUAL(
        R"({"id":1,"qr":true,"opcode":0,"rc":0} malformed)",
        dns_json("0001 8000 0000 0001 0000 0000 016100 0001 0001 00000000 0004 0a00").c_str());
}

TEST(Dns, a_message_that_was_cut_is_not_malformed) {
    STRCMP_EQUAL(R"({"id":1,"qr":false,"opcode":0,"rc":0} cut)",
                 dns_json("0001 0100 0001 0000 0000 0000 05 61", true).c_str());
}

TEST(Dns, data_that_are_not_of_their_type_are_shown_as_they_are) {
    STRCMP_EQUAL(R"("type":"A","ttl":0,"data":"0a00"}]} malformed)",
                 answer_of("0001 0001 00000000 0002 0a00").c_str());
    // A name that goes on behind the data.
    STRCMP_EQUAL(R"("type":"PTR","ttl":0,"data":"0162"}]} malformed)",
                 answer_of("000c 0001 00000000 0002 0162").c_str());
}

TEST(Dns, what_follows_a_name_that_is_too_long_is_read) {
    std::string octets = hex_octets("0001 8000 0000 0001 0000 0000");
    for (int label = 0; label < 6; ++label) {
        octets += '\x31' + std::string(49, 'a');
    }
    octets += hex_octets("00 0001 0001 00000000 0004 01020304");
    const DnsMessage message = decode_dns(octets, false);
    CHECK_TRUE(message.malformed);
    CHECK_EQUAL(1u, message.answers.size());
    CHECK_EQUAL(249u, message.answers[0].name.size());
    STRCMP_EQUAL("\1\2\3\4", std::string(message.answers[0].data).c_str());
}

TEST(Dns, a_pointer_goes_backwards_only) {
    STRCMP_EQUAL(R"({"id":1,"qr":false,"opcode":0,"qn":"","qt":"A","rc":0} malformed)",
                 dns_json("0001 0100 0001 0000 0000 0000 c00c 0001 0001").c_str());
    STRCMP_EQUAL(R"({"id":1,"qr":false,"opcode":0,"qn":"a","qt":"A","rc":0} malformed)",
                 dns_json("0001 0100 0001 0000 0000 0000 0161 c010 0001 0001").c_str());
    // To the beginning of the name itself: hostile ones would be walked again and again.
    STRCMP_EQUAL(R"({"id":1,"qr":false,"opcode":0,"qn":"a","qt":"A","rc":0} malformed)",
                 dns_json("0001 0100 0001 0000 0000 0000 0161 c00c 0001 0001").c_str());
}

// Behind a pointer nothing has to be found that follows, and it is not looked at: 15,000 labels
// would be walked for each of 2,000 records. Here what ends them cannot be read.
TEST(Dns, a_name_that_is_too_long_behind_a_pointer_ends_there) {
    std::string labels;
    for (int label = 0; label < 200; ++label) {
        labels += std::string("\x01x", 2);
    }
    const std::string length = {static_cast<char>((labels.size() + 1) >> 8),
                                static_cast<char>((labels.size() + 1) & 0xff)};
    // Data of an unknown type hold them, from octet 23 on, before a reserved length.
    const std::string octets = hex_octets("0001 8000 0000 0002 0000 0000 00 ff00 0001 00000000") +
                               length + labels + "\x40" +
                               hex_octets("c017 0001 0001 00000000 0004 01020304");
    const DnsMessage message = decode_dns(octets, false);
    CHECK_TRUE(message.malformed);
    CHECK_EQUAL(2, message.answers.size());
    CHECK_EQUAL(255, message.answers[1].name.size());
}

TEST(Dns, unfolding_is_bounded) {
    // A name of 250 octets, then 4,000 records that point at it.
    std::string octets = hex_octets("0001 8000 0000 0fa0 0000 0000");
    for (int label = 0; label < 5; ++label) {
        octets += '\x31' + std::string(49, 'a');
    }
    octets += hex_octets("00 0001 0001 00000000 0004 01020304");
    for (int record = 1; record < 4000; ++record) {
        octets += hex_octets("c00c 0001 0001 00000000 0004 01020304");
    }
    const DnsMessage message = decode_dns(octets, false);
    CHECK(message.answers.size() > 1000);
    CHECK(message.answers.size() * 249 < kDnsUnfolding * octets.size() + 512);
    octets.clear();
    CHECK_TRUE(message.answers.size() == 4000 || message.cut);
}

TEST(Dns, text_from_the_wire_becomes_valid_text) {
    STRCMP_EQUAL("{\"id\":1,\"qr\":false,\"opcode\":0,\"qn\":\"\xc3\xbf\",\"qt\":\"A\",\"rc\":0}",
                 dns_json("0001 0100 0001 0000 0000 0000 01ff 00 0001 0001").c_str());
}

}  // namespace curlew::collector
