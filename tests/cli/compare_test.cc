#include "cli/compare.h"

#include <cstdlib>
#include <string>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::agrees;
using curlew::cli::compare;
using curlew::cli::compare_json;
using curlew::cli::CompareResult;
using curlew::cli::print_compare;
using curlew::cli::shown_text;
using curlew::cli::test::FlowFolder;
using curlew::cli::test::gzipped;
using curlew::cli::test::refusal;
using curlew::cli::test::zstandard;

namespace {

// One record; `rest` are further members with a comma before each.
std::string record(const std::string& sa,
                   const std::string& sp,
                   const std::string& da,
                   const std::string& dp,
                   const std::string& rest = {},
                   const std::string& time_start = "1") {
    return R"({"sa":")" + sa + R"(","sp":)" + sp + R"(,"da":")" + da + R"(","dp":)" + dp +
           R"(,"pr":6,"time_start":)" + time_start + rest + "}\n";
}

std::string web(const std::string& rest = {}, const std::string& time_start = "1") {
    return record("192.0.2.1", "50000", "192.0.2.2", "443", rest, time_start);
}

std::string ssh(const std::string& rest = {}) {
    return record("192.0.2.1", "50001", "192.0.2.2", "22", rest);
}

}  // namespace

TEST_GROUP(Compare) {
    FlowFolder folder;

    CompareResult run(
        const std::string& golden, const std::string& ours, std::set<std::string> allow = {}) {
        return compare({.golden = folder.write("golden.json", golden),
                        .ours = folder.write("ours.json", ours),
                        .allow = std::move(allow)});
    }

    CompareResult run_folders(std::set<std::string> allow = {}) {
        return compare({.golden = folder.path() / "golden",
                        .ours = folder.path() / "ours",
                        .allow = std::move(allow)});
    }

    // Whether the field `x` is equal in two records that have these values of it.
    bool equal(const std::string& golden, const std::string& ours) {
        const CompareResult result = run(web(R"(,"x":)" + golden), web(R"(,"x":)" + ours));
        LONGS_EQUAL(1, result.fields.at("x").equal + result.fields.at("x").differ);
        return result.fields.at("x").equal == 1;
    }
};

TEST(Compare, equal_files_agree) {
    const std::string flows = web(R"(,"flow_type":"TLS")") + ssh(R"(,"flow_type":"SSH")");
    const CompareResult result = run(flows, flows);
    LONGS_EQUAL(2, result.flows_golden);
    LONGS_EQUAL(2, result.flows_found);
    LONGS_EQUAL(2, result.labels_equal);
    LONGS_EQUAL(2, result.records_equal);
    LONGS_EQUAL(6, result.fields.size());
    LONGS_EQUAL(2, result.fields.at("dp").equal);
    LONGS_EQUAL(0, result.differences.size());
    CHECK(agrees(result));
}

TEST(Compare, a_flow_is_found_in_the_other_direction) {
    const CompareResult result = run(web(), record("192.0.2.2", "443", "192.0.2.1", "50000"));
    LONGS_EQUAL(1, result.flows_found);
    LONGS_EQUAL(0, result.flows_extra);
    LONGS_EQUAL(1, result.fields.at("sa").differ);
    LONGS_EQUAL(1, result.fields.at("dp").differ);
    LONGS_EQUAL(1, result.fields.at("pr").equal);
    LONGS_EQUAL(0, result.records_equal);
    CHECK_FALSE(agrees(result));
}

TEST(Compare, null_ports_pair_with_null_ports_only) {
    const std::string ping = record("192.0.2.1", "null", "192.0.2.2", "null");
    CHECK(agrees(run(ping, ping)));
    const CompareResult result = run(ping, record("192.0.2.1", "0", "192.0.2.2", "0"));
    LONGS_EQUAL(0, result.flows_found);
}

TEST(Compare, the_protocol_is_part_of_the_flow) {
    std::string udp = web();
    udp.replace(udp.find("\"pr\":6"), 6, "\"pr\":17");
    LONGS_EQUAL(0, run(web(), udp).flows_found);
}

