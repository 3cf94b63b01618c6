#include "probe/record_batch.h"

#include <string>

#include "proto/frame.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
namespace proto = curlew::proto;

namespace {

proto::FlowSummary batched_record(uint64_t start_ns, uint64_t end_ns) {
    proto::FlowSummary record;
    record.set_flow_start_ns(start_ns);
    record.set_flow_end_ns(end_ns);
    record.set_protocol_identifier(17);
    return record;
}

}  // namespace

TEST_GROUP(RecordBatch) {
    RecordBatch batch;
};

TEST(RecordBatch, reads_as_the_message_of_its_records) {
    const proto::FlowSummary late = batched_record(70, 90);
    const proto::FlowSummary early = batched_record(50, 300);
    batch.add(late, late.ByteSizeLong());
    const std::string octets = early.SerializeAsString();
    batch.add(std::span(reinterpret_cast<const uint8_t*>(octets.data()), octets.size()));
    CHECK_EQUAL(2u, batch.records());
    CHECK_EQUAL(70u, batch.from_ns());
    CHECK_EQUAL(90u, batch.to_ns());
    batch.add(early, early.ByteSizeLong());
    CHECK_EQUAL(50u, batch.from_ns());
    CHECK_EQUAL(300u, batch.to_ns());
    proto::FlowBatch read;
    CHECK_TRUE(read.ParseFromString(batch.octets()));
    CHECK_EQUAL(proto::SCHEMA_VERSION_CURRENT, read.schema_version());
    CHECK_EQUAL(3, read.flows_size());
    CHECK_EQUAL(70u, read.flows(0).flow_start_ns());
    CHECK_EQUAL(300u, read.flows(1).flow_end_ns());
    CHECK(read.flows(2).SerializeAsString() == octets);
}

TEST(RecordBatch, takes_any_first_record_and_then_what_its_bounds_allow) {
    CHECK_TRUE(batch.has_room(1000, 10));
    const proto::FlowSummary record = batched_record(1, 2);
    const size_t octets = record.ByteSizeLong();
    batch.add(record, octets);
    CHECK_TRUE(batch.has_room(octets, batch.octets().size() + octets));
    CHECK_FALSE(batch.has_room(octets, batch.octets().size() + octets - 1));
    while (batch.records() != proto::kMaximumFrameRecords) {
        batch.add({});
    }
    CHECK_FALSE(batch.has_room(0, SIZE_MAX));
}

TEST(RecordBatch, begins_anew_with_its_header_alone) {
    const std::string empty = batch.octets();
    const proto::FlowSummary record = batched_record(1, 2);
    batch.add(record, record.ByteSizeLong());
    batch.clear();
    CHECK_EQUAL(0u, batch.records());
    CHECK(batch.from_ns() > batch.to_ns());
    STRCMP_EQUAL(empty.c_str(), batch.octets().c_str());
}
