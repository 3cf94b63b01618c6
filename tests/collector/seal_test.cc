#include "collector/seal.h"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "collector/digest.h"
#include "collector/index.h"
#include "collector/verify.h"
#include "proto/body_limits.h"
#include "tests/collector/dataset_fixture.h"
#include "tests/collector/joy_records.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> names_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace

TEST_GROUP(Seal) {
    TemporaryFolder folder;
    fs::path archive = folder.path();
    DatasetConfig config = dataset_config(archive, "walk");

    uint64_t problems() const {
        return verify_archive(archive,
                              [](const std::string& problem) { UT_PRINT(problem.c_str()); })
            .problems;
    }
};

TEST(Seal, writes_a_dataset_a_manifest_and_an_index_entry) {
    const SealResult result = seal_frames(config, frames_of(0, 40));
    CHECK(names_in(archive / "any/kitchen") ==
          (std::vector<std::string>{"walk.devices.json", "walk.json", "walk.manifest.json"}));
    CHECK(result.path == archive / "any/kitchen/walk.json");
    CHECK_EQUAL(40, result.records_created);
    CHECK_EQUAL(40, result.records_written);
    CHECK_EQUAL(40, result.flow_types.at("unknown"));
    CHECK_EQUAL(40, result.labels.at("unknown"));
    CHECK_EQUAL(40, result.evidence.at("none"));
    CHECK_FALSE(result.already_sealed);
    CHECK(content_of(result.manifest).find("\"losses\"") == std::string::npos);
    STRCMP_EQUAL(sha256_of(content_of(result.path)).c_str(), result.sums.sha256.c_str());
    CHECK_EQUAL(0, problems());
}

TEST(Seal, bytes_depend_on_the_records_and_not_on_their_way) {
    const SealResult straight = seal_frames(config, frames_of(0, 200));
    // The same records one a frame, last first, with memory for one record.
    std::string octets;
    for (uint32_t number = 200; number > 0; --number) {
        octets += batch_frame({numbered_flow(number - 1)}, 201 - number);
    }
    TemporaryFolder other;
    const DatasetConfig other_config = dataset_config(other.path(), "walk");
    const SealResult reversed = seal_frames(other_config, octets + ledger_frame(201), 1);
    CHECK(content_of(straight.path) == content_of(reversed.path));
    CHECK(content_of(straight.manifest) == content_of(reversed.manifest));
    CHECK(content_of(archive / kIndexName) == content_of(other.path() / kIndexName));
}

TEST(Seal, selection_and_first_records_close_the_ledger) {
    config.selection = "not port 2000";
    config.records = RecordChoice::first;
    proto::FlowSummary kept = flow_between("10.0.0.1", 1000, "10.0.0.2", 80, 6);
    proto::FlowSummary later = kept;
    later.set_record_number(1);
    const proto::FlowSummary left_out = flow_between("10.0.0.1", 2000, "10.0.0.2", 80, 6);
    const SealResult result =
        seal_frames(config, batch_frame({kept, later, left_out}, 1) + ledger_frame(4));
    CHECK_EQUAL(3, result.records.received);
    CHECK_EQUAL(1, result.records.written);
    CHECK_EQUAL(1, result.records.not_selected);
    CHECK_EQUAL(1, result.records.not_first);
    CHECK_EQUAL(2, result.records_not_selected);
}

