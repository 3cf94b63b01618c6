#include "cli/run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <fstream>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

#include "cli/run_delivery.h"
#include "cli/usage_error.h"
#include "collector/archive_name.h"
#include "collector/digest.h"
#include "collector/selection.h"
#include "collector/wire_text.h"
#include "probe/dispatcher.h"
#include "probe/joy_replay.h"
#include "probe/replay_port.h"
#include "signatures/compiled_set.h"
#include "signatures/group_rules.h"
#include "signatures/signature_set.h"

namespace curlew::cli {

namespace {

constexpr uint64_t kRunProbeId = 1;

bool is_joy(const RunConfig& config) {
    return config.preset == collector::kJoyPreset;
}

// Records to write. What was published of a group were first records: the whole of Joy's output is
// not cut down unless asked for.
std::string selection_of(const RunConfig& config, const signatures::GroupRules& rules) {
    const bool published = is_joy(config) && config.records == "first";
    return config.select.empty() && published ? rules.publish() : config.select;
}

// What all captures of a run share.
struct Equipment {
    signatures::SignatureSet signatures;
    signatures::GroupRules rules;
    std::vector<std::pair<std::string, std::string>> configuration;
    probe::DispatcherConfig dispatcher;
};

[[noreturn]] void throw_problems(const std::vector<signatures::Problem>& problems) {
    std::string what = to_string(problems.front());
    if (problems.size() > 1) {
        what += fmt::format(" (and {} more problems; `curlew signatures check` lists them)",
                            problems.size() - 1);
    }
    throw UsageError(what);
}

signatures::GroupRules load_group(const RunConfig& config) {
    const auto file = config.signatures_folder / "groups" / (config.group + ".toml");
    if (config.group.find('/') != std::string::npos || !std::filesystem::is_regular_file(file)) {
        throw UsageError(fmt::format("group {}: there is no such group file in {}",
                                     config.group,
                                     file.parent_path().string()));
    }
    signatures::GroupRules rules = signatures::GroupRules::load(file);
    if (!rules.problems().empty()) {
        throw_problems(rules.problems());
    }
    std::set<std::string> set_before;
    for (const std::string& setting : config.roles) {
        const size_t equals = setting.find('=');
        if (equals == std::string::npos) {
            throw UsageError(fmt::format("--set {}: role=address is wanted", setting));
        }
        if (!set_before.insert(setting.substr(0, equals)).second) {
            throw UsageError(fmt::format("--set {}: the role is set twice", setting));
        }
        try {
            rules.set_role(setting.substr(0, equals), setting.substr(equals + 1));
        } catch (const std::runtime_error& error) {
            throw UsageError(fmt::format("--set {}: {}", setting, error.what()));
        }
    }
    return rules;
}

using Configuration = std::vector<std::pair<std::string, std::string>>;

void add_roles(const signatures::GroupRules& rules, Configuration& configuration) {
    for (const auto& [role, addresses] : rules.roles()) {
        configuration.emplace_back("role_" + role, fmt::format("{}", fmt::join(addresses, ",")));
    }
}

static_assert(signatures::kMaximumJoyIdp == probe::kJoyIdp);

// Everything that shapes the records. The number of workers does not.
Configuration configuration_of(const RunConfig& config,
                               const signatures::GroupRules& rules,
                               const probe::WorkerConfig& worker) {
    const auto seconds = [](uint64_t ns) {
        return fmt::format("{:.3f}", static_cast<double>(ns) / 1e9);
    };
    const probe::Timeouts& timeouts = worker.meter.timeouts;
    if (is_joy(config)) {
        Configuration joy{{"filter", config.filter.empty() ? "ip or vlan" : config.filter},
                          {"idp", std::to_string(rules.joy_idp())},
                          {"memory_octets", std::to_string(probe::JoyMeterConfig{}.memory_octets)}};
        add_roles(rules, joy);
        return joy;
    }
    Configuration configuration{{"profile", config.profile},
                                {"packets", std::to_string(worker.meter.list.packets)},
                                {"packets_of", probe::name_of_listed(worker.meter.list)},
                                {"filter", config.filter},
                                {"decapsulation", config.decapsulate ? "true" : "false"},
                                {"flow_capacity", std::to_string(worker.flow_capacity)},
                                {"idle_timeout_tcp_s", seconds(timeouts.idle_tcp_ns)},
                                {"idle_timeout_other_s", seconds(timeouts.idle_other_ns)},
                                {"active_timeout_s", seconds(timeouts.active_ns)},
                                {"closed_timeout_s", seconds(timeouts.closed_ns)},
                                {"copies", config.copies},
                                {"copy_window_us", std::to_string(config.copy_window_us)}};
    add_roles(rules, configuration);
    return configuration;
}

void check_places(const RunConfig& config) {
    if (config.archive.empty()) {
        throw UsageError("--archive: a folder is wanted");
    }
    const std::string& scenario = config.scenario;
    if (const std::string why = collector::archive_name_problem(scenario);
        !scenario.empty() && !why.empty()) {
        throw UsageError(fmt::format(
            "--scenario {}: it is no folder's name: {}", collector::wire_text(scenario), why));
    }
    if (!std::filesystem::is_directory(config.signatures_folder)) {
        throw UsageError(fmt::format("{}: there is no such folder of signatures",
                                     config.signatures_folder.string()));
    }
}

// Some filters are of one link type alone, as "wlan type data" is. What none can have is wrong.
void check_filter(const std::string& expression) {
    std::string why;
    for (int link = 0; link < probe::kLinkTypes; ++link) {
        try {
            probe::PacketFilter(expression, static_cast<probe::LinkType>(link));
            return;
        } catch (const probe::FilterError& error) {
            // As of Ethernet, which is the first.
            why = why.empty() ? error.what() : why;
        }
    }
    throw UsageError(why);
}

Equipment equip(const RunConfig& config) {
    check_places(config);
    check_filter(config.filter);
    Equipment equipment{
        signatures::load_compiled(config.signatures_folder, signatures::default_cache_folder()).set,
        load_group(config),
        {},
        {}};
    if (!equipment.signatures.problems().empty()) {
        throw_problems(equipment.signatures.problems());
    }
    try {
        collector::Selection{selection_of(config, equipment.rules)};
    } catch (const collector::SelectionError& error) {
        const std::string place =
            config.select.empty() ? "publish rule of group " + config.group : "--select";
        throw UsageError(fmt::format("{}: {}", place, error.what()));
    }
    equipment.dispatcher.workers = config.workers;
    equipment.dispatcher.parser.decapsulate = config.decapsulate;
    equipment.dispatcher.worker.meter.details = config.profile == "dataset";
    const auto ns = [](uint32_t seconds) { return uint64_t{seconds} * 1'000'000'000; };
    equipment.dispatcher.worker.meter.timeouts = {
        ns(config.idle_tcp_s), ns(config.idle_other_s), ns(config.active_s), ns(config.closed_s)};
    equipment.dispatcher.worker.meter.list = {config.packets, config.packets_of == "all"};
    equipment.dispatcher.worker.meter.copies = {probe::copy_action_named(config.copies).value(),
                                                uint64_t{config.copy_window_us} * 1000};
    equipment.configuration =
        configuration_of(config, equipment.rules, equipment.dispatcher.worker);
    return equipment;
}

// What tells a capture from others before all of it was read: its length and both of its ends.
std::string mark_of(const std::filesystem::path& capture) {
    constexpr std::streamoff kEndOctets = 64 * 1024;
    std::ifstream stream(capture, std::ios::binary | std::ios::ate);
    const std::streamoff octets = stream.tellg();
    std::string ends = std::to_string(octets);
    std::string end(kEndOctets, '\0');
    for (const std::streamoff begin : {std::streamoff{0}, octets - kEndOctets}) {
        stream.clear();
        stream.seekg(std::max<std::streamoff>(begin, 0));
        stream.read(end.data(), kEndOctets);
        ends.append(end, 0, static_cast<size_t>(stream.gcount()));
    }
    return collector::sha256_of(ends);
}

// Hash key and epoch follow from capture and configuration, so that a run can be repeated.
struct Derived {
    probe::KeyedHash::Key hash_key;
    uint64_t epoch;
};

Derived derive(const std::filesystem::path& capture, const Equipment& equipment) {
    std::string seed = mark_of(capture);
    for (const auto& [key, value] : equipment.configuration) {
        seed += fmt::format("\n{}={}", key, value);
    }
    Derived derived{};
    std::string hex;
    for (int part = 0; hex.size() < 2 * derived.hash_key.size() + 16; ++part) {
        hex += collector::sha256_of(fmt::format("{}\n{}", part, seed));
    }
    const auto octet = [&hex](size_t index) {
        return static_cast<uint8_t>(std::stoul(hex.substr(2 * index, 2), nullptr, 16));
    };
    for (size_t i = 0; i < derived.hash_key.size(); ++i) {
        derived.hash_key[i] = octet(i);
    }
    derived.epoch = std::stoull(hex.substr(2 * derived.hash_key.size(), 16), nullptr, 16);
    return derived;
}

// The capture's name without .gz or .zst and without .pcap, .pcapng or .cap, in any case.
std::string dataset_name(const std::filesystem::path& capture) {
    std::string name = capture.filename().string();
    const auto drop = [&name](std::initializer_list<std::string_view> endings) {
        for (const std::string_view ending : endings) {
            if (name.size() > ending.size() && collector::lower_case(name).ends_with(ending)) {
                name.resize(name.size() - ending.size());
                return;
            }
        }
    };
    drop({".gz", ".zst"});
    drop({".pcapng", ".pcap", ".cap"});
    return name;
}

std::string scenario_of(const RunConfig& config, const std::filesystem::path& capture) {
    if (!config.scenario.empty()) {
        return config.scenario;
    }
    const auto folder = std::filesystem::absolute(capture).lexically_normal().parent_path();
    return folder.filename().empty() ? "captures" : folder.filename().string();
}

void check_names(const std::filesystem::path& capture, const collector::DatasetConfig& dataset) {
    const std::string file = collector::wire_text(capture.string());
    if (const auto why = collector::archive_name_problem(dataset.scenario); !why.empty()) {
        throw std::runtime_error(fmt::format(
            "{}: its folder's name cannot be one in an archive: {}; --scenario gives another",
            file,
            why));
    }
    if (const auto why = collector::dataset_name_problem(dataset.name); !why.empty()) {
        throw std::runtime_error(fmt::format("{}: its name cannot be a dataset's: {}", file, why));
    }
}

collector::DatasetConfig dataset_config(const RunConfig& config,
                                        const Equipment& equipment,
                                        const std::filesystem::path& capture) {
    collector::DatasetConfig dataset;
    dataset.archive = config.archive;
    dataset.group = config.group;
    dataset.scenario = scenario_of(config, capture);
    dataset.name = dataset_name(capture);
    dataset.preset = config.preset;
    dataset.fields = is_joy(config) ? collector::FieldSet::full
                                    : collector::field_set_named(config.fields).value();
    dataset.compress = config.compress;
    dataset.selection = selection_of(config, equipment.rules);
    dataset.records =
        config.records == "first" ? collector::RecordChoice::first : collector::RecordChoice::all;
    dataset.configuration = equipment.configuration;
    dataset.ruleset_hash = equipment.rules.content_hash();
    dataset.signatures_hash = equipment.signatures.content_hash();
    dataset.vocabulary = static_cast<uint64_t>(equipment.signatures.vocabulary().version());
    dataset.program_version = CURLEW_VERSION;
    dataset.probe_id = kRunProbeId;
    return dataset;
}

// Throws with one sentence; nothing that looks whole is left then.
collector::SealResult run_capture(const RunConfig& config,
                                  const Equipment& equipment,
                                  const collector::LabelRules& rules,
                                  const probe::Inspector* inspector,
                                  const std::filesystem::path& capture) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(capture, error);
    if (status.type() == std::filesystem::file_type::none) {
        throw std::runtime_error(fmt::format("{}: {}", capture.string(), error.message()));
    }
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        throw std::runtime_error(
            fmt::format("{}: not a regular file, and a capture has two ends", capture.string()));
    }
    // What is hashed are the octets that the packets are read from.
    collector::Sha256 digest;
    probe::ReplayPort port(capture, config.filter, [&digest](std::span<const uint8_t> octets) {
        digest.update({reinterpret_cast<const char*>(octets.data()), octets.size()});
    });
    const auto capture_facts = [&]() -> collector::CaptureFacts {
        const uint64_t octets = port.read_rest_of_file();
        return {capture.filename().string(),
                digest.finish(),
                octets,
                port.link_names(),
                port.nanosecond()};
    };
    const Derived derived = derive(capture, equipment);
    Delivery delivery{equipment.signatures,
                      rules,
                      dataset_config(config, equipment, capture),
                      config.progress ? capture.filename().string() : ""};
    check_names(capture, delivery.dataset);
    delivery.dataset.epoch = derived.epoch;
    if (is_joy(config)) {
        std::optional<probe::JoyReplay> replay;
        replay.emplace(probe::JoyMeterConfig{.default_filter = config.filter.empty(),
                                             .idp = rules.group.joy_idp()},
                       port);
        return deliver({{&replay->records()},
                        true,
                        [&replay](const Progress& tick) { replay->run(tick); },
                        [&replay] { return replay->ledger(); },
                        capture_facts,
                        [&replay] { replay.reset(); }},
                       delivery);
    }
    probe::DispatcherConfig dispatcher_config = equipment.dispatcher;
    dispatcher_config.hash_key = derived.hash_key;
    std::optional<probe::Dispatcher> dispatcher;
    dispatcher.emplace(dispatcher_config, std::vector<probe::Port*>{&port}, *inspector);
    return deliver({dispatcher->record_rings(),
                    false,
                    [&dispatcher](const Progress& tick) { dispatcher->run(tick); },
                    [&dispatcher] { return dispatcher->ledger(); },
                    capture_facts,
                    [&dispatcher] { dispatcher.reset(); }},
                   delivery);
}

void add_counts(const google::protobuf::RepeatedPtrField<proto::Count>& counts,
                std::map<std::string, uint64_t>& sums) {
    for (const proto::Count& count : counts) {
        sums[count.reason()] += count.packets();
    }
}

void add_tally(const collector::Tally& tally, std::map<std::string, uint64_t>& sums) {
    for (const auto& [name, count] : tally) {
        sums[name] += count;
    }
}

void add_result(const std::filesystem::path& capture,
                const collector::SealResult& result,
                RunSummary& summary) {
    if (result.ledger) {
        const proto::ProbeLedger& ledger = *result.ledger;
        summary.packets_offered += ledger.packets_offered();
        summary.packets_metered += ledger.packets_metered();
        summary.octets_metered += ledger.octets_metered();
        add_counts(ledger.packets_not_metered(), summary.packets_not_metered);
        add_counts(ledger.packets_lost(), summary.packets_lost);
        add_counts(ledger.records_lost(), summary.records_lost);
        if (!ledger.capture_warning().empty()) {
            summary.warnings.push_back(
                fmt::format("{}: {}", capture.string(), ledger.capture_warning()));
        }
    }
    summary.records_created += result.records_created;
    summary.records_written += result.records_written;
    summary.records_not_selected += result.records_not_selected;
    add_tally(result.records.refused, summary.records_lost);
    add_tally(result.flow_types, summary.flow_types);
    add_tally(result.labels, summary.labels);
    add_tally(result.evidence, summary.evidence);
    summary.files.push_back(result.path);
    summary.files_sealed_before += result.already_sealed ? 1 : 0;
}

// A child compiles the signatures.
double processor_seconds() {
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    double sum = 0;
    for (const auto whose : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
        rusage usage{};
        getrusage(whose, &usage);
        sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return sum;
}

}  // namespace

RunSummary run_captures(const RunConfig& config) {
    const auto begin = std::chrono::steady_clock::now();
    const double processor_begin = processor_seconds();
    const Equipment equipment = equip(config);
    const signatures::ContentRules content(equipment.signatures);
    const collector::LabelRules rules{equipment.rules, content, collector::MacVendors::installed()};
    std::optional<probe::Inspector> inspector;
    if (!is_joy(config)) {
        inspector.emplace(equipment.signatures);
    }
    RunSummary summary;
    for (const std::filesystem::path& capture : config.captures) {
        if (capture.empty()) {
            throw UsageError("CAPTURE: a file is wanted");
        }
    }
    for (const std::filesystem::path& capture : config.captures) {
        try {
            add_result(
                capture,
                run_capture(config, equipment, rules, inspector ? &*inspector : nullptr, capture),
                summary);
        } catch (const probe::FilterError& error) {
            // Right in itself, and not to be had for what this capture holds.
            summary.failures.push_back(fmt::format("{}: {}", capture.string(), error.what()));
        } catch (const std::exception& error) {
            summary.failures.push_back(error.what());
        }
    }
    summary.cpu_seconds = processor_seconds() - processor_begin;
    summary.wall_seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return summary;
}

}  // namespace curlew::cli
