#include "collector/label_fields.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string written(const Label& label) {
    JsonLine json;
    json.clear();
    json.start_object();
    write_label(json, label, "any-1");
    json.end_object();
    return std::string(json.finish());
}

}  // namespace

TEST_GROUP(LabelFields){};

TEST(LabelFields, a_label_without_evidence_says_so) {
    STRCMP_EQUAL(
        R"({"label":{"type":"unknown","protocol":"","service":"","activity":"","device":"",)"
        R"("evidence":[{"kind":"none"}],)"
        R"("confidence":"guess","ruleset":"any-1"}})"
        "\n",
        written({"unknown", "", "", "", "", "guess", {}, {}}).c_str());
}

TEST(LabelFields, places_stand_where_there_are_some) {
    Label label{"tls", "tls", "logs", "report", "gateway", "certain", {}, {}};
    label.evidence = {{EvidenceKind::payload, "payload", "", "tls-client-hello", 2, 11, true},
                      {EvidenceKind::name_by_dns, "dns.answer", "a.example", "logs", 0, 0, false}};
    STRCMP_EQUAL(R"({"label":{"type":"tls","protocol":"tls","service":"logs","activity":"report",)"
                 R"("device":"gateway","evidence":[{"kind":"payload","field":"payload","value":"",)"
                 R"("signature":"tls-client-hello","packet":2,"offset":11,"dir":"<"},)"
                 R"({"kind":"name-by-dns","field":"dns.answer","value":"a.example",)"
                 R"("signature":"logs","dir":">"}],"confidence":"certain","ruleset":"any-1"}})"
                 "\n",
                 written(label).c_str());
}

}  // namespace curlew::collector
