#include "proto/frame.h"

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/cpputest.h"

namespace {

using curlew::proto::append_frame;
using curlew::proto::crc32c;
using curlew::proto::crc32c_portable;
using curlew::proto::decode_frame;
using curlew::proto::FrameError;
using curlew::proto::FrameHeader;
using curlew::proto::FrameKind;
using curlew::proto::FrameView;
using curlew::proto::kFrameHeaderOctets;
using curlew::proto::kMaximumFrameBodyOctets;

using Octets = std::vector<uint8_t>;

Octets octets_of(const std::string& text) {
    return {text.begin(), text.end()};
}

Octets ascending(size_t count) {
    Octets octets(count);
    for (size_t i = 0; i < count; ++i) {
        octets[i] = static_cast<uint8_t>(i);
    }
    return octets;
}

FrameHeader batch_header() {
    return {.kind = FrameKind::batch,
            .probe_id = 0x1112131415161718,
            .epoch = 0x2122232425262728,
            .first_sequence = 0x3132333435363738,
            .record_count = 2};
}

std::string batch_frame(const std::string& body) {
    std::string frame;
    append_frame(batch_header(), octets_of(body), frame);
    return frame;
}

FrameError decode(const Octets& octets) {
    FrameView view;
    return decode_frame(octets, view);
}

// Makes the checksum fit again, so that only the changed field can be what is refused.
void sign(Octets& octets) {
    const std::span<const uint8_t> all = octets;
    const uint32_t crc = crc32c(all.subspan(48), crc32c(all.first(44)));
    for (size_t i = 0; i < 4; ++i) {
        octets[44 + i] = static_cast<uint8_t>(crc >> (8 * i));
    }
}

void check_crc(uint32_t expected, const Octets& octets) {
    UNSIGNED_LONGS_EQUAL(expected, crc32c(octets));
    UNSIGNED_LONGS_EQUAL(expected, crc32c_portable(octets));
}

}  // namespace

TEST_GROUP(Crc32c){};

TEST(Crc32c, gives_the_values_of_rfc_3720) {
    Octets descending = ascending(32);
    for (uint8_t& octet : descending) {
        octet = static_cast<uint8_t>(31 - octet);
    }
    const Octets scsi_read = {0x01, 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                              0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00, 0x00,
                              0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x14, 0x00, 0x00,
                              0x00, 0x18, 0x28, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
                              0x02, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};
    check_crc(0x8a9136aa, Octets(32, 0x00));
    check_crc(0x62a8ab43, Octets(32, 0xff));
    check_crc(0x46dd794e, ascending(32));
    check_crc(0x113fdb5c, descending);
    check_crc(0xd9963a56, scsi_read);
    check_crc(0xe3069283, octets_of("123456789"));
}

TEST(Crc32c, of_nothing_is_the_seed) {
    UNSIGNED_LONGS_EQUAL(0, crc32c({}));
    UNSIGNED_LONGS_EQUAL(0x12345678, crc32c({}, 0x12345678));
    UNSIGNED_LONGS_EQUAL(0x12345678, crc32c_portable({}, 0x12345678));
}

TEST(Crc32c, both_ways_agree_at_every_length_and_alignment) {
    const Octets octets = ascending(100);
    const std::span<const uint8_t> all = octets;
    for (size_t begin = 0; begin < 9; ++begin) {
        for (size_t length = 0; length + begin <= all.size(); ++length) {
            const auto part = all.subspan(begin, length);
            UNSIGNED_LONGS_EQUAL(crc32c_portable(part, 7), crc32c(part, 7));
        }
    }
}

TEST(Crc32c, continues_from_a_seed) {
    const Octets octets = ascending(32);
    const std::span<const uint8_t> all = octets;
    for (size_t cut = 0; cut <= all.size(); ++cut) {
        UNSIGNED_LONGS_EQUAL(0x46dd794e, crc32c(all.subspan(cut), crc32c(all.first(cut))));
    }
}

TEST_GROUP(Frame){};

TEST(Frame, lies_on_the_wire_as_drawn) {
    const Octets expected = {'C',  'L',  'W',  'F',  0x01, 0x03, 0x00, 0x00, 0x03, 0x00, 0x00,
                             0x00, 0x02, 0x00, 0x00, 0x00, 0x18, 0x17, 0x16, 0x15, 0x14, 0x13,
                             0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21, 0x38,
                             0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x00, 0x00, 0x00, 0x00,
                             0xed, 0x3e, 0x55, 0x05, 'a',  'b',  'c'};
    CHECK(expected == octets_of(batch_frame("abc")));
}

TEST(Frame, comes_back_as_it_was_given) {
    const Octets octets = octets_of(batch_frame("abc"));
    FrameView view;
    CHECK(FrameError::none == decode_frame(octets, view));
    CHECK(FrameKind::batch == view.header.kind);
    CHECK_EQUAL(0x1112131415161718u, view.header.probe_id);
    CHECK_EQUAL(0x2122232425262728u, view.header.epoch);
    CHECK_EQUAL(0x3132333435363738u, view.header.first_sequence);
    CHECK_EQUAL(2u, view.header.record_count);
    CHECK_EQUAL(51u, view.frame_octets);
    CHECK_EQUAL(3u, view.body.size());
    POINTERS_EQUAL(octets.data() + 48, view.body.data());
}