TEST(Compare, a_missing_flow_is_told) {
    const CompareResult result = run(web() + ssh(), web());
    LONGS_EQUAL(2, result.flows_golden);
    LONGS_EQUAL(1, result.flows_found);
    LONGS_EQUAL(1, result.differences.size());
    STRCMP_EQUAL("golden.json", result.differences[0].file.c_str());
    STRCMP_EQUAL("192.0.2.1:50001 - 192.0.2.2:22 protocol 6", result.differences[0].flow.c_str());
    STRCMP_EQUAL("not found", result.differences[0].ours.c_str());
    CHECK_FALSE(agrees(result));
}

TEST(Compare, an_extra_flow_is_told_unless_allowed) {
    const CompareResult result = run(web(), web() + ssh());
    LONGS_EQUAL(1, result.flows_extra);
    LONGS_EQUAL(1, result.differences.size());
    CHECK_FALSE(agrees(result));
    const CompareResult allowed = run(web(), web() + ssh(), {"extra"});
    LONGS_EQUAL(1, allowed.flows_extra);
    LONGS_EQUAL(0, allowed.differences.size());
    CHECK(agrees(allowed));
}

TEST(Compare, another_label_is_told_unless_allowed) {
    const std::string golden = web(R"(,"flow_type":"TLS")");
    const std::string ours = web(R"(,"flow_type":"SSH")");
    const CompareResult result = run(golden, ours);
    LONGS_EQUAL(0, result.labels_equal);
    LONGS_EQUAL(1, result.labels_differ);
    STRCMP_EQUAL("flow_type", result.differences.at(0).field.c_str());
    STRCMP_EQUAL("TLS", result.differences[0].golden.c_str());
    STRCMP_EQUAL("SSH", result.differences[0].ours.c_str());
    CHECK_FALSE(agrees(result));
    LONGS_EQUAL(1, result.records_equal);
    CHECK(agrees(run(golden, ours, {"flow_type"})));
    LONGS_EQUAL(1, run(golden, web()).labels_differ);
}

TEST(Compare, a_later_record_s_label_is_compared_too) {
    const std::string first = web(R"(,"flow_type":"TLS")");
    const std::string golden =
        first + web(R"(,"flow_type":"TLS")", "2") + web(R"(,"flow_type":"TLS")", "3") + ssh();
    const std::string ours =
        first + web(R"(,"flow_type":"SSH")", "2") + web(R"(,"flow_type":"SSH")", "3") + ssh();
    const CompareResult result = run(golden, ours);
    LONGS_EQUAL(0, result.labels_equal);
    LONGS_EQUAL(1, result.labels_differ);
    LONGS_EQUAL(1, result.differences.size());
    STRCMP_EQUAL("TLS", result.differences[0].golden.c_str());
    STRCMP_EQUAL("SSH", result.differences[0].ours.c_str());
    CHECK_FALSE(agrees(result));
    // Of a choice of first records, the first alone.
    LONGS_EQUAL(1, run(first, ours, {"extra"}).labels_equal);
}

TEST(Compare, a_label_only_ours_has_is_not_compared) {
    const CompareResult result = run(web(), web(R"(,"flow_type":"TLS")"));
    LONGS_EQUAL(0, result.labels_equal);
    CHECK(agrees(result));
}

TEST(Compare, a_field_that_differs_is_told_unless_allowed) {
    const std::string golden = web(R"(,"bytes_out":7,"wht":[1,2])");
    const std::string ours = web(R"(,"bytes_out":7,"wht":[1,3])");
    const CompareResult result = run(golden, ours);
    LONGS_EQUAL(1, result.fields.at("wht").differ);
    LONGS_EQUAL(1, result.fields.at("bytes_out").equal);
    LONGS_EQUAL(0, result.records_equal);
    STRCMP_EQUAL("wht", result.differences.at(0).field.c_str());
    STRCMP_EQUAL("[1,2]", result.differences[0].golden.c_str());
    STRCMP_EQUAL("[1,3]", result.differences[0].ours.c_str());
    CHECK_FALSE(agrees(result));
    const CompareResult allowed = run(golden, ours, {"wht"});
    LONGS_EQUAL(1, allowed.fields.at("wht").differ);
    LONGS_EQUAL(0, allowed.differences.size());
    CHECK(agrees(allowed));
}

