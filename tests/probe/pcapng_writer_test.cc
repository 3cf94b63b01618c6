#include "probe/pcapng_writer.h"

#include <array>

#include "probe/replay_port.h"
#include "tests/probe/recording_files.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;
using namespace curlew::tests;

namespace {

constexpr uint64_t kTime = 1'700'000'000'123'456'789;

std::string head(LinkType link = LinkType::ethernet) {
    std::string out;
    append_section("curlew-probe 1", "a comment", out);
    append_interface({"eth1", "net_x", "udp", link}, out);
    return out;
}

// How far the reader of blocks follows, and how many packets it counts.
std::pair<size_t, uint64_t> whole(const std::string& content) {
    PcapngBlocks blocks;
    size_t at = 0;
    while (const size_t block = blocks.next(
               {reinterpret_cast<const uint8_t*>(content.data()) + at, content.size() - at})) {
        at += block;
    }
    return {at, blocks.packets()};
}

}  // namespace

TEST_GROUP(PcapngWriter) {
    TemporaryFolder folder;
};

TEST(PcapngWriter, a_packet_is_written_octet_by_octet) {
    const Octets octets = from_hex("ff ff ff ff ff ff 02");
    std::string out;
    append_packet({.time_ns = 0x1122334455667788,
                   .lost_before = 3,
                   .interface = 1,
                   .queue = 2,
                   .flags = epb_flags(LinkType::ethernet, octets, true),
                   .wire_octets = 60,
                   .octets = octets},
                  out);
    const Octets expected = from_hex(
        "06 00 00 00 48 00 00 00 01 00 00 00 44 33 22 11 88 77 66 55 07 00 00 00 3c 00 00 00"
        "ff ff ff ff ff ff 02 00"
        "04 00 08 00 03 00 00 00 00 00 00 00"
        "02 00 04 00 0d 00 00 00 06 00 04 00 02 00 00 00 00 00 00 00 48 00 00 00");
    CHECK(Octets(out.begin(), out.end()) == expected);
}

TEST(PcapngWriter, flags_say_whom_a_packet_was_for) {
    const auto flags = [](const char* octets, bool came_in, LinkType link = LinkType::ethernet) {
        return epb_flags(link, from_hex(octets), came_in);
    };
    LONGS_EQUAL(1 | 4 << 2, flags("02 00 00 00 00 01", true));
    LONGS_EQUAL(2 << 2, flags("01 00 5e 00 00 fb", false));
    LONGS_EQUAL(3 << 2, flags("ff ff ff ff ff ff", false));
    LONGS_EQUAL(1, flags("ff ff", true));
    LONGS_EQUAL(0, flags("ff ff ff ff ff ff", false, LinkType::raw_ip));
}

TEST(PcapngWriter, sections_and_interfaces_say_what_they_are) {
    const std::vector<Block> blocks = blocks_of(head());
    LONGS_EQUAL(2, blocks.size());
    LONGS_EQUAL(0x1a2b3c4d, blocks[0].at<uint32_t>(0));
    STRCMP_EQUAL("a comment", blocks[0].options(16).at(1).c_str());
    STRCMP_EQUAL("curlew-probe 1", blocks[0].options(16).at(4).c_str());
    const auto options = blocks[1].options(8);
    LONGS_EQUAL(1, blocks[1].at<uint16_t>(0));
    LONGS_EQUAL(262144, blocks[1].at<uint32_t>(4));
    STRCMP_EQUAL("eth1", options.at(2).c_str());
    STRCMP_EQUAL("\x09", options.at(9).c_str());
    CHECK(options.at(11) == std::string("\0udp", 4));
    STRCMP_EQUAL("net_x", options.at(15).c_str());
}

