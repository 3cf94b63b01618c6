#include "probe/record_image_writer.h"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/block_memory.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

std::span<const uint8_t> octets_of_text(std::string_view text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

TEST_GROUP(RecordImageWriter) {
    // A flow with names and a packet of 70 octets, all counted.
    void begin() {
        features.append(warm.names, warm.names_tail, octets_of_text(kNames));
        ParsedPacket packet{};
        packet.key.ip_version = 4;
        packet.from_low = true;
        packet.ip = reinterpret_cast<const uint8_t*>(kPacket.data());
        packet.ip_captured_octets = 70;
        packet.payload = packet.ip + 20;
        packet.payload_octets = 50;
        packet.payload_captured_octets = 50;
        features.add(hot, packet);
    }

    // What write_image() makes, as one text.
    std::string written(const RecordImage& image) {
        std::vector<uint8_t> octets(octets_of(image));
        write_image(image, features.details(hot), features, messages, octets.data());
        return {octets.begin(), octets.end()};
    }

    const std::string kNames = std::string(150, 'n');
    const std::string kPacket = std::string(20, 'h') + std::string(50, 'p');
    curlew::tests::BlockMemory blocks{16};
    curlew::tests::BlockMemory counts{2};
    curlew::tests::BlockMemory statistics{6};
    FlowFeatures features{{}, {blocks.octets(), counts.octets(), {}, {}, statistics.octets()}};
    MessageStore messages;
    FlowHot hot;
    FlowWarm warm;
};

TEST(RecordImageWriter, sections_stand_behind_the_image_as_long_as_it_says) {
    begin();
    const RecordImage image = make_image(hot, warm, features, messages);
    CHECK_EQUAL(1, image.has_details);
    CHECK_EQUAL(150u, image.names_octets);
    CHECK_EQUAL(0u, image.messages_octets);
    CHECK_EQUAL(0u, image.tunnels_octets);
    CHECK_EQUAL(sizeof(PacketEntry), image.packets_octets);
    CHECK_EQUAL(70u, image.first_packet_octets[0]);
    CHECK_EQUAL(0u, image.first_packet_octets[1]);
    CHECK_EQUAL(kSmallCountsOctets, image.counts_octets);
    CHECK_EQUAL(sizeof(SideStatistics), image.statistics_octets[0]);
    CHECK_EQUAL(0u, image.statistics_octets[1]);

    const std::string octets = written(image);
    CHECK(kNames == octets.substr(sizeof(image), 150));
    size_t at = sizeof(image) + 150;
    PacketEntry entry;
    std::memcpy(&entry, octets.data() + at, sizeof(entry));
    CHECK_EQUAL(50u, entry.payload_octets);
    at += sizeof(entry);
    CHECK(kPacket == octets.substr(at, 70));
    at += 70;
    CHECK_EQUAL(50, octets[at + 'p']);
    CHECK_EQUAL(0, octets[at + 'h']);
    at += kSmallCountsOctets;
    CHECK_EQUAL(octets.size(), at + sizeof(SideStatistics));
}

TEST(RecordImageWriter, without_details_there_are_names_alone) {
    features.append(warm.names, warm.names_tail, octets_of_text(kNames));
    const RecordImage image = make_image(hot, warm, features, messages);
    CHECK_EQUAL(0, image.has_details);
    CHECK_EQUAL(sizeof(image) + 150, octets_of(image));
    CHECK(kNames == written(image).substr(sizeof(image)));
}
