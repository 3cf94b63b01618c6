#include "probe/capture_reader.h"

#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "tests/probe/capture_blocks.h"
#include "tests/probe/read_packets.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::probe::test;

namespace {

std::string reader_refusal(const Octets& head) {
    try {
        make_capture_reader(head);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "accepted";
}

// A TLV of NFLOG, in the captured machine's order.
Octets attribute(uint16_t type, const Octets& value, Number number) {
    return number(value.size() + 4, 2) + number(type, 2) + value;
}

}  // namespace

TEST_GROUP(CaptureReader){};

TEST(CaptureReader, formats_are_told_by_their_first_octets) {
    CHECK_EQUAL(std::string("accepted"), reader_refusal(pcap_header()));
    CHECK_EQUAL(std::string("accepted"), reader_refusal(section()));
    CHECK_EQUAL(std::string("unknown file format"), reader_refusal(Octets(100, 'x')));
    CHECK_EQUAL(std::string("unknown file format"), reader_refusal({0xa1, 0xb2, 0xc3}));
    CHECK_EQUAL(std::string("its header is cut"), reader_refusal(first(pcap_header(), 23)));
}

TEST(CaptureReader, lengths_are_held_to_their_bounds) {
    const auto only = [](uint32_t captured, uint32_t wire) {
        return read_packets(pcap_header() + pcap_packet(1, 0, Octets(captured, 7), wire))
            .packets.at(0);
    };
    CHECK_EQUAL(4u, only(4, 2).wire_octets);
    CHECK_EQUAL(9000u, only(4, 9000).wire_octets);
    CHECK_EQUAL(4u, only(4, ~0u).wire_octets);
    CHECK_EQUAL(262'144u, only(262'144, 262'144).octets.size());
}

TEST(CaptureReader, unsupported_links_are_one) {
    const Reading reading =
        read_packets(section() + interface(200, 6) + interface(kEthernet, 6) + interface(201, 6) +
                     interface(kEthernet, 9) + interface(101, 6) + section(big) +
                     interface(kEthernet, 6, big) + interface(200, 6, big));
    CHECK_EQUAL(4u, reading.links.size());
    CHECK_EQUAL(200u, reading.links[0].number);
    CHECK(reading.links[0].type == LinkType::unsupported);
    CHECK(reading.links[1].type == LinkType::ethernet && !reading.links[1].swapped);
    CHECK(reading.links[2].type == LinkType::raw_ip);
    CHECK(reading.links[3].type == LinkType::ethernet && reading.links[3].swapped);
}

TEST(CaptureReader, attributes_of_a_foreign_netfilter_log_are_turned) {
    constexpr uint32_t kNetfilterLog = 239;
    const auto packet = [](Number number) {
        return Octets{2, 0, 1, 2} + attribute(5, {1, 2, 3, 4}, number) +
               attribute(9, {0x45, 6, 7, 8}, number);
    };
    for (const Number number : {Number{little}, Number{big}}) {
        const Octets foreign = packet(number);
        CHECK(packet(little) == read_packets(pcap_header(kMicroseconds, kNetfilterLog, number) +
                                             pcap_packet(1, 0, foreign, 20, number))
                                    .packets.at(0)
                                    .octets);
        CHECK(packet(little) == read_packets(section(number) + interface(kNetfilterLog, 6, number) +
                                             enhanced_packet(1, foreign, number))
                                    .packets.at(0)
                                    .octets);
    }
    // Lengths that lie lead nowhere.
    const Octets lying = Octets{2, 0, 1, 2} + big(3, 2) + big(9, 2) + big(1, 2);
    const Octets turned = Octets{2, 0, 1, 2} + little(3, 2) + little(9, 2) + big(1, 2);
    CHECK(turned == read_packets(pcap_header(kMicroseconds, kNetfilterLog, big) +
                                 pcap_packet(1, 0, lying, 10, big))
                        .packets.at(0)
                        .octets);
}

TEST(CaptureReader, noise_is_read_within_its_bounds) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random(seed);
    const std::string text = std::to_string(seed);
    Octets pcap = pcap_header();
    Octets pcapng = section() + interface(kEthernet, 9) + interface_with_fcs(101, 4);
    for (uint8_t i = 1; i <= 4; ++i) {
        pcap = std::move(pcap) + pcap_packet_of(i);
        pcapng = std::move(pcapng) + enhanced_packet(i, Octets(60, i)) + statistics(i);
    }
    for (const Octets& whole : {pcap, pcapng}) {
        for (int i = 0; i < 3'000; ++i) {
            Octets file = whole;
            for (int change = 0; change < 4; ++change) {
                // The magic number alone makes it a capture.
                file[4 + random() % (file.size() - 4)] = static_cast<uint8_t>(random());
            }
            file.resize(24 + random() % (file.size() - 23));
            Reading reading;
            try {
                reading = read_packets(file, 1 + random() % 50);
            } catch (const std::runtime_error&) {
                continue;
            }
            CHECK_TRUE_TEXT(reading.packets_lost <= uint64_t{1} << 48, text.c_str());
            uint64_t sum = 0;
            for (const LossInterval& loss : reading.losses) {
                sum += loss.lost;
            }
            CHECK_EQUAL_TEXT(reading.packets_lost, sum, text.c_str());
            for (const Reading::Packet& packet : reading.packets) {
                CHECK_TRUE_TEXT(packet.octets.size() <= packet.wire_octets, text.c_str());
                CHECK_TRUE_TEXT(packet.time_ns <= kLatestTimeNs, text.c_str());
            }
        }
    }
}
