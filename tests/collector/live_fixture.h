#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "collector/config.h"
#include "collector/journal_reader.h"
#include "collector/manifest.h"
#include "collector/probe_stream.h"
#include "proto/channel.h"
#include "tests/collector/flows.h"

// Probes of a live line and what became of their records, for the tests of this folder.

namespace curlew::collector {

// 2018-12-24 14:30:00 UTC, where a window of ten minutes begins.
inline constexpr uint64_t kWindow = 1'545'661'800'000'000'000;
inline constexpr uint64_t kMinute = 60'000'000'000;
inline constexpr uint64_t kNextWindow = kWindow + 10 * kMinute;
inline constexpr Moment kNow = Moment() + std::chrono::hours(1);
inline constexpr std::chrono::seconds kLongWait{10};  // reached only by a test that fails
// The device of group "house"; all others are of group "any".
inline constexpr const char* kHouseDevice = "192.168.7.1";

// A record that is known again by its number, which becomes its initiator's address.
proto::FlowSummary live_flow(uint32_t number, uint64_t end_ns, bool house = false);

// One start of a probe: says what a probe would say, in sequence.
class TestProbe {
  public:
    explicit TestProbe(std::string name = "attic", uint64_t epoch = 1, std::string peer = "peer");

    proto::ReceivedFrame hello(uint64_t first_held = 1) const;
    proto::ReceivedFrame batch(const std::vector<proto::FlowSummary>& flows);
    // A batch that the decoder refuses; its record ends at `end_ns`.
    proto::ReceivedFrame refused_batch(uint32_t number, uint64_t end_ns);
    proto::ReceivedFrame ledger(uint64_t complete_until_ns, bool final = false);
    // `count` sequences go somewhere else.
    void skip(uint64_t count) { next_sequence_ += count; }

    EpochFacts facts() const;
    uint64_t next_sequence() const { return next_sequence_; }
    uint64_t records_sent() const { return records_sent_; }

    std::string name;
    uint64_t id;
    uint64_t epoch;
    uint64_t started_ns = kWindow;
    std::string peer;
    int schema = proto::SCHEMA_VERSION_CURRENT;
    // In its last ledger.
    std::vector<proto::RecordsInDoubt> in_doubt;
    std::string capture_warning;  // of the ledgers

  private:
    proto::ReceivedFrame frame(proto::FrameKind kind,
                               uint64_t first_sequence,
                               uint32_t count,
                               const std::string& body) const;

    uint64_t next_sequence_ = 1;
    uint64_t records_sent_ = 0;
};

// The same frame as it lies in a file.
proto::FrameView view_of(const proto::ReceivedFrame& frame);

// A folder with the group files "any" and "house".
void put_groups(const std::filesystem::path& signatures);
// Ten minutes, plain files, two groups.
CollectorConfig live_config(const std::filesystem::path& archive);

struct SealedDataset {
    std::string manifest;  // as the index names it
    ManifestFacts facts;
    std::string text;               // of the manifest
    std::vector<uint32_t> numbers;  // of live_flow()
};

// All that the index lists and that was not removed.
std::vector<SealedDataset> sealed_datasets(const std::filesystem::path& archive);
// How often each record is in them.
std::map<uint32_t, int> sealed_numbers(const std::filesystem::path& archive);
std::vector<std::string> files_in(const std::filesystem::path& folder);

}  // namespace curlew::collector
