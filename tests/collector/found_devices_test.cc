#include "collector/found_devices.h"

#include <fmt/core.h>

#include "collector/device_file.h"
#include "tests/collector/label_fixture.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

const std::string kDeviceSignatures =
    field_signature("gateway", "mdns.service", ".*[.]_hap[.]_tcp[.]local", "device = 'gateway'") +
    name_signature("cloud", "cloud.example", "service = 'cloud'\ndevice = 'camera'\nsuffix = true");

constexpr const char* kVocabulary =
    "version = 1\n"
    "[[device]]\nword = 'camera'\ndefinition = 'a camera'\nvendors = ['EDIMAX']\n"
    "[[device]]\nword = 'gateway'\ndefinition = 'a gateway'\n";

constexpr const char* kCameraMac = "00:1f:1f:00:00:01";
constexpr const char* kOtherMac = "00:0b:57:00:00:02";
constexpr const char* kRandomMac = "02:00:00:00:00:03";
constexpr AddressSpan kAlways{0, UINT64_MAX};

}  // namespace

TEST_GROUP(FoundDevices) {
    curlew::tests::TemporaryFolder folder;
    std::unique_ptr<signatures::SignatureSet> set;
    std::unique_ptr<signatures::ContentRules> content;
    MacVendors vendors = MacVendors::parse(
        "00-0B-57   (hex)\t\tSilicon Laboratories\r\n"
        "00-1F-1F   (hex)\t\tEdimax Technology Co. Ltd.\r\n");
    signatures::GroupRules group = any_group();
    std::unique_ptr<Devices> devices;

    void setup() override {
        curlew::tests::put_content(folder.path() / "a.toml", kDeviceSignatures);
        curlew::tests::put_content(folder.path() / "vocabulary.toml", kVocabulary);
        set = std::make_unique<signatures::SignatureSet>(
            signatures::SignatureSet::load(folder.path()));
        for (const signatures::Problem& problem : set->problems()) {
            FAIL(to_string(problem).c_str());
        }
        content = std::make_unique<signatures::ContentRules>(*set);
        devices = std::make_unique<Devices>(*content, vendors);
    }

    static FlowFacts asks(const char* mac, const char* address, const char* name) {
        FlowFacts facts = multicast_facts(mac, address);
        facts.facts.push_back({EvidenceKind::name, "dns.question", name, "", 0, 0, false});
        return facts;
    }

    static FlowFacts announces(const char* mac, const char* address, const char* service) {
        FlowFacts facts = multicast_facts(mac, address);
        facts.fields.push_back({EvidenceKind::field, "mdns.service", service, "", 0, 0, false});
        return facts;
    }

    DeviceList list_of(const Devices& from) const {
        return FoundDevices(from, group).of_dataset(kAlways, SIZE_MAX);
    }
    std::vector<Device> described(const Devices& from) const {
        return list_of(from).devices;
    }
    std::vector<Device> found() const {
        return described(*devices);
    }

    std::string word() const {
        const auto all = found();
        CHECK_EQUAL(1, all.size());
        return all[0].device;
    }
};

// DHCP's clients tell addresses of any length up to 16.
TEST(FoundDevices, longer_mac_addresses_are_whole) {
    const std::string front = "02:00:00:00:00:00:00:";
    for (const auto& [mac, address] : {std::pair{front + "02", "10.0.0.1"},
                                       std::pair{front + "01:01", "10.0.0.2"},
                                       std::pair{front + "02", "10.0.0.3"},
                                       std::pair{front + "01:00", "10.0.0.4"},
                                       std::pair{front + "01", "10.0.0.5"}}) {
        devices->add(asks(mac.c_str(), address, "a.example"));
    }
    CHECK_EQUAL(4u, found().size());
}

TEST(FoundDevices, no_mac_address_and_one_of_zeros_are_two) {
    constexpr const char* kZeros = "00:00:00:00:00:00";
    for (const auto& [mac, address] : {std::pair{kZeros, "10.0.0.2"},
                                       std::pair{"", "10.0.0.30"},
                                       std::pair{"", "10.0.0.3"},
                                       std::pair{kZeros, "10.0.0.4"}}) {
        devices->add(asks(mac, address, "a.example"));
    }
    std::vector<std::string> ids;
    for (const Device& device : found()) {
        ids.push_back(device.id);
    }
    CHECK(ids == (std::vector<std::string>{
                     "address-10.0.0.3", "address-10.0.0.30", "mac-00:00:00:00:00:00"}));
}

