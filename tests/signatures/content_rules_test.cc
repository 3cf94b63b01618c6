#include "signatures/content_rules.h"

#include <stdexcept>

#include "tests/support/cpputest.h"

namespace curlew::signatures {
namespace {

constexpr uint16_t kNoRule = ContentRules::kNone;

std::string signature(const char* id, const std::string& keys) {
    return "[[signature]]\nid = '" + std::string(id) +
           "'\ntitle = 't'\nreference = 'r'\nlabel = 'x'\n" + keys +
           "examples.match = ['a']\nexamples.no_match = ['b']\n";
}

const std::string kSet =
    signature("speaker", "kind = 'field'\nfield = 'ssdp.server'\npattern = '.*Speaker.*'\n") +
    signature("any-server", "kind = 'field'\nfield = 'ssdp.server'\npattern = '(?i)linux.*'\n") +
    signature("path", "kind = 'field'\nfield = 'http.path'\npattern = '/feed'\n") +
    signature("steps", "kind = 'sequence'\ntransport = 'tcp'\npattern = '>1[0-9]<'\n") +
    signature("https", "kind = 'port'\ntransport = 'tcp'\npattern = '443'\n") +
    signature("any-443", "kind = 'port'\npattern = '443'\n") +
    signature("refused", "kind = 'behaviour'\npattern = 'refused'\n");

}  // namespace

TEST_GROUP(ContentRules) {
    SignatureSet set = SignatureSet::parse(kSet, "t.toml");
    ContentRules rules{set};

    void setup() override {
        for (const Problem& problem : set.problems()) {
            FAIL(to_string(problem).c_str());
        }
    }

    std::vector<uint16_t> fields(std::string_view field, std::string_view value) const {
        std::vector<uint16_t> hits;
        rules.fields(field, value, hits);
        return hits;
    }
};

TEST(ContentRules, all_patterns_of_a_field_are_asked_and_no_others) {
    CHECK(fields("ssdp.server", "LINUX Speaker/1") == (std::vector<uint16_t>{0, 1}));
    CHECK(fields("ssdp.server", "/feed").empty());
    CHECK(fields("http.path", "/feed") == (std::vector<uint16_t>{2}));
    CHECK(fields("http.path", "/feed/2").empty());
    CHECK(fields("no.field", "x").empty());
}

TEST(ContentRules, a_value_may_hold_any_octet) {
    CHECK(fields("ssdp.server", std::string("a\0\xff\nSpeaker\n", 12)) ==
          (std::vector<uint16_t>{0}));
}

TEST(ContentRules, a_sequence_is_of_its_transport) {
    std::vector<uint16_t> hits{7};
    rules.sequences(Transport::udp, ">12<3", hits);
    CHECK_EQUAL(1, hits.size());
    rules.sequences(Transport::tcp, ">12<3", hits);
    CHECK(hits == (std::vector<uint16_t>{7, 3}));
}

TEST(ContentRules, a_port_of_the_transport_comes_before_one_of_any) {
    CHECK_EQUAL(4, rules.port(Transport::tcp, 443));
    CHECK_EQUAL(5, rules.port(Transport::udp, 443));
    CHECK_EQUAL(kNoRule, rules.port(Transport::tcp, 444));
}

TEST(ContentRules, ids_and_behaviours_are_found_by_their_word) {
    CHECK_EQUAL(6, rules.behaviour("refused"));
    CHECK_EQUAL(kNoRule, rules.behaviour("empty"));
    CHECK_EQUAL(2, rules.with_id("path"));
    CHECK_EQUAL(kNoRule, rules.with_id("nobody"));
}

TEST(ContentRules, a_pattern_that_is_refused_names_its_signature) {
    const auto bad = SignatureSet::parse(
        signature("open", "kind = 'field'\nfield = 'http.path'\npattern = '('\n"), "t.toml");
    CHECK_THROWS(std::runtime_error, ContentRules{bad});
    CHECK_FALSE(check_content_pattern(bad.signatures()[0]).empty());
    STRCMP_EQUAL("", check_content_pattern(set.signatures()[0]).c_str());
}

}  // namespace curlew::signatures
