#include "collector/devices.h"

#include <fmt/core.h>

#include "collector/device_file.h"
#include "tests/collector/label_fixture.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

const std::string kSignatures =
    field_signature("gateway", "mdns.service", ".*[.]_hap[.]_tcp[.]local", "device = 'gateway'") +
    name_signature("cloud", "cloud.example", "service = 'cloud'\ndevice = 'camera'\nsuffix = true");

constexpr const char* kVocabulary =
    "version = 1\n"
    "[[device]]\nword = 'camera'\ndefinition = 'a camera'\nvendors = ['EDIMAX']\n"
    "[[device]]\nword = 'gateway'\ndefinition = 'a gateway'\n";

constexpr const char* kCameraMac = "00:1f:1f:00:00:01";
constexpr const char* kOtherMac = "00:0b:57:00:00:02";
constexpr const char* kRandomMac = "02:00:00:00:00:03";

}  // namespace

TEST_GROUP(Devices) {
    curlew::tests::TemporaryFolder folder;
    std::unique_ptr<signatures::SignatureSet> set;
    std::unique_ptr<signatures::ContentRules> content;
    MacVendors vendors = MacVendors::parse(
        "00-0B-57   (hex)\t\tSilicon Laboratories\r\n"
        "00-1F-1F   (hex)\t\tEdimax Technology Co. Ltd.\r\n");
    signatures::GroupRules group = any_group();
    std::unique_ptr<Devices> devices;

    void setup() override {
        curlew::tests::put_content(folder.path() / "a.toml", kSignatures);
        curlew::tests::put_content(folder.path() / "vocabulary.toml", kVocabulary);
        set = std::make_unique<signatures::SignatureSet>(
            signatures::SignatureSet::load(folder.path()));
        for (const signatures::Problem& problem : set->problems()) {
            FAIL(to_string(problem).c_str());
        }
        content = std::make_unique<signatures::ContentRules>(*set);
        devices = std::make_unique<Devices>(*content, vendors);
    }

    static FlowFacts flow(const char* mac, const char* address, uint64_t time_us = 1000) {
        FlowFacts facts;
        facts.protocol = 17;
        facts.initiator = address;
        facts.responder = "224.0.0.251";
        facts.initiator_mac = mac;
        facts.flow_start_us = time_us;
        facts.end_us = time_us + 10;
        return facts;
    }

    static FlowFacts asks(const char* mac, const char* address, const char* name) {
        FlowFacts facts = flow(mac, address);
        facts.facts.push_back({EvidenceKind::name, "dns.question", name, "", 0, 0, false});
        return facts;
    }

    static FlowFacts announces(const char* mac, const char* address, const char* service) {
        FlowFacts facts = flow(mac, address);
        facts.fields.push_back({EvidenceKind::field, "mdns.service", service, "", 0, 0, false});
        return facts;
    }

    std::string word() const {
        const auto found = devices->found(group);
        CHECK_EQUAL(1, found.size());
        return found[0].device;
    }
};

TEST(Devices, who_is_silent_for_a_week_is_forgotten) {
    devices->add(flow(kCameraMac, "10.0.0.1", 1000));
    devices->add(flow(kOtherMac, "10.0.0.2", 2000));
    devices->forget_before(1010 + Devices::kRemembered_us);
    CHECK_EQUAL(2, devices->found(group).size());
    devices->forget_before(1011 + Devices::kRemembered_us);
    const std::vector<Device> found = devices->found(group);
    CHECK_EQUAL(1, found.size());
    STRCMP_EQUAL(kOtherMac, found[0].mac.c_str());
}

TEST(Devices, a_dataset_has_those_of_its_time_and_those_that_are_known) {
    const auto told = [](const char* address, const AddressSpan& span) {
        Device device;
        device.id = address;
        device.addresses.emplace(address, span);
        return device;
    };
    std::vector<Device> all{told("before", {1, 9}),
                            told("until", {1, 10}),
                            told("since", {20, 30}),
                            told("after", {21, 30}),
                            told("around", {1, 30}),
                            told("named", {1, 2}),
                            told("role", {1, 2}),
                            told("clue", {1, 2}),
                            told("moved", {1, 2}),
                            {}};
    all[5].names.insert("lamp");
    all[6].role = "gateway";
    all[7].clues.emplace_back();
    all[8].addresses.emplace("then", AddressSpan{12, 13});
    std::string ids;
    for (const Device& device : of_dataset(all, {10, 20})) {
        ids += device.id + " ";
    }
    STRCMP_EQUAL("until since around named role clue moved  ", ids.c_str());
}

