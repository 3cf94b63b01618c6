#pragma once

#include <cstdint>
#include <limits>
#include <memory>

struct rte_mempool;

// How many buffers a device's queues get, and how large, out of the memory there is.

namespace curlew::dpdk_port {

// Of each thread in the pool it takes buffers from.
inline constexpr uint32_t kBufferCache = 256;

struct BufferWish {
    uint32_t descriptors = 0;  // of each queue
    uint32_t fewest_descriptors = 0;
    uint16_t buffer_octets = 0;   // headroom included; 0: the usual size
    uint32_t longest_octets = 0;  // a packet of this length must fit into one buffer
    uint64_t held_packets = 0;    // in each queue, for as long as the device is open
    uint32_t queues = 1;
    uint64_t free_octets = std::numeric_limits<uint64_t>::max();
};

struct BufferPlan {
    uint16_t descriptors = 0;    // a power of two
    uint32_t buffers = 0;        // of each queue
    uint16_t buffer_octets = 0;  // headroom included
    bool was_cut = false;        // fewer descriptors than wished, for want of memory
};

BufferPlan plan_buffers(const BufferWish& wish) noexcept;

struct FreePool {
    void operator()(rte_mempool* pool) const noexcept;
};
using Pool = std::unique_ptr<rte_mempool, FreePool>;

// For one queue, on this NUMA node. Null: there is no memory for it.
Pool make_pool(const BufferPlan& plan, int socket, bool is_hardware);

// What DPDK can still give on this NUMA node: without bound where it can ask the system for more.
uint64_t free_memory(int socket) noexcept;

}  // namespace curlew::dpdk_port
