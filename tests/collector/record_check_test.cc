#include "collector/record_check.h"

#include <string>

#include "collector/dataset_config.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string line(const std::string& start, const std::string& port, const std::string& flow_id) {
    return R"({"sa":"10.0.0.1","da":"10.0.0.2","pr":17,"sp":)" + port +
           R"(,"dp":53,"time_start_ns":)" + start + R"(,"flow_id":")" + flow_id +
           R"(","record":0})";
}

}  // namespace

TEST_GROUP(RecordCheck) {
    RecordCheck records{kCurlewPreset};

    void expect(const char* problem, const std::string& text) {
        STRCMP_EQUAL(problem, records.check(text).c_str());
    }
};

TEST(RecordCheck, lines_in_order_are_right) {
    expect("", line("5", "1", "f"));
    expect("", line("5", "2", "f"));
    expect("", line("5", "2", "f+1"));
    expect("", line("5", "2", "f+1"));
    expect("", line("18446744073709551615", "1", "f"));
    CHECK_EQUAL(5, records.lines());
}

TEST(RecordCheck, time_then_key_then_ordinal_decide) {
    expect("", line("5", "2", "f+10"));
    expect("line 2 is out of order", line("5", "2", "f+9"));
    expect("line 3 is out of order", line("5", "1", "f+9"));
    expect("line 4 is out of order", line("4", "9", "f+9"));
}

TEST(RecordCheck, a_network_is_part_of_the_key) {
    const auto tunnelled = [](const std::string& tunnels) {
        return R"({"tunnel":)" + tunnels + "," + line("5", "2", "f").substr(1);
    };
    expect("", line("5", "2", "f"));
    expect("", tunnelled(R"([{"type":"gre","id":9}])"));
    expect("", tunnelled(R"([{"type":"vxlan","id":0}])"));
    expect("", tunnelled(R"([{"type":"vxlan","id":9},{"type":"geneve","id":5},{"type":"mpls"}])"));
    expect("line 5 is out of order", tunnelled(R"([{"type":"unknown","id":4}])"));
    expect("line 6 is no flow record", tunnelled("5"));
    expect("line 7 is no flow record", tunnelled("[5]"));
    expect("line 8 is no flow record", tunnelled(R"([{"type":"vxlan","id":16777216}])"));
    expect("line 9 is no flow record", tunnelled(R"([{"type":"vxlan","id":"5"}])"));
}

TEST(RecordCheck, what_is_no_json_object_is_told) {
    expect("line 1 is no JSON object", "nonsense");
    expect("line 2 is no JSON object", "[]");
    expect("line 3 is no JSON object", "");
    expect("line 4 is no JSON object", std::string(100'000, '['));
    expect("line 5 is no JSON object", "{\"sa\":\"\xff\"}");
}

TEST(RecordCheck, what_is_no_record_is_told) {
    expect("line 1 is no flow record", "{}");
    expect("line 2 is no flow record", line("-1", "1", "f"));
    expect("line 3 is no flow record", line("1", "65536", "f"));
    expect("line 4 is no flow record", line("1", "\"x\"", "f"));
    expect("line 5 is no flow record", line("1", "1", ""));
    expect("line 6 is no flow record", line("1", "1", "f+x"));
    expect("line 7 is no flow record",
           R"({"sa":"10.0.0.1","da":"::1","pr":1,"time_start_ns":1,"flow_id":"f"})");
    expect("line 8 is no flow record", R"({"sa":5})");
}

TEST(RecordCheck, null_ports_are_those_of_a_protocol_without) {
    expect("",
           R"({"sa":"::1","da":"::2","pr":58,"sp":null,"dp":null,"time_start_ns":1,)"
           R"("flow_id":"f"})");
}

TEST(RecordCheck, records_of_joy_have_no_order_that_could_be_told) {
    RecordCheck joy{kJoyPreset};
    const std::string ends = R"({"sa":"10.0.0.1","da":"10.0.0.2",)";
    const std::string later = ends + R"("pr":1,"sp":null,"dp":null,"time_start":5.1,"packets":[]})";
    const std::string earlier = ends + R"("pr":6,"sp":1,"dp":2,"time_start":4.1,"packets":[]})";
    STRCMP_EQUAL("", joy.check(later).c_str());
    STRCMP_EQUAL("", joy.check(earlier).c_str());
    STRCMP_EQUAL("line 3 is no flow record", joy.check(R"({"sa":"10.0.0.1"})").c_str());
    STRCMP_EQUAL("line 4 is no JSON object", joy.check("[]").c_str());
}

}  // namespace curlew::collector
