#include "dpdk_port/device_access.h"

#include <cerrno>
#include <stdexcept>

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

std::string refusal(const std::string& device) {
    try {
        check_access(DeviceArguments(device));
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "let in";
}

}  // namespace

TEST_GROUP(DeviceAccess){};

TEST(DeviceAccess, finds_an_interface) {
    CHECK(find_interface("lo").index > 0);
    CHECK(find_interface("lo").is_ethernet);
    CHECK_EQUAL(0, find_interface("nothing9").index);
    CHECK_EQUAL(0, find_interface("a-name-that-is-longer-than-any").index);
    CHECK_EQUAL(0, find_interface("").index);
}

TEST(DeviceAccess, finds_an_interface_by_its_index_whatever_it_is_called) {
    const uint32_t lo = find_interface("lo").index;
    CHECK_EQUAL(lo, find_interface("its-old-name", lo).index);
    // Another one of that name, when the first is gone.
    CHECK_EQUAL(lo, find_interface("lo", 0x7fffffff).index);
    CHECK_EQUAL(0u, find_interface("nothing9", 0x7fffffff).index);
}

TEST(DeviceAccess, names_a_missing_interface) {
    CHECK_EQUAL(std::string("net_af_xdp0: no network interface 'nothing9'; 'ip link' lists them"),
                refusal("net_af_xdp0,iface=nothing9"));
}

TEST(DeviceAccess, names_a_missing_capture) {
    CHECK_EQUAL(std::string("net_pcap0: no capture '/nowhere/a.pcap'"),
                refusal("net_pcap0,rx_pcap=/nowhere/a.pcap"));
}

TEST(DeviceAccess, names_a_missing_card) {
    CHECK_EQUAL(std::string("ffff:ff:1f.7: no such PCI device; 'dpdk-devbind.py --status' lists "
                            "them"),
                refusal("ffff:ff:1f.7"));
}

TEST(DeviceAccess, lets_software_in) {
    CHECK_EQUAL(std::string("let in"), refusal("net_null0"));
}

TEST(DeviceAccess, tells_a_misspelt_driver_from_a_misspelt_argument) {
    CHECK(explain_failed_probe(DeviceArguments("net_pacp0"), EFAULT)
              .starts_with("net_pacp0: DPDK has no driver 'net_pacp'; a device is named as in"));
    CHECK(explain_failed_probe(DeviceArguments("net_null0,siez=1"), EPERM)
              .starts_with("net_null0: the driver net_null does not take it; an argument"));
}

TEST(DeviceAccess, says_who_may_have_a_queue) {
    CHECK(explain_failed_start(DeviceArguments("net_af_xdp0,iface=eth1"), EBUSY)
              .starts_with("net_af_xdp0: cannot be started (Device or resource busy); another "
                           "program has XDP on 'eth1'"));
}

}  // namespace curlew::dpdk_port