TEST(FoundDevices, a_dataset_has_those_of_its_time_and_those_that_are_known) {
    group = signatures::GroupRules::parse("name = 'g'\ntitle = 't'\n[roles]\nhub = '10.0.0.7'\n",
                                          "g.toml");
    CHECK(group.problems().empty());
    const auto mac = [](int number) { return fmt::format("00:0b:57:00:00:{:02d}", number); };
    const auto seen = [&](int number, const char* address, uint64_t from_us, uint64_t to_us) {
        FlowFacts facts = multicast_facts(mac(number).c_str(), address, from_us);
        facts.end_us = to_us;
        devices->add(facts);
    };
    seen(1, "10.0.0.1", 1, 9);  // before
    seen(2, "10.0.0.2", 1, 10);
    seen(3, "10.0.0.3", 20, 30);
    seen(4, "10.0.0.4", 21, 30);  // after
    seen(5, "10.0.0.5", 1, 30);
    seen(6, "10.0.0.6", 1, 2);  // and then with another address
    seen(6, "10.0.0.66", 12, 13);
    seen(7, "10.0.0.7", 1, 2);                                                    // has a role
    devices->add(announces(mac(8).c_str(), "10.0.0.8", "Lamp._hap._tcp.local"));  // at 1000
    seen(9, "0.0.0.0", 1, 2);                                                     // has no address
    const auto ids = [this](const AddressSpan& span, size_t most) {
        const DeviceList list = FoundDevices(*devices, group).of_dataset(span, most);
        std::string text = std::to_string(list.found) + ":";
        for (const Device& device : list.devices) {
            text += " " + device.id.substr(device.id.size() - 1);
        }
        return text;
    };
    STRCMP_EQUAL("7: 2 3 5 6 7 8 9", ids({10, 20}, SIZE_MAX).c_str());
    STRCMP_EQUAL("7: 2 7 8", ids({10, 20}, 3).c_str());
    STRCMP_EQUAL("7: 7", ids({10, 20}, 1).c_str());
    STRCMP_EQUAL("9: 1 2 3 4 5 6 7 8 9", ids(kAlways, SIZE_MAX).c_str());
    const FoundDevices all(*devices, group);
    CHECK_EQUAL(2, all.known().size());
    STRCMP_EQUAL("hub", all.known()[0].role.c_str());
    STRCMP_EQUAL("gateway", all.known()[1].device.c_str());
}

TEST(FoundDevices, ids_are_in_order_across_routers) {
    for (const char* mac : {kOtherMac, kCameraMac}) {
        devices->add(multicast_facts(mac, "198.51.100.1"));
        devices->add(multicast_facts(mac, "10.0.0.9"));
        devices->add(multicast_facts(mac, "10.0.0.10"));
    }
    devices->add(multicast_facts(kRandomMac, "10.0.0.1"));
    devices->add(multicast_facts("", "10.0.0.11"));
    std::string ids;
    for (const Device& device : found()) {
        ids += device.id + " ";
    }
    STRCMP_EQUAL(
        "address-10.0.0.10 address-10.0.0.10 address-10.0.0.11 address-10.0.0.9 "
        "address-10.0.0.9 mac-02:00:00:00:00:03 ",
        ids.c_str());
}

TEST(FoundDevices, one_that_announces_itself_is_believed) {
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    STRCMP_EQUAL("gateway", word().c_str());
}

TEST(FoundDevices, names_asked_are_believed_of_the_makers_own_hardware_alone) {
    devices->add(asks(kCameraMac, "10.0.0.7", "www.cloud.example"));
    STRCMP_EQUAL("camera", word().c_str());
}

TEST(FoundDevices, an_app_that_asks_for_the_makers_names_is_no_device) {
    for (const char* mac : {kOtherMac, kRandomMac}) {
        Devices fresh(*content, vendors);
        fresh.add(asks(mac, "10.0.0.7", "www.cloud.example"));
        const auto all = described(fresh);
        CHECK_EQUAL(1, all.size());
        STRCMP_EQUAL("", all[0].device.c_str());
        CHECK_FALSE(all[0].clues.at(0).believed);
    }
}