TEST(PcapngWriter, statistics_tell_what_an_interface_saw) {
    std::string out;
    append_statistics(1, {kTime, kTime + 5, 10, 2, 7, 1, 6}, out);
    const Block block = blocks_of(out).front();
    const auto options = block.options(12);
    LONGS_EQUAL(kStatistics, block.type);
    LONGS_EQUAL(1, block.at<uint32_t>(0));
    CHECK(block.time(4) == kTime + 5);
    CHECK(options.at(2).substr(4) + options.at(2).substr(0, 4) ==
          std::string(reinterpret_cast<const char*>(&kTime), 8));
    LONGS_EQUAL(10, number_of(options.at(4)));
    LONGS_EQUAL(2, number_of(options.at(5)));
    LONGS_EQUAL(7, number_of(options.at(6)));
    LONGS_EQUAL(1, number_of(options.at(7)));
    LONGS_EQUAL(6, number_of(options.at(8)));
}

TEST(PcapngWriter, a_capture_is_read_as_it_was_written) {
    const Packet cut = packet_at(kTime + 1, 100).captured(61);
    for (const LinkType link : {LinkType::ethernet,
                                LinkType::raw_ip,
                                LinkType::linux_sll2,
                                LinkType::wifi_radiotap,
                                LinkType::netfilter_log}) {
        std::string out = head(link);
        append_packet(
            {.time_ns = cut.time_ns, .wire_octets = cut.wire_octets, .octets = cut.octets}, out);
        append_statistics(0, {}, out);
        const auto file = folder.path() / "a.pcapng";
        put_content(file, out);
        ReplayPort port(file);
        std::array<PacketView, kMaximumBurst> burst;
        LONGS_EQUAL(1, port.receive(burst));
        CHECK(burst[0].link == link);
        CHECK(burst[0].time_ns == kTime + 1);
        LONGS_EQUAL(142, burst[0].wire_octets);
        CHECK(Octets(burst[0].data, burst[0].data + burst[0].captured_octets) == cut.octets);
        port.release();
        LONGS_EQUAL(0, port.receive(burst));
        CHECK(port.state() == PortState::ended);
    }
}

TEST(PcapngWriter, blocks_are_followed_to_the_last_whole_one) {
    std::string content = head();
    for (size_t i = 0; i < 3; ++i) {
        const Packet packet = packet_at(kTime + i, i);
        append_packet(
            {.time_ns = packet.time_ns, .wire_octets = packet.wire_octets, .octets = packet.octets},
            content);
    }
    append_statistics(0, {}, content);
    const std::vector<Block> blocks = blocks_of(content);
    for (size_t octets = 0; octets <= content.size(); ++octets) {
        const std::string cut = content.substr(0, octets);
        // What a crash may leave of a file whose length is already known.
        const std::string zeroed = cut + std::string(content.size() - octets, '\0');
        size_t end = 0;
        size_t end_zeroed = 0;
        uint64_t packets = 0;
        for (const Block& block : blocks) {
            if (block.end <= octets) {
                end = block.end;
                packets += block.type == kPacket ? 1 : 0;
            }
            if (zeroed.compare(0, block.end, content, 0, block.end) == 0) {
                end_zeroed = block.end;
            }
        }
        LONGS_EQUAL(end, whole(cut).first);
        LONGS_EQUAL(packets, whole(cut).second);
        LONGS_EQUAL(end_zeroed, whole(zeroed).first);
    }
}

TEST(PcapngWriter, what_no_recording_has_ends_it) {
    std::string packet;
    append_packet({.wire_octets = 4, .octets = {}}, packet);
    LONGS_EQUAL(0, whole(packet).first);  // in no section
    std::string lying = head() + packet;
    lying[head().size() + 20] = 33;  // captured octets
    LONGS_EQUAL(head().size(), whole(lying).first);
    std::string foreign = head() + packet;
    foreign[head().size()] = 3;  // a Simple Packet Block
    LONGS_EQUAL(head().size(), whole(foreign).first);
    std::string swapped = head();
    std::swap(swapped[8], swapped[11]);
    std::swap(swapped[9], swapped[10]);
    LONGS_EQUAL(0, whole(swapped).first);
}