TEST(Compare, a_field_ours_lacks_differs) {
    const CompareResult result = run(web(R"(,"entropy":null)"), web());
    LONGS_EQUAL(1, result.fields.at("entropy").differ);
    STRCMP_EQUAL("absent", result.differences.at(0).ours.c_str());
    CHECK_FALSE(agrees(result));
}

TEST(Compare, a_field_only_ours_has_is_counted_and_not_held_against_it) {
    const CompareResult result = run(web(), web(R"(,"flow_id":"a")"));
    LONGS_EQUAL(1, result.fields_extra.at("flow_id"));
    LONGS_EQUAL(0, result.fields.count("flow_id"));
    LONGS_EQUAL(0, result.records_equal);
    CHECK(agrees(result));
}

TEST(Compare, numbers_are_equal_by_value) {
    CHECK(equal("1.50", "1.5"));
    CHECK(equal("1536819903.902347", "1536819903.9023470"));
    CHECK(equal("1", "1.0"));
    CHECK(equal("18446744073709551615", "18446744073709551615"));
    CHECK_FALSE(equal("18446744073709551615", "18446744073709551614"));
    CHECK_FALSE(equal("9007199254740993", "9007199254740992"));
    CHECK_FALSE(equal("-1", "18446744073709551615"));
    CHECK_FALSE(equal("2.218863", "2.2188630000000007"));
    CHECK_FALSE(equal("1", "\"1\""));
    CHECK_FALSE(equal("1.7976931348623159e308", "1.7976931348623159e308"));
}

TEST(Compare, values_are_compared_whole) {
    CHECK(equal(R"({"a":1,"b":[true,{"c":"x"}]})", R"({ "b":[true,{"c":"\u0078"}], "a":1 })"));
    CHECK_FALSE(equal(R"({"a":1})", R"({"a":1,"b":2})"));
    CHECK_FALSE(equal(R"({"a":1,"b":2})", R"({"a":1})"));
    CHECK_FALSE(equal("[1,2]", "[2,1]"));
    CHECK_FALSE(equal("[1]", "[1,2]"));
    CHECK_FALSE(equal("true", "false"));
    CHECK_FALSE(equal("null", "false"));
    CHECK_FALSE(equal(R"("a\u0000b")", R"("a\u0000c")"));
    CHECK(equal(R"({"a":1,"a":2})", R"({"a":2})"));
}

TEST(Compare, the_first_record_of_ours_meets_the_only_one_of_golden) {
    const CompareResult result = run(
        web(R"(,"n":1,"flow_type":"TLS")", "10.5"),
        web(R"(,"n":2,"flow_type":"Later")", "40.5") + web(R"(,"n":1,"flow_type":"TLS")", "10.5"));
    LONGS_EQUAL(1, result.flows_found);
    LONGS_EQUAL(0, result.flows_extra);
    LONGS_EQUAL(1, result.labels_equal);
    LONGS_EQUAL(1, result.records_equal);
    CHECK(agrees(result));
}

TEST(Compare, several_records_of_a_flow_pair_by_time) {
    const std::string first = web(R"(,"n":1)", "10.5");
    const std::string second = web(R"(,"n":2)", "40.5");
    const CompareResult result = run(second + first, first + second);
    LONGS_EQUAL(1, result.flows_golden);
    LONGS_EQUAL(2, result.records_golden);
    LONGS_EQUAL(2, result.records_equal);
    CHECK(agrees(result));
}

TEST(Compare, a_missing_later_record_is_told) {
    const std::string first = web({}, "10.5");
    const CompareResult result = run(first + web({}, "40.5"), first);
    LONGS_EQUAL(1, result.flows_found);
    LONGS_EQUAL(1, result.records_found);
    STRCMP_EQUAL("2 records", result.differences.at(0).golden.c_str());
    STRCMP_EQUAL("1 records", result.differences[0].ours.c_str());
    CHECK_FALSE(agrees(result));
}

