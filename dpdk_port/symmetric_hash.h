#pragma once

#include <cstdint>

struct rte_eth_conf;
struct rte_eth_dev_info;

// A hash over several queues that gives both directions of a flow to one of them.

namespace curlew::dpdk_port {

// Asks for it where the device hashes at all.
void ask_symmetric_hash(const rte_eth_dev_info& info, rte_eth_conf& wanted);

// Whether the started device really has it: key and kinds of packets are read back.
bool has_symmetric_hash(uint16_t port_id, const rte_eth_dev_info& info);

}  // namespace curlew::dpdk_port
