#include "collector/joy_tls.h"

#include <string>

#include "tests/collector/joy_fixture.h"
#include "tests/collector/joy_tls_words.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr uint64_t kTlsStartUs = 1'533'194'126'000'000;
const std::string kRandom11 =
    "11111111111111111111111111111111"
    "11111111111111111111111111111111";
const std::string kRandom22 =
    "22222222222222222222222222222222"
    "22222222222222222222222222222222";

proto::JoyTls side_of(const std::string& handshake) {
    proto::JoyTls side;
    side.set_handshake(handshake);
    side.set_ending_version(0x0301);
    return side;
}

proto::JoyTls client() {
    return side_of(tls_record(
        tls_message(1, client_hello("aa", "003c c02b", "0000 0008 0006000003612e62 0023 0000"))));
}

proto::JoyTls server() {
    return side_of(
        tls_record(tls_message(2, server_hello("0302", "bb", "c02b", "00170000 12340001 09"))));
}

void add_record(proto::JoyTls& side, uint32_t type, uint32_t length, uint64_t after_us) {
    proto::JoyTlsRecord& record = *side.add_records();
    record.set_content_type(type);
    record.set_length_octets(length);
    record.set_time_us(kTlsStartUs + after_us);
}

std::string written(const proto::JoyTls& record, const proto::JoyTls* twin = nullptr) {
    return members([&](JsonLine& json) { write_joy_tls(json, record, twin); });
}

}  // namespace

TEST_GROUP(JoyTls){};

TEST(JoyTls, a_client_alone_shows_what_it_offered) {
    STRCMP_EQUAL((R"("tls":{"c_version":5,"c_random":")" + kRandom11 +
                  R"(","c_sid":"aa","sni":["a.b"],"cs":["003c","c02b"],)"
                  R"("c_extensions":[{"server_name":"0006000003612e62"},)"
                  R"({"session_ticket":""}]})")
                     .c_str(),
                 written(client()).c_str());
}

TEST(JoyTls, both_versions_are_the_records_own) {
    const proto::JoyTls twin = server();
    const std::string text = written(client(), &twin);
    CHECK_TRUE(text.starts_with(R"("tls":{"c_version":5,"s_version":5,)"
                                R"("c_random":")" +
                                kRandom11 + R"(","s_random":")" + kRandom22 +
                                R"(","c_sid":"aa","s_sid":"bb","sni":["a.b"],"scs":"c02b",)" +
                                R"("cs":["003c","c02b"],"c_extensions":[)"));
    CHECK_TRUE(text.ends_with(
        R"("s_extensions":[{"extended_master_secret":""},{"kind":4660,"data":"09"}]})"));
}

TEST(JoyTls, a_server_first_has_its_own_version_too) {
    const proto::JoyTls twin = client();
    const std::string text = written(server(), &twin);
    CHECK_TRUE(text.starts_with(R"("tls":{"s_version":4,"c_version":4,)"
                                R"("s_random":")" +
                                kRandom22 + R"(","c_random":")" + kRandom11 +
                                R"(","s_sid":"bb","c_sid":"aa")"));
}

TEST(JoyTls, a_twin_without_a_version_suppresses_all) {
    proto::JoyTls twin;
    STRCMP_EQUAL("", written(client(), &twin).c_str());
    twin.set_ending_version(0x0303);
    CHECK_TRUE(written(client(), &twin).starts_with(R"("tls":{"c_version":5,"s_version":5,)"));
}

TEST(JoyTls, without_a_version_nothing_is_printed) {
    const proto::JoyTls twin = client();
    proto::JoyTls record;
    STRCMP_EQUAL("", written(record, &twin).c_str());
    record = client();
    record.clear_ending_version();
    STRCMP_EQUAL("", written(record).c_str());
    record.Clear();
    record.set_ending_version(0x1717);
    STRCMP_EQUAL("", written(record).c_str());
}