TEST(Compare, what_may_differ_can_lie_within_a_field) {
    const std::string golden = web(R"(,"tls":{"s_cert":[{"serial":"1","extensions":["a"]}]})");
    const std::string ours = web(R"(,"tls":{"s_cert":[{"serial":"1","extensions":["b"]}]})");
    const std::string serial = web(R"(,"tls":{"s_cert":[{"serial":"2","extensions":["b"]}]})");
    const CompareResult result = run(golden, ours);
    STRCMP_EQUAL("tls.s_cert[0].extensions", result.differences.at(0).field.c_str());
    STRCMP_EQUAL("[\"a\"]", result.differences[0].golden.c_str());
    CHECK_FALSE(agrees(result));
    const CompareResult allowed = run(golden, ours, {"tls.s_cert.extensions"});
    CHECK(agrees(allowed));
    LONGS_EQUAL(1, allowed.fields.at("tls").differ);
    LONGS_EQUAL(1, allowed.fields.at("tls").allowed);
    LONGS_EQUAL(1, allowed.allowed_within.at("tls.s_cert.extensions"));
    LONGS_EQUAL(0, allowed.differences.size());
    LONGS_EQUAL(0, allowed.records_equal);
    const CompareResult more = run(golden, serial, {"tls.s_cert.extensions"});
    CHECK_FALSE(agrees(more));
    LONGS_EQUAL(0, more.fields.at("tls").allowed);
    STRCMP_EQUAL("tls.s_cert[0].serial", more.differences.at(0).field.c_str());
    CHECK(agrees(run(golden, serial, {"tls.s_cert"})));
    CHECK(agrees(run(golden, serial, {"tls"})));
    CHECK_FALSE(agrees(run(golden, serial, {"tls.s"})));
}

TEST(Compare, a_member_within_that_only_ours_has_differs) {
    CHECK_FALSE(agrees(run(web(R"(,"ip":{"out":{"ttl":64}})"),
                           web(R"(,"ip":{"out":{"ttl":64},"in":{"ttl":1}})"))));
}

TEST(Compare, more_records_of_a_flow_are_told_where_golden_holds_all) {
    const std::string first = web({}, "10.5");
    const std::string second = web({}, "40.5");
    const std::string third = web({}, "70.5");
    const CompareResult several = run(first + second, first + second + third);
    LONGS_EQUAL(1, several.records_extra);
    STRCMP_EQUAL("3 records", several.differences.at(0).ours.c_str());
    CHECK_FALSE(agrees(several));
    CHECK(agrees(run(first + second, first + second + third, {"extra"})));
    const std::string settings = "{\"version\":\"3.0.3\"}\n";
    CHECK_FALSE(agrees(run(settings + first, first + second)));
    CHECK(agrees(run(first, first + second)));
}

TEST(Compare, exact_lets_nothing_pass_that_only_ours_has) {
    const auto exact = [&](const std::string& ours, std::set<std::string> allow = {}) {
        return compare({.golden = folder.write("golden.json", web()),
                        .ours = folder.write("ours.json", ours),
                        .allow = std::move(allow),
                        .exact = true});
    };
    CHECK(agrees(exact(web())));
    CHECK_FALSE(agrees(exact(web(R"(,"flow_id":"a")"))));
    STRCMP_EQUAL("flow_id", exact(web(R"(,"flow_id":"a")")).differences.at(0).field.c_str());
    CHECK(agrees(exact(web(R"(,"flow_id":"a")"), {"flow_id"})));
    CHECK_FALSE(agrees(exact(web(R"(,"flow_type":"TLS")"))));
    CHECK(agrees(exact(web(R"(,"flow_type":"TLS")"), {"flow_type"})));
    STRCMP_CONTAINS(R"("fields_extra":{"flow_id":1})",
                    compare_json(exact(web(R"(,"flow_id":"a")"))).c_str());
    CHECK_FALSE(agrees(exact(web() + web({}, "40.5"))));
}

TEST(Compare, reads_compressed_files_and_passes_over_the_settings) {
    const CompareResult result =
        run(gzipped("{\"version\":\"3.0.3\"}\n" + web()), zstandard(web() + "\n"));
    LONGS_EQUAL(1, result.records_equal);
    CHECK(agrees(result));
}

