// curlew-probe: from a mirror port to a collector. The one place that knows of DPDK and the meter.

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <optional>

#include "cli/bench.h"
#include "cli/usage_error.h"
#include "probe/config.h"
#include "probe/packet_filter.h"
#include "probe/privileges.h"
#include "probe/probe_service.h"
#include "probe/recording_setup.h"
#include "probe/table_memory.h"
#include "proto/confinement.h"
#include "proto/descriptor_limit.h"
#include "proto/service_signals.h"
#include "signatures/compiled_set.h"
#include "signatures/config_file.h"
#include "signatures/signature_folder.h"
#include "signatures/signature_set.h"

namespace {

using namespace curlew;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

// A spool of 64 GiB has a thousand segments, each with a descriptor.
constexpr uint64_t kProbeDescriptors = 65'536;

struct Arguments {
    std::filesystem::path config;
    bool bench = false;
    cli::BenchConfig bench_config;
    bool json = false;
    bool check = false;
    bool print = false;
    bool insecure = false;
    double stop_when_idle = 0;
    std::vector<std::string> eal_options;
};

void say(const std::string& sentence) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    std::fputs(fmt::format("curlew-probe: {}\n", sentence).c_str(), stderr);
}

// Throws ConfigError with every problem, one a line.
signatures::SignatureSet load_signatures(const probe::ProbeConfig& config) {
    signatures::SignatureSet set =
        signatures::load_compiled(
            config.signatures.empty() ? signatures::default_signature_folder() : config.signatures,
            signatures::default_cache_folder())
            .set;
    std::string told;
    for (const signatures::Problem& problem : set.problems()) {
        told += (told.empty() ? "" : "\n") + to_string(problem);
    }
    if (!told.empty()) {
        throw signatures::ConfigError(told);
    }
    return set;
}

}  // namespace

#ifdef CURLEW_WITH_DPDK
#include "dpdk_port/device_access.h"
#include "dpdk_port/device_arguments.h"
#include "dpdk_port/dpdk_device.h"
#include "dpdk_port/eal.h"