TEST(Frame, may_be_empty_of_body) {
    std::string frame;
    append_frame({.kind = FrameKind::welcome, .first_sequence = 9}, {}, frame);
    FrameView view;
    CHECK(FrameError::none == decode_frame(octets_of(frame), view));
    CHECK_EQUAL(48u, view.frame_octets);
    CHECK_EQUAL(9u, view.header.first_sequence);
}

TEST(Frame, stands_before_the_next_one_in_a_file) {
    std::string file = batch_frame("first");
    append_frame(batch_header(), octets_of("second one"), file);
    const Octets octets = octets_of(file);
    const std::span<const uint8_t> all = octets;
    FrameView view;
    CHECK(FrameError::none == decode_frame(all, view));
    CHECK_EQUAL(53u, view.frame_octets);
    CHECK(FrameError::none == decode_frame(all.subspan(view.frame_octets), view));
    CHECK_EQUAL(58u, view.frame_octets);
}

TEST(Frame, with_one_flipped_bit_is_refused) {
    const Octets whole = octets_of(batch_frame("a body of some length"));
    for (size_t bit = 0; bit < whole.size() * 8; ++bit) {
        Octets flipped = whole;
        flipped[bit / 8] = static_cast<uint8_t>(flipped[bit / 8] ^ (1u << (bit % 8)));
        CHECK(FrameError::none != decode(flipped));
    }
}

TEST(Frame, cut_anywhere_is_incomplete) {
    const Octets whole = octets_of(batch_frame("a body of some length"));
    for (size_t length = 0; length < whole.size(); ++length) {
        CHECK(FrameError::incomplete ==
              decode(Octets(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(length))));
    }
}

TEST(Frame, view_is_left_alone_when_refused) {
    Octets octets = octets_of(batch_frame("abc"));
    octets[48] = 'x';
    FrameView view;
    view.frame_octets = 77;
    CHECK(FrameError::bad_checksum == decode_frame(octets, view));
    CHECK_EQUAL(77u, view.frame_octets);
    CHECK_EQUAL(0u, view.header.epoch);
}

TEST(Frame, of_the_longest_body_is_read_and_a_longer_one_refused) {
    std::string frame;
    append_frame(batch_header(), Octets(kMaximumFrameBodyOctets, 'x'), frame);
    Octets octets = octets_of(frame);
    CHECK(FrameError::none == decode(octets));

    octets.push_back('x');
    octets[8] = 0x01;  // the body length, 0x40000, becomes 0x40001
    sign(octets);
    CHECK(FrameError::too_long == decode(octets));
}

TEST(Frame, claiming_gigabytes_is_refused_by_its_header_alone) {
    Octets octets = octets_of(batch_frame(""));
    octets[11] = 0xff;
    sign(octets);
    CHECK(FrameError::too_long == decode(octets));
}

TEST(Frame, with_too_many_records_is_refused) {
    Octets octets = octets_of(batch_frame("abc"));
    octets[12] = 0x00;
    octets[13] = 0x10;
    sign(octets);
    CHECK(FrameError::none == decode(octets));
    octets[12] = 0x01;
    sign(octets);
    CHECK(FrameError::too_long == decode(octets));
}

TEST(Frame, whose_sequences_would_wrap_is_refused) {
    FrameHeader header = batch_header();
    header.first_sequence = std::numeric_limits<uint64_t>::max() - 2;
    std::string frame;
    append_frame(header, {}, frame);
    Octets octets = octets_of(frame);
    CHECK(FrameError::none == decode(octets));
    octets[12] = 3;
    sign(octets);
    CHECK(FrameError::too_long == decode(octets));
}

TEST(Frame, of_a_kind_without_body_refuses_one) {
    Octets octets = octets_of(batch_frame("abc"));
    octets[5] = 5;
    octets[12] = 0;
    sign(octets);
    CHECK(FrameError::too_long == decode(octets));
}

TEST(Frame, of_an_unknown_kind_is_refused) {
    for (const uint8_t kind : std::array<uint8_t, 3>{0, 7, 255}) {
        Octets octets = octets_of(batch_frame("abc"));
        octets[5] = kind;
        sign(octets);
        CHECK(FrameError::bad_kind == decode(octets));
    }
}

TEST(Frame, of_a_later_version_is_refused) {
    for (const size_t at : std::array<size_t, 5>{4, 6, 7, 40, 43}) {
        Octets octets = octets_of(batch_frame("abc"));
        octets[at] = 2;
        sign(octets);
        CHECK(FrameError::bad_version == decode(octets));
    }
}

TEST(Frame, of_another_format_is_refused) {
    CHECK(FrameError::bad_magic == decode(Octets(64, 'C')));
    STRCMP_EQUAL("bad_magic", name_of(FrameError::bad_magic));
}
