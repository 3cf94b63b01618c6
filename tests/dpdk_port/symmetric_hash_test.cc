#include "dpdk_port/symmetric_hash.h"

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

uint16_t opened(const char* device) {
    uint16_t port_id = 0;
    if (rte_eth_dev_get_port_by_name(device, &port_id) != 0) {
        CHECK_EQUAL(0, rte_dev_probe(device));
        CHECK_EQUAL(0, rte_eth_dev_get_port_by_name(device, &port_id));
    }
    return port_id;
}

}  // namespace

// net_null remembers a hash as a card does.
TEST_GROUP(SymmetricHash) {
    uint16_t port_id = 0;
    rte_eth_dev_info info{};
    rte_eth_conf wanted{};

    void setup() override {
        port_id = opened("net_null_hash");
        CHECK_EQUAL(0, rte_eth_dev_info_get(port_id, &info));
    }
};

TEST(SymmetricHash, is_found_where_it_was_asked_for) {
    ask_symmetric_hash(info, wanted);
    CHECK_EQUAL(RTE_ETH_MQ_RX_RSS, wanted.rxmode.mq_mode);
    CHECK_EQUAL(40, wanted.rx_adv_conf.rss_conf.rss_key_len);
    CHECK_EQUAL(0, rte_eth_dev_configure(port_id, 2, 0, &wanted));
    rte_eth_dev_rss_hash_update(port_id, &wanted.rx_adv_conf.rss_conf);
    CHECK(has_symmetric_hash(port_id, info));
}

TEST(SymmetricHash, ports_of_udp_do_not_count) {
    ask_symmetric_hash(info, wanted);
    CHECK_EQUAL(0u, wanted.rx_adv_conf.rss_conf.rss_hf & RTE_ETH_RSS_UDP);
}

TEST(SymmetricHash, another_key_is_not_symmetric) {
    ask_symmetric_hash(info, wanted);
    CHECK_EQUAL(0, rte_eth_dev_configure(port_id, 2, 0, &wanted));
    uint8_t key[40] = {1, 2, 3};
    wanted.rx_adv_conf.rss_conf.rss_key = key;
    rte_eth_dev_rss_hash_update(port_id, &wanted.rx_adv_conf.rss_conf);
    CHECK(!has_symmetric_hash(port_id, info));
}

TEST(SymmetricHash, ipv4_alone_is_not_enough) {
    ask_symmetric_hash(info, wanted);
    wanted.rx_adv_conf.rss_conf.rss_hf = RTE_ETH_RSS_IPV4;
    CHECK_EQUAL(0, rte_eth_dev_configure(port_id, 2, 0, &wanted));
    rte_eth_dev_rss_hash_update(port_id, &wanted.rx_adv_conf.rss_conf);
    CHECK(!has_symmetric_hash(port_id, info));
}

TEST(SymmetricHash, a_device_without_hash_is_left_alone) {
    const rte_eth_dev_info none{};
    ask_symmetric_hash(none, wanted);
    CHECK_EQUAL(RTE_ETH_MQ_RX_NONE, wanted.rxmode.mq_mode);
}

}  // namespace curlew::dpdk_port
