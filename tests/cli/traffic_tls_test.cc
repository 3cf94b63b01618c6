#include "cli/traffic_tls.h"

#include <string>

#include "tests/cli/traffic_frames_read.h"
#include "tests/support/cpputest.h"

using namespace curlew::cli;

TEST_GROUP(TrafficTls) {
    TrafficRandom random{1};
};

TEST(TrafficTls, record_stands_behind_type_version_and_length) {
    STRCMP_EQUAL("1603000003616263", hex_of(tls_record(22, 0x0300, "abc")).c_str());
    CHECK_EQUAL(105u, tls_random_record(random, 23, 100).size());
}

TEST(TrafficTls, client_hello_names_the_server_only_when_told_to) {
    const std::string silent = tls_client_hello(random, 0x0303, {});
    const std::string named = tls_client_hello(random, 0x0300, "example.org");
    STRCMP_EQUAL("16030300610100005d0303", hex_of(silent.substr(0, 11)).c_str());
    STRCMP_EQUAL("1603000075010000710303", hex_of(named.substr(0, 11)).c_str());
    CHECK_EQUAL(0x61u + 5, silent.size());
    CHECK_EQUAL(0x75u + 5, named.size());
    const std::string name_extension = "00000010000e00000b6578616d706c652e6f7267";
    CHECK(hex_of(named).find(name_extension) != std::string::npos);
}

TEST(TrafficTls, server_answers_with_a_certificate_of_its_name) {
    const std::string answer = tls_server_hello(random, "example.org");
    STRCMP_EQUAL("160303004a020000460303", hex_of(answer.substr(0, 11)).c_str());
    STRCMP_EQUAL("16030300040e000000", hex_of(answer.substr(answer.size() - 9)).c_str());
    // Common name and alternative name.
    CHECK(hex_of(answer).find("06035504030c0b6578616d706c652e6f7267") != std::string::npos);
    CHECK(hex_of(answer).find("820b6578616d706c652e6f7267") != std::string::npos);
}

TEST(TrafficTls, certificate_is_as_long_as_each_of_its_layers_says) {
    const std::string answer = tls_server_hello(random, "example.org");
    const size_t at = 5 + 0x4a;
    const size_t record_octets =
        static_cast<uint8_t>(answer.at(at + 3)) * 256u + static_cast<uint8_t>(answer.at(at + 4));
    CHECK_EQUAL(answer.size(), at + 5 + record_octets + 9);
    // The certificate: SEQUENCE of two octets of length, after four lengths around it.
    const std::string certificate = answer.substr(at + 5 + 4 + 3 + 3, record_octets - 10);
    STRCMP_EQUAL("3082", hex_of(certificate.substr(0, 2)).c_str());
    const size_t der_octets =
        static_cast<uint8_t>(certificate.at(2)) * 256u + static_cast<uint8_t>(certificate.at(3));
    CHECK_EQUAL(certificate.size(), der_octets + 4);
}

TEST(TrafficTls, client_finishes_with_key_cipher_and_secret) {
    const std::string finish = tls_client_finish(random);
    STRCMP_EQUAL("160303010610000102", hex_of(finish.substr(0, 9)).c_str());
    STRCMP_EQUAL("1403030001011603030050", hex_of(finish.substr(267, 11)).c_str());
    CHECK_EQUAL(267u + 6 + 85, finish.size());
}

TEST_GROUP(DtlsEnd) {
    TrafficRandom random{1};
    DtlsEnd end{random};
};

TEST(DtlsEnd, numbers_records_and_messages) {
    const std::string first = end.client_hello({});
    const std::string second = end.client_hello("cookie");
    STRCMP_EQUAL("16fefd0000000000000000", hex_of(first.substr(0, 11)).c_str());
    STRCMP_EQUAL("16fefd0000000000000001", hex_of(second.substr(0, 11)).c_str());
    STRCMP_EQUAL("0100002a000000000000002afefd", hex_of(first.substr(13, 14)).c_str());
    STRCMP_EQUAL("010000300001000000000030fefd", hex_of(second.substr(13, 14)).c_str());
    CHECK(first.substr(27, 32) == second.substr(27, 32));
    CHECK_EQUAL(first.size() + 6, second.size());
}

TEST(DtlsEnd, handshake_has_the_sizes_of_a_gateway) {
    CHECK_EQUAL(60u, end.hello_verify_request(std::string(32, 'c')).size());
    CHECK_EQUAL(63u, end.server_hello().size());
    CHECK_EQUAL(25u, end.server_hello_done().size());
    CHECK_EQUAL(14u, end.change_cipher_spec().size());
    CHECK_EQUAL(53u, end.finished().size());
}

TEST(DtlsEnd, begins_a_new_epoch_when_the_cipher_changes) {
    end.server_hello_done();
    STRCMP_EQUAL("14fefd0000000000000001000101", hex_of(end.change_cipher_spec()).c_str());
    const std::string data = end.application_data(10);
    STRCMP_EQUAL("17fefd0001000000000000001a0001000000000000", hex_of(data.substr(0, 21)).c_str());
    CHECK_EQUAL(13u + 26, data.size());
    STRCMP_EQUAL("15fefd0001000000000001", hex_of(end.close_notify().substr(0, 11)).c_str());
}

TEST(DtlsEnd, key_exchange_names_the_client) {
    STRCMP_EQUAL(
        "1000000400000000000000040002"
        "6d65",
        hex_of(end.client_key_exchange("me").substr(13)).c_str());
}