TEST(JoyTls, sides_without_roles_or_with_one_role_are_errors) {
    proto::JoyTls record;
    record.set_ending_version(0x0303);
    const proto::JoyTls a_client = client();
    const proto::JoyTls a_server = server();
    STRCMP_EQUAL(R"("tls":{"error":"no role"})", written(record, &a_server).c_str());
    STRCMP_EQUAL(R"("tls":{"c_version":5,"error":"twin clients"})",
                 written(a_client, &a_client).c_str());
    STRCMP_EQUAL(R"("tls":{"s_version":4,"error":"twin servers"})",
                 written(a_server, &a_server).c_str());
}

TEST(JoyTls, a_key_exchange_of_either_side_is_printed) {
    proto::JoyTls record = server();
    proto::JoyTls twin = client();
    *twin.mutable_handshake() += tls_record(tls_message(16, "key"));
    CHECK_TRUE(written(record, &twin).find(R"("c_key_length":24,"c_key_exchange":"6b6579")") !=
               std::string::npos);
}

TEST(JoyTls, certificates_are_named_after_their_side) {
    proto::JoyTls record = client();
    proto::JoyTls twin = server();
    *record.mutable_handshake() +=
        tls_record(tls_message(11, tls_length_3(tls_length_3("not DER"))));
    *twin.mutable_handshake() += tls_record(
        tls_message(11, tls_length_3(tls_length_3("no DER either") + tls_length_3("x"))));
    CHECK_TRUE(
        written(record, &twin)
            .ends_with(R"(,"c_cert":[{"length":7}],"s_cert":[{"length":13},{"length":1}]})"));
    CHECK_TRUE(
        written(twin, &record)
            .ends_with(R"(,"s_cert":[{"length":13},{"length":1}],"c_cert":[{"length":7}]})"));
}

TEST(JoyTls, records_of_both_sides_are_in_order_of_time) {
    proto::JoyTls record = client();
    proto::JoyTls twin = server();
    add_record(record, 22, 100, 0);
    add_record(record, 20, 1, 2999);
    add_record(twin, 22, 90, 1999);
    add_record(twin, 23, 5, 2999);
    const std::string text = written(record, &twin);
    CHECK_TRUE(text.ends_with(
        R"("srlt":[{"b":100,"dir":">","ipt":0,"tp":22,"hs_types":[1],"hs_lens":[62]},)"
        R"({"b":90,"dir":"<","ipt":1,"tp":22,"hs_types":[2],"hs_lens":[50]},)"
        R"({"b":5,"dir":"<","ipt":1,"tp":23},{"b":1,"dir":">","ipt":0,"tp":20}]})"));
}

TEST(JoyTls, records_of_one_side_alone_go_backwards) {
    proto::JoyTls record = client();
    add_record(record, 22, 100, 0);
    add_record(record, 23, 7, 5000);
    add_record(record, 23, 8, 4999);
    CHECK_TRUE(written(record).ends_with(
        R"({"b":7,"dir":"<","ipt":5,"tp":23},{"b":8,"dir":"<","ipt":4294967295,"tp":23}]})"));
}

TEST(JoyTls, a_twin_without_records_begins_in_1970) {
    proto::JoyTls record = client();
    const proto::JoyTls twin = server();
    add_record(record, 22, 100, 0);
    // 1533194126000 milliseconds modulo 2^32.
    CHECK_TRUE(written(record, &twin).find(R"("ipt":4185768624,)") != std::string::npos);
}

TEST(JoyTls, fifty_records_of_a_side_are_printed) {
    proto::JoyTls record = client();
    for (uint32_t i = 0; i < 60; ++i) {
        add_record(record, 23, 1000 + i, 0);
    }
    const std::string text = written(record);
    CHECK_TRUE(text.find("\"b\":1049,") != std::string::npos);
    CHECK_TRUE(text.find("\"b\":1050,") == std::string::npos);
}

}  // namespace curlew::collector
