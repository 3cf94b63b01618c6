#include "cli/traffic_tcp.h"

#include <string>
#include <vector>

#include "tests/cli/traffic_frames_read.h"
#include "tests/support/cpputest.h"

namespace {

using namespace curlew::cli;

constexpr size_t kTcpAt = 34;

uint64_t number_at(const std::string& frame, size_t at, size_t octets) {
    uint64_t number = 0;
    for (size_t i = 0; i < octets; ++i) {
        number = number << 8 | static_cast<uint8_t>(frame.at(at + i));
    }
    return number;
}

uint32_t sequence(const std::string& frame) {
    return static_cast<uint32_t>(number_at(frame, kTcpAt + 4, 4));
}
uint32_t acknowledgement(const std::string& frame) {
    return static_cast<uint32_t>(number_at(frame, kTcpAt + 8, 4));
}
uint64_t flags(const std::string& frame) {
    return number_at(frame, kTcpAt + 13, 1);
}
uint64_t payload_octets(const std::string& frame) {
    return number_at(frame, 16, 2) - 20 - number_at(frame, kTcpAt + 12, 1) / 16 * 4;
}

}  // namespace

TEST_GROUP(TcpConversation) {
    TrafficCapture capture{1};
    TrafficHost client = {.address = ipv4(10, 0, 0, 1)};
    TrafficHost server = {.address = ipv4(10, 0, 0, 2)};
};

TEST(TcpConversation, opens_and_closes_with_every_number_accounted_for) {
    TcpConversation connection(capture, client, 40000, server, 80, {}, "web");
    connection.open(capture.start_ns());
    connection.close();
    const auto frames = frames_of(capture);
    CHECK_EQUAL(6u, frames.size());
    CHECK_EQUAL(0x02u, flags(frames.at(0)));
    CHECK_EQUAL(0x12u, flags(frames.at(1)));
    CHECK_EQUAL(0x10u, flags(frames.at(2)));
    CHECK_EQUAL(0x11u, flags(frames.at(3)));
    CHECK_EQUAL(0x11u, flags(frames.at(4)));
    CHECK_EQUAL(0x10u, flags(frames.at(5)));
    CHECK_EQUAL(0u, acknowledgement(frames.at(0)));
    CHECK_EQUAL(sequence(frames.at(0)) + 1, acknowledgement(frames.at(1)));
    CHECK_EQUAL(sequence(frames.at(1)) + 1, acknowledgement(frames.at(2)));
    CHECK_EQUAL(sequence(frames.at(3)) + 1, acknowledgement(frames.at(4)));
    CHECK_EQUAL(sequence(frames.at(4)) + 1, acknowledgement(frames.at(5)));
    CHECK_EQUAL(1u, capture.summary().flow_types.at("web"));
}

TEST(TcpConversation, cuts_a_long_message_into_segments) {
    TcpConversation connection(capture, client, 40000, server, 80, {}, "web");
    connection.open(capture.start_ns());
    connection.server_sends(std::string(3000, 'x'));
    const auto frames = frames_of(capture);
    CHECK_EQUAL(7u, frames.size());
    CHECK_EQUAL(1460u, payload_octets(frames.at(3)));
    CHECK_EQUAL(1460u, payload_octets(frames.at(4)));
    CHECK_EQUAL(80u, payload_octets(frames.at(5)));
    CHECK_EQUAL(0x18u, flags(frames.at(5)));
    CHECK_EQUAL(sequence(frames.at(3)) + 3000, acknowledgement(frames.at(6)));
}

TEST(TcpConversation, sends_a_lost_segment_again_with_the_same_number) {
    TcpConversation connection(capture, client, 40000, server, 80, {}, "web");
    connection.open(capture.start_ns());
    connection.client_sends_twice("request");
    const auto frames = frames_of(capture);
    CHECK_EQUAL(6u, frames.size());
    CHECK_EQUAL(sequence(frames.at(3)), sequence(frames.at(4)));
    CHECK_EQUAL(7u, payload_octets(frames.at(4)));
    CHECK_EQUAL(sequence(frames.at(3)) + 7, acknowledgement(frames.at(5)));
}

TEST(TcpConversation, echoes_timestamps) {
    TcpConversation connection(capture, client, 40000, server, 80, {.timestamps = true}, "web");
    connection.open(capture.start_ns());
    const auto frames = frames_of(capture);
    // Segment size, SACK permitted, timestamps, window scale.
    STRCMP_EQUAL("020405b40402080a", hex_of(frames.at(0).substr(kTcpAt + 20, 8)).c_str());
    STRCMP_EQUAL("01030302", hex_of(frames.at(0).substr(kTcpAt + 36, 4)).c_str());
    CHECK(frames.at(0).substr(kTcpAt + 28, 4) == frames.at(1).substr(kTcpAt + 32, 4));
    CHECK(frames.at(1).substr(kTcpAt + 28, 4) == frames.at(2).substr(kTcpAt + 28, 4));
}

TEST(TcpConversation, has_right_checksums) {
    TcpConversation connection(capture, client, 40000, server, 80, {.timestamps = true}, "web");
    connection.open(capture.start_ns());
    connection.client_sends("odd");
    for (const std::string& frame : frames_of(capture)) {
        const size_t octets = number_at(frame, 16, 2) - 20;
        std::string pseudo = frame.substr(26, 8) + std::string("\0\x06", 2);
        pseudo += static_cast<char>(octets / 256);
        pseudo += static_cast<char>(octets % 256);
        CHECK_EQUAL(0u, internet_checksum(pseudo + frame.substr(kTcpAt, octets)));
    }
}
