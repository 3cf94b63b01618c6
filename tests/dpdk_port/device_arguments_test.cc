#include "dpdk_port/device_arguments.h"

#include <stdexcept>

#include "tests/dpdk_port/captures.h"
#include "tests/probe/capture_files.h"
#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

TEST_GROUP(DeviceArguments) {
    probe::test::CaptureFolder folder;
};

TEST(DeviceArguments, reads_name_and_values) {
    const DeviceArguments device("net_af_xdp0,iface=eth1,queue_count=4");
    CHECK_EQUAL(std::string("net_af_xdp0"), device.name);
    CHECK_EQUAL(1, device.interfaces().size());
    CHECK_EQUAL(std::string("eth1"), device.interfaces().at(0));
    CHECK_EQUAL(4, device.number("queue_count", 1));
    CHECK_EQUAL(1, device.number("start_queue", 1));
    CHECK(device.captures().empty());
    CHECK(!device.is_pci());
}

TEST(DeviceArguments, keeps_the_order_of_the_queues) {
    const DeviceArguments files("net_pcap0,rx_pcap=/a,rx_pcap=/b=c,infinite_rx=1");
    CHECK_EQUAL(2, files.captures().size());
    CHECK_EQUAL(std::string("/a"), files.captures().at(0));
    CHECK_EQUAL(std::string("/b=c"), files.captures().at(1));
    CHECK(files.is_endless());
    const DeviceArguments live("net_pcap0,rx_iface=eth1,rx_iface_in=eth2,infinite_rx=0");
    CHECK_EQUAL(std::string("eth2"), live.interfaces().at(1));
    CHECK(!live.is_endless());
}

TEST(DeviceArguments, tells_pci_addresses) {
    for (const char* address : {"0000:03:00.0", "03:00.1", "10000:e1:1f.7,key=value"}) {
        CHECK(DeviceArguments(address).is_pci());
    }
    for (const char* other :
         {"net_pcap0", "03:00", "3.0", "03:00.8", "0000:zz:00.0", ":00.0", ""}) {
        CHECK(!DeviceArguments(other).is_pci());
    }
}

TEST(DeviceArguments, measures_a_capture) {
    const CaptureSize size = measure_capture(
        folder.write("a",
                     test::capture({{.octets = test::udp_frame(60)},
                                    {.octets = test::udp_frame(900), .wire_octets = 1400}})));
    CHECK_EQUAL(2, size.packets);
    CHECK_EQUAL(1, size.shortened);
    CHECK_EQUAL(900, size.longest_octets);
    CHECK(size.is_ethernet);
    CHECK(!size.is_cut);
    CHECK(!size.is_damaged);
}

TEST(DeviceArguments, tells_a_cut_capture_from_a_damaged_one) {
    const probe::test::Octets whole =
        test::capture({{.octets = test::udp_frame(60)}, {.octets = test::udp_frame(60)}});
    const CaptureSize cut =
        measure_capture(folder.write("cut", probe::test::first(whole, whole.size() - 5)));
    CHECK_EQUAL(1, cut.packets);
    CHECK(cut.is_cut);
    CHECK(!cut.is_damaged);
    probe::test::Octets broken = whole;
    // The captured length of the first packet.
    broken.at(24 + 8 + 3) = 0x7f;
    CHECK(measure_capture(folder.write("broken", broken)).is_damaged);
}

TEST(DeviceArguments, refuses_to_measure_what_is_no_capture) {
    CHECK_THROWS(std::runtime_error, measure_capture(folder.write("no", {1, 2, 3})));
    CHECK_THROWS(std::runtime_error, measure_capture((folder.path() / "missing").string()));
}

}  // namespace curlew::dpdk_port
