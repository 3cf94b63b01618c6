#include "cli/traffic_writer.h"

#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/cli/traffic_frames_read.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

using namespace curlew::cli;

TEST_GROUP(TrafficCapture) {
    TrafficCapture capture{1};
};

TEST(TrafficCapture, sorts_frames_by_time_and_keeps_equal_ones_in_order) {
    const uint64_t start = capture.start_ns();
    capture.add_frame(start + 2, std::string(60, 'c'));
    capture.add_frame(start + 1, std::string(60, 'a'));
    capture.add_frame(start + 1, std::string(60, 'b'));
    const auto frames = frames_of(capture);
    CHECK_EQUAL(3u, frames.size());
    CHECK(frames.at(0) == std::string(60, 'a'));
    CHECK(frames.at(1) == std::string(60, 'b'));
    CHECK(frames.at(2) == std::string(60, 'c'));
}

TEST(TrafficCapture, pads_a_short_frame_as_on_a_wire) {
    capture.add_frame(capture.start_ns(), "short");
    CHECK(frames_of(capture).at(0) == "short" + std::string(55, '\0'));
}

TEST(TrafficCapture, writes_the_header_of_libpcap_in_either_unit) {
    STRCMP_EQUAL("4d3cb2a1020004000000000000000000ffff000001000000",
                 hex_of(file_of(capture, TimeUnit::nanoseconds)).c_str());
    STRCMP_EQUAL("d4c3b2a1020004000000000000000000ffff000001000000",
                 hex_of(file_of(capture, TimeUnit::microseconds)).c_str());
}

TEST(TrafficCapture, stamps_seconds_and_what_is_below_one) {
    const uint64_t second = capture.start_ns() / kSecondNs + 1;
    capture.add_frame(second * kSecondNs + 5'000'006, "frame");
    const std::string fine = file_of(capture, TimeUnit::nanoseconds);
    const std::string coarse = file_of(capture, TimeUnit::microseconds);
    STRCMP_EQUAL("464b4c00", hex_of(fine.substr(28, 4)).c_str());
    STRCMP_EQUAL("88130000", hex_of(coarse.substr(28, 4)).c_str());
    CHECK(fine.substr(24, 4) == coarse.substr(24, 4));
}

TEST(TrafficCapture, counts_a_flow_once_whichever_way_it_is_told) {
    capture.expect_flow({1, 1000}, {2, 80}, 6, "label");
    capture.expect_flow({2, 80}, {1, 1000}, 6, "label");
    capture.expect_flow({1, 1001}, {2, 80}, 6, "label");
    capture.expect_flow({1, 1000}, {2, 80}, 17, "other");
    CHECK_EQUAL(2u, capture.summary().flow_types.at("label"));
    CHECK_EQUAL(1u, capture.summary().flow_types.at("other"));
}

TEST(TrafficCapture, gives_no_port_twice) {
    std::set<uint16_t> ports;
    for (int i = 0; i < 100; ++i) {
        const uint16_t port = capture.ephemeral_port();
        CHECK(port >= 32768);
        CHECK(ports.insert(port).second);
    }
}

TEST(TrafficCapture, takes_the_place_of_a_file_but_of_nothing_else) {
    const curlew::tests::TemporaryFolder folder;
    const auto file = folder.path() / "file";
    const auto link = folder.path() / "link";
    curlew::tests::put_content(file, "old");
    std::filesystem::create_symlink(file, link);
    CHECK_THROWS(std::runtime_error, capture.write(link, TimeUnit::nanoseconds));
    CHECK_THROWS(std::runtime_error, capture.write(folder.path(), TimeUnit::nanoseconds));
    CHECK("old" == curlew::tests::content_of(file));
    CHECK(std::filesystem::is_symlink(link));
    capture.write(file, TimeUnit::nanoseconds);
    CHECK_EQUAL(24u, std::filesystem::file_size(file));
}

TEST(TrafficCapture, draws_as_splitmix64_does) {
    TrafficRandom random(1234567);
    CHECK_EQUAL(6457827717110365317u, random.next());
    CHECK_EQUAL(3203168211198807973u, random.next());
    CHECK_EQUAL(9817491932198370423u, random.next());
}
