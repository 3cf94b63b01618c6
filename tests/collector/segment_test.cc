#include "collector/segment.h"

#include <stdexcept>
#include <string>
#include <vector>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::content_of;
using tests::put_content;
using tests::TemporaryFolder;

namespace {

std::vector<uint64_t> sequences_in(const std::filesystem::path& file) {
    std::vector<uint64_t> sequences;
    SegmentReader reader(file);
    proto::FrameView frame;
    while (reader.next(frame)) {
        sequences.push_back(frame.header.first_sequence);
    }
    return sequences;
}

}  // namespace

TEST_GROUP(Segment) {
    TemporaryFolder folder;
    std::filesystem::path path = folder.path() / "a.open";
    // Three small frames and where each ends.
    std::string content;
    std::vector<size_t> ends;
    const std::vector<uint8_t> body{1, 2, 3};

    void setup() override {
        for (uint64_t sequence = 1; sequence <= 3; ++sequence) {
            proto::append_frame(
                {.kind = proto::FrameKind::batch, .first_sequence = sequence, .record_count = 1},
                body,
                content);
            ends.push_back(content.size());
        }
    }

    size_t frames_before(size_t offset) const {
        size_t frames = 0;
        while (frames < ends.size() && ends[frames] <= offset) {
            ++frames;
        }
        return frames;
    }
};

TEST(Segment, gives_back_what_was_appended) {
    Segment segment(path);
    segment.append(octets_of(content));
    segment.sync();
    CHECK(sequences_in(path) == (std::vector<uint64_t>{1, 2, 3}));
    CHECK(content_of(path) == content);
}

TEST(Segment, recovers_the_whole_frames_before_every_truncation) {
    for (size_t length = 0; length <= content.size(); ++length) {
        put_content(path, content.substr(0, length));
        { const Segment segment(path); }
        const size_t frames = frames_before(length);
        CHECK_EQUAL(frames, sequences_in(path).size());
        CHECK_EQUAL(frames == 0 ? 0 : ends[frames - 1], std::filesystem::file_size(path));
    }
}

TEST(Segment, recovers_the_whole_frames_before_every_flipped_bit) {
    for (size_t bit = 0; bit < 8 * content.size(); ++bit) {
        std::string damaged = content;
        damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << (bit % 8)));
        put_content(path, damaged);
        SegmentReader reader(path);
        proto::FrameView frame;
        size_t frames = 0;
        while (reader.next(frame)) {
            ++frames;
        }
        CHECK_EQUAL(frames_before(bit / 8), frames);
        CHECK(reader.is_torn());
    }
}

TEST(Segment, goes_on_behind_what_it_recovered) {
    put_content(path, content.substr(0, ends[1] + 7));
    Segment segment(path);
    segment.append(octets_of(batch_frame({small_flow()}, 9)));
    CHECK(sequences_in(path) == (std::vector<uint64_t>{1, 2, 9}));
}

TEST(Segment, a_second_writer_is_refused) {
    const Segment segment(path);
    try {
        const Segment second(path);
        FAIL("two writers of one segment");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL(("cannot write " + path.string() + ": another process writes it").c_str(),
                     error.what());
    }
}

TEST(Segment, reads_frames_larger_than_what_one_read_gives) {
    proto::FlowSummary flow = small_flow();
    flow.mutable_forward()->set_first_packet(std::string(2000, 'x'));
    const std::vector<proto::FlowSummary> flows(100, flow);
    std::string large;
    for (uint64_t sequence = 1; sequence <= 2001; sequence += 100) {
        large += batch_frame(flows, sequence);
    }
    put_content(path, large);
    CHECK_EQUAL(21U, sequences_in(path).size());
}

}  // namespace curlew::collector
