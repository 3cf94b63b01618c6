#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "collector/seal.h"
#include "tests/collector/flows.h"
#include "tests/collector/label_fixture.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::content_of;
using tests::put_content;
using tests::TemporaryFolder;

inline DatasetConfig dataset_config(const std::filesystem::path& archive, const std::string& name) {
    DatasetConfig config;
    config.archive = archive;
    config.group = "any";
    config.scenario = "kitchen";
    config.name = name;
    config.capture = {.file = "/somewhere/" + name + ".pcap",
                      .sha256 = std::string(56, '0') + "89abcdef",
                      .octets = 1234,
                      .link_type = "ethernet",
                      .nanosecond = true};
    config.configuration = {{"idle_timeout_tcp_s", "300"}, {"active_timeout_s", "300"}};
    config.ruleset_hash = "1111111111111111";
    config.signatures_hash = "2222222222222222";
    config.vocabulary = 7;
    config.program_version = "0.1.0";
    config.probe_id = kProbe;
    config.epoch = kEpoch;
    return config;
}

// The records numbered `first` .. `first + count - 1` in an open segment, three a frame, with
// ledger.
inline std::string segment_of(uint32_t first, uint32_t count) {
    std::string octets;
    uint64_t sequence = 1;
    for (uint32_t number = first; number < first + count;) {
        std::vector<proto::FlowSummary> flows;
        while (flows.size() < 3 && number < first + count) {
            flows.push_back(numbered_flow(number++));
        }
        octets += batch_frame(flows, sequence);
        sequence += flows.size();
    }
    return octets + ledger_frame(sequence);
}

// Seals a segment of those octets.
inline SealResult seal_octets(const DatasetConfig& config,
                              const std::string& octets,
                              size_t sort_memory_octets = RecordSorter::kDefaultMemoryOctets) {
    const std::filesystem::path folder = config.archive / config.group / config.scenario;
    std::filesystem::create_directories(folder);
    const std::filesystem::path segment = folder / (config.name + ".open");
    put_content(segment, octets);
    const LabelFixture labels;
    SealResult result = seal(config, labels.rules(), segment, sort_memory_octets);
    std::filesystem::remove(segment);
    return result;
}

}  // namespace curlew::collector
