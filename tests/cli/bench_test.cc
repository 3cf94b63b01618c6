#include "cli/bench.h"

#include <string>
#include <vector>

#include "cli/usage_error.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::cli;

namespace {

BenchConfig small_bench() {
    BenchConfig config;
    config.signatures_folder = CURLEW_SIGNATURES_FOLDER;
    config.flows = 1'000;
    config.seconds = 0.05;
    config.pool_octets = size_t{1} << 20;
    config.least_capacity = 65'536;
    return config;
}

std::vector<BenchResult> results_of(const BenchConfig& config) {
    return run_bench(config, [](const BenchResult&) {});
}

}  // namespace

TEST_GROUP(Bench){};

TEST(Bench, a_workload_is_metered_and_nothing_is_lost) {
    for (const char* profile : {"line-rate", "dataset"}) {
        for (const size_t workers : {size_t{1}, size_t{2}}) {
            BenchConfig config = small_bench();
            config.profile = profile;
            config.workers = workers;
            const std::vector<BenchResult> results = results_of(config);
            LONGS_EQUAL(1, results.size());
            const BenchResult& result = results[0];
            LONGS_EQUAL(1'000, result.flows);
            LONGS_EQUAL(1'000, result.records_exported);
            LONGS_EQUAL(64, result.frame_octets);
            LONGS_EQUAL(0, result.packets_lost);
            CHECK(result.mpps > 0);
            CHECK(result.mpps_minimum <= result.mpps && result.mpps <= result.mpps_maximum);
            CHECK(result.peak_rss_octets > 0);
        }
    }
}

TEST(Bench, its_json_has_the_names_that_scripts_ask_for) {
    const std::string json = bench_json(results_of(small_bench()));
    CHECK(json.starts_with("[{"));
    for (const char* key : {"workload",
                            "profile",
                            "workers",
                            "flows",
                            "frame_octets",
                            "mpps",
                            "gbit_per_s",
                            "bare_mpps",
                            "ns_per_packet",
                            "packets_lost",
                            "records_exported",
                            "peak_rss_octets"}) {
        CHECK(json.find('"' + std::string(key) + "\":") != std::string::npos);
    }
}

TEST(Bench, stages_are_named_and_add_up_to_a_round) {
    const BenchResult result = results_of(small_bench())[0];
    std::vector<std::string> names;
    double sum = 0;
    for (const auto& [name, ns] : result.ns_per_packet) {
        CHECK(ns >= 0);
        names.push_back(name);
        sum += name == "bare" || name == "all" ? 0 : ns;
    }
    const std::vector<std::string> expected{
        "bare", "all", "receive", "parse", "look_up", "update", "inspect", "expire", "export"};
    CHECK(expected == names);
    // Another round, of 10 ms on a machine with other work: near, by a wide margin.
    const double all = result.ns_per_packet[1].second;
    CHECK(sum > all / 20);
    CHECK(sum < all * 20);
}

TEST(Bench, several_workers_have_no_stages) {
    BenchConfig config = small_bench();
    config.workers = 2;
    LONGS_EQUAL(2, results_of(config)[0].ns_per_packet.size());
}

TEST(Bench, options_that_exclude_each_other_are_refused) {
    BenchConfig config = small_bench();
    config.capture = "a.pcap";
    CHECK_THROWS(UsageError, results_of(config));
    config = small_bench();
    config.workload = "iot-mix";
    CHECK_THROWS(UsageError, results_of(config));
    config = small_bench();
    config.flows = 0;
    config.workload = "iot-mux";
    CHECK_THROWS(UsageError, results_of(config));
    config = small_bench();
    config.frame_octets = 63;
    CHECK_THROWS(UsageError, results_of(config));
    config = small_bench();
    config.flows = 1'000'000'000;
    CHECK_THROWS(UsageError, results_of(config));
}
