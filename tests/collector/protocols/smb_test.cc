#include "collector/protocols/smb.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

std::string little(size_t value, size_t octets) {
    std::string text;
    for (size_t i = 0; i < octets; ++i) {
        text.push_back(static_cast<char>(value >> 8 * i & 0xff));
    }
    return text;
}

std::string header1(uint8_t command, uint8_t flags, uint32_t status = 0) {
    return "\xffSMB"s + little(command, 1) + little(status, 4) + little(flags, 1) +
           std::string(22, '\0');
}

std::string header2(uint16_t command, uint32_t flags, uint32_t next = 0, uint32_t status = 0) {
    return "\xfeSMB"s + little(64, 2) + little(1, 2) + little(status, 4) + little(command, 2) +
           little(1, 2) + little(flags, 4) + little(next, 4) + std::string(40, '\0');
}

const std::string kOffer1 = "\0"s + little(24, 2) + "\2PC NETWORK\0\2NT LM 0.12\0"s;

}  // namespace

TEST_GROUP(Smb) {
    google::protobuf::RepeatedPtrField<proto::ProtocolMessage> messages;

    void add(const std::string& octets, bool reverse = false, bool cut = false) {
        proto::ProtocolMessage* message = messages.Add();
        message->set_protocol(proto::MESSAGE_PROTOCOL_SMB);
        message->set_octets(octets);
        message->set_reverse(reverse);
        message->set_cut(cut);
    }

    std::string written(bool expected = true) {
        JsonLine json;
        json.start_object();
        CHECK_EQUAL(expected, write_smb(json, messages));
        json.end_object();
        std::string line(json.finish());
        line.pop_back();
        return line;
    }
};

TEST(Smb, messages_of_other_protocols_are_passed_over) {
    messages.Add()->set_protocol(proto::MESSAGE_PROTOCOL_SSH);
    STRCMP_EQUAL("{}", written().c_str());
}

TEST(Smb, negotiation_of_version_1_names_the_dialects) {
    add(header1(0x72, 0x18) + kOffer1);
    add(header1(0x72, 0x98) + "\1"s + little(1, 2) + std::string(2, '\0'), true);
    STRCMP_EQUAL(
        "{\"smb\":[{\"dir\":\">\",\"version\":1,\"command\":114,\"command_name\":\"negotiate\","
        "\"status\":0,\"flags\":24,\"dialects\":[\"PC NETWORK\",\"NT LM 0.12\"]},"
        "{\"dir\":\"<\",\"version\":1,\"command\":114,\"command_name\":\"negotiate\","
        "\"status\":0,\"flags\":152,\"dialect\":\"NT LM 0.12\"}]}",
        written().c_str());
}

TEST(Smb, what_was_not_kept_of_a_header_is_not_told) {
    const auto kept = [this](const std::string& header, size_t octets) {
        messages.Clear();
        add(header.substr(0, octets), true, true);
        return written();
    };
    const std::string one = header1(0x75, 0x98, 0xc0000022);
    STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":1,"cut":true}]})", kept(one, 4).c_str());
    STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":1,"command":117,)"
                 R"("command_name":"tree_connect_andx","cut":true}]})",
                 kept(one, 8).c_str());
    STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":1,"command":117,)"
                 R"("command_name":"tree_connect_andx","status":3221225506,"cut":true}]})",
                 kept(one, 9).c_str());
    const std::string two = header2(3, 1, 0, 0xc0000022);
    for (const size_t octets : {4, 6, 11}) {
        STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":2,"cut":true}]})", kept(two, octets).c_str());
    }
    STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":2,"status":3221225506,"cut":true}]})",
                 kept(two, 13).c_str());
    STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":2,"command":3,"command_name":"tree_connect",)"
                 R"("status":3221225506,"cut":true}]})",
                 kept(two, 19).c_str());
    // Of a chain the last message is it.
    messages.Clear();
    add(header2(3, 1, 64) + header2(5, 1).substr(0, 16), true, true);
    STRCMP_EQUAL(R"({"smb":[{"dir":"<","version":2,"command":3,"command_name":"tree_connect",)"
                 R"("status":0,"flags":1},{"dir":"<","version":2,"command":5,)"
                 R"("command_name":"create","status":0,"cut":true}]})",
                 written().c_str());
}

