#include "collector/device_file.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::vector<Device> two_devices() {
    Device lamp;
    lamp.id = "mac-00:0b:57:00:00:02";
    lamp.mac = "00:0b:57:00:00:02";
    lamp.mac_kind = MacKind::universal;
    lamp.vendor = "Silicon Laboratories";
    lamp.addresses = {{"10.0.0.7", {1, 2}}, {"fe80::1", {3, 4}}};
    lamp.names = {"Lamp \"one\""};
    lamp.device = "lamp";
    lamp.device_source = "discovered";
    const Fact fact{EvidenceKind::field, "mdns.service", "Lamp", "lamp-mdns", 0, 0, false};
    lamp.clues = {{"lamp", fact, 3, true}};
    Device other;
    other.id = "address-10.0.0.9";
    return {lamp, other};
}

std::string manifest_with(const DeviceList& list) {
    ManifestOutput json;
    json.start_object();
    json.number("schema", uint64_t{1});
    write_devices(json, list);
    json.end_object();
    return std::string(json.finish());
}

}  // namespace

TEST_GROUP(DeviceFile){};

TEST(DeviceFile, a_list_has_an_end_by_octets_too) {
    DeviceList list{std::vector<Device>(2'000, two_devices()[0]), 2'000};
    for (size_t i = 0; i < 64; ++i) {
        for (Device& device : list.devices) {
            device.names.insert(std::string(200, 'a') + std::to_string(i));
        }
    }
    const std::string manifest = manifest_with(list);
    CHECK(manifest.size() > kMaximumListedOctets);
    CHECK(manifest.size() < kMaximumListedOctets + 100'000);
    const auto read = parse_device_file(*device_file_of(manifest));
    CHECK(read.has_value());
    CHECK(read->size() > 100);
    STRCMP_CONTAINS("\"devices_found\": 2000,", manifest.substr(0, 200).c_str());
}

TEST(DeviceFile, is_the_manifests_list_and_is_read_back) {
    const auto file = device_file_of(manifest_with({two_devices(), 2}));
    CHECK(file.has_value());
    STRCMP_CONTAINS("\"signature\": \"lamp-mdns\",\n          \"flows\": 3,", file->c_str());
    const auto read = parse_device_file(*file);
    CHECK(read.has_value());
    CHECK_EQUAL(2, read->size());
    STRCMP_EQUAL("lamp", read->at(0).device.c_str());
    STRCMP_EQUAL("00:0b:57:00:00:02", read->at(0).mac.c_str());
    CHECK(read->at(0).addresses.contains("fe80::1"));
    STRCMP_EQUAL("", read->at(1).device.c_str());
    CHECK(read->at(0).mac_kind == MacKind::universal);
    CHECK_EQUAL(1, read->at(0).clues.size());
    STRCMP_EQUAL("lamp-mdns", read->at(0).clues[0].fact.signature.c_str());
    CHECK_EQUAL(3, read->at(0).clues[0].flows);
}

TEST(DeviceFile, a_manifest_without_devices_has_none) {
    CHECK_FALSE(device_file_of("{\"schema\":1}").has_value());
    CHECK_FALSE(device_file_of("{").has_value());
}

TEST(DeviceFile, what_is_no_device_file_is_refused) {
    for (const char* text : {"",
                             "{}",
                             "[1]",
                             "{\"devices\":{}}",
                             "{\"devices\":[1]}",
                             "{\"devices\":[{\"id\":\"a\"}]}",
                             "{\"devices\":[{\"addresses\":[7]}]}"}) {
        CHECK_FALSE(parse_device_file(text).has_value());
    }
}

TEST(DeviceFile, devices_that_are_not_listed_are_counted) {
    const std::string manifest = manifest_with({two_devices(), 10'001});
    STRCMP_CONTAINS("\"devices_found\": 10001,", manifest.c_str());
    CHECK_EQUAL(2, parse_device_file(manifest)->size());
}

}  // namespace curlew::collector
