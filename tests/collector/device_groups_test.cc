#include "collector/device_groups.h"

#include "signatures/config_file.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::collector;
namespace fs = std::filesystem;

namespace {

// tests/collector/ is two folders below the project's root.
const fs::path kSignatureFolder = fs::path(CURLEW_SOURCE_ROOT) / "signatures";

std::string octets(std::initializer_list<int> values) {
    std::string out;
    for (const int value : values) {
        out.push_back(static_cast<char>(value));
    }
    return out;
}

curlew::proto::FlowSummary flow(const std::string& initiator, const std::string& responder) {
    curlew::proto::FlowSummary summary;
    summary.set_initiator_address(initiator);
    summary.set_responder_address(responder);
    return summary;
}

}  // namespace

TEST_GROUP(DeviceGroups) {
    CollectorConfig config;
    const std::string other = octets({192, 0, 2, 1});
};

TEST(DeviceGroups, a_record_goes_to_the_first_group_that_has_one_of_its_endpoints) {
    config.groups = {{"ikea-app", {"192.168.1.7"}, {}}, {"normal-user", {"192.168.1.0/24"}, {}}};
    const DeviceGroups groups(config, kSignatureFolder);
    CHECK_EQUAL(3u, groups.size());
    CHECK_EQUAL(0u, groups.group_of(flow(octets({192, 168, 1, 7}), other)));
    CHECK_EQUAL(0u, groups.group_of(flow(octets({192, 168, 1, 8}), octets({192, 168, 1, 7}))));
    CHECK_EQUAL(1u, groups.group_of(flow(other, octets({192, 168, 1, 8}))));
    CHECK_EQUAL(2u, groups.group_of(flow(other, other)));
    STRCMP_EQUAL("any", groups.name(2).c_str());
}

TEST(DeviceGroups, a_device_is_known_by_its_mac_address_too) {
    config.groups = {{"ikea-app", {"44:91:60:00:00:01"}, {}}};
    const DeviceGroups groups(config, kSignatureFolder);
    auto summary = flow(other, other);
    summary.mutable_reverse()->set_source_mac(octets({0x44, 0x91, 0x60, 0, 0, 1}));
    CHECK_EQUAL(0u, groups.group_of(summary));
    summary.mutable_reverse()->set_source_mac(octets({0x44, 0x91, 0x60, 0, 0, 2}));
    CHECK_EQUAL(1u, groups.group_of(summary));
}

TEST(DeviceGroups, prefixes_of_odd_lengths_hold_to_the_bit) {
    config.groups = {{"ikea-app", {"10.0.0.0/9", "2001:db8::/33"}, {}}};
    const DeviceGroups groups(config, kSignatureFolder);
    CHECK_EQUAL(0u, groups.group_of(flow(octets({10, 127, 0, 1}), other)));
    CHECK_EQUAL(1u, groups.group_of(flow(octets({10, 128, 0, 1}), other)));
    std::string six = octets({0x20, 0x01, 0x0d, 0xb8, 0x7f});
    six.resize(16);
    CHECK_EQUAL(0u, groups.group_of(flow(six, other)));
    six[4] = static_cast<char>(0x80);
    CHECK_EQUAL(1u, groups.group_of(flow(six, other)));
}

TEST(DeviceGroups, what_is_wrong_is_told) {
    const auto refuses = [this](GroupConfig group) {
        config.groups = {std::move(group)};
        CHECK_THROWS(curlew::signatures::ConfigError, DeviceGroups(config, kSignatureFolder));
    };
    refuses({"no-such-group", {}, {}});
    refuses({"../groups/any", {}, {}});
    refuses({std::string(300, 'a'), {}, {}});
    refuses({"ikea-app", {"192.168.1"}, {}});
    refuses({"ikea-app", {"192.168.1.1/33"}, {}});
    refuses({"ikea-app", {"44:91:60:00:00:0x"}, {}});
    refuses({"ikea-app", {}, {{"no-such-role", "192.168.1.1"}}});
}
