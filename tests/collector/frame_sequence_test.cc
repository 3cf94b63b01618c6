#include "collector/frame_sequence.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr uint64_t kSequenceProbe = 7;
constexpr uint64_t kSequenceEpoch = 8;

proto::FrameHeader batch_header(uint64_t first, uint32_t count) {
    return {.kind = proto::FrameKind::batch,
            .probe_id = kSequenceProbe,
            .epoch = kSequenceEpoch,
            .first_sequence = first,
            .record_count = count};
}

proto::FrameHeader ledger_header(uint64_t sequence) {
    return {.kind = proto::FrameKind::ledger,
            .probe_id = kSequenceProbe,
            .epoch = kSequenceEpoch,
            .first_sequence = sequence};
}

}  // namespace

TEST_GROUP(FrameSequence) {
    FrameSequence sequence{kSequenceProbe, kSequenceEpoch, 10};

    void expect(FrameVerdict verdict, const proto::FrameHeader& header) const {
        CHECK(sequence.judge(header) == verdict);
    }
};

TEST(FrameSequence, takes_what_follows) {
    expect(FrameVerdict::next, batch_header(11, 4));
    sequence.take(batch_header(11, 4));
    CHECK_EQUAL(14, sequence.last());
    expect(FrameVerdict::next, ledger_header(15));
    sequence.take(ledger_header(15));
    CHECK_EQUAL(15, sequence.last());
}

TEST(FrameSequence, what_it_has_is_a_duplicate_and_what_overlaps_is_not) {
    expect(FrameVerdict::duplicate, batch_header(1, 10));
    expect(FrameVerdict::duplicate, batch_header(10, 1));
    expect(FrameVerdict::duplicate, ledger_header(10));
    expect(FrameVerdict::out_of_sequence, batch_header(10, 2));
    expect(FrameVerdict::out_of_sequence, batch_header(12, 1));
}

TEST(FrameSequence, nothing_follows_the_end) {
    sequence.end();
    expect(FrameVerdict::out_of_sequence, batch_header(11, 1));
    expect(FrameVerdict::duplicate, batch_header(10, 1));
    sequence.set_last(10);
    expect(FrameVerdict::next, batch_header(11, 1));
}

TEST(FrameSequence, other_probes_and_epochs_are_foreign) {
    proto::FrameHeader other = batch_header(11, 1);
    other.epoch = 9;
    expect(FrameVerdict::foreign, other);
    other = batch_header(11, 1);
    other.probe_id = 6;
    expect(FrameVerdict::foreign, other);
}

TEST(FrameSequence, what_has_no_sequence_is_unexpected) {
    expect(FrameVerdict::unexpected, batch_header(11, 0));
    expect(FrameVerdict::unexpected, batch_header(0, 1));
    proto::FrameHeader hello = batch_header(11, 0);
    hello.kind = proto::FrameKind::hello;
    expect(FrameVerdict::unexpected, hello);
}

}  // namespace curlew::collector
