#include "probe/http2_cutter.h"

#include <string>

// After everything else: it takes CppUTest's macros with it.
#include "tests/probe/cutter_fixture.h"
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

const Octets kPreface = text("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
const Octets kSettings = from_hex("000006 04 00 00000000 0003 00000064");
const Octets kHeaders = from_hex("000003 01 04 0000000f 838684");
const Octets kQuestion = from_hex("0000 0100 0001 0000 0000 0000 0161 00 0001 0001");
const Octets kData = joined(from_hex("000013 00 01 0000000f"), kQuestion);

std::string of(const Octets& message) {
    return "[" + std::string(message.begin(), message.end()) + "]";
}

}  // namespace

TEST_GROUP_BASE(Http2Cutter, CutDirection){};

TEST(Http2Cutter, dns_is_kept_from_frames_of_data) {
    cut(joined(kPreface, kSettings));
    cut(joined(kHeaders, kData));
    cut(kData);
    CHECK(messages() == of(kQuestion) + of(kQuestion));
}

TEST(Http2Cutter, a_server_begins_with_its_settings) {
    cut(kSettings);
    cut(joined(joined(kHeaders, kData), kData));
    CHECK(messages() == of(kQuestion) + of(kQuestion));
}

TEST(Http2Cutter, frames_may_come_octet_by_octet) {
    cut_singly(joined(joined(kPreface, kSettings), joined(kHeaders, kData)));
    CHECK(messages() == of(kQuestion));
}

TEST(Http2Cutter, other_data_are_passed_over) {
    cut(joined(kPreface,
               joined(from_hex("00001a 00 00 00000001"), text("<!DOCTYPE html><html></htm"))));
    cut(from_hex("000000 00 01 00000001"));
    cut(joined(from_hex("000012 00 08 00000001"), Octets(18, 0)));
    CHECK_EQUAL(0u, pieces.octets);
    cut(kData);
    CHECK(messages() == of(kQuestion));
}

TEST(Http2Cutter, what_has_no_type_of_frame_is_something_else) {
    cut(joined(kSettings, text("and now for something")));
    CHECK(side.step == CutStep::off);
}

TEST(Http2Cutter, a_hole_ends_a_message) {
    cut(joined(kSettings, kData));
    cut(Octets(kData.begin(), kData.end() - 2));
    cut(kData, true);
    CHECK(messages() ==
          of(kQuestion) + "[" + std::string(kQuestion.begin(), kQuestion.end() - 2) + "!]");
    CHECK(side.step == CutStep::front);
}
