#include "dpdk_port/symmetric_hash.h"

#include <rte_ethdev.h>

#include <array>
#include <cstddef>
#include <span>

namespace curlew::dpdk_port {

namespace {

// Under a key of equal halves words that change places leave the sum as it is.
constexpr std::array<uint8_t, 2> kHalf{0x6d, 0x5a};
constexpr uint8_t kUsualKeyOctets = 40;
constexpr size_t kLongestKeyOctets = 256;
// UDP by its addresses alone: what a tunnel over UDP has as source port is its sender's choice, and
// not the same for both directions of what is inside.
constexpr uint64_t kKinds = RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_SCTP;
constexpr uint64_t kKindsOfIpv4 = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_OTHER;
constexpr uint64_t kKindsOfIpv6 = RTE_ETH_RSS_IPV6 | RTE_ETH_RSS_NONFRAG_IPV6_OTHER;

using Key = std::array<uint8_t, kLongestKeyOctets>;

consteval Key symmetric_key() {
    Key key{};
    for (size_t i = 0; i < key.size(); ++i) {
        key[i] = kHalf[i % kHalf.size()];
    }
    return key;
}

uint8_t key_octets(const rte_eth_dev_info& info) {
    return info.hash_key_size != 0 ? info.hash_key_size : kUsualKeyOctets;
}

}  // namespace

void ask_symmetric_hash(const rte_eth_dev_info& info, rte_eth_conf& wanted) {
    // DPDK takes no const key, and reads it only.
    static Key key = symmetric_key();
    const uint64_t kinds = info.flow_type_rss_offloads & kKinds;
    if (kinds != 0) {
        wanted.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
        wanted.rx_adv_conf.rss_conf.rss_key = key.data();
        wanted.rx_adv_conf.rss_conf.rss_key_len = key_octets(info);
        wanted.rx_adv_conf.rss_conf.rss_hf = kinds;
    }
}

bool has_symmetric_hash(uint16_t port_id, const rte_eth_dev_info& info) {
    Key key{};
    rte_eth_rss_conf hash{};
    hash.rss_key = key.data();
    hash.rss_key_len = key_octets(info);
    if (rte_eth_dev_rss_hash_conf_get(port_id, &hash) != 0) {
        return false;
    }
    const Key wanted = symmetric_key();
    // A driver that tells of no key, or of another length, has not said what is wanted.
    bool is_wanted = hash.rss_key_len == key_octets(info);
    for (size_t i = 0; i < key_octets(info); ++i) {
        is_wanted = is_wanted && key[i] == wanted[i];
    }
    return is_wanted && (hash.rss_hf & kKindsOfIpv4) != 0 && (hash.rss_hf & kKindsOfIpv6) != 0;
}

}  // namespace curlew::dpdk_port
