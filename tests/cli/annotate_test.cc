#include "cli/annotate.h"

#include <string>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::annotate;
using curlew::cli::AnnotateSummary;
using curlew::cli::UnknownGroup;
using curlew::cli::test::FlowFolder;
using curlew::cli::test::gzipped;
using curlew::cli::test::refusal;
using curlew::cli::test::zstandard;

namespace {

const char kLab[] = R"(
name = "lab"
title = "A lab"
otherwise = "Unknown"

[[rule]]
label = "Gateway \"A\""
dp = 80
in_ttl = 128

[[rule]]
label = "DNS"
sp = 53

[[rule]]
label = "Group"
no_ports = true
da_first = "2"
)";

const char kAny[] = R"(
name = "any"
title = "No device"
)";

// A DNS flow without its flow_type, in the spelling of the published files.
const char kDns[] =
    R"({"ip": {"out": {"ttl": 64}}, "sa": "192.0.2.1", "sp": 53, "da": "192.0.2.2", "dp": 9})";

}  // namespace

TEST_GROUP(Annotate) {
    FlowFolder folder;

    void setup() override {
        folder.write("groups/lab.toml", kLab);
        folder.write("groups/any.toml", kAny);
    }

    AnnotateSummary run(std::vector<std::filesystem::path> inputs,
                        const std::string& group = "lab") {
        return annotate({.inputs = std::move(inputs),
                         .groups_folder = folder.path() / "groups",
                         .group = group,
                         .output = folder.path() / "out"});
    }

    // The file `in.json` with this content, annotated.
    std::string annotated(const std::string& content) {
        std::filesystem::remove_all(folder.path() / "out");
        run({folder.write("in.json", content)});
        return folder.read("out/in.json");
    }

    std::string refused(const std::string& content) {
        const auto path = folder.write("in.json", content);
        std::string sentence = refusal([&] { run({path}); });
        LONGS_EQUAL(0, folder.count("out"));
        const std::string place = path.string() + ":";
        return sentence.starts_with(place) ? sentence.substr(place.size()) : sentence;
    }
};

TEST(Annotate, adds_the_label_as_last_key) {
    STRCMP_EQUAL(
        R"({"ip": {"out": {"ttl": 64}}, "sa": "192.0.2.1", "sp": 53, "da": "192.0.2.2", "dp": 9, )"
        R"("flow_type": "DNS"})"
        "\n",
        annotated(std::string(kDns) + "\n").c_str());
}

TEST(Annotate, spells_the_key_as_the_record_spells_its_own) {
    STRCMP_EQUAL(
        R"({"sa":"192.0.2.1","da":"192.0.2.2","sp":53,"dp":9,"ip":{"out":{"ttl":1}},)"
        R"("flow_type":"DNS"})",
        annotated(R"({"sa":"192.0.2.1","da":"192.0.2.2","sp":53,"dp":9,"ip":{"out":{"ttl":1}}})")
            .c_str());
    STRCMP_EQUAL(
        R"({ "sa" : "x" , "da" : "y" , "sp" : 1 , "ip" : {"out":{"ttl":1}} , "dp" : 2 , )"
        R"("flow_type" : "Unknown" } )",
        annotated(
            R"({ "sa" : "x" , "da" : "y" , "sp" : 1 , "ip" : {"out":{"ttl":1}} , "dp" : 2 } )")
            .c_str());
}

TEST(Annotate, refuses_records_whose_sides_are_not_as_joy_showed_them) {
    STRCMP_CONTAINS(
        "1: the record is of preset curlew",
        refused(R"({"sa":"192.0.2.1","da":"192.0.2.2","sp":9,"dp":53,"flow_id":"1-a"})").c_str());
}

TEST(Annotate, leaves_every_other_octet) {
    const std::string before =
        "{\"a\":1.50E+02,\"\\u0041\":\"\\/"
        "\\ud83d\\ude00\xff\",\"a\":-0,\"n\":123456789012345678901,"
        "\t\"sa\":\"x\",\"sp\":53,\"da\":\"y\",\"dp\":null, \"ip\":{\"out\":{\"ttl\":1}},\"b\":[ ]";
    const std::string settings = "{\"version\":\"3.0.3\", \"end-config\":1}\r\n";
    const std::string after = "}\t\r\n";
    STRCMP_EQUAL((settings + "\n" + before + ", \"flow_type\":\"DNS\"" + after + " \n" + before +
                  ", \"flow_type\":\"DNS\"}")
                     .c_str(),
                 annotated(settings + "\n" + before + after + " \n" + before + "}").c_str());
}

TEST(Annotate, looks_at_ports_text_and_ttl) {
    const std::string start = R"({"sa":"x","ip":{"out":{"ttl":64})";
    STRCMP_CONTAINS(R"("flow_type":"Gateway \"A\"")",
                    annotated(start + R"(,"in":{"ttl":128}},"da":"y","sp":1,"dp":80})").c_str());
    STRCMP_CONTAINS(R"("flow_type":"Unknown")",
                    annotated(start + R"(,"in":{"ttl":127}},"da":"y","sp":1,"dp":80})").c_str());
    STRCMP_CONTAINS(R"("flow_type":"Flow Error")",
                    annotated(start + R"(},"da":"y","sp":1,"dp":80})").c_str());
    STRCMP_CONTAINS(R"("flow_type":"Group")",
                    annotated(start + R"(},"da":"224.0.0.1","sp":null,"dp":null})").c_str());
}