TEST(Compare, folders_pair_by_path_without_extension) {
    folder.write("golden/lab/one/a.json", web());
    folder.write("golden/lab/two/a.json.gz", gzipped(ssh()));
    folder.write("ours/lab/one/a.json.zst", zstandard(web()));
    folder.write("ours/lab/one/a.manifest.json", "{}");
    folder.write("ours/lab/two/a.json", ssh());
    folder.write("ours/lab/two/b.json.open", "{");
    folder.write("ours/index.jsonl", "{}");
    const CompareResult result = run_folders();
    LONGS_EQUAL(2, result.files);
    LONGS_EQUAL(2, result.flows_found);
    LONGS_EQUAL(0, result.files_extra.size());
    CHECK(agrees(result));
}

TEST(Compare, a_file_of_golden_without_partner_is_told) {
    folder.write("golden/a.json", web());
    folder.write("golden/b.json", ssh() + web());
    folder.write("ours/a.json", web());
    const CompareResult result = run_folders({"extra"});
    LONGS_EQUAL(1, result.files);
    LONGS_EQUAL(1, result.files_missing.size());
    STRCMP_EQUAL("b", result.files_missing[0].c_str());
    LONGS_EQUAL(3, result.flows_golden);
    LONGS_EQUAL(1, result.flows_found);
    STRCMP_EQUAL("b", result.differences.at(0).file.c_str());
    CHECK_FALSE(agrees(result));
}

TEST(Compare, flows_of_a_file_golden_lacks_are_extra) {
    folder.write("golden/a.json", web());
    folder.write("ours/a.json", web());
    folder.write("ours/b.json", ssh() + web());
    LONGS_EQUAL(2, run_folders().flows_extra);
    CHECK_FALSE(agrees(run_folders()));
    CHECK(agrees(run_folders({"extra"})));
}

TEST(Compare, what_stands_beside_a_dataset_is_no_file_of_records) {
    for (const char* side : {"golden", "ours"}) {
        const std::string base = std::string(side) + "/any/lab/a";
        folder.write(base + ".json", web());
        folder.write(base + ".manifest.json", "{}");
        folder.write(base + ".devices.json", "[]");
        folder.write(base + ".labels-8c808dad0628561b.json", "[]");
        // A dataset itself, for nothing is beside it.
        folder.write(std::string(side) + "/any/lab/b.devices.json", ssh());
    }
    LONGS_EQUAL(2, run_folders().files);
    CHECK(agrees(run_folders()));
}

TEST(Compare, an_empty_file_holds_no_flow) {
    const CompareResult result = run(web(), "");
    LONGS_EQUAL(0, result.flows_found);
    CHECK_FALSE(agrees(result));
}

TEST(Compare, nothing_compared_is_no_agreement) {
    CHECK_FALSE(agrees(run("", "")));
}

TEST(Compare, what_cannot_be_compared_is_refused_in_a_sentence) {
    const std::string path = (folder.path() / "ours.json").string();
    STRCMP_CONTAINS((path + ":2: the line is not a JSON object: ").c_str(),
                    refusal([&] { run(web(), web() + "{\"sa\":"); }).c_str());
    STRCMP_EQUAL((path + ":1: the record has no number `time_start`").c_str(),
                 refusal([&] { run(web(), web({}, "null")); }).c_str());
    STRCMP_CONTAINS((path + ":1: the line is not a JSON object: column 82: Number too big").c_str(),
                    refusal([&] { run(web(), web(R"(,"x":1e999)")); }).c_str());
    STRCMP_EQUAL((path + ":2: the record has no text `sa`").c_str(),
                 refusal([&] { run(web(), web() + "{}"); }).c_str());
}

