#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "collector/seal.h"
#include "proto/frame.h"
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

// Frames of the records numbered `first` .. `first + count - 1`, three a frame, with ledger.
inline std::string frames_of(uint32_t first, uint32_t count) {
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

// Seals what these frames say.
inline SealResult seal_frames(const DatasetConfig& config,
                              const std::string& frames,
                              size_t sort_memory_octets = RecordSorter::kDefaultMemoryOctets) {
    const std::filesystem::path folder = config.archive / config.group / config.scenario;
    std::filesystem::create_directories(folder);
    const LabelFixture labels;
    const LabelRules rules = labels.rules();
    Sealer sealer(config, rules, folder / (config.name + ".part"), sort_memory_octets);
    std::span<const uint8_t> left = octets_of(frames);
    proto::FrameView frame;
    while (!left.empty() && proto::decode_frame(left, frame) == proto::FrameError::none) {
        sealer.take(frame);
        left = left.subspan(frame.frame_octets);
    }
    CHECK(left.empty());
    return sealer.seal();
}

}  // namespace curlew::collector