namespace {

struct Devices {
    std::vector<std::unique_ptr<dpdk_port::Device>> devices;
    std::vector<probe::OpenPort> ports;
    bool keep_flows = false;
};

// What no further try would mend is a wrong configuration.
dpdk_port::Eal start_eal(const dpdk_port::EalConfig& config) {
    try {
        return dpdk_port::Eal(config);
    } catch (const dpdk_port::EalOptionError& error) {
        throw cli::UsageError(error.what());
    }
}

std::unique_ptr<dpdk_port::Device> open_device(dpdk_port::Eal& eal,
                                               const dpdk_port::DeviceConfig& config) {
    try {
        return std::make_unique<dpdk_port::Device>(eal, config);
    } catch (const dpdk_port::DeviceConfigError& error) {
        throw cli::UsageError(error.what());
    }
}

Devices open_devices(dpdk_port::Eal& eal,
                     const probe::ProbeConfig& config,
                     const probe::PortFilter& filter) {
    Devices open;
    for (const probe::PortConfig& port : config.ports) {
        open.devices.push_back(open_device(eal,
                                           {.device = port.device,
                                            .queues = port.queues,
                                            .filter = filter,
                                            .allow_uncounted_loss = config.allow_uncounted_loss}));
        const dpdk_port::DeviceFacts& facts = open.devices.back()->facts();
        for (probe::Port* queue : open.devices.back()->ports()) {
            open.ports.push_back({queue,
                                  port.device,
                                  facts.driver,
                                  facts.clock,
                                  facts.filter,
                                  facts.losses_counted,
                                  facts.damage});
        }
        say(fmt::format("{}: driver {}, {} queue(s), clock: {}{}{}",
                        port.device,
                        facts.driver,
                        open.devices.back()->ports().size(),
                        facts.clock,
                        facts.filter.empty() ? "" : ", filter run by ",
                        facts.filter));
        for (const std::string& warning : facts.warnings) {
            say(fmt::format("{}: {}", port.device, warning));
        }
    }
    open.keep_flows = open.devices.size() == 1 && open.devices.front()->facts().keeps_flows;
    const bool is_live = open.ports.front().port->is_live();
    for (const probe::OpenPort& port : open.ports) {
        if (port.port->is_live() != is_live) {
            throw cli::UsageError("captures and live ports cannot be metered together");
        }
    }
    return open;
}

// The kernel's interfaces know it better than the drivers in front of them.
std::vector<probe::LineWatch::Line> lines_of(const probe::ProbeConfig& config,
                                             const Devices& open) {
    std::vector<probe::LineWatch::Line> lines;
    for (size_t i = 0; i < config.ports.size(); ++i) {
        const std::string& name = config.ports[i].device;
        const std::vector<std::string> interfaces = dpdk_port::DeviceArguments(name).interfaces();
        for (const std::string& interface : interfaces) {
            // One that is renamed goes on.
            const auto find = [interface, index = dpdk_port::find_interface(interface).index] {
                return dpdk_port::find_interface(interface, index);
            };
            lines.push_back(
                {name, [find] { return find().is_running; }, [find] { return find().index; }});
        }
        const dpdk_port::Device* device = open.devices[i].get();
        if (interfaces.empty() && device->facts().is_live) {
            lines.push_back({name, [device] { return device->has_link(); }, {}});
        }
    }
    return lines;
}

// What packets reach: without a capability, and so is every thread that it starts.
int serve(proto::ServiceSignals& signals,
          const probe::ServiceConfig& config,
          const signatures::SignatureSet& set,
          const std::vector<probe::OpenPort>& ports) {
    for (const std::string& sentence : proto::confine(probe::confinement())) {
        say(sentence);
    }
    probe::ProbeService service(config, set, ports, say);
    signals.watch(
        [&service] {
            say("ending: flows are finished and delivered");
            service.stop();
        },
        [] { say("SIGHUP: the configuration is read at the start only; restart the service"); });
    say("ready");
    const probe::ServiceOutcome outcome = service.run();
    signals.end();
    if (!outcome.done) {
        say(outcome.sentence);
        return kFailed;
    }
    return kDone;
}

int meter(const Arguments& arguments,
          const probe::ProbeConfig& config,
          const std::optional<proto::SenderKeys>& keys,
          const signatures::SignatureSet& set) {
    proto::ServiceSignals signals;
    proto::raise_descriptor_limit(kProbeDescriptors);
    const std::unique_ptr<proto::MappedMemory> table_memory = probe::take_table_memory(config);
    dpdk_port::EalConfig eal_config;
    eal_config.file_prefix = "curlew-" + config.name;
    for (const probe::PortConfig& port : config.ports) {
        eal_config.devices.push_back(port.device);
    }
    eal_config.options = config.eal_options;
    eal_config.options.insert(
        eal_config.options.end(), arguments.eal_options.begin(), arguments.eal_options.end());
    dpdk_port::Eal eal = start_eal(eal_config);
    if (!eal.notice().empty()) {
        say(eal.notice());
    }
    probe::PortFilter port_filter;
    std::unique_ptr<probe::PacketFilter> filter;
    if (!config.filter.empty()) {
        filter = std::make_unique<probe::PacketFilter>(config.filter, probe::LinkType::ethernet);
        port_filter = filter->for_port();
    }
    const Devices open = open_devices(eal, config, port_filter);
    probe::ServiceConfig service_config;
    service_config.probe = config;
    service_config.program_version = CURLEW_VERSION;
    service_config.keys = keys;
    service_config.insecure = arguments.insecure;
    service_config.ports_keep_flows = open.keep_flows;
    service_config.table_memory = table_memory.get();
    service_config.lines = lines_of(config, open);
    service_config.stop_when_idle =
        std::chrono::milliseconds(static_cast<int64_t>(arguments.stop_when_idle * 1000));
    // The first thread keeps what closing the devices takes: it waits, and closes them.
    return std::async(std::launch::async,
                      [&] { return serve(signals, service_config, set, open.ports); })
        .get();
}

// One device at a time: each is gone before the next is opened.
void bench(const Arguments& arguments) {
    dpdk_port::Eal eal = start_eal({.file_prefix = fmt::format("curlew-bench-{}", getpid()),
                                    .devices = {},
                                    .options = arguments.eal_options});
    if (!eal.notice().empty()) {
        say(eal.notice());
    }
    cli::BenchConfig config = arguments.bench_config;
    config.open_device = [&eal](const std::filesystem::path& capture) {
        auto device = std::make_shared<dpdk_port::Device>(
            eal,
            dpdk_port::DeviceConfig{
                .device = fmt::format("net_pcap0,rx_pcap={},infinite_rx=1", capture.string())});
        probe::Port* port = device->ports().front();
        return std::shared_ptr<probe::Port>(std::move(device), port);
    };
    cli::BenchTable table(stderr);
    const std::vector<cli::BenchResult> results =
        run_bench(config, [&table](const cli::BenchResult& result) { table.add(result); });
    if (arguments.json) {
        fmt::print("{}\n", bench_json(results));
    }
}

}  // namespace

#else

namespace {

int meter(const Arguments&,
          const probe::ProbeConfig&,
          const std::optional<proto::SenderKeys>&,
          const signatures::SignatureSet&) {
    say("this build has no DPDK: install libdpdk-dev and build again");
    return kFailed;
}

void bench(const Arguments&) {
    throw std::runtime_error("this build has no DPDK: 'curlew bench' measures without");
}

}  // namespace

#endif