TEST(Compare, nesting_that_would_overflow_the_stack_is_refused) {
    const std::string deep = std::string(500'000, '[') + std::string(500'000, ']');
    STRCMP_CONTAINS(":1: the JSON is nested deeper than 64",
                    refusal([&] { run(web(R"(,"x":)" + deep), web()); }).c_str());
}

TEST(Compare, a_path_that_is_not_there_or_has_no_partner_in_kind_is_refused) {
    const auto file = folder.write("a.json", web());
    const auto none = folder.path() / "none";
    const auto empty = folder.path() / "empty";
    std::filesystem::create_directory(empty);
    STRCMP_EQUAL((none.string() + ": No such file or directory").c_str(),
                 refusal([&] { compare({.golden = file, .ours = none, .allow = {}}); }).c_str());
    STRCMP_EQUAL((empty.string() + ": holds no file of flow records").c_str(),
                 refusal([&] { compare({.golden = empty, .ours = empty, .allow = {}}); }).c_str());
    STRCMP_CONTAINS(
        "a file and a folder cannot be compared",
        refusal([&] { compare({.golden = file, .ours = empty, .allow = {}}); }).c_str());
}

TEST(Compare, two_files_of_one_name_are_refused) {
    folder.write("golden/a.json", web());
    folder.write("golden/a.json.gz", gzipped(web()));
    folder.write("ours/a.json", web());
    STRCMP_CONTAINS("two files of one name", refusal([&] { run_folders(); }).c_str());
}

TEST(Compare, keeps_the_first_ten_differences) {
    std::string flows;
    for (int port = 1; port <= 12; ++port) {
        flows += record("192.0.2.1", std::to_string(port), "192.0.2.2", "80");
    }
    const CompareResult result = run(flows, web());
    LONGS_EQUAL(12, result.flows_golden);
    LONGS_EQUAL(10, result.differences.size());
}

TEST(Compare, the_json_has_the_keys_programs_ask_for) {
    const std::string golden = web(R"(,"n":1,"flow_type":"TLS")");
    const std::string ours = web(R"(,"n":2,"flow_type":"TLS")") + ssh();
    STRCMP_EQUAL(
        R"({"flows_golden":1,"flows_found":1,"labels_equal":1,"records_equal":0,"fields":{)"
        R"("da":{"equal":1,"differ":0},"dp":{"equal":1,"differ":0},"n":{"equal":0,"differ":1},)"
        R"("pr":{"equal":1,"differ":0},"sa":{"equal":1,"differ":0},"sp":{"equal":1,"differ":0},)"
        R"("time_start":{"equal":1,"differ":0}},"flows_extra":1,"records_golden":1,)"
        R"("records_extra":0,"files":1,"fields_extra":{}})",
        compare_json(run(golden, ours)).c_str());
}

TEST(Compare, the_table_tells_what_differs_and_what_was_allowed) {
    const std::string golden = web(R"(,"n":1,"m":1,"flow_type":"TLS")");
    const std::string ours = web(R"(,"n":2,"m":2,"k":0,"flow_type":"TLS")");
    char* text = nullptr;
    size_t size = 0;
    std::FILE* out = open_memstream(&text, &size);
    print_compare(run(golden, ours, {"m"}), out);
    std::fclose(out);
    const std::string table(text, size);
    std::free(text);
    STRCMP_CONTAINS("flows    1 of 1 found, 0 only in OURS\n", table.c_str());
    STRCMP_CONTAINS("labels   1 equal, 0 differ\n", table.c_str());
    STRCMP_CONTAINS("m                             0          1  allowed\n", table.c_str());
    STRCMP_CONTAINS("n                             0          1\n", table.c_str());
    STRCMP_CONTAINS("only in OURS: k (1)\n", table.c_str());
    STRCMP_CONTAINS(
        "golden.json: 192.0.2.1:50000 - 192.0.2.2:443 protocol 6: n\n"
        "      golden 1\n"
        "      ours   2\n",
        table.c_str());
    STRCMP_CONTAINS("\nOURS differs\n", table.c_str());
}

TEST(Compare, foreign_text_cannot_move_the_cursor) {
    STRCMP_EQUAL("?[2Jx?", shown_text("\x1b[2Jx\x7f").c_str());
    STRCMP_EQUAL((std::string(57, 'x') + "...").c_str(), shown_text(std::string(61, 'x')).c_str());
    STRCMP_EQUAL(std::string(60, 'x').c_str(), shown_text(std::string(60, 'x')).c_str());
}
