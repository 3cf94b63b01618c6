#include "cli/run.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "cli/traffic.h"
#include "cli/usage_error.h"
#include "tests/cli/flow_files.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::cli;
using curlew::cli::test::FlowFolder;
using curlew::tests::content_of;

namespace {

uint64_t sum_of(const std::map<std::string, uint64_t>& tally) {
    uint64_t sum = 0;
    for (const auto& entry : tally) {
        sum += entry.second;
    }
    return sum;
}

size_t lines_in(const std::filesystem::path& file) {
    std::ifstream stream(file);
    size_t lines = 0;
    for (std::string line; std::getline(stream, line);) {
        ++lines;
    }
    return lines;
}

// A line each.
std::string labels_in(const std::filesystem::path& file) {
    std::ifstream stream(file);
    std::string labels;
    for (std::string line; std::getline(stream, line);) {
        labels += line.substr(line.find("\"label\":")) + "\n";
    }
    return labels;
}

}  // namespace

TEST_GROUP(Run) {
    FlowFolder folder;
    RunConfig config;

    void setup() override {
        config.captures = {folder.path() / "home" / "boot.pcap"};
        std::filesystem::create_directory(folder.path() / "home");
        write_traffic({"gateway-boot", config.captures[0], 3});
        config.archive = folder.path() / "archive";
        config.signatures_folder = CURLEW_SIGNATURES_FOLDER;
        config.group = "ikea-app";
    }
};

TEST(Run, a_capture_becomes_a_sealed_dataset_under_group_scenario_and_name) {
    const RunSummary summary = run_captures(config);
    CHECK_EQUAL(1u, summary.files.size());
    CHECK(summary.files[0] == config.archive / "ikea-app" / "home" / "boot.json");
    CHECK_EQUAL(summary.records_written, lines_in(summary.files[0]));
    CHECK(std::filesystem::exists(config.archive / "ikea-app" / "home" / "boot.manifest.json"));
}

TEST(Run, both_ledgers_close) {
    config.select = "host 192.168.3.213";
    const RunSummary summary = run_captures(config);
    CHECK(summary.packets_metered > 100);
    CHECK(sum_of(summary.packets_not_metered) > 10);
    CHECK_EQUAL(summary.packets_offered,
                summary.packets_metered + sum_of(summary.packets_not_metered) +
                    sum_of(summary.packets_lost));
    CHECK(summary.records_not_selected > 0);
    CHECK_EQUAL(
        summary.records_created,
        summary.records_written + summary.records_not_selected + sum_of(summary.records_lost));
    CHECK_EQUAL(summary.records_written, sum_of(summary.flow_types));
    CHECK_EQUAL(summary.records_written, sum_of(summary.labels));
    CHECK_EQUAL(summary.records_written, sum_of(summary.evidence));
}

TEST(Run, a_filter_leaves_packets_out_and_counts_them) {
    config.filter = "udp port 53";
    const RunSummary summary = run_captures(config);
    CHECK(summary.packets_not_metered.at("filtered") > 100);
    CHECK_EQUAL(2u, summary.flow_types.at("DNS (GW Init)"));
}

TEST(Run, one_capture_that_fails_does_not_stop_the_others) {
    config.captures.insert(config.captures.begin(), folder.path() / "missing.pcap");
    const RunSummary summary = run_captures(config);
    CHECK_EQUAL(1u, summary.failures.size());
    STRCMP_CONTAINS("missing.pcap", summary.failures[0].c_str());
    CHECK_EQUAL(1u, summary.files.size());
}