namespace {

std::string check_seconds(const std::string& text) {
    constexpr double kYear = 31'536'000;
    double seconds = -1;
    // The comparisons also refuse what is no number at all.
    const bool fits = CLI::detail::lexical_cast(text, seconds) && seconds >= 0 && seconds <= kYear;
    return fits ? "" : text + " is no number of seconds from 0 to a year";
}

// What stands behind "--" is EAL's; CLI11 would take it for its own.
std::vector<std::string> cut_eal_options(std::vector<std::string>& words) {
    const auto dashes = std::find(words.begin(), words.end(), "--");
    if (dashes == words.end()) {
        return {};
    }
    std::vector<std::string> options(dashes + 1, words.end());
    words.erase(dashes, words.end());
    return options;
}

void add_bench_options(CLI::App& app, CLI::Option& config, Arguments& arguments) {
    cli::BenchConfig& bench = arguments.bench_config;
    bench.signatures_folder = signatures::default_signature_folder();
    CLI::Option* asked = app.add_flag("--bench",
                                      arguments.bench,
                                      "measure this machine, as 'curlew bench' does, with packets "
                                      "that come over DPDK")
                             ->excludes(&config);
    const std::vector<CLI::Option*> options = {
        app.add_option("--signatures", bench.signatures_folder, "folder of signature files")
            ->envname("CURLEW_SIGNATURES"),
        app.add_option("--workload", bench.workload, "one of the named workloads"),
        app.add_option("--capture", bench.capture, "one workload: copies of this capture"),
        app.add_option("--flows", bench.flows, "one workload: so many flows of UDP (1000000)")
            ->check(CLI::Range(uint64_t{1}, cli::BenchConfig::kMostFlows)),
        app.add_option("--frame-octets", bench.frame_octets, "octets of its frames (64)"),
        app.add_option("--profile", bench.profile, "what is kept of a flow (line-rate)")
            ->check(CLI::IsMember({"line-rate", "dataset"})),
        app.add_option("--workers", bench.workers, "threads that meter (1)")
            ->check(CLI::Range(size_t{1}, size_t{64})),
        app.add_option("--seconds", bench.seconds, "of each workload (5)")
            ->check(CLI::Range(0.05, 3600.0)),
        app.add_flag("--json", arguments.json, "results as JSON on stdout"),
    };
    for (CLI::Option* option : options) {
        // A folder in the environment asks for nothing.
        if (option->get_envname().empty()) {
            option->needs(asked);
        }
        option->group("With --bench");
    }
}

int run(const Arguments& arguments) {
    if (arguments.bench) {
        bench(arguments);
        return std::fflush(stdout) == 0 ? kDone : kFailed;
    }
    const probe::ProbeConfig config = probe::load_config(arguments.config);
    if (arguments.print) {
        fmt::print("{}", probe::print_config(config));
        return std::fflush(stdout) == 0 ? kDone : kFailed;
    }
    proto::ServiceSignals::pass_over_reloads();
    const auto keys = probe::sender_keys(config, arguments.insecure);
    const signatures::SignatureSet set = load_signatures(config);
    // What of the recording only the signatures can tell.
    const probe::PacketFilter recorded(config.record.filter, probe::LinkType::ethernet);
    static_cast<void>(probe::lane_config(config.record, set, recorded));
    return arguments.check ? kDone : meter(arguments, config, keys, set);
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    Arguments arguments;
    arguments.eal_options = cut_eal_options(words);
    CLI::App app{
        "Meters a mirror port and delivers flow records to a collector.\n"
        "What follows -- goes to DPDK's environment as it stands.",
        "curlew-probe"};
    app.set_version_flag("--version", CURLEW_VERSION);
    CLI::Option* config = app.add_option(
        "--config", arguments.config, "configuration file; deploy/probe.toml explains it");
    auto* check = app.add_flag("--check", arguments.check, "check the configuration and end");
    app.add_flag("--print-config", arguments.print, "print the configuration in force and end")
        ->excludes(check);
    app.add_flag("--insecure",
                 arguments.insecure,
                 "connect over tcp without keys: anybody on the way may read the records");
    app.add_option("--stop-when-idle",
                   arguments.stop_when_idle,
                   "end when no packet came for so many seconds")
        ->check(check_seconds);
    add_bench_options(app, *config, arguments);
    try {
        std::reverse(words.begin(), words.end());
        app.parse(words);
        if (!arguments.bench && config->empty()) {
            throw CLI::RequiredError("--config");
        }
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        say(error.what());
        return kWrongUsage;
    }
    try {
        return run(arguments);
    } catch (const signatures::ConfigError& error) {
        std::fputs(fmt::format("{}\n", error.what()).c_str(), stderr);
        return kWrongUsage;
    } catch (const cli::UsageError& error) {
        say(error.what());
        return kWrongUsage;
    } catch (const std::exception& error) {
        say(error.what());
        return kFailed;
    }
}
