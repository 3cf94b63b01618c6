#include "dpdk_port/driver_table.h"

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

TEST_GROUP(DriverTable){};

TEST(DriverTable, af_packet_does_not_count_what_it_loses) {
    CHECK(!find_driver("net_af_packet").losses_counted());
    CHECK(find_driver("net_af_packet").is_known);
}

TEST(DriverTable, pcap_and_xdp_count_what_they_lose) {
    CHECK(find_driver("net_pcap").losses_counted());
    CHECK(find_driver("net_af_xdp").losses_counted());
}

TEST(DriverTable, pcap_errors_are_no_packets) {
    CHECK(!find_driver("net_pcap").errors_are_packets);
    CHECK(find_driver("net_af_xdp").errors_are_packets);
}

TEST(DriverTable, xdp_rings_hold_all_frames_of_the_driver) {
    CHECK_EQUAL(2048, find_driver("net_af_xdp").fewest_descriptors);
}

TEST(DriverTable, nothing_is_trusted_of_an_unknown_driver) {
    const Driver driver = find_driver("net_of_tomorrow");
    CHECK(!driver.is_known);
    CHECK(!driver.losses_counted());
    CHECK(!driver.brings_queues);
}

TEST(DriverTable, knows_the_usual_cards) {
    for (const char* name : {"net_ixgbe",
                             "net_i40e",
                             "net_ice",
                             "net_e1000_igb",
                             "net_igc",
                             "mlx5_pci",
                             "net_bnxt",
                             "net_ena",
                             "net_vmxnet3"}) {
        CHECK(find_driver(name).losses_counted());
        CHECK(find_driver(name).kind == DriverKind::hardware);
    }
    CHECK(!find_driver("net_virtio").losses_counted());
}

}  // namespace curlew::dpdk_port