TEST(FoundDevices, what_a_device_says_outweighs_what_it_asks) {
    for (int i = 0; i < 5; ++i) {
        devices->add(asks(kCameraMac, "10.0.0.7", "www.cloud.example"));
    }
    devices->add(announces(kCameraMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    STRCMP_EQUAL("gateway", word().c_str());
}

TEST(FoundDevices, the_id_stays_when_dhcp_gives_another_address) {
    devices->add(multicast_facts(kCameraMac, "10.0.0.7", 1000));
    devices->add(multicast_facts(kCameraMac, "10.0.0.8", 9000));
    const auto all = found();
    CHECK_EQUAL(1, all.size());
    STRCMP_EQUAL("mac-00:1f:1f:00:00:01", all[0].id.c_str());
    STRCMP_EQUAL("Edimax Technology Co. Ltd.", all[0].vendor.c_str());
    CHECK_EQUAL(2, all[0].addresses.size());
    CHECK_EQUAL(9010, all[0].addresses.at("10.0.0.8").last_us);
}

TEST(FoundDevices, a_random_mac_address_has_no_maker) {
    devices->add(multicast_facts(kRandomMac, "10.0.0.7"));
    const auto all = found();
    CHECK(all.at(0).mac_kind == MacKind::random);
    STRCMP_EQUAL("", all[0].vendor.c_str());
}

TEST(FoundDevices, behind_a_router_each_private_address_is_a_device_and_names_prove_nothing) {
    devices->add(asks(kCameraMac, "10.0.0.7", "www.cloud.example"));
    devices->add(multicast_facts(kCameraMac, "10.0.0.8"));
    devices->add(multicast_facts(kCameraMac, "198.51.100.1"));
    const auto all = found();
    CHECK_EQUAL(2, all.size());
    STRCMP_EQUAL("address-10.0.0.7", all[0].id.c_str());
    CHECK(all[0].mac_kind == MacKind::router);
    STRCMP_EQUAL("", all[0].device.c_str());
}

TEST(FoundDevices, clients_of_dhcp_that_share_a_flow_are_told_apart_by_their_messages) {
    FlowFacts facts = multicast_facts("", "0.0.0.0");
    facts.fields.push_back(
        {EvidenceKind::field, "dhcp.host_name", "GW-1", "", 0, 0, false, kOtherMac});
    facts.fields.push_back(
        {EvidenceKind::field, "dhcp.host_name", "camera", "", 0, 0, false, kCameraMac});
    devices->add(facts);
    const auto all = found();
    CHECK_EQUAL(2, all.size());
    CHECK(all[0].names == std::set<std::string>{"GW-1"});
    CHECK(all[1].names == std::set<std::string>{"camera"});
    CHECK(all[1].addresses.empty());
}

TEST(FoundDevices, what_kind_of_service_it_offers_is_no_name) {
    FlowFacts facts = multicast_facts(kOtherMac, "10.0.0.7");
    for (const char* name : {"_hap._tcp.local", "Lamp._hap._tcp.local", "lamp.local"}) {
        facts.facts.push_back({EvidenceKind::name, "mdns.answer", name, "", 0, 0, false});
    }
    devices->add(facts);
    CHECK(found().at(0).names == (std::set<std::string>{"Lamp._hap._tcp.local", "lamp.local"}));
}

TEST(FoundDevices, the_order_of_flows_does_not_matter) {
    const std::vector<FlowFacts> flows{announces(kOtherMac, "10.0.0.7", "A._hap._tcp.local"),
                                       asks(kCameraMac, "10.0.0.9", "cloud.example"),
                                       multicast_facts(kOtherMac, "10.0.0.8"),
                                       multicast_facts(kCameraMac, "10.0.0.9", 77)};
    Devices other(*content, vendors);
    for (size_t i = 0; i < flows.size(); ++i) {
        devices->add(flows[i]);
        other.add(flows[flows.size() - 1 - i]);
    }
    ManifestOutput one;
    ManifestOutput two;
    for (auto [output, from] : {std::pair(&one, devices.get()), std::pair(&two, &other)}) {
        output->start_object();
        write_devices(*output, list_of(*from));
        output->end_object();
    }
    STRCMP_EQUAL(std::string(one.finish()).c_str(), std::string(two.finish()).c_str());
}

TEST(FoundDevices, what_the_group_tells_wins_and_both_are_kept) {
    group = signatures::GroupRules::parse(
        "name = 'g'\ntitle = 't'\n[roles]\nhub = '10.0.0.7'\n[devices]\nhub = 'camera'\n",
        "g.toml");
    CHECK(group.problems().empty());
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    const auto all = found();
    STRCMP_EQUAL("camera", all.at(0).device.c_str());
    STRCMP_EQUAL("told", all[0].device_source.c_str());
    STRCMP_EQUAL("gateway", all[0].discovered.c_str());
    STRCMP_EQUAL("hub", all[0].role.c_str());
}

TEST(FoundDevices, decided_again_by_the_same_rules_they_are_the_same) {
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    devices->add(asks(kCameraMac, "10.0.0.9", "cloud.example"));
    auto all = found();
    decide_again(*content, group, all);
    STRCMP_EQUAL("gateway", all.at(0).device.c_str());
    STRCMP_EQUAL("camera", all.at(1).device.c_str());
    const signatures::SignatureSet nothing;
    const signatures::ContentRules none(nothing);
    decide_again(none, group, all);
    STRCMP_EQUAL("", all[0].device.c_str());
}

}  // namespace curlew::collector
