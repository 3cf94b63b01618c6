#include "probe/flow_summary.h"

#include <cstring>
#include <vector>

#include "probe/record_image.h"
#include "tests/support/metering.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
namespace proto = curlew::proto;

namespace {

proto::FlowSummary summary_of(const RecordImage& image, const std::vector<uint8_t>& sections) {
    std::vector<uint8_t> octets(sizeof(image));
    std::memcpy(octets.data(), &image, sizeof(image));
    octets.insert(octets.end(), sections.begin(), sections.end());
    proto::FlowSummary summary;
    summary.set_tunnel_id(77);  // left over from another record
    summarize(octets, curlew::tests::test_signatures(), summary);
    return summary;
}

RecordImage image_with_initiator(bool high) {
    RecordImage image{};
    image.hot.key.low_address = {10, 0, 0, 1};
    image.hot.key.high_address = {10, 0, 0, 2};
    image.hot.key.low_port = 100;
    image.hot.key.high_port = 200;
    image.hot.key.ip_version = 4;
    image.hot.packets = {3, 0};
    image.warm.initiator_is_high = high ? 1 : 0;
    image.warm.vlans = {kNoVlan, kNoVlan};
    return image;
}

}  // namespace

TEST_GROUP(FlowSummary){};

TEST(FlowSummary, low_and_high_become_initiator_and_responder) {
    const proto::FlowSummary low = summary_of(image_with_initiator(false), {});
    CHECK_EQUAL(100u, low.initiator_port());
    CHECK_TRUE(low.has_forward());
    CHECK_FALSE(low.has_reverse());
    const proto::FlowSummary high = summary_of(image_with_initiator(true), {});
    CHECK_EQUAL(200u, high.initiator_port());
    CHECK(std::string({10, 0, 0, 2}) == high.initiator_address());
    CHECK_FALSE(high.has_forward());
    CHECK_EQUAL(3u, high.reverse().packets());
}

TEST(FlowSummary, nothing_of_the_record_before_stays) {
    CHECK_EQUAL(0u, summary_of(image_with_initiator(false), {}).tunnel_id());
}

TEST(FlowSummary, the_key_of_a_tunnel_is_told_when_the_list_had_no_room) {
    RecordImage image = image_with_initiator(false);
    image.hot.key.tunnel_id = 6;
    const proto::FlowSummary summary = summary_of(image, {});
    CHECK_EQUAL(1, summary.tunnels_size());
    CHECK_EQUAL(proto::TUNNEL_TYPE_UNSPECIFIED, summary.tunnels(0).type());
    CHECK_EQUAL(5u, summary.tunnels(0).id());
}

TEST(FlowSummary, an_ipv6_address_has_sixteen_octets) {
    RecordImage image = image_with_initiator(false);
    image.hot.key.ip_version = 6;
    CHECK_EQUAL(16u, summary_of(image, {}).initiator_address().size());
}

TEST(FlowSummary, vlans_are_told_outer_first_and_only_when_there) {
    RecordImage image = image_with_initiator(false);
    CHECK_EQUAL(0, summary_of(image, {}).vlan_ids_size());
    image.warm.vlans = {7, kNoVlan};
    CHECK_EQUAL(1, summary_of(image, {}).vlan_ids_size());
    CHECK_EQUAL(7u, summary_of(image, {}).vlan_ids(0));
}