TEST(Devices, of_too_many_the_longest_silent_make_room) {
    const auto mac_of = [](size_t number) {
        return fmt::format(
            "00:1f:1f:{:02x}:{:02x}:{:02x}", number >> 16, number >> 8 & 0xff, number & 0xff);
    };
    for (size_t i = 0; i < Devices::kMaximumPresences + 1; ++i) {
        devices->add(flow(mac_of(i).c_str(), "10.0.0.1", 1000 + i));
    }
    CHECK_EQUAL(Devices::kMaximumPresences, devices->found(group).size());
    devices->forget_before(1000);
    const std::vector<Device> found = devices->found(group);
    CHECK_EQUAL(Devices::kMaximumPresences / 2, found.size());
    STRCMP_EQUAL(mac_of(Devices::kMaximumPresences / 2).c_str(), found.front().mac.c_str());
}

TEST(Devices, one_that_announces_itself_is_believed) {
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    STRCMP_EQUAL("gateway", word().c_str());
}

TEST(Devices, names_asked_are_believed_of_the_makers_own_hardware_alone) {
    devices->add(asks(kCameraMac, "10.0.0.7", "www.cloud.example"));
    STRCMP_EQUAL("camera", word().c_str());
}

TEST(Devices, an_app_that_asks_for_the_makers_names_is_no_device) {
    for (const char* mac : {kOtherMac, kRandomMac}) {
        Devices fresh(*content, vendors);
        fresh.add(asks(mac, "10.0.0.7", "www.cloud.example"));
        const auto found = fresh.found(group);
        CHECK_EQUAL(1, found.size());
        STRCMP_EQUAL("", found[0].device.c_str());
        CHECK_FALSE(found[0].clues.at(0).believed);
    }
}

