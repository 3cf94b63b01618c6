#include "cli/traffic_smb.h"

#include <string>

#include "tests/cli/traffic_frames_read.h"
#include "tests/support/cpputest.h"

using namespace curlew::cli;

namespace {

// NetBIOS header, SMB header up to the process id, then what follows it.
void check_message(const std::string& message,
                   const std::string& head,
                   const std::string& parameters) {
    STRCMP_EQUAL(head.c_str(), hex_of(message.substr(0, 14)).c_str());
    STRCMP_EQUAL(parameters.c_str(), hex_of(message.substr(36, parameters.size() / 2)).c_str());
    const size_t octets =
        static_cast<uint8_t>(message.at(2)) * 256u + static_cast<uint8_t>(message.at(3));
    CHECK_EQUAL(message.size(), octets + 4);
}

}  // namespace

TEST_GROUP(SmbSession) {
    TrafficRandom random{1};
    SmbSession session{random};
};

TEST(SmbSession, begins_as_a_camera_did) {
    const std::string message = session.negotiate();
    check_message(message, "0000002fff534d42720000000000", "000c00024e54204c4d20302e313200");
    CHECK_EQUAL(51u, message.size());
}

TEST(SmbSession, answer_carries_the_number_of_its_request) {
    const std::string request = session.negotiate();
    const std::string answer = session.negotiate_answer();
    CHECK(request.substr(30, 6) == answer.substr(30, 6));
    CHECK(session.set_up().substr(34, 2) != answer.substr(34, 2));
    check_message(answer, "00000061ff534d42720000000080", "1100000332000100");
}

TEST(SmbSession, set_up_has_the_length_of_a_cameras) {
    CHECK_EQUAL(212u, session.set_up().size());
    check_message(session.set_up_answer(), "00000062ff534d42730000000080", "03ff00000001003900");
}

TEST(SmbSession, asks_for_a_share_by_its_path) {
    const std::string message = session.connect_tree("\\\\192.168.5.1\\nas");
    check_message(message,
                  "00000056ff534d42750000000000",
                  "04ff00000008000100"
                  "2b00005c005c00");
    CHECK_EQUAL(90u, message.size());
    STRCMP_EQUAL("00000023ff534d4275cc0000c080",
                 hex_of(session.connect_tree_refused().substr(0, 14)).c_str());
    check_message(
        session.connect_tree_answer(), "00000036ff534d42750000000080", "03ff00000001000d00413a00");
}

TEST(SmbSession, writes_at_an_offset_to_the_file_that_it_made) {
    const std::string created = session.create_file("\\a");
    check_message(created, "0000005aff534d42a20000000000", "18ff000000000600");
    const std::string answer = session.create_file_answer();
    CHECK_EQUAL(4u + 32 + 1 + 68 + 2, answer.size());
    const std::string written = session.write_file(0x1000, "content");
    check_message(written, "00000047ff534d422f0000000000", "0eff000000");
    CHECK(answer.substr(42, 2) == written.substr(41, 2));
    STRCMP_EQUAL("00100000", hex_of(written.substr(43, 4)).c_str());
    // Length and offset of the content, and the content there.
    STRCMP_EQUAL("07004000", hex_of(written.substr(57, 4)).c_str());
    STRCMP_EQUAL("content", written.substr(4 + 0x40).c_str());
    check_message(session.write_file_answer(7), "0000002fff534d422f0000000080", "06ff0000000700");
}

TEST(SmbSession, closes_the_file) {
    session.create_file("\\a");
    const std::string answer = session.create_file_answer();
    const std::string closed = session.close_file();
    CHECK(answer.substr(42, 2) == closed.substr(37, 2));
    check_message(session.close_file_answer(), "00000023ff534d42040000000080", "000000");
}

TEST_GROUP(NetBiosSession){};

TEST(NetBiosSession, is_asked_for_by_two_encoded_names) {
    const std::string request = netbios_session_request("NAS", "CAM");
    STRCMP_EQUAL("81000044", hex_of(request.substr(0, 4)).c_str());
    CHECK_EQUAL(72u, request.size());
    STRCMP_EQUAL(" EOEBFDCACACACACACACACACACACACACA", request.substr(4, 33).c_str());
    STRCMP_EQUAL(" EDEBENCACACACACACACACACACACACAAA", request.substr(38, 33).c_str());
    STRCMP_EQUAL("82000000", hex_of(netbios_session_accepted()).c_str());
}
