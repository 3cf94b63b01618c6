#include "tests/collector/live_fixture.h"

#include <algorithm>
#include <set>
#include <string_view>

#include "collector/dataset_file.h"
#include "collector/index.h"
#include "collector/wire_text.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

namespace fs = std::filesystem;
using tests::content_of;
using tests::put_content;

proto::FlowSummary live_flow(uint32_t number, uint64_t end_ns, bool house) {
    const std::string address = "10." + std::to_string(number >> 16 & 255) + "." +
                                std::to_string(number >> 8 & 255) + "." +
                                std::to_string(number & 255);
    proto::FlowSummary flow =
        flow_between(address, 5000, house ? kHouseDevice : "172.16.0.1", 80, 6);
    flow.set_flow_start_ns(end_ns - 1000);
    flow.set_first_record_start_ns(end_ns - 1000);
    flow.set_flow_end_ns(end_ns);
    return flow;
}

TestProbe::TestProbe(std::string probe_name, uint64_t probe_epoch, std::string probe_peer)
    : name(std::move(probe_name)),
      id(std::hash<std::string>()(name)),
      epoch(probe_epoch),
      peer(std::move(probe_peer)) {}

proto::ReceivedFrame TestProbe::frame(proto::FrameKind kind,
                                      uint64_t first_sequence,
                                      uint32_t count,
                                      const std::string& body) const {
    proto::ReceivedFrame received;
    received.peer = peer;
    received.header = {.kind = kind,
                       .probe_id = id,
                       .epoch = epoch,
                       .first_sequence = first_sequence,
                       .record_count = count};
    const std::vector<uint8_t> octets(body.begin(), body.end());
    proto::append_frame(received.header, octets, received.octets);
    return received;
}

proto::ReceivedFrame TestProbe::hello(uint64_t first_held) const {
    proto::Hello hello;
    hello.set_schema_version(static_cast<proto::SchemaVersion>(schema));
    hello.set_probe_name(name);
    hello.set_program_version("0.1.0");
    hello.set_signatures_hash("2222222222222222");
    hello.set_started_ns(started_ns);
    proto::Setting& setting = *hello.add_configuration();
    setting.set_name("active_timeout_s");
    setting.set_value("300");
    proto::PortFacts& port = *hello.add_ports();
    port.set_device("0000:01:00.0");
    port.set_driver("net_ixgbe");
    port.set_clock("probe ns");
    port.set_filter("jit");
    port.set_losses_counted(true);
    return frame(proto::FrameKind::hello, first_held, 0, hello.SerializeAsString());
}

proto::ReceivedFrame TestProbe::batch(const std::vector<proto::FlowSummary>& flows) {
    proto::FlowBatch batch;
    batch.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    for (const proto::FlowSummary& flow : flows) {
        *batch.add_flows() = flow;
    }
    const auto count = static_cast<uint32_t>(flows.size());
    proto::ReceivedFrame received =
        frame(proto::FrameKind::batch, next_sequence_, count, batch.SerializeAsString());
    next_sequence_ += count;
    records_sent_ += count;
    return received;
}