TEST(Devices, what_a_device_says_outweighs_what_it_asks) {
    for (int i = 0; i < 5; ++i) {
        devices->add(asks(kCameraMac, "10.0.0.7", "www.cloud.example"));
    }
    devices->add(announces(kCameraMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    STRCMP_EQUAL("gateway", word().c_str());
}

TEST(Devices, the_id_stays_when_dhcp_gives_another_address) {
    devices->add(flow(kCameraMac, "10.0.0.7", 1000));
    devices->add(flow(kCameraMac, "10.0.0.8", 9000));
    const auto found = devices->found(group);
    CHECK_EQUAL(1, found.size());
    STRCMP_EQUAL("mac-00:1f:1f:00:00:01", found[0].id.c_str());
    STRCMP_EQUAL("Edimax Technology Co. Ltd.", found[0].vendor.c_str());
    CHECK_EQUAL(2, found[0].addresses.size());
    CHECK_EQUAL(9010, found[0].addresses.at("10.0.0.8").last_us);
}

TEST(Devices, a_random_mac_address_has_no_maker) {
    devices->add(flow(kRandomMac, "10.0.0.7"));
    const auto found = devices->found(group);
    CHECK(found.at(0).mac_kind == MacKind::random);
    STRCMP_EQUAL("", found[0].vendor.c_str());
}

TEST(Devices, behind_a_router_each_private_address_is_a_device_and_names_prove_nothing) {
    devices->add(asks(kCameraMac, "10.0.0.7", "www.cloud.example"));
    devices->add(flow(kCameraMac, "10.0.0.8"));
    devices->add(flow(kCameraMac, "198.51.100.1"));
    const auto found = devices->found(group);
    CHECK_EQUAL(2, found.size());
    STRCMP_EQUAL("address-10.0.0.7", found[0].id.c_str());
    CHECK(found[0].mac_kind == MacKind::router);
    STRCMP_EQUAL("", found[0].device.c_str());
}

TEST(Devices, clients_of_dhcp_that_share_a_flow_are_told_apart_by_their_messages) {
    FlowFacts facts = flow("", "0.0.0.0");
    facts.fields.push_back(
        {EvidenceKind::field, "dhcp.host_name", "GW-1", "", 0, 0, false, kOtherMac});
    facts.fields.push_back(
        {EvidenceKind::field, "dhcp.host_name", "camera", "", 0, 0, false, kCameraMac});
    devices->add(facts);
    const auto found = devices->found(group);
    CHECK_EQUAL(2, found.size());
    CHECK(found[0].names == std::set<std::string>{"GW-1"});
    CHECK(found[1].names == std::set<std::string>{"camera"});
    CHECK(found[1].addresses.empty());
}

TEST(Devices, what_kind_of_service_it_offers_is_no_name) {
    FlowFacts facts = flow(kOtherMac, "10.0.0.7");
    for (const char* name : {"_hap._tcp.local", "Lamp._hap._tcp.local", "lamp.local"}) {
        facts.facts.push_back({EvidenceKind::name, "mdns.answer", name, "", 0, 0, false});
    }
    devices->add(facts);
    CHECK(devices->found(group).at(0).names ==
          (std::set<std::string>{"Lamp._hap._tcp.local", "lamp.local"}));
}

TEST(Devices, the_order_of_flows_does_not_matter) {
    const std::vector<FlowFacts> flows{announces(kOtherMac, "10.0.0.7", "A._hap._tcp.local"),
                                       asks(kCameraMac, "10.0.0.9", "cloud.example"),
                                       flow(kOtherMac, "10.0.0.8"),
                                       flow(kCameraMac, "10.0.0.9", 77)};
    Devices other(*content, vendors);
    for (size_t i = 0; i < flows.size(); ++i) {
        devices->add(flows[i]);
        other.add(flows[flows.size() - 1 - i]);
    }
    ManifestOutput one;
    ManifestOutput two;
    for (auto [output, from] : {std::pair(&one, devices.get()), std::pair(&two, &other)}) {
        output->start_object();
        write_devices(*output, from->found(group));
        output->end_object();
    }
    STRCMP_EQUAL(std::string(one.finish()).c_str(), std::string(two.finish()).c_str());
}

TEST(Devices, what_the_group_tells_wins_and_both_are_kept) {
    group = signatures::GroupRules::parse(
        "name = 'g'\ntitle = 't'\n[roles]\nhub = '10.0.0.7'\n[devices]\nhub = 'camera'\n",
        "g.toml");
    CHECK(group.problems().empty());
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    const auto found = devices->found(group);
    STRCMP_EQUAL("camera", found.at(0).device.c_str());
    STRCMP_EQUAL("told", found[0].device_source.c_str());
    STRCMP_EQUAL("gateway", found[0].discovered.c_str());
    STRCMP_EQUAL("hub", found[0].role.c_str());
}

TEST(Devices, decided_again_by_the_same_rules_they_are_the_same) {
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    devices->add(asks(kCameraMac, "10.0.0.9", "cloud.example"));
    auto found = devices->found(group);
    decide_again(*content, group, found);
    STRCMP_EQUAL("gateway", found.at(0).device.c_str());
    STRCMP_EQUAL("camera", found.at(1).device.c_str());
    const signatures::SignatureSet nothing;
    const signatures::ContentRules none(nothing);
    decide_again(none, group, found);
    STRCMP_EQUAL("", found[0].device.c_str());
}

TEST(Devices, a_flow_has_the_word_of_its_initiator_before_its_responders) {
    devices->add(announces(kOtherMac, "10.0.0.7", "Lamp._hap._tcp.local"));
    devices->add(asks(kCameraMac, "10.0.0.9", "cloud.example"));
    const DeviceWords words(devices->found(group));
    FlowFacts facts = flow(kCameraMac, "10.0.0.9");
    facts.responder_mac = kOtherMac;
    STRCMP_EQUAL("camera", words.of(facts).c_str());
    facts.initiator_mac = kRandomMac;
    STRCMP_EQUAL("gateway", words.of(facts).c_str());
    facts.responder_mac.clear();
    facts.responder = "10.0.0.7";
    STRCMP_EQUAL("gateway", words.of(facts).c_str());
    facts.responder = "10.0.0.77";
    STRCMP_EQUAL("", words.of(facts).c_str());
}

}  // namespace curlew::collector
