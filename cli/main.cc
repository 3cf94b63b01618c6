#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <stdexcept>
#include <string>
#include <system_error>

#include "cli/annotate.h"
#include "cli/bench.h"
#include "cli/compare.h"
#include "cli/explain.h"
#include "cli/keys.h"
#include "cli/one_line.h"
#include "cli/relabel.h"
#include "cli/run.h"
#include "cli/signatures.h"
#include "cli/traffic.h"
#include "cli/usage_error.h"
#include "cli/verify.h"
#include "proto/huge_heap.h"
#include "signatures/signature_folder.h"

// `curlew`, the operator's tool. Exit 0 done, 1 failed, 2 wrong command line or configuration.
// Records go to files, text for people to stderr, --json alone to stdout.

namespace curlew::cli {
namespace {

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kUsage = 2;

void print_json(const std::string& json) {
    std::fwrite(json.data(), 1, json.size(), stdout);
    std::fputc('\n', stdout);
}

// As long as the probe's.
constexpr uint32_t kLongestTimeout_s = 86'400;

struct RunOptions {
    RunConfig config;
    bool no_decapsulation = false;
    bool json = false;
};

CLI::App* add_run(CLI::App& app, RunOptions& options) {
    RunConfig& config = options.config;
    CLI::App* run = app.add_subcommand("run", "Captures to sealed datasets, each its own");
    run->add_option("CAPTURE", config.captures, "pcap or pcapng, plain, gzip or zstd")->required();
    run->add_option("--archive", config.archive, "folder of the datasets")->required();
    run->add_option("--group", config.group, "device group (any): a file of signatures/groups");
    run->add_option("--scenario", config.scenario, "folder below the group (capture's folder)");
    run->add_option("--preset", config.preset, "form of the records (curlew)")
        ->check(CLI::IsMember({"curlew", "joy-3.0.3"}));
    run->add_option("--fields", config.fields, "field set (full)")
        ->check(CLI::IsMember({"slim", "standard", "full"}));
    run->add_option("--profile", config.profile, "what the meter keeps of a flow (dataset)")
        ->check(CLI::IsMember({"line-rate", "dataset"}));
    run->add_option("--packets", config.packets, "packets listed of each direction (50)")
        ->check(CLI::Range(0, 512));
    run->add_option("--packets-of", config.packets_of, "which are listed (payload)")
        ->check(CLI::IsMember({"payload", "all"}));
    const CLI::Range timeouts(uint32_t{0}, kLongestTimeout_s);
    run->add_option(
           "--idle-tcp", config.idle_tcp_s, "seconds of silence that end TCP (300; 0: none)")
        ->check(timeouts);
    run->add_option("--idle-other", config.idle_other_s, "seconds of silence that end others (60)")
        ->check(timeouts);
    run->add_option("--active", config.active_s, "seconds that a record lasts at most (300)")
        ->check(timeouts);
    run->add_option("--closed", config.closed_s, "seconds of silence that end closed TCP (5)")
        ->check(timeouts);
    run->add_option("--filter", config.filter, "packets to meter, as pcap-filter(7) says");
    run->add_flag(
        "--no-decapsulation", options.no_decapsulation, "meter tunnels, not what is inside");
    run->add_option("--copies", config.copies, "what becomes of a mirror's copies (count)")
        ->check(CLI::IsMember({"count", "remove", "off"}));
    run->add_option("--copy-window", config.copy_window_us, "microseconds until a copy (1000)")
        ->check(CLI::Range(1, 1'000'000));
    run->add_option(
        "--select", config.select, "records to write: host, net, port, proto; and, or, not");
    run->add_option("--records", config.records, "all of a flow, or its first")
        ->check(CLI::IsMember({"all", "first"}));
    run->add_option("--set", config.roles, "role=address of the group, any number of times")
        ->allow_extra_args(false)
        ->option_text("ROLE=ADDRESS");
    run->add_option("--workers", config.workers, "threads that meter (1)")
        ->check(CLI::Range(size_t{1}, size_t{64}));
    run->add_flag("--zstd", config.compress, "compress the datasets");
    run->add_flag("--json", options.json, "summary as JSON on stdout");
    return run;
}

int do_run(RunOptions& options, const std::filesystem::path& signatures_folder) {
    options.config.signatures_folder = signatures_folder;
    options.config.decapsulate = !options.no_decapsulation;
    options.config.progress = isatty(STDERR_FILENO) == 1;
    const RunSummary summary = run_captures(options.config);
    print_run(summary, stderr);
    if (options.json) {
        print_json(run_json(summary));
    }
    return summary.failures.empty() ? kDone : kFailed;
}

struct AnnotateOptions {
    AnnotateConfig config;
    std::string rules = "published";
    std::filesystem::path ruleset;
};

CLI::App* add_annotate(CLI::App& app, AnnotateOptions& options) {
    CLI::App* annotate =
        app.add_subcommand("annotate", "Add flow_type to Joy records, or label an archive anew");
    annotate->add_option("--group", options.config.group, "group whose published rules label");
    annotate
        ->add_option("IN",
                     options.config.inputs,
                     "JSON lines, plain, gzip or zstd; with --rules curlew an archive")
        ->required();
    annotate->add_option("--out", options.config.output, "folder of the results");
    annotate
        ->add_option("--rules",
                     options.rules,
                     "published: flow_type by --group (default); curlew: labels by signatures")
        ->check(CLI::IsMember({"published", "curlew"}));
    annotate->add_option("--ruleset",
                         options.ruleset,
                         "with --rules curlew: a folder of signatures, or a file to add to them");
    return annotate;
}

int do_relabel(const AnnotateOptions& options, const std::filesystem::path& signatures_folder) {
    if (!options.config.group.empty() || !options.config.output.empty()) {
        throw UsageError(
            "--group and --out: not with --rules curlew, which writes beside datasets");
    }
    if (options.config.inputs.size() != 1) {
        throw UsageError("--rules curlew takes one archive");
    }
    return run_relabel(
        {options.config.inputs.front(), signatures_folder, options.ruleset}, std::cout, std::cerr);
}

int do_annotate(AnnotateOptions& options, const std::filesystem::path& signatures_folder) {
    if (options.rules == "curlew") {
        return do_relabel(options, signatures_folder);
    }
    if (options.config.group.empty() || options.config.output.empty() || !options.ruleset.empty()) {
        throw UsageError(
            "annotate: --group and --out are wanted, --ruleset only with --rules curlew");
    }
    AnnotateConfig& config = options.config;
    config.groups_folder = signatures_folder / "groups";
    try {
        const AnnotateSummary summary = annotate(config);
        std::fprintf(stderr,
                     "%llu records in %llu files annotated\n",
                     static_cast<unsigned long long>(summary.records),
                     static_cast<unsigned long long>(summary.files));
        for (const auto& [label, records] : summary.flow_types) {
            std::fprintf(
                stderr, "%10llu  %s\n", static_cast<unsigned long long>(records), label.c_str());
        }
    } catch (const UnknownGroup& error) {
        throw UsageError(error.what());
    }
    return kDone;
}

struct CompareOptions {
    CompareConfig config;
    std::vector<std::string> allow;
    bool json = false;
};

CLI::App* add_compare(CLI::App& app, CompareOptions& options) {
    CLI::App* compare = app.add_subcommand("compare", "How far OURS says the same as GOLDEN");
    compare->add_option("GOLDEN", options.config.golden, "file or folder of records")->required();
    compare->add_option("OURS", options.config.ours, "file or folder of records")->required();
    compare
        ->add_option("--allow",
                     options.allow,
                     "what may differ: a field, also within (tls.s_cert); flow_type; extra (flows)")
        ->delimiter(',')
        ->allow_extra_args(false)
        ->option_text("NAME[,NAME]");
    compare->add_flag(
        "--exact", options.config.exact, "fields and later records only OURS has differ too");
    compare->add_flag("--json", options.json, "agreement as JSON on stdout");
    return compare;
}

int do_compare(CompareOptions& options) {
    options.config.allow.insert(options.allow.begin(), options.allow.end());
    const CompareResult result = compare(options.config);
    print_compare(result, stderr);
    if (options.json) {
        print_json(compare_json(result));
    }
    return agrees(result) ? kDone : kFailed;
}

struct BenchOptions {
    BenchConfig config;
    bool json = false;
};

CLI::App* add_bench(CLI::App& app, BenchOptions& options) {
    BenchConfig& config = options.config;
    CLI::App* bench = app.add_subcommand("bench", "How fast this machine meters");
    bench->add_option("--workload", config.workload, "one of the named workloads");
    bench->add_option("--capture", config.capture, "one workload: copies of this capture")
        ->check([](const std::string& text) {
            return text.empty() ? std::string("a file is wanted") : std::string();
        });
    bench->add_option("--flows", config.flows, "one workload: so many flows of UDP (1000000)")
        ->check(CLI::Range(uint64_t{1}, BenchConfig::kMostFlows));
    bench
        ->add_option(
            "--frame-octets", config.frame_octets, "octets of its frames, FCS included (64)")
        ->check(CLI::PositiveNumber);
    bench->add_option("--profile", config.profile, "what the meter keeps of a flow (line-rate)")
        ->check(CLI::IsMember({"line-rate", "dataset"}));
    bench->add_option("--workers", config.workers, "threads that meter (1)")
        ->check(CLI::Range(size_t{1}, size_t{64}));
    bench->add_option("--seconds", config.seconds, "of each workload (5)")
        ->check(CLI::Range(0.05, 3600.0))
        ->check([](const std::string& text) {
            // It is in every range.
            return std::isnan(std::strtod(text.c_str(), nullptr))
                       ? "Value " + text + " is no number"
                       : std::string();
        });
    bench->add_flag("--json", options.json, "results as JSON on stdout");
    return bench;
}

int do_bench(BenchOptions& options, const std::filesystem::path& signatures_folder) {
    options.config.signatures_folder = signatures_folder;
    BenchTable table(stderr);
    const std::vector<BenchResult> results =
        run_bench(options.config, [&table](const BenchResult& result) { table.add(result); });
    if (options.json) {
        print_json(bench_json(results));
    }
    return kDone;
}

CLI::App* add_traffic(CLI::App& app, TrafficConfig& config) {
    std::string scenarios = "one of";
    for (const TrafficScenario& scenario : traffic_scenarios()) {
        scenarios += " " + std::string(scenario.name);
    }
    CLI::App* traffic = app.add_subcommand("traffic", "Make a capture of a device's traffic");
    traffic->add_option("SCENARIO", config.scenario, scenarios)->required();
    traffic->add_option("-o,--output", config.output, "capture to write")->required();
    traffic->add_option("--seed", config.seed, "same seed, same octets (1)")
        ->check([](const std::string& text) {
            uint64_t seed = 0;
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
            return error == std::errc{} && end == text.data() + text.size()
                       ? std::string()
                       : "Value " + text + " is no number from 0 to 18446744073709551615";
        });
    return traffic;
}

int do_traffic(const TrafficConfig& config) {
    const auto& known = traffic_scenarios();
    if (std::none_of(known.begin(), known.end(), [&config](const TrafficScenario& scenario) {
            return scenario.name == config.scenario;
        })) {
        throw UsageError(fmt::format("traffic {}: there is no such scenario", config.scenario));
    }
    const TrafficSummary summary = write_traffic(config);
    std::fprintf(stderr,
                 "%s: %llu packets\n",
                 config.output.c_str(),
                 static_cast<unsigned long long>(summary.packets));
    return kDone;
}

// `curlew keys new` and `curlew keys show`.
struct KeysCommands {
    const CLI::App* make = nullptr;
    const CLI::App* show = nullptr;
    std::filesystem::path file;