TEST(Seal, records_that_overlap_a_loss_say_so) {
    proto::FlowSummary before = flow_between("10.0.0.1", 1000, "10.0.0.2", 80, 6);
    proto::FlowSummary within = flow_between("10.0.0.1", 2000, "10.0.0.2", 80, 6);
    const uint64_t start_ns = before.flow_end_ns() + 1'000'000'000;
    within.set_flow_start_ns(start_ns);
    within.set_first_record_start_ns(start_ns);
    within.set_flow_end_ns(start_ns + 5000);
    proto::ProbeLedger ledger = ledger_of(2);
    proto::Count& count = *ledger.add_packets_lost();
    count.set_reason("port_missed");
    count.set_packets(3);
    ledger.set_packets_offered(ledger.packets_offered() + 3);
    proto::LossInterval& loss = *ledger.add_losses();
    loss.set_from_ns(start_ns + 5000);
    loss.set_to_ns(start_ns + 6000);
    loss.set_reason("port_missed");
    loss.set_lost(3);
    const SealResult result =
        seal_frames(config, batch_frame({before, within}, 1) + ledger_frame(3, ledger));
    const std::string lines = content_of(result.path);
    const size_t second = lines.find('\n') + 1;
    CHECK(lines.substr(0, second).find("\"loss\"") == std::string::npos);
    CHECK(lines.substr(second).find("\"loss\"") != std::string::npos);
    const std::string manifest = content_of(result.manifest);
    const size_t losses = manifest.find("\"losses\": [");
    CHECK(losses != std::string::npos);
    STRCMP_CONTAINS("\"reason\": \"port_missed\"", manifest.substr(losses, 400).c_str());
    CHECK_EQUAL(0, problems());
}

TEST(Seal, records_of_joy_keep_the_order_of_its_output) {
    config.preset = kJoyPreset;
    proto::FlowSummary first = joy_flow();
    proto::FlowSummary second = joy_flow();
    first.mutable_joy()->set_output_ordinal(1);
    second.mutable_joy()->set_output_ordinal(0);
    first.mutable_joy()->mutable_record()->set_source_port(1);
    second.mutable_joy()->mutable_record()->set_source_port(2);
    const SealResult result =
        seal_frames(config, batch_frame({first, second}, 1) + ledger_frame(3));
    const std::string lines = content_of(result.path);
    CHECK(lines.find("\"sp\":2") < lines.find("\"sp\":1"));
    STRCMP_CONTAINS("\"preset\": \"joy-3.0.3\"", content_of(result.manifest).c_str());
    CHECK_EQUAL(0, problems());
}

TEST(Seal, a_joy_record_over_its_bounds_is_refused) {
    proto::FlowSummary bad = joy_flow();
    bad.mutable_joy()->mutable_record()->set_byte_squares(-1);
    const SealResult result = seal_frames(config, batch_frame({bad}, 1) + ledger_frame(2));
    CHECK_EQUAL(1, result.records.refused.at("out_of_range"));
}

TEST(Seal, a_refused_batch_is_counted_by_its_reason) {
    proto::FlowSummary bad = small_flow();
    bad.set_initiator_port(70'000);
    const SealResult result = seal_frames(
        config,
        batch_frame({small_flow(), bad}, 1) + batch_frame({small_flow()}, 3) + ledger_frame(4));
    CHECK_EQUAL(2, result.records.refused.at("out_of_range"));
    CHECK_EQUAL(1, result.records_written);
    STRCMP_CONTAINS("\"out_of_range\": 2", content_of(result.manifest).c_str());
}

TEST(Seal, a_ledger_over_its_bounds_seals_nothing) {
    const std::string frames = batch_frame({small_flow()}, 1) +
                               ledger_frame(2, std::string(proto::kMaximumTextOctets + 1, 'x'));
    CHECK_THROWS(std::runtime_error, seal_frames(config, frames));
    CHECK(names_in(archive / "any/kitchen").empty());
    CHECK_FALSE(fs::exists(archive / kIndexName));
}

TEST(Seal, compressed_and_plain_hold_the_same_content) {
    const SealResult plain = seal_frames(config, frames_of(0, 50));
    config.name = "packed";
    config.compress = true;
    const SealResult packed = seal_frames(config, frames_of(0, 50));
    STRCMP_EQUAL("packed.json.zst", packed.path.filename().c_str());
    STRCMP_EQUAL(plain.sums.content_sha256.c_str(), packed.sums.content_sha256.c_str());
    CHECK(packed.sums.octets < plain.sums.octets);
    CHECK_EQUAL(0, problems());
}

}  // namespace curlew::collector
