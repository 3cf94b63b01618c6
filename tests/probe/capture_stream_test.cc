#include "probe/capture_stream.h"

#include <array>
#include <span>
#include <stdexcept>
#include <string>

#include "tests/probe/capture_files.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using curlew::probe::CaptureStream;
using namespace curlew::probe::test;

namespace {

// Reads to the end, a few octets at a time.
std::string all_of(CaptureStream& stream) {
    std::string text;
    std::array<uint8_t, 7> part{};
    while (const size_t got = stream.read(part)) {
        text.append(part.begin(), part.begin() + got);
    }
    return text;
}

Octets spelled(const std::string& words) {
    return Octets(words.begin(), words.end());
}

// Octets that do not compress, so that a part of the packed data is a part of the plain.
Octets noise(size_t count) {
    Octets out;
    uint32_t state = 1;
    for (size_t i = 0; i < count; ++i) {
        state = state * 1664525 + 1013904223;
        out.push_back(static_cast<uint8_t>(state >> 24));
    }
    return out;
}

size_t count_octets(CaptureStream& stream) {
    size_t count = 0;
    std::array<uint8_t, 1000> part{};
    while (const size_t got = stream.read(part)) {
        count += got;
    }
    return count;
}

std::string stream_refusal(const std::filesystem::path& file) {
    try {
        const CaptureStream stream(file);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "accepted";
}

}  // namespace

TEST_GROUP(CaptureStream) {
    CaptureFolder folder;
};

TEST(CaptureStream, plain_octets_come_as_they_are) {
    CaptureStream stream(folder.write("a", spelled("curlews probe the mud")));
    CHECK_EQUAL(std::string("curlews probe the mud"), all_of(stream));
    CHECK_EQUAL(std::string(), stream.fault());
}

TEST(CaptureStream, a_witness_gets_the_file_as_it_lies_there) {
    for (const Octets& file : {noise(200'000), gzip(noise(200'000)), zstd(noise(200'000))}) {
        Octets seen;
        CaptureStream stream(folder.write("a", file), [&seen](std::span<const uint8_t> octets) {
            seen.insert(seen.end(), octets.begin(), octets.end());
        });
        CHECK_EQUAL(200'000u, count_octets(stream));
        CHECK(stream.read_rest_of_file());
        CHECK(file == seen);
        CHECK_EQUAL(file.size(), stream.consumed_octets());
    }
}

TEST(CaptureStream, a_witness_gets_what_nobody_reads) {
    // What follows the packed data is none.
    Octets damaged = gzip(noise(100'000));
    const Octets behind = noise(300'000);
    damaged.insert(damaged.end(), behind.begin(), behind.end());
    for (const Octets& file : {noise(400'000), zstd(noise(400'000)), damaged}) {
        Octets seen;
        CaptureStream stream(folder.write("a", file), [&seen](std::span<const uint8_t> octets) {
            seen.insert(seen.end(), octets.begin(), octets.end());
        });
        if (file == damaged) {
            count_octets(stream);
        }
        const std::string fault = stream.fault();
        CHECK_EQUAL(file == damaged, !fault.empty());
        CHECK(stream.read_rest_of_file());
        CHECK(file == seen);
        CHECK_EQUAL(fault, stream.fault());
    }
}

TEST(CaptureStream, gzip_is_told_by_content_and_unpacked) {
    CaptureStream stream(folder.write("a.pcap", gzip(spelled("curlews probe the mud"))));
    CHECK_EQUAL(std::string("curlews probe the mud"), all_of(stream));
    CHECK_EQUAL(std::string(), stream.fault());
}

TEST(CaptureStream, zstd_is_told_by_content_and_unpacked) {
    CaptureStream stream(folder.write("a.gz", zstd(spelled("curlews probe the mud"))));
    CHECK_EQUAL(std::string("curlews probe the mud"), all_of(stream));
    CHECK_EQUAL(std::string(), stream.fault());
}

TEST(CaptureStream, head_shows_octets_and_consumes_none) {
    CaptureStream stream(folder.write("a", gzip(spelled("curlew"))));
    CHECK_EQUAL(6, stream.head().size());
    CHECK_EQUAL('c', stream.head()[0]);
    CHECK_EQUAL(std::string("curlew"), all_of(stream));
    CHECK_EQUAL('w', stream.head()[5]);
}

TEST(CaptureStream, streams_longer_than_the_head_come_whole) {
    CaptureStream plain(folder.write("a", noise(200'000)));
    CaptureStream gz(folder.write("b", gzip(noise(200'000))));
    CaptureStream zst(folder.write("c", zstd(noise(200'000))));
    CHECK_EQUAL(65'536, plain.head().size());
    CHECK_EQUAL(65'536, gz.head().size());
    CHECK_EQUAL(65'536, zst.head().size());
    CHECK_EQUAL(200'000, count_octets(plain));
    CHECK_EQUAL(200'000, count_octets(gz));
    CHECK_EQUAL(200'000, count_octets(zst));
}

TEST(CaptureStream, gzip_members_follow_each_other) {
    CaptureStream stream(folder.write("a", gzip(spelled("one ")) + gzip(spelled("two"))));
    CHECK_EQUAL(std::string("one two"), all_of(stream));
    CHECK_EQUAL(std::string(), stream.fault());
}

TEST(CaptureStream, zeros_after_gzip_data_are_padding) {
    CaptureStream stream(folder.write("a", gzip(spelled("one")) + Octets(100, 0)));
    CHECK_EQUAL(std::string("one"), all_of(stream));
    CHECK_EQUAL(std::string(), stream.fault());
}

TEST(CaptureStream, foreign_octets_after_gzip_data_are_a_fault) {
    CaptureStream stream(folder.write("a", gzip(spelled("one")) + spelled("two")));
    CHECK_EQUAL(std::string("one"), all_of(stream));
    CHECK_EQUAL(std::string("gzip data is damaged (incorrect header check)"), stream.fault());
}

TEST(CaptureStream, zstd_frames_follow_each_other) {
    const Octets skippable = little(0x184d2a50, 4) + little(3, 4) + spelled("xyz");
    CaptureStream stream(
        folder.write("a", skippable + zstd(spelled("one ")) + skippable + zstd(spelled("two"))));
    CHECK_EQUAL(std::string("one two"), all_of(stream));
    CHECK_EQUAL(std::string(), stream.fault());
}

TEST(CaptureStream, cut_gzip_data_gives_its_beginning_and_a_fault) {
    CaptureStream stream(folder.write("a", first(gzip(noise(200'000)), 150'000)));
    CHECK(count_octets(stream) > 140'000);
    CHECK_EQUAL(std::string("gzip data ends early"), stream.fault());
}

TEST(CaptureStream, cut_zstd_data_gives_its_beginning_and_a_fault) {
    CaptureStream stream(folder.write("a", first(zstd(noise(200'000)), 150'000)));
    const size_t count = count_octets(stream);
    // The first block of 128 KiB is whole, the second is not.
    CHECK(count >= 131'072);
    CHECK(count < 150'000);
    CHECK_EQUAL(std::string("zstd data ends early"), stream.fault());
}

TEST(CaptureStream, gzip_data_with_a_wrong_checksum_are_damaged) {
    Octets packed = gzip(spelled("curlew"));
    packed[packed.size() - 8] ^= 1;
    CaptureStream stream(folder.write("a", packed));
    CHECK_EQUAL(std::string("curlew"), all_of(stream));
    CHECK_EQUAL(std::string("gzip data is damaged (incorrect data check)"), stream.fault());
}

TEST(CaptureStream, damaged_zstd_data_give_what_stands_before) {
    CaptureStream stream(folder.write("a", zstd(noise(1000)) + spelled("not a frame at all")));
    CHECK_EQUAL(1000, count_octets(stream));
    CHECK_EQUAL(std::string("zstd data is damaged (Unknown frame descriptor)"), stream.fault());
}

// RFC 8878 section 3.1.1.1.2: a window of 2 GiB.
TEST(CaptureStream, zstd_data_that_want_too_much_memory_are_not_called_damaged) {
    CaptureStream stream(
        folder.write("a", zstd(noise(1000)) + curlew::tests::from_hex("28b52ffd 00 a8 010000")));
    CHECK_EQUAL(1000, count_octets(stream));
    CHECK_EQUAL(std::string("zstd data is packed with a window of more than 128 MiB; unpack it "
                            "first"),
                stream.fault());
}

TEST(CaptureStream, zstd_blocks_before_a_damaged_one_are_given) {
    Octets plain = noise(400'000);
    for (uint8_t& octet : plain) {
        octet &= 0x0f;
    }
    Octets packed = zstd(plain);
    // RFC 8878: 9 octets of frame header; then each block has last (1 bit), type (2), size (21).
    const auto size_at = [&](size_t block) {
        return (packed[block] | packed[block + 1] << 8 | packed[block + 2] << 16) >> 3;
    };
    const size_t second = 9 + 3 + static_cast<size_t>(size_at(9));
    constexpr uint8_t kReservedType = 3 << 1;
    packed[second] |= kReservedType;
    CaptureStream stream(folder.write("a", packed));
    const size_t count = count_octets(stream);
    CHECK_EQUAL(131'072, count);
    CHECK_EQUAL(std::string("zstd data is damaged (Data corruption detected)"), stream.fault());
}

TEST(CaptureStream, small_zstd_block_before_a_damaged_one_is_given) {
    // Magic number, descriptor, window; a raw block of six octets; a block of the reserved type.
    const Octets frame = little(0xfd2fb528, 4) + Octets{0, 0x58} + little(6 << 3, 3) +
                         spelled("curlew") + little(6 << 3 | 3 << 1, 3) + spelled("whimbrel");
    CaptureStream stream(folder.write("a", frame));
    CHECK_EQUAL(std::string("curlew"), all_of(stream));
    CHECK_EQUAL(std::string("zstd data is damaged (Data corruption detected)"), stream.fault());
}

TEST(CaptureStream, progress_grows_to_one) {
    CaptureStream stream(folder.write("a", zstd(noise(400'000))));
    CHECK(stream.progress() > 0);
    CHECK(stream.progress() < 1);
    count_octets(stream);
    DOUBLES_EQUAL(1.0, stream.progress(), 0);
}

TEST(CaptureStream, what_cannot_be_opened_is_refused_by_name) {
    const std::string base = folder.path().string();
    CHECK_EQUAL(base + "/gone: No such file or directory", stream_refusal(folder.path() / "gone"));
    CHECK_EQUAL(base + ": file cannot be read: Is a directory", stream_refusal(folder.path()));
}

TEST(CaptureStream, nothing_inside_is_refused) {
    const std::string base = folder.path().string();
    CHECK_EQUAL(base + "/a: file is empty", stream_refusal(folder.write("a", {})));
    CHECK_EQUAL(base + "/b: gzip data with nothing in it",
                stream_refusal(folder.write("b", gzip({}))));
    CHECK_EQUAL(base + "/c: zstd data with nothing in it",
                stream_refusal(folder.write("c", zstd({}))));
    CHECK_EQUAL(base + "/d: gzip data ends early",
                stream_refusal(folder.write("d", first(gzip(spelled("curlew")), 9))));
}