    explicit KeysCommands(CLI::App& app) {
        CLI::App* keys = app.add_subcommand("keys", "Keys of probes and collectors, for tcp");
        keys->require_subcommand(1);
        CLI::App* added = keys->add_subcommand("new", "Make a secret key, print its public key");
        added->add_option("FILE", file, "key file to make")->required();
        make = added;
        added = keys->add_subcommand("show", "Print the public key of a secret key");
        added->add_option("FILE", file, "key file")->required();
        show = added;
    }
};

UsageError wrong_usage(const CLI::App& app, const CLI::ParseError& error) {
    std::string what = error.what();
    if (app.get_subcommands().empty() && !app.remaining().empty()) {
        what = fmt::format("there is no command '{}'", app.remaining().front());
    }
    // Before what is wanted and not there: it may be what is meant.
    for (const CLI::App* command : app.get_subcommands()) {
        for (const std::string& word : command->remaining()) {
            if (word.starts_with('-') && word != "--") {
                what = fmt::format("{} has no option '{}'", command->get_name(), word);
            }
        }
    }
    return UsageError(fmt::format("{} (see curlew --help)", what));
}

// Whole numbers are decimal: CLI11 would take one that begins with 0 for octal.
void read_decimals(CLI::App& app) {
    const CLI::Validator decimal(
        [](std::string& text) {
            if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) {
                return "Value " + text + " is no whole number";
            }
            text.erase(0, std::min(text.find_first_not_of('0'), text.size() - 1));
            return std::string();
        },
        "");
    for (CLI::App* command : app.get_subcommands({})) {
        for (CLI::Option* option : command->get_options()) {
            if (option->get_type_name().starts_with("UINT")) {
                option->transform(decimal);
            }
        }
    }
}

// Throws CLI::Success where help or the version was asked for, else UsageError.
void parse(CLI::App& app, int argument_count, char** arguments) {
    read_decimals(app);
    try {
        app.parse(argument_count, arguments);
    } catch (const CLI::Success&) {
        throw;
    } catch (const CLI::ParseError& error) {
        throw wrong_usage(app, error);
    }
}

int dispatch(int argument_count, char** arguments) {
    CLI::App app("Curlew: captures to annotated, sealed datasets of flow records", "curlew");
    app.require_subcommand(1);
    app.set_version_flag("--version", CURLEW_VERSION);
    std::filesystem::path signatures_folder = signatures::default_signature_folder();
    app.add_option("--signatures", signatures_folder, "folder of signature and group files")
        ->envname("CURLEW_SIGNATURES");

    RunOptions run_options;
    AnnotateOptions annotate_options;
    CompareOptions compare_options;
    BenchOptions bench_options;
    TrafficConfig traffic_config;
    std::filesystem::path archive;
    const CLI::App* run = add_run(app, run_options);
    const CLI::App* annotate = add_annotate(app, annotate_options);
    const CLI::App* compare = add_compare(app, compare_options);
    CLI::App* verify = app.add_subcommand("verify", "Hold index, manifests and files together");
    verify->add_option("ARCHIVE", archive, "folder of the datasets")->required();
    CLI::App* signatures = app.add_subcommand("signatures", "Look at the signature files");
    signatures->require_subcommand(1);
    const CLI::App* check = signatures->add_subcommand("check", "Check every file and example");
    const CLI::App* list = signatures->add_subcommand("list", "List every signature");
    CLI::App* explain = signatures->add_subcommand(
        "explain", "What matched where in each flow of a capture, and what nearly did");
    std::filesystem::path explained;
    explain->add_option("CAPTURE", explained, "capture to look into")->required();
    const CLI::App* bench = add_bench(app, bench_options);
    const CLI::App* traffic = add_traffic(app, traffic_config);
    const KeysCommands keys(app);
    try {
        parse(app, argument_count, arguments);
    } catch (const CLI::Success& told) {
        return app.exit(told);  // help or version
    }
    if (run->parsed()) {
        return do_run(run_options, signatures_folder);
    }
    if (annotate->parsed()) {
        return do_annotate(annotate_options, signatures_folder);
    }
    if (compare->parsed()) {
        return do_compare(compare_options);
    }
    if (bench->parsed()) {
        return do_bench(bench_options, signatures_folder);
    }
    if (verify->parsed()) {
        return run_verify(archive, std::cerr);
    }
    if (check->parsed()) {
        return run_signatures_check(signatures_folder, std::cout);
    }
    if (list->parsed()) {
        return run_signatures_list(signatures_folder, std::cout, std::cerr);
    }
    if (explain->parsed()) {
        return run_explain(explained, signatures_folder, std::cout, std::cerr);
    }
    if (keys.make->parsed()) {
        return run_keys_new(keys.file, std::cout);
    }
    if (keys.show->parsed()) {
        return run_keys_show(keys.file, std::cout);
    }
    return traffic->parsed() ? do_traffic(traffic_config) : kUsage;
}

// A file that took the place of a closed descriptor would get what is meant for people. Writing to
// a closed stdout stays an error.
void keep_standard_descriptors() {
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (fcntl(descriptor, F_GETFD) == -1) {
            open("/dev/null", descriptor == STDERR_FILENO ? O_WRONLY : O_RDONLY);
        }
    }
}

}  // namespace
}  // namespace curlew::cli

int main(int argument_count, char** arguments) {
    namespace cli = curlew::cli;
    cli::keep_standard_descriptors();
    // A bound on the length of files comes as an error, as a full disk does.
    signal(SIGXFSZ, SIG_IGN);
    constexpr size_t kHeapOctets = size_t{256} << 20;
    curlew::proto::put_heap_in_huge_pages(kHeapOctets);
    const auto tell = [](const std::exception& error) {
        std::fprintf(stderr, "curlew: %s\n", cli::one_line(error.what()).c_str());
    };
    try {
        const int code = cli::dispatch(argument_count, arguments);
        std::cout.flush();
        if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout) {
            throw std::runtime_error("the standard output cannot be written");
        }
        return code;
    } catch (const cli::UsageError& error) {
        tell(error);
        return cli::kUsage;
    } catch (const std::exception& error) {
        tell(error);
        return cli::kFailed;
    }
}