TEST(Smb, dialect_without_an_offer_is_its_index) {
    add(header1(0x72, 0x98) + "\1"s + little(7, 2), true);
    STRCMP_CONTAINS("\"dialect\":\"7\"", written().c_str());
}

TEST(Smb, negotiation_of_version_2_names_the_dialects) {
    add(header2(0, 0) + little(36, 2) + little(3, 2) + std::string(32, '\0') + little(0x0202, 2) +
        little(0x0311, 2) + little(0x1234, 2));
    add(header2(0, 1) + little(65, 2) + little(1, 2) + little(0x02ff, 2), true);
    STRCMP_EQUAL(
        "{\"smb\":[{\"dir\":\">\",\"version\":2,\"command\":0,\"command_name\":\"negotiate\","
        "\"status\":0,\"flags\":0,\"dialects\":[\"2.0.2\",\"3.1.1\",\"1234\"]},"
        "{\"dir\":\"<\",\"version\":2,\"command\":0,\"command_name\":\"negotiate\","
        "\"status\":0,\"flags\":1,\"dialect\":\"2.x\"}]}",
        written().c_str());
}

TEST(Smb, chained_messages_of_version_2_are_all_written) {
    add(header2(5, 1, 72, 0xc0000034) + "rest of 8" + header2(6, 5), true, true);
    const std::string first = header2(5, 1, 72, 0xc0000034) + "8 octets" + header2(6, 5);
    messages.Clear();
    add(first, true);
    STRCMP_EQUAL(
        "{\"smb\":[{\"dir\":\"<\",\"version\":2,\"command\":5,\"command_name\":\"create\","
        "\"status\":3221225524,\"flags\":1},"
        "{\"dir\":\"<\",\"version\":2,\"command\":6,\"command_name\":\"close\","
        "\"status\":0,\"flags\":5}]}",
        written().c_str());
}

TEST(Smb, chain_that_stays_in_place_is_malformed) {
    add(header2(5, 1, 32));
    STRCMP_CONTAINS("\"malformed\":true", written(false).c_str());
    messages.Clear();
    add(header2(5, 1, 64));
    STRCMP_CONTAINS("\"malformed\":true", written(false).c_str());
}

TEST(Smb, header_that_is_cut_is_malformed_only_when_the_message_ends_there) {
    for (const std::string& whole : {header1(0x73, 0), header2(1, 0)}) {
        for (size_t octets = 6; octets < whole.size(); ++octets) {
            messages.Clear();
            add(whole.substr(0, octets));
            STRCMP_CONTAINS("\"malformed\":true", written(false).c_str());
            messages.Clear();
            add(whole.substr(0, octets), false, true);
            CHECK_TEXT(written().find("malformed") == std::string::npos, "cut");
        }
    }
}

TEST(Smb, header_of_another_size_is_malformed) {
    std::string octets = header2(1, 0);
    octets[4] = 63;
    add(octets);
    STRCMP_CONTAINS("\"malformed\":true", written(false).c_str());
}

TEST(Smb, offers_that_reach_past_their_message_are_malformed) {
    add(header1(0x72, 0) + "\0"s + little(200, 2) + "\2PC NETWORK\0"s);
    STRCMP_CONTAINS("\"dialects\":[\"PC NETWORK\"],\"malformed\":true", written(false).c_str());
    messages.Clear();
    add(header1(0x72, 0) + "\0"s + little(3, 2) + "\2PC"s);
    written(false);
    messages.Clear();
    add(header2(0, 0) + little(36, 2) + little(9, 2) + std::string(32, '\0') + little(0x0202, 2));
    STRCMP_CONTAINS("\"dialects\":[\"2.0.2\"],\"malformed\":true", written(false).c_str());
}

TEST(Smb, octets_of_another_protocol_are_malformed) {
    add("what is this");
    STRCMP_EQUAL("{}", written(false).c_str());
}

TEST(Smb, number_of_messages_is_bounded) {
    for (int i = 0; i < 40; ++i) {
        add(header1(0x2b, 0));
    }
    const std::string line = written();
    size_t count = 0;
    for (size_t at = line.find("echo"); at != std::string::npos; at = line.find("echo", at + 1)) {
        ++count;
    }
    CHECK_EQUAL(32u, count);
}

}  // namespace curlew::collector