TEST(Annotate, rewrites_a_label_that_stands_last) {
    const std::string before(kDns, sizeof kDns - 2);
    STRCMP_EQUAL((before + R"(, "flow_type":  "DNS" })").c_str(),
                 annotated(before + R"(, "flow_type":  "Old" })").c_str());
    STRCMP_EQUAL((before + R"(, "flow_type": "DNS"})").c_str(),
                 annotated(before + R"(, "flow_type": null})").c_str());
}

TEST(Annotate, refuses_a_label_that_stands_elsewhere) {
    const std::string rest(kDns + 1);
    STRCMP_EQUAL("1: the record has `flow_type`, but not as its last key",
                 refused(R"({"flow_type": "Old", )" + rest).c_str());
    const std::string twice = rest.substr(0, rest.size() - 1) + R"(, "flow_type": "Old"})";
    STRCMP_EQUAL("1: the record has `flow_type`, but not as its last key",
                 refused(R"({"flow_type": "Old", )" + twice).c_str());
}

TEST(Annotate, reads_compressed_files_and_names_the_output_without) {
    const std::string line = std::string(kDns) + "\n";
    const AnnotateSummary summary = run({folder.write("a.json.gz", gzipped(line + line)),
                                         folder.write("b.json.zst", zstandard(line)),
                                         folder.write("c.json", line)});
    LONGS_EQUAL(3, summary.files);
    LONGS_EQUAL(4, summary.records);
    LONGS_EQUAL(1, summary.flow_types.size());
    LONGS_EQUAL(4, summary.flow_types.at("DNS"));
    LONGS_EQUAL(3, folder.count("out"));
    STRCMP_EQUAL(folder.read("out/b.json").c_str(), folder.read("out/c.json").c_str());
    STRCMP_CONTAINS("DNS", folder.read("out/a.json").c_str());
}

TEST(Annotate, a_malformed_line_refuses_the_file_and_leaves_nothing) {
    STRCMP_CONTAINS("3: the line is not a JSON object: column 7",
                    refused(std::string(kDns) + "\n\n{\"sa\":").c_str());
}

TEST(Annotate, only_the_first_object_may_be_without_addresses) {
    STRCMP_EQUAL("2: the record has no text `sa`",
                 refused(std::string(kDns) + "\n{\"version\":\"3.0.3\"}\n").c_str());
    STRCMP_EQUAL("{\"version\":\"3.0.3\"}\n", annotated("{\"version\":\"3.0.3\"}\n").c_str());
}

TEST(Annotate, a_record_without_what_the_rules_need_is_refused) {
    STRCMP_EQUAL("1: the record has no `ip.out.ttl`",
                 refused(R"({"sa":"x","da":"y","sp":1,"dp":2})").c_str());
    STRCMP_EQUAL("1: the record has no `dp`",
                 refused(R"({"sa":"x","da":"y","sp":1,"ip":{"out":{"ttl":1}}})").c_str());
}

TEST(Annotate, a_dataset_of_no_flows_stays_one) {
    STRCMP_EQUAL("", annotated("").c_str());
}

TEST(Annotate, a_file_without_a_json_object_is_refused) {
    STRCMP_EQUAL(" holds no JSON object", refused("\n \n").c_str());
}

TEST(Annotate, a_folder_that_was_made_for_nothing_goes) {
    const auto bad = folder.write("bad.json", "nonsense");
    refusal([&] { run({bad}); });
    CHECK_FALSE(folder.has("out"));
    std::filesystem::create_directory(folder.path() / "out");
    refusal([&] { run({bad}); });
    CHECK(folder.has("out"));
}

TEST(Annotate, files_before_the_refused_one_stay) {
    const auto good = folder.write("good.json", kDns);
    const auto bad = folder.write("bad.json", "nonsense");
    STRCMP_CONTAINS("bad.json:1: ", refusal([&] { run({good, bad}); }).c_str());
    LONGS_EQUAL(1, folder.count("out"));
    CHECK(folder.has("out/good.json"));
}

TEST(Annotate, an_existing_file_is_not_written_over) {
    folder.write("out/in.json", "mine");
    const auto path = folder.write("in.json", kDns);
    STRCMP_EQUAL(
        ((folder.path() / "out/in.json").string() + ": exists and is not written over").c_str(),
        refusal([&] { run({path}); }).c_str());
    STRCMP_EQUAL("mine", folder.read("out/in.json").c_str());
}

TEST(Annotate, two_inputs_of_one_name_are_refused_before_anything_is_written) {
    const auto one = folder.write("one/in.json", kDns);
    const auto two = folder.write("two/in.json.gz", gzipped(kDns));
    STRCMP_CONTAINS("out/in.json: two inputs would be written here", refusal([&] {
                                                                         run({one, two});
                                                                     }).c_str());
    LONGS_EQUAL(0, folder.count("out"));
}

TEST(Annotate, an_unknown_group_is_told_from_other_errors) {
    const auto path = folder.write("in.json", kDns);
    CHECK_THROWS(UnknownGroup, run({path}, "none"));
    CHECK_THROWS(UnknownGroup, run({path}, "../groups/lab"));
    STRCMP_CONTAINS("unknown group none: ", refusal([&] { run({path}, "none"); }).c_str());
    STRCMP_CONTAINS(" has any, lab", refusal([&] { run({path}, "none"); }).c_str());
}

TEST(Annotate, a_group_without_rules_is_refused) {
    const auto path = folder.write("in.json", kDns);
    CHECK_THROWS(UnknownGroup, run({path}, "any"));
    STRCMP_EQUAL("group any has no published rules to annotate by",
                 refusal([&] { run({path}, "any"); }).c_str());
}
