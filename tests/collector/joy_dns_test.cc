#include "collector/joy_dns.h"

#include <string>

#include "tests/collector/joy_fixture.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

const std::string kQuestion = "03 777777 06 676f6f676c65 03 636f6d 00 0001 0001";
const std::string kQuery = "0001 0100 0001 0000 0000 0000" + kQuestion;

}  // namespace

TEST_GROUP(JoyDns) {
    proto::JoyDns record;

    std::string written(const proto::JoyDns* twin = nullptr) const {
        return members([&](JsonLine& json) { write_joy_dns(json, record, twin); });
    }
    std::string message(const std::string& hex) {
        record.clear_messages();
        record.add_messages(octets_from_hex(hex));
        return written();
    }
};

TEST(JoyDns, a_query_has_its_name) {
    STRCMP_EQUAL(R"("dns":[{"qn":"www.google.com","rc":0,"rr":[]}])", message(kQuery).c_str());
}

TEST(JoyDns, an_answer_has_its_name_code_and_addresses) {
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":3,"rr":[{"a":"8.8.4.4","ttl":300},)"
                 R"({"a":"8.8.8.8","ttl":4294967295}]}])",
                 message("0001 8183 0001 0002 0000 0000" + kQuestion +
                         "c00c 0001 0001 0000012c 0004 08080404"
                         "c00c 0001 0001 ffffffff 0004 08080808")
                     .c_str());
}

TEST(JoyDns, names_in_answers_are_followed) {
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"cname":"a.google.com","ttl":1},)"
                 R"({"ptr":"b","ttl":2}]}])",
                 message("0001 8180 0001 0002 0000 0000" + kQuestion +
                         "c00c 0005 0001 00000001 0004 0161 c010"
                         "c00c 000c 0001 00000002 0003 0162 00")
                     .c_str());
}

TEST(JoyDns, other_types_have_numbers_and_a_turned_length) {
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"type":"1c","class":"1",)"
                 R"("rdlength":4096,"ttl":5},{"type":"1","class":"fe","rdlength":256,"ttl":6}]}])",
                 message("0001 8180 0001 0002 0000 0000" + kQuestion +
                         "c00c 001c 0001 00000005 0010 20010db8000000000000000000000001"
                         "c00c 0001 00fe 00000006 0001 ff")
                     .c_str());
}

TEST(JoyDns, a_text_record_is_not_passed_over) {
    STRCMP_EQUAL(
        R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"txt":"NYI","ttl":7}]}])",
        message("0001 8180 0001 0001 0000 0000" + kQuestion + "c00c 0010 0001 00000007 0002 0161")
            .c_str());
}

TEST(JoyDns, unprintable_octets_become_stars_and_quotes_stay_json) {
    STRCMP_EQUAL(R"("dns":[{"qn":"a*\"*","rc":0,"rr":[]}])",
                 message("0001 0100 0001 0000 0000 0000 04 61 01 22 ff 00 0001 0001").c_str());
}

TEST(JoyDns, a_message_without_a_question_has_no_name) {
    STRCMP_EQUAL(R"("dns":[{"rc":0,"rr":[]}])",
                 message("0001 8180 0000 0000 0000 0000 00").c_str());
}

TEST(JoyDns, two_questions_are_malformed) {
    STRCMP_EQUAL(R"("dns":[{"malformed":20,"DEBUG":"qdcount=2; err=8"}])",
                 message("0001 0100 0002 0000 0000 0000" + kQuestion).c_str());
}

TEST(JoyDns, a_question_cut_short_is_malformed) {
    STRCMP_EQUAL(R"("dns":[{"malformed":1,"DEBUG":"question name err=2; len=1"}])",
                 message("0001 0100 0001 0000 0000 0000 03").c_str());
    STRCMP_EQUAL(R"("dns":[{"malformed":0,"DEBUG":"question name err=9; len=0"}])",
                 message("0001 0100 0001 0000 0000 0000").c_str());
    STRCMP_EQUAL(R"("dns":[{"malformed":3,"DEBUG":"question err=4; len=3"}])",
                 message("0001 0100 0001 0000 0000 0000 0161 00 0001").c_str());
}

TEST(JoyDns, a_pointer_to_itself_ends) {
    STRCMP_EQUAL(R"("dns":[{"malformed":4,"DEBUG":"question name err=9; len=4"}])",
                 message("0001 0100 0001 0000 0000 0000 c00c 0001 0001").c_str());
}

// The end of a name is not counted, so that one octet more seems to be left.
TEST(JoyDns, a_missing_answer_is_malformed) {
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":0,"rr":[)"
                 R"({"malformed":1,"DEBUG":"rr ancount=0; err=4; len=1"}]}])",
                 message("0001 8180 0001 0001 0000 0000" + kQuestion).c_str());
}

TEST(JoyDns, a_malformed_answer_shows_signed_octets) {
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"malformed":3,)"
                 R"("DEBUG":"rr name ancount=0; err=5; len=3; data=0xffffff80410000"}]}])",
                 message("0001 8180 0001 0001 0000 0000" + kQuestion + "80 41").c_str());
}

TEST(JoyDns, an_answer_cut_short_or_with_a_bad_length_is_malformed) {
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"malformed":5,)"
                 R"("DEBUG":"rr ancount=1; err=4; len=5"}]}])",
                 message("0001 8180 0001 0002 0000 0000" + kQuestion + "c00c 0001 0001").c_str());
    STRCMP_EQUAL(
        R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"malformed":11,)"
        R"("DEBUG":"rr ancount=0; err=10; len=11"}]}])",
        message("0001 8180 0001 0001 0000 0000" + kQuestion + "c00c 0001 0001 00000001 00ff")
            .c_str());
    STRCMP_EQUAL(R"("dns":[{"rn":"www.google.com","rc":0,"rr":[{"malformed":6}]}])",
                 message("0001 8180 0001 0001 0000 0000" + kQuestion +
                         "c00c 0001 0001 00000001 0005 0102030405")
                     .c_str());
}

TEST(JoyDns, the_twins_messages_are_printed_when_there_is_a_twin) {
    record.add_messages(octets_from_hex(kQuery));
    proto::JoyDns twin;
    STRCMP_EQUAL(R"("dns":[])", written(&twin).c_str());
    twin.add_messages(octets_from_hex("0001 8180 0000 0000 0000 0000 00"));
    STRCMP_EQUAL(R"("dns":[{"rc":0,"rr":[]}])", written(&twin).c_str());
    record.clear_messages();
    STRCMP_EQUAL(R"("dns":[{"rc":0,"rr":[]}])", written(&twin).c_str());
}

TEST(JoyDns, nothing_is_printed_without_messages) {
    const proto::JoyDns twin;
    STRCMP_EQUAL("", written().c_str());
    STRCMP_EQUAL("", written(&twin).c_str());
}

}  // namespace curlew::collector
