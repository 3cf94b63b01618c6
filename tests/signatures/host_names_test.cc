#include "signatures/host_names.h"

#include <string>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::signatures::HostNames;
using curlew::signatures::Signature;
using curlew::signatures::SignatureKind;
using curlew::signatures::SignatureSet;

namespace {

Signature exact(const std::string& name) {
    Signature signature;
    signature.kind = SignatureKind::name;
    signature.pattern = name;
    return signature;
}

Signature suffix(const std::string& name) {
    Signature signature = exact(name);
    signature.suffix = true;
    return signature;
}

constexpr int kNone = 0xffff;

}  // namespace

TEST_GROUP(HostNames) {
    SignatureSet set = SignatureSet::of({exact("www.camera.example"),
                                         suffix("camera.example"),
                                         suffix("deep.camera.example"),
                                         exact("time.example"),
                                         suffix("both.example"),
                                         exact("both.example")});
    HostNames names{set};

    int match(const std::string& name) const {
        return names.match(name);
    }
};

TEST(HostNames, an_exact_name_matches_itself_only) {
    LONGS_EQUAL(3, match("time.example"));
    LONGS_EQUAL(kNone, match("www.time.example"));
    LONGS_EQUAL(kNone, match("time.example.example"));
    LONGS_EQUAL(kNone, match("ime.example"));
    LONGS_EQUAL(kNone, match("example"));
}

TEST(HostNames, a_suffix_matches_itself_and_every_subdomain) {
    LONGS_EQUAL(1, match("camera.example"));
    LONGS_EQUAL(1, match("push.camera.example"));
    LONGS_EQUAL(1, match("a.b.c.camera.example"));
}

TEST(HostNames, a_suffix_matches_whole_labels_only) {
    LONGS_EQUAL(kNone, match("notcamera.example"));
    LONGS_EQUAL(kNone, match("camera.example.evil"));
}

TEST(HostNames, the_longest_name_wins) {
    LONGS_EQUAL(0, match("www.camera.example"));
    LONGS_EQUAL(2, match("x.deep.camera.example"));
    LONGS_EQUAL(2, match("deep.camera.example"));
    LONGS_EQUAL(1, match("x.www.camera.example"));
}

TEST(HostNames, the_exact_name_wins_over_the_same_suffix) {
    LONGS_EQUAL(5, match("both.example"));
    LONGS_EQUAL(4, match("x.both.example"));
}

TEST(HostNames, case_does_not_matter) {
    LONGS_EQUAL(0, match("WWW.Camera.EXAMPLE"));
}

TEST(HostNames, one_dot_at_the_end_is_passed_over) {
    LONGS_EQUAL(3, match("time.example."));
    LONGS_EQUAL(kNone, match("time.example.."));
}

TEST(HostNames, a_name_with_an_empty_label_is_no_name) {
    LONGS_EQUAL(kNone, match(""));
    LONGS_EQUAL(kNone, match("."));
    LONGS_EQUAL(kNone, match(".camera.example"));
    LONGS_EQUAL(kNone, match("x..camera.example"));
    LONGS_EQUAL(kNone, match("camera..example"));
    LONGS_EQUAL(kNone, match(std::string(255, '.')));
}

TEST(HostNames, a_name_longer_than_255_octets_is_no_name) {
    const std::string tail = ".camera.example";
    LONGS_EQUAL(1, match(std::string(255 - tail.size(), 'a') + tail));
    LONGS_EQUAL(kNone, match(std::string(256 - tail.size(), 'a') + tail));
}

TEST(HostNames, a_name_of_128_labels_still_finds_its_suffix) {
    std::string name;
    for (int label = 0; label < 120; ++label) {
        name += "a.";
    }
    LONGS_EQUAL(1, match(name + "camera.example"));
}

TEST(HostNames, any_octet_may_stand_in_a_name_and_is_compared_as_it_is) {
    LONGS_EQUAL(1, match(std::string("\0\xff", 2) + ".camera.example"));
    LONGS_EQUAL(kNone, match(std::string("time\0example", 12)));
    LONGS_EQUAL(kNone,
                match("time\xff"
                      "example"));
}

TEST(HostNames, payload_signatures_are_no_names) {
    Signature payload;
    payload.pattern = "time.example";
    const SignatureSet payloads = SignatureSet::of({payload});
    LONGS_EQUAL(kNone, HostNames(payloads).match("time.example"));
    const SignatureSet nothing = SignatureSet::of({});
    LONGS_EQUAL(kNone, HostNames(nothing).match("time.example"));
}

TEST(HostNames, every_one_of_many_names_is_found) {
    std::vector<Signature> many;
    for (int index = 0; index < 3000; ++index) {
        many.push_back(exact("host-" + std::to_string(index) + ".example"));
    }
    const SignatureSet large = SignatureSet::of(many);
    const HostNames table(large);
    for (int index = 0; index < 3000; ++index) {
        LONGS_EQUAL(index, table.match("host-" + std::to_string(index) + ".example"));
    }
    LONGS_EQUAL(kNone, table.match("host-3000.example"));
}

TEST(HostNames, they_follow_the_rules_for_labels) {
    CHECK(curlew::signatures::is_lower_case_host_name("a"));
    CHECK(curlew::signatures::is_lower_case_host_name("_hap._tcp.local"));
    CHECK(curlew::signatures::is_lower_case_host_name(std::string(63, 'a') + ".example"));
    CHECK(!curlew::signatures::is_lower_case_host_name(std::string(64, 'a') + ".example"));
    CHECK(!curlew::signatures::is_lower_case_host_name(""));
    CHECK(!curlew::signatures::is_lower_case_host_name("."));
    CHECK(!curlew::signatures::is_lower_case_host_name("a."));
    CHECK(!curlew::signatures::is_lower_case_host_name(".a"));
    CHECK(!curlew::signatures::is_lower_case_host_name("a-.b"));
    CHECK(!curlew::signatures::is_lower_case_host_name("a b"));
    std::string longest;
    for (int label = 0; label < 127; ++label) {
        longest += "a.";
    }
    CHECK(curlew::signatures::is_lower_case_host_name(longest + "a"));
    CHECK(!curlew::signatures::is_lower_case_host_name(longest + "aa"));
}
