#include "dpdk_port/buffers.h"

#include <rte_eal.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mbuf_pool_ops.h>
#include <rte_mempool.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <string>

#include "probe/port.h"

namespace curlew::dpdk_port {

namespace {

constexpr uint32_t kFewestDescriptors = 256;
constexpr uint32_t kMostDescriptors = 32768;
// A burst of the longest packets that a driver makes of usual buffers: 65,535 octets each.
constexpr uint32_t kBuffersOfPacket = 32;
constexpr uint32_t kBurstBuffers = uint32_t{probe::kMaximumBurst} * kBuffersOfPacket;
// Of a buffer beside its octets: DPDK's headers, and what rounding takes.
constexpr uint64_t kExtraOctets = 256;

uint64_t octets_of(const BufferPlan& plan, uint32_t queues) {
    return uint64_t{queues} * plan.buffers * (plan.buffer_octets + kExtraOctets);
}

// Twice the descriptors, so that those in flight never starve the queue.
uint32_t buffers_for(uint32_t descriptors, uint64_t held_packets) {
    constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max() / 2;
    const uint64_t held = std::min(held_packets, kMost);
    return static_cast<uint32_t>(2 * uint64_t{descriptors} + kBurstBuffers + 2 * kBufferCache +
                                 held);
}

// Beside the others: only DPDK knows which numbers are taken.
std::string pool_name() {
    static std::atomic<unsigned> number{0};
    return "curlew_" + std::to_string(number++);
}

}  // namespace

BufferPlan plan_buffers(const BufferWish& wish) noexcept {
    constexpr uint32_t kMostOctets = std::numeric_limits<uint16_t>::max();
    const uint32_t longest = std::min(wish.longest_octets + RTE_PKTMBUF_HEADROOM, kMostOctets);
    const uint32_t usual =
        wish.buffer_octets != 0 ? wish.buffer_octets : uint32_t{RTE_MBUF_DEFAULT_BUF_SIZE};
    const uint32_t fewest =
        std::bit_ceil(std::clamp(wish.fewest_descriptors, kFewestDescriptors, kMostDescriptors));
    uint32_t descriptors =
        std::bit_ceil(std::clamp(wish.descriptors, kFewestDescriptors, kMostDescriptors));

    BufferPlan plan;
    plan.buffer_octets = static_cast<uint16_t>(std::max(usual, longest));
    plan.buffers = buffers_for(descriptors, wish.held_packets);
    // A quarter stays for other devices and for DPDK itself.
    while (descriptors > fewest &&
           octets_of(plan, wish.queues) > wish.free_octets - wish.free_octets / 4) {
        descriptors /= 2;
        plan.was_cut = true;
        plan.buffers = buffers_for(descriptors, wish.held_packets);
    }
    plan.descriptors = static_cast<uint16_t>(descriptors);
    return plan;
}

void FreePool::operator()(rte_mempool* pool) const noexcept {
    rte_mempool_free(pool);
}

Pool make_pool(const BufferPlan& plan, int socket, bool is_hardware) {
    // A driver over the kernel takes the pool for one piece, with nothing between the buffers.
    const unsigned flags =
        is_hardware ? 0U : unsigned{RTE_MEMPOOL_F_NO_IOVA_CONTIG | RTE_MEMPOOL_F_NO_SPREAD};
    Pool pool(rte_mempool_create_empty(pool_name().c_str(),
                                       plan.buffers,
                                       unsigned{sizeof(rte_mbuf)} + plan.buffer_octets,
                                       kBufferCache,
                                       sizeof(rte_pktmbuf_pool_private),
                                       socket,
                                       flags));
    if (!pool ||
        rte_mempool_set_ops_byname(pool.get(), rte_mbuf_best_mempool_ops(), nullptr) != 0) {
        return nullptr;
    }
    rte_pktmbuf_pool_private data_room{};
    data_room.mbuf_data_room_size = plan.buffer_octets;
    rte_pktmbuf_pool_init(pool.get(), &data_room);
    if (rte_mempool_populate_default(pool.get()) < 0) {
        return nullptr;
    }
    rte_mempool_obj_iter(pool.get(), rte_pktmbuf_init, nullptr);
    return pool;
}

uint64_t free_memory(int socket) noexcept {
    rte_malloc_socket_stats memory{};
    if (rte_eal_has_hugepages() != 0 ||
        rte_malloc_get_socket_stats(std::max(socket, 0), &memory) != 0) {
        return std::numeric_limits<uint64_t>::max();
    }
    return memory.heap_freesz_bytes;
}

}  // namespace curlew::dpdk_port
