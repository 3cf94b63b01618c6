// Frames that probes of released schemas sent, as they were on the wire: a newer collector reads
// them. schemas/schema-N.frames has a hello, batches and ledgers of one epoch.
#include <filesystem>
#include <string>
#include <vector>

#include "collector/batch_decoder.h"
#include "collector/segment.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {

namespace {

struct Read {
    proto::Hello hello;
    std::vector<proto::FlowSummary> flows;
    proto::ProbeLedger ledger;
    BatchError error = BatchError::none;
};

Read read_schema(int version) {
    Read all;
    const BatchDecoder decoder;
    SegmentReader reader(std::filesystem::path(CURLEW_SOURCE_ROOT) /
                         ("tests/collector/schemas/schema-" + std::to_string(version) + ".frames"));
    proto::FrameView frame;
    while (all.error == BatchError::none && reader.next(frame)) {
        if (frame.header.kind == proto::FrameKind::hello) {
            all.error = decoder.decode(frame, all.hello);
        } else if (frame.header.kind == proto::FrameKind::ledger) {
            all.error = decoder.decode(frame, all.ledger);
        } else {
            proto::FlowBatch batch;
            all.error = decoder.decode(frame, batch);
            all.flows.insert(all.flows.end(), batch.flows().begin(), batch.flows().end());
        }
    }
    CHECK_FALSE(reader.is_torn());
    return all;
}

}  // namespace

TEST_GROUP(Schema){};

TEST(Schema, frames_of_every_released_one_are_read) {
    for (int version = kOldestSchema; version <= proto::SCHEMA_VERSION_CURRENT; ++version) {
        const Read read = read_schema(version);
        CHECK(read.error == BatchError::none);
        CHECK_EQUAL(version, static_cast<int>(read.hello.schema_version()));
        CHECK_TRUE(read.ledger.final());
        CHECK_EQUAL(read.ledger.records_created(), read.flows.size());
    }
}

// What tshark says of the capture that they were made of: 60 packets, 42 of IP, 9 conversations.
TEST(Schema, records_of_schema_2_say_what_they_said) {
    const Read read = read_schema(2);
    STRCMP_EQUAL("golden", read.hello.probe_name().c_str());
    CHECK_EQUAL(60u, read.ledger.packets_offered());
    CHECK_EQUAL(9u, read.flows.size());
    uint64_t packets = 0;
    for (const proto::FlowSummary& flow : read.flows) {
        packets += flow.forward().packets() + flow.reverse().packets();
    }
    CHECK_EQUAL(42u, packets);
    CHECK_EQUAL(42u, read.ledger.packets_metered());
    CHECK_EQUAL(0, read.ledger.losses_size());
    CHECK_FALSE(read.hello.has_clock_synchronised());
}

}  // namespace curlew::collector