TEST(Run, a_filter_that_one_capture_cannot_have_does_not_stop_the_others) {
    // A classic capture of NFLOG packets, for which libpcap has no filters; there is none in it.
    const std::filesystem::path other = folder.path() / "home" / "log.pcap";
    constexpr std::array<uint32_t, 6> kHeader{0xa1b2c3d4, 0x00040002, 0, 0, 65'535, 239};
    std::ofstream(other, std::ios::binary)
        .write(reinterpret_cast<const char*>(kHeader.data()), sizeof(kHeader));
    config.captures.insert(config.captures.begin(), other);
    config.filter = "udp port 53";
    const RunSummary summary = run_captures(config);
    CHECK_EQUAL(1u, summary.failures.size());
    STRCMP_CONTAINS("log.pcap: filter \"udp port 53\": ", summary.failures[0].c_str());
    CHECK_EQUAL(1u, summary.files.size());
}

TEST(Run, a_filter_that_is_not_ethernets_does_not_stop_the_captures_that_can_have_it) {
    config.filter = "wlan type data";
    const RunSummary summary = run_captures(config);
    CHECK_EQUAL(1u, summary.failures.size());
    STRCMP_CONTAINS("boot.pcap: filter \"wlan type data\": ", summary.failures[0].c_str());
}

TEST(Run, json_is_utf_8_whatever_a_files_name_is) {
    config.captures = {folder.path() / "no\xff.pcap"};
    const std::string json = run_json(run_captures(config));
    STRCMP_CONTAINS("no\xc3\xbf.pcap", json.c_str());
    CHECK(json.find('\xff') == std::string::npos);
}

TEST(Run, timeouts_end_records_and_are_in_the_manifest) {
    const RunSummary usual = run_captures(config);
    config.archive = folder.path() / "short";
    config.idle_tcp_s = 1;
    config.idle_other_s = 2;
    config.active_s = 3;
    config.closed_s = 4;
    const RunSummary summary = run_captures(config);
    CHECK(summary.records_created > usual.records_created);
    CHECK_EQUAL(usual.packets_metered, summary.packets_metered);
    const std::string manifest =
        content_of(config.archive / "ikea-app" / "home" / "boot.manifest.json");
    for (const char* line : {"\"idle_timeout_tcp_s\": \"1.000\"",
                             "\"idle_timeout_other_s\": \"2.000\"",
                             "\"active_timeout_s\": \"3.000\"",
                             "\"closed_timeout_s\": \"4.000\""}) {
        STRCMP_CONTAINS(line, manifest.c_str());
    }
}

TEST(Run, endings_are_dropped_in_any_case) {
    const std::filesystem::path loud = folder.path() / "home" / "LOUD.PCAP";
    std::filesystem::rename(config.captures[0], loud);
    config.captures = {loud};
    CHECK(run_captures(config).files.at(0) == config.archive / "ikea-app" / "home" / "LOUD.json");
}

TEST(Run, what_is_a_link_in_an_archive_is_not_written_to) {
    for (const std::string at : {"ikea-app", "ikea-app/home"}) {
        config.archive = folder.path() / ("archive-" + std::to_string(at.size()));
        const std::filesystem::path place = config.archive / at;
        std::filesystem::create_directories(place.parent_path());
        std::filesystem::create_directories(folder.path() / "elsewhere" / at);
        std::filesystem::create_symlink(folder.path() / "elsewhere" / at, place);
        const RunSummary summary = run_captures(config);
        CHECK_EQUAL(1u, summary.failures.size());
        STRCMP_CONTAINS((place.string() + " is a link").c_str(), summary.failures[0].c_str());
        CHECK_EQUAL(0u, summary.files.size());
    }
}

TEST(Run, a_role_told_on_the_command_line_moves_the_published_rules) {
    config.group = "voice-assistant";
    config.roles = {"clients=192.168.3.213"};
    const RunSummary summary = run_captures(config);
    CHECK(summary.flow_types.at("Local Client Communication") > 5);
}

TEST(Run, wrong_words_are_the_users) {
    const auto refused = [this](auto change) {
        RunConfig wrong = config;
        change(wrong);
        try {
            run_captures(wrong);
            FAIL("not refused");
        } catch (const UsageError&) {
        }
        CHECK_FALSE(std::filesystem::exists(wrong.archive));
    };
    refused([](RunConfig& wrong) { wrong.group = "nobody"; });
    refused([](RunConfig& wrong) { wrong.group = "../groups/any"; });
    refused([](RunConfig& wrong) { wrong.roles = {"gateway"}; });
    refused([](RunConfig& wrong) { wrong.roles = {"gateway=here"}; });
    refused([](RunConfig& wrong) { wrong.select = "host and"; });
    refused([](RunConfig& wrong) { wrong.filter = "udp prot 53"; });
    refused([](RunConfig& wrong) { wrong.captures.emplace_back(); });
}

TEST(Run, the_line_rate_profile_keeps_counters_and_labels) {
    const RunSummary rich = run_captures(config);
    config.profile = "line-rate";
    config.archive = folder.path() / "lean";
    const RunSummary lean = run_captures(config);
    CHECK(rich.flow_types == lean.flow_types);
    CHECK(rich.labels == lean.labels);
    CHECK_EQUAL(rich.packets_metered, lean.packets_metered);
    CHECK(std::filesystem::file_size(lean.files[0]) < std::filesystem::file_size(rich.files[0]));
    // Names that others told, as answers of DNS, too.
    CHECK(labels_in(rich.files[0]) == labels_in(lean.files[0]));
    STRCMP_CONTAINS("\"kind\":\"name-by-dns\",\"field\":\"dns.answer\"",
                    labels_in(lean.files[0]).c_str());
}

TEST(Run, the_packet_list_is_as_long_as_asked_for_and_the_manifest_says_so) {
    config.packets = 2;
    config.packets_of = "all";
    const std::filesystem::path dataset = run_captures(config).files[0];
    std::ifstream stream(dataset);
    bool listed_flags = false;
    for (std::string line; std::getline(stream, line);) {
        const size_t list = line.find("\"packets\":[");
        const std::string entries = line.substr(list, line.find(']', list) - list);
        CHECK(std::count(entries.begin(), entries.end(), '{') <= 4);
        listed_flags = listed_flags || entries.find("\"flags\":\"S\"") != std::string::npos;
    }
    CHECK_TRUE(listed_flags);
    std::ifstream manifest_stream(dataset.parent_path() / "boot.manifest.json");
    const std::string manifest(std::istreambuf_iterator<char>(manifest_stream), {});
    STRCMP_CONTAINS("\"packets\": \"2\"", manifest.c_str());
    STRCMP_CONTAINS("\"packets_of\": \"all\"", manifest.c_str());
}

TEST(Run, the_json_summary_has_the_agreed_keys) {
    const std::string json = run_json(run_captures(config));
    for (const char* key : {"packets_offered",
                            "packets_metered",
                            "packets_not_metered",
                            "packets_lost",
                            "octets_metered",
                            "records_created",
                            "records_written",
                            "records_lost",
                            "flow_types",
                            "labels",
                            "evidence",
                            "cpu_seconds",
                            "wall_seconds",
                            "files"}) {
        STRCMP_CONTAINS((std::string("\"") + key + "\":").c_str(), json.c_str());
    }
}

TEST(Run, preset_joy_gives_the_same_octets_for_any_number_of_workers) {
    config.preset = "joy-3.0.3";
    const RunSummary one = run_captures(config);
    config.workers = 4;
    config.profile = "line-rate";
    config.fields = "slim";
    config.archive = folder.path() / "again";
    const RunSummary again = run_captures(config);
    CHECK(content_of(one.files[0]) == content_of(again.files[0]));
    const auto manifest = [](std::filesystem::path file) {
        return content_of(file.replace_extension(".manifest.json"));
    };
    CHECK(manifest(one.files[0]) == manifest(again.files[0]));
    STRCMP_CONTAINS("\"preset\": \"joy-3.0.3\"", manifest(one.files[0]).c_str());
}

TEST(Run, preset_joy_closes_both_ledgers_and_knows_ipv4_alone) {
    config.preset = "joy-3.0.3";
    const RunSummary summary = run_captures(config);
    CHECK(summary.packets_metered > 100);
    CHECK(summary.packets_not_metered.at("not_ipv4") > 10);
    CHECK_EQUAL(summary.packets_offered,
                summary.packets_metered + sum_of(summary.packets_not_metered));
    CHECK_EQUAL(summary.records_created, summary.records_written);
    CHECK_EQUAL(summary.records_written, lines_in(summary.files[0]));
}

TEST(Run, preset_joy_publishes_first_records_as_the_group_did) {
    config.preset = "joy-3.0.3";
    const RunSummary all = run_captures(config);
    config.records = "first";
    const RunSummary published = run_captures(config);
    config.select = "net 0.0.0.0/0";
    const RunSummary first = run_captures(config);
    CHECK_EQUAL(all.records_created, published.records_created);
    CHECK(first.records_written < all.records_written);
    CHECK(published.records_written < first.records_written);
    CHECK(content_of(all.files[0]).find("flow_type") == std::string::npos);
    STRCMP_CONTAINS("\"flow_type\":\"Ikea Application Data\"}",
                    content_of(published.files[0]).c_str());
    config.select.clear();
    config.roles = {"gateway=192.168.3.1"};
    const RunSummary elsewhere = run_captures(config);
    CHECK(elsewhere.records_written != published.records_written);
}
