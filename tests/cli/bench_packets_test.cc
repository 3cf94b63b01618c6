#include "cli/bench_packets.h"

#include <algorithm>
#include <array>
#include <set>

#include "cli/traffic.h"
#include "probe/packet_parser.h"
#include "proto/frame.h"
#include "tests/cli/flow_files.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::cli;
using curlew::cli::test::FlowFolder;
namespace probe = curlew::probe;

namespace {

constexpr size_t kSmallPool = size_t{1} << 20;

probe::ParsedPacket parsed(const BenchPackets& packets, uint32_t index) {
    const BenchPackets::Frame& frame = packets.frames()[index];
    probe::ParsedPacket packet;
    CHECK(probe::ParseResult::metered ==
          parse_packet(
              {packets.octets(frame), 0, frame.octets, frame.octets, frame.link}, {}, packet));
    return packet;
}

// Each frame comes once a round.
void check_order(const BenchPackets& packets) {
    const std::set<uint32_t> all(packets.order().begin(), packets.order().end());
    LONGS_EQUAL(packets.frames().size(), packets.order().size());
    LONGS_EQUAL(packets.frames().size(), all.size());
}

}  // namespace

TEST_GROUP(BenchPackets){};

TEST(BenchPackets, udp_has_the_flows_and_frames_that_were_asked_for_in_both_directions) {
    const BenchPackets packets = BenchPackets::of_udp(300, 128, kSmallPool);
    check_order(packets);
    LONGS_EQUAL(300, packets.count_flows());
    LONGS_EQUAL(128, packets.mean_frame_octets());
    CHECK(parsed(packets, 0).key == parsed(packets, 300).key);
    CHECK(parsed(packets, 0).from_low != parsed(packets, 300).from_low);
    LONGS_EQUAL(124 - 14 - 20 - 8, parsed(packets, 0).payload_octets);
}

TEST(BenchPackets, colliding_keys_are_different_flows_with_one_crc) {
    const BenchPackets packets = BenchPackets::of_colliding_keys(500);
    LONGS_EQUAL(500, packets.count_flows());
    std::set<uint32_t> sums;
    for (uint32_t i = 0; i < 500; ++i) {
        const uint8_t* transport = parsed(packets, i).transport;
        // Ports, then addresses.
        std::array<uint8_t, 12> tuple;
        std::copy(transport, transport + 4, tuple.begin());
        std::copy(transport - 8, transport, tuple.begin() + 4);
        sums.insert(curlew::proto::crc32c(tuple));
    }
    LONGS_EQUAL(1, sums.size());
}

TEST(BenchPackets, fragments_follow_each_other_and_are_of_one_datagram) {
    const BenchPackets packets = BenchPackets::of_fragments(200);
    for (size_t i = 0; i < packets.order().size(); i += 2) {
        const probe::ParsedPacket first = parsed(packets, packets.order()[i]);
        const probe::ParsedPacket second = parsed(packets, packets.order()[i + 1]);
        CHECK((first.notes & probe::kNoteFragment) != 0);
        CHECK((first.notes & probe::kNoteLaterFragment) == 0);
        CHECK((second.notes & probe::kNoteLaterFragment) != 0);
        LONGS_EQUAL(first.fragment_id, second.fragment_id);
    }
}

TEST(BenchPackets, copies_of_a_capture_have_clients_of_their_own_and_keep_their_order) {
    FlowFolder folder;
    write_traffic({"gateway-boot", folder.path() / "boot.pcap", 3});
    const BenchPackets packets = BenchPackets::of_capture(folder.path() / "boot.pcap", kSmallPool);
    check_order(packets);
    const uint64_t flows = packets.count_flows();
    const TrafficSummary made = write_traffic({"gateway-boot", folder.path() / "boot.pcap", 3});
    const size_t copies = packets.frames().size() / made.packets;
    CHECK(copies > 5);
    // Groups and IPv6 multicast are the same for all; nearly all flows have a client.
    CHECK(flows > copies * made.flow_types.size() * 2);
    std::vector<uint32_t> last(copies);
    std::vector<bool> wrapped(copies);
    for (const uint32_t index : packets.order()) {
        const size_t copy = index / made.packets;
        const auto place = static_cast<uint32_t>(index % made.packets) + 1;
        if (place < last[copy]) {
            CHECK_FALSE(wrapped[copy]);
            wrapped[copy] = true;
        }
        last[copy] = place;
    }
}
