#include "collector/devices.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "tests/collector/label_fixture.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

std::string camera_mac(size_t number) {
    return fmt::format(
        "00:1f:1f:{:02x}:{:02x}:{:02x}", number >> 16, number >> 8 & 0xff, number & 0xff);
}

}  // namespace

TEST_GROUP(Devices) {
    signatures::SignatureSet set;
    signatures::ContentRules content{set};
    MacVendors vendors;
    Devices devices{content, vendors};

    bool has(const std::string& mac) const {
        const std::string octets = mac_octets(mac);
        return std::any_of(
            devices.presences().begin(), devices.presences().end(), [&](const auto& presence) {
                return presence.first.compare(1, octets.size(), octets) == 0;
            });
    }
};

// As the registry is, in pieces too: lines of several kinds, longer than one reading takes.
TEST(Devices, a_maker_has_the_first_name_of_the_registry) {
    std::string text = "OUI/MA-L\t\tOrganization (company)\r\n";
    constexpr unsigned kMakers = 9000;
    for (unsigned maker = kMakers; maker-- > 0;) {
        const std::string letters = fmt::format("00-{:02X}-{:02X}", maker >> 8, maker & 0xff);
        text += fmt::format("{}   (hex)\t\tMaker {} (Zug)\r\n", letters, maker);
        text +=
            fmt::format("{:06X}     (base 16)\t\tMaker {}\r\n\t\t\t\tCity\r\n\r\n", maker, maker);
    }
    text += "00-00-07   (hex)\t\tLater\r\n00-FF-GG   (hex)\t\tNone\r\n FF-FF-FF   (hex)\t\tLast";
    CHECK(text.size() > 4 * (size_t{128} << 10));
    const tests::TemporaryFolder folder;
    tests::put_content(folder.path() / "oui.txt", text);
    for (const MacVendors& read :
         {MacVendors::parse(text), MacVendors::load(folder.path() / "oui.txt")}) {
        for (unsigned maker = 0; maker < kMakers; ++maker) {
            STRCMP_EQUAL(
                fmt::format("Maker {} (Zug)", maker).c_str(),
                read.vendor(fmt::format("00:{:02x}:{:02x}:01:02:03", maker >> 8, maker & 0xff))
                    .c_str());
        }
        STRCMP_EQUAL("Last", read.vendor("ff:ff:ff:00:00:00").c_str());
        STRCMP_EQUAL("", read.vendor("00:ff:00:00:00:00").c_str());
        STRCMP_EQUAL("", read.vendor("").c_str());
    }
    CHECK(MacVendors::load(folder.path() / "none").empty());
}

TEST(Devices, who_is_silent_for_a_week_is_forgotten) {
    devices.add(multicast_facts(camera_mac(1), "10.0.0.1", 1000));
    devices.add(multicast_facts(camera_mac(2), "10.0.0.2", 2000));
    devices.forget_before(1010 + Devices::kRemembered_us);
    CHECK_EQUAL(2, devices.presences().size());
    devices.forget_before(1011 + Devices::kRemembered_us);
    CHECK_EQUAL(1, devices.presences().size());
    CHECK(has(camera_mac(2)));
}

TEST(Devices, of_too_many_the_longest_silent_make_room) {
    for (size_t i = 0; i < Devices::kMaximumPresences + 1; ++i) {
        devices.add(multicast_facts(camera_mac(i), "10.0.0.1", 1000 + i));
    }
    CHECK_EQUAL(Devices::kMaximumPresences, devices.presences().size());
    devices.forget_before(1000);
    CHECK_EQUAL(Devices::kMaximumPresences / 2, devices.presences().size());
    CHECK(has(camera_mac(Devices::kMaximumPresences / 2)));
    CHECK_FALSE(has(camera_mac(Devices::kMaximumPresences / 2 - 1)));
}

// Which are looked at, and what is kept of each, does not depend on who came first.
TEST(Devices, of_too_many_at_once_the_same_stay_whatever_the_order) {
    std::vector<size_t> numbers(Devices::kMaximumPresences + 50);
    std::iota(numbers.begin(), numbers.end(), 0);
    std::string before;
    for (const bool again : {false, true}) {
        Devices some(content, vendors);
        for (const size_t number : numbers) {
            FlowFacts facts = multicast_facts(
                camera_mac(number % (numbers.size() - 50)), "10.0.0.1", 1000 + number);
            if (number % 1000 < 40) {
                facts.initiator_mac = camera_mac(number - number % 1000);
                facts.facts.push_back({EvidenceKind::name,
                                       "mdns.answer",
                                       fmt::format("n{}.local", number),
                                       "",
                                       0,
                                       0,
                                       false});
            }
            some.add(facts);
        }
        std::map<std::string, Devices::Presence> sorted(some.presences().begin(),
                                                        some.presences().end());
        std::string all;
        for (const auto& [key, presence] : sorted) {
            all += fmt::format("{}:{}-{}", key, presence.span.first_us, presence.span.last_us);
            for (const std::string& name : presence.names) {
                all += " " + name;
            }
        }
        CHECK(all.find(" n") != std::string::npos);
        CHECK(!again || all == before);
        before = all;
        std::reverse(numbers.begin(), numbers.end());
    }
}

TEST(Devices, a_flow_has_the_word_of_its_initiator_before_its_responders) {
    Device camera;
    camera.mac = camera_mac(1);
    camera.device = "camera";
    Device gateway;
    gateway.mac = "00:0b:57:00:00:02";
    gateway.device = "gateway";
    gateway.addresses.emplace("10.0.0.7", AddressSpan{});
    const DeviceWords words({camera, gateway});
    FlowFacts facts = multicast_facts(camera.mac, "10.0.0.9", 1000);
    facts.responder_mac = gateway.mac;
    STRCMP_EQUAL("camera", words.of(facts).c_str());
    facts.initiator_mac = "02:00:00:00:00:03";
    STRCMP_EQUAL("gateway", words.of(facts).c_str());
    facts.responder_mac.clear();
    facts.responder = "10.0.0.7";
    STRCMP_EQUAL("gateway", words.of(facts).c_str());
    facts.responder = "10.0.0.77";
    STRCMP_EQUAL("", words.of(facts).c_str());
}

}  // namespace curlew::collector