proto::ReceivedFrame TestProbe::refused_batch(uint32_t number, uint64_t end_ns) {
    proto::FlowSummary flow = live_flow(number, end_ns);
    flow.set_initiator_port(70'000);
    return batch({flow});
}

proto::ReceivedFrame TestProbe::ledger(uint64_t complete_until_ns, bool final) {
    proto::ProbeLedger ledger;
    ledger.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    ledger.set_packets_offered(records_sent_ + 3);
    ledger.set_packets_metered(records_sent_ + 3);
    ledger.set_records_created(records_sent_);
    ledger.set_records_sent(records_sent_);
    ledger.set_first_packet_ns(kWindow + 1'000'000'000);
    ledger.set_complete_until_ns(complete_until_ns);
    ledger.set_clock_ns(complete_until_ns);
    ledger.set_final(final);
    ledger.set_capture_warning(capture_warning);
    if (final) {
        ledger.mutable_in_doubt()->Assign(in_doubt.begin(), in_doubt.end());
    }
    return frame(proto::FrameKind::ledger, next_sequence_++, 1, ledger.SerializeAsString());
}

EpochFacts TestProbe::facts() const {
    const proto::ReceivedFrame said = hello();
    EpochFacts facts;
    facts.probe = name;
    facts.probe_id = id;
    facts.epoch = epoch;
    facts.hello_frame = said.octets;
    CHECK(BatchDecoder().decode(view_of(said), facts.hello) == BatchError::none);
    return facts;
}

proto::FrameView view_of(const proto::ReceivedFrame& frame) {
    proto::FrameView view;
    const std::span<const uint8_t> octets(reinterpret_cast<const uint8_t*>(frame.octets.data()),
                                          frame.octets.size());
    CHECK(proto::decode_frame(octets, view) == proto::FrameError::none);
    return view;
}

void put_groups(const fs::path& signatures) {
    fs::create_directories(signatures / "groups");
    put_content(signatures / "names.toml",
                "[[signature]]\nid = \"clock\"\ntitle = \"A clock\"\nreference = \"none\"\n"
                "kind = \"name\"\npattern = \"time.example\"\nservice = \"clock\"\n"
                "examples.match = [\"time.example\"]\nexamples.no_match = [\"example\"]\n");
    put_content(signatures / "groups/any.toml", "name = \"any\"\ntitle = \"Any\"\n");
    put_content(signatures / "groups/house.toml", "name = \"house\"\ntitle = \"A house\"\n");
}

CollectorConfig live_config(const fs::path& archive) {
    CollectorConfig config;
    config.listen = {"inproc://live-test"};
    config.archive = archive;
    config.compress = false;
    config.rotate = {.minutes = 10, .octets = uint64_t{1} << 30};
    config.groups = {{.name = "house", .devices = {kHouseDevice}, .roles = {}}};
    return config;
}

namespace {

std::set<std::string> removed_manifests(std::string_view index) {
    std::set<std::string> removed;
    for (size_t end = index.find('\n'); end != std::string_view::npos; end = index.find('\n')) {
        const auto entry = parse_index_line(index.substr(0, end));
        index.remove_prefix(end + 1);
        if (entry && entry->tombstone) {
            removed.insert(entry->manifest);
        }
    }
    return removed;
}

}  // namespace

std::vector<SealedDataset> sealed_datasets(const fs::path& archive) {
    std::vector<SealedDataset> datasets;
    std::string content = fs::exists(archive / kIndexName) ? content_of(archive / kIndexName) : "";
    const std::set<std::string> removed = removed_manifests(content);
    for (size_t end = content.find('\n'); end != std::string::npos; end = content.find('\n')) {
        const auto entry = parse_index_line(content.substr(0, end));
        content.erase(0, end + 1);
        CHECK(entry.has_value());
        if (removed.contains(entry->manifest)) {
            continue;
        }
        SealedDataset dataset;
        dataset.manifest = entry->manifest;
        dataset.text = content_of(archive / entry->manifest);
        const auto facts = parse_manifest(dataset.text);
        CHECK_TEXT(facts.has_value(), entry->manifest.c_str());
        CHECK_TEXT(facts->ledgers_close, entry->manifest.c_str());
        dataset.facts = *facts;
        const std::string stem =
            entry->manifest.substr(0, entry->manifest.size() - std::string(kManifestSuffix).size());
        const auto take_line = [&](std::string_view line) {
            const size_t at = line.find("\"sa\":\"10.") + 6;
            const std::string octets =
                address_octets(std::string(line.substr(at, line.find('"', at) - at)));
            LONGS_EQUAL(4, octets.size());
            const auto octet = [&](size_t i) { return static_cast<uint8_t>(octets[i]); };
            dataset.numbers.push_back(
                static_cast<uint32_t>(octet(1) << 16 | octet(2) << 8 | octet(3)));
        };
        const DatasetSums sums =
            read_dataset(archive / (stem + suffix_of(facts->encoding)), facts->encoding, take_line);
        CHECK(sums.sha256 == facts->sums.sha256);
        CHECK_EQUAL(facts->records, dataset.numbers.size());
        std::sort(dataset.numbers.begin(), dataset.numbers.end());
        datasets.push_back(std::move(dataset));
    }
    return datasets;
}

std::map<uint32_t, int> sealed_numbers(const fs::path& archive) {
    std::map<uint32_t, int> numbers;
    for (const SealedDataset& dataset : sealed_datasets(archive)) {
        for (const uint32_t number : dataset.numbers) {
            ++numbers[number];
        }
    }
    return numbers;
}

std::vector<std::string> files_in(const fs::path& folder) {
    std::vector<std::string> names;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    return names;
}

}  // namespace curlew::collector
