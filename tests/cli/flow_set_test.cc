#include "cli/flow_set.h"

#include <string>

#include "tests/cli/flow_files.h"
#include "tests/support/cpputest.h"

using curlew::cli::FlowSet;
using curlew::cli::test::FlowFolder;
using curlew::cli::test::refusal;

namespace {

const char kAnswer[] =
    R"({"sa":"192.0.2.2","sp":53,"da":"192.0.2.1","dp":9,"pr":17,"time_start":2.5})";
const char kQuery[] =
    R"({"sa":"192.0.2.1","sp":9,"da":"192.0.2.2","dp":53,"pr":17,"time_start":1.5,)"
    R"("flow_type":"D"})";
const char kPing[] =
    R"({"sa":"192.0.2.1","sp":null,"da":"192.0.2.2","dp":null,"pr":1,"time_start":1})";

}  // namespace

TEST_GROUP(FlowSet) {
    FlowFolder folder;

    FlowSet read(const std::string& content) {
        return FlowSet(folder.write("a.json", content));
    }
};

TEST(FlowSet, both_directions_are_one_flow_in_order_of_time) {
    const FlowSet set = read(std::string(kAnswer) + "\n\n" + kQuery + "\n");
    LONGS_EQUAL(1, set.flows().size());
    const FlowSet::Flow& flow = set.flows().begin()->second;
    STRCMP_EQUAL("192.0.2.2:53 - 192.0.2.1:9 protocol 17", flow.name.c_str());
    LONGS_EQUAL(2, flow.records.size());
    LONGS_EQUAL(3, flow.records[0].line_number);
    STRCMP_EQUAL("D", flow.records[0].flow_type.value.c_str());
    LONGS_EQUAL(1, flow.records[1].line_number);
    STRCMP_EQUAL((std::string(kAnswer) + "\n").c_str(), flow.records[1].text.c_str());
}

TEST(FlowSet, a_flow_without_ports_is_named_without) {
    const FlowSet set = read(kPing);
    STRCMP_EQUAL("192.0.2.1 - 192.0.2.2 protocol 1", set.flows().begin()->second.name.c_str());
}

TEST(FlowSet, finds_the_flow_of_a_key_of_another_set) {
    const FlowSet set = read(std::string(kQuery) + "\n" + kPing);
    const FlowSet other = read(kAnswer);
    CHECK(set.find(other.flows().begin()->first) != nullptr);
    const FlowSet::Key ping = {{"192.0.2.1", -1}, {"192.0.2.2", -1}, 1};
    CHECK(set.find(ping) != nullptr);
    CHECK(other.find(ping) == nullptr);
}

TEST(FlowSet, records_of_one_time_stay_in_order) {
    const std::string line = kPing;
    const FlowSet set = read(line + "\n" + line + "\n" + line);
    const FlowSet::Flow& flow = set.flows().begin()->second;
    LONGS_EQUAL(1, flow.records[0].line_number);
    LONGS_EQUAL(2, flow.records[1].line_number);
    LONGS_EQUAL(3, flow.records[2].line_number);
}

TEST(FlowSet, a_record_that_is_none_is_named_by_its_line) {
    STRCMP_EQUAL(((folder.path() / "a.json").string() + ":2: the record has no `pr`").c_str(),
                 refusal([&] {
                     read(std::string(kPing) + "\n{\"sa\":\"x\",\"sp\":1,\"da\":\"y\",\"dp\":2}");
                 }).c_str());
}
