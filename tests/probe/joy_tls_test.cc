#include "probe/joy_tls.h"

#include <string>

#include "tests/support/cpputest.h"
#include "tests/support/packet_builder.h"

namespace curlew::probe {
namespace {

using tests::from_hex;
using tests::Octets;

constexpr uint64_t kStartUs = 1'533'194'126'000'000;

// A record of TLS 1.2: header and as many octets of content.
Octets record(uint8_t type, uint16_t length) {
    Octets octets{type, 3, 3, static_cast<uint8_t>(length >> 8), static_cast<uint8_t>(length)};
    octets.resize(octets.size() + length, 0x55);
    return octets;
}

Octets join(Octets first, const Octets& second) {
    first.insert(first.end(), second.begin(), second.end());
    return first;
}

}  // namespace

TEST_GROUP(JoyTlsSide) {
    JoyTlsSide side;
    uint64_t time_us = kStartUs;

    void add(const Octets& payload) {
        side.add(payload, time_us);
        time_us += 1000;
    }

    // "type:length@milliseconds ..." of all records.
    std::string records() const {
        proto::JoyTls tls;
        side.fill(tls);
        std::string text;
        for (const proto::JoyTlsRecord& record : tls.records()) {
            text += std::to_string(record.content_type()) + ":" +
                    std::to_string(record.length_octets()) + "@" +
                    std::to_string((record.time_us() - kStartUs) / 1000) + " ";
        }
        return text;
    }

    size_t handshake_octets() const {
        proto::JoyTls tls;
        side.fill(tls);
        return tls.handshake().size();
    }
};

TEST(JoyTlsSide, records_are_walked_within_a_packet) {
    add(join(record(22, 10), join(record(20, 1), record(22, 40))));
    STRCMP_EQUAL("22:10@0 20:1@0 22:40@0 ", records().c_str());
}

TEST(JoyTlsSide, a_record_goes_on_over_packets) {
    Octets first = record(22, 300);
    const Octets second(first.begin() + 100, first.begin() + 200);
    Octets third(first.begin() + 200, first.end());
    first.resize(100);
    add(first);
    add(second);
    add(join(third, record(23, 7)));
    STRCMP_EQUAL("22:300@0 23:7@2 ", records().c_str());
}

// Joy compares the length without its header: up to five octets that are missing are not missed.
TEST(JoyTlsSide, the_last_octets_of_a_record_are_taken_for_a_header) {
    Octets first = record(23, 100);
    const Octets rest{first.end() - 5, first.end()};
    first.resize(100);
    add(first);
    add(rest);
    STRCMP_EQUAL("23:100@0 85:21845@1 ", records().c_str());
}

TEST(JoyTlsSide, a_header_cut_by_the_packet_counts_as_zeros) {
    add(from_hex("16 03 03 00"));
    STRCMP_EQUAL("22:0@0 ", records().c_str());
}

TEST(JoyTlsSide, the_handshake_is_there_when_another_record_ends_it) {
    add(record(22, 50));
    CHECK_EQUAL(0u, handshake_octets());
    add(join(record(22, 10), record(20, 1)));
    CHECK_EQUAL(55u + 15u + 6u, handshake_octets());
    add(record(22, 50));
    CHECK_EQUAL(76u, handshake_octets());
    proto::JoyTls tls;
    side.fill(tls);
    CHECK_EQUAL(0x0303u, tls.ending_version());
}

TEST(JoyTlsSide, a_side_that_begins_with_data_has_no_handshake_yet) {
    add(record(23, 10));
    proto::JoyTls tls;
    side.fill(tls);
    CHECK_FALSE(tls.has_ending_version());
    add(from_hex("01 02 03"));
    add(record(21, 2));
    side.fill(tls);
    CHECK_TRUE(tls.has_ending_version());
    CHECK_EQUAL(3u, tls.handshake().size());
}

TEST(JoyTlsSide, a_packet_that_does_not_fit_is_not_looked_into) {
    add(record(22, 5990));
    add(record(22, 5000));
    add(record(22, 5000 - 1));
    add(record(20, 1));
    STRCMP_EQUAL("22:5990@0 22:4999@2 20:1@3 ", records().c_str());
    CHECK_EQUAL(5995u + 5004u, handshake_octets());
}

TEST(JoyTlsSide, a_hundred_records_are_kept) {
    for (int i = 0; i < 101; ++i) {
        add(record(23, 1));
    }
    proto::JoyTls tls;
    side.fill(tls);
    CHECK_EQUAL(100, tls.records_size());
}

TEST(JoyTlsSide, the_count_of_records_wraps_as_joys_does) {
    for (int i = 0; i < 65536; ++i) {
        add(record(23, 1));
    }
    STRCMP_EQUAL("", records().c_str());
    time_us = kStartUs;
    add(record(21, 2));
    STRCMP_EQUAL("21:2@0 ", records().c_str());
}

}  // namespace curlew::probe
