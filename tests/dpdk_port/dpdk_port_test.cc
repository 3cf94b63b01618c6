#include "dpdk_port/dpdk_port.h"

#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>
#include <rte_mempool.h>
#include <rte_ring.h>

#include <cstring>
#include <thread>

#include "tests/dpdk_port/captures.h"
#include "tests/dpdk_port/test_eal.h"
#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

using probe::kMaximumBurst;
using probe::PacketView;
using probe::PortState;
using test::Octets;

constexpr unsigned kPackets = 255;

// A device over a ring of the test's own: what is put in comes out of the port. One for all tests,
// since DPDK does not take rings back.
struct RingDevice {
    RingDevice()
        : pool(rte_pktmbuf_pool_create("ring_test", kPackets, 0, 0, 2176, 0)),
          ring(rte_ring_create("ring_test", 256, 0, RING_F_SP_ENQ | RING_F_SC_DEQ)) {
        const int made = rte_eth_from_rings("port_test", &ring, 1, &ring, 1, 0);
        CHECK(made >= 0);
        port_id = static_cast<uint16_t>(made);
        const rte_eth_conf plain{};
        CHECK_EQUAL(0, rte_eth_dev_configure(port_id, 1, 0, &plain));
        CHECK_EQUAL(0, rte_eth_rx_queue_setup(port_id, 0, 256, 0, nullptr, pool));
        CHECK_EQUAL(0, rte_eth_dev_start(port_id));
        rte_mbuf_dyn_rx_timestamp_register(&time_offset, &time_flag);
    }

    rte_mempool* pool;
    rte_ring* ring;
    uint16_t port_id = 0;
    int time_offset = -1;
    uint64_t time_flag = 0;
};

RingDevice& device() {
    static RingDevice device;
    return device;
}

bool wants_long(std::span<const probe::BpfInstruction>, const PacketView& packet) noexcept {
    return packet.wire_octets > 100;
}

constexpr probe::BpfInstruction kAny{};

constexpr uint64_t kStart = 1'700'000'000'000'000'000;
constexpr int64_t kHour = 3'600'000'000'000;
LineClock::Reading test_clocks;

LineClock::Reading read_test_clocks() noexcept {
    return test_clocks;
}

}  // namespace

TEST_GROUP(DpdkPort) {
    std::atomic<bool> is_removed = false;
    std::array<PacketView, kMaximumBurst> burst;
    DpdkPortConfig config;

    void setup() override {
        config.device = "net_ring_test";
        config.port_id = device().port_id;
        config.time_offset = device().time_offset;
        config.time_flag = device().time_flag;
        config.is_removed = &is_removed;
    }
    void teardown() override {
        CHECK_EQUAL(kPackets, rte_mempool_avail_count(device().pool));
    }

    rte_mbuf* buffer_of(const Octets& octets) const {
        rte_mbuf* const packet = rte_pktmbuf_alloc(device().pool);
        const auto length = static_cast<uint16_t>(octets.size());
        std::memcpy(rte_pktmbuf_append(packet, length), octets.data(), octets.size());
        return packet;
    }
    void send(rte_mbuf * packet) const {
        CHECK_EQUAL(0, rte_ring_enqueue(device().ring, packet));
    }
    void send_stamped(uint64_t stamp) const {
        rte_mbuf* const packet = buffer_of(test::udp_frame(60));
        *RTE_MBUF_DYNFIELD(packet, device().time_offset, rte_mbuf_timestamp_t*) = stamp;
        packet->ol_flags |= device().time_flag;
        send(packet);
    }
};

TEST(DpdkPort, hands_out_what_came) {
    DpdkPort port(config);
    const Octets octets = test::udp_frame(300);
    send(buffer_of(octets));
    CHECK_EQUAL(1, port.receive(burst));
    CHECK_EQUAL(300, burst[0].captured_octets);
    CHECK_EQUAL(300, burst[0].wire_octets);
    CHECK(burst[0].link == probe::LinkType::ethernet);
    MEMCMP_EQUAL(octets.data(), burst[0].data, octets.size());
    port.release();
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::running);
    CHECK_EQUAL(1, port.counters().packets_offered);
    CHECK_EQUAL(300, port.counters().octets_offered);
    CHECK(port.progress() < 0);
}

TEST(DpdkPort, takes_no_more_than_a_burst) {
    DpdkPort port(config);
    for (int i = 0; i < 70; ++i) {
        send(buffer_of(test::udp_frame(60)));
    }
    CHECK_EQUAL(64, port.receive(burst));
    port.release();
    CHECK_EQUAL(6, port.receive(burst));
    port.release();
}

TEST(DpdkPort, a_port_that_goes_gives_its_burst_back) {
    DpdkPort port(config);
    send(buffer_of(test::udp_frame(60)));
    CHECK_EQUAL(1, port.receive(burst));
}

TEST(DpdkPort, counts_what_the_filter_does_not_want) {
    config.filter = {.instructions = {&kAny, 1}, .matches = wants_long};
    DpdkPort port(config);
    for (const size_t length : {60, 300, 60, 500, 61}) {
        send(buffer_of(test::udp_frame(length)));
    }
    CHECK_EQUAL(2, port.receive(burst));
    CHECK_EQUAL(300, burst[0].wire_octets);
    CHECK_EQUAL(500, burst[1].wire_octets);
    port.release();
    CHECK_EQUAL(5, port.counters().packets_offered);
    CHECK_EQUAL(3, port.counters().packets_filtered);
    CHECK_EQUAL(60 + 300 + 60 + 500 + 61, port.counters().octets_offered);
}

TEST(DpdkPort, copies_chains_into_one_piece) {
    DpdkPort port(config);
    const Octets octets = test::udp_frame(5000);
    for (int packet = 0; packet < 2; ++packet) {
        rte_mbuf* const chain = buffer_of(probe::test::first(octets, 2000));
        for (const size_t start : {size_t{2000}, size_t{4000}}) {
            const size_t end = std::min<size_t>(start + 2000, octets.size());
            rte_pktmbuf_chain(chain,
                              buffer_of(Octets(octets.begin() + static_cast<ptrdiff_t>(start),
                                               octets.begin() + static_cast<ptrdiff_t>(end))));
        }
        send(chain);
    }
    CHECK_EQUAL(2, port.receive(burst));
    for (size_t i = 0; i < 2; ++i) {
        CHECK_EQUAL(5000, burst[i].captured_octets);
        MEMCMP_EQUAL(octets.data(), burst[i].data, octets.size());
    }
    port.release();
}

TEST(DpdkPort, a_chain_shorter_than_it_says_is_read_as_far_as_it_goes) {
    DpdkPort port(config);
    rte_mbuf* const chain = buffer_of(test::udp_frame(100));
    rte_pktmbuf_chain(chain, buffer_of(Octets(50, 7)));
    chain->pkt_len = 262'144;
    send(chain);
    CHECK_EQUAL(1, port.receive(burst));
    CHECK_EQUAL(150, burst[0].captured_octets);
    CHECK_EQUAL(262'144, burst[0].wire_octets);
    port.release();
}

TEST(DpdkPort, kernel_stamps_are_microseconds) {
    config.stamp = Stamp::kernel_microseconds;
    config.is_live = false;
    DpdkPort port(config);
    send_stamped(1'700'000'000'123'456);
    CHECK_EQUAL(1, port.receive(burst));
    CHECK_EQUAL(1'700'000'000'123'456'000, burst[0].time_ns);
    port.release();
    CHECK_EQUAL(1'700'000'000'123'456'000, port.now_ns());
    CHECK(!port.is_live());
}

TEST(DpdkPort, stamps_beyond_any_clock_are_bounded) {
    config.stamp = Stamp::kernel_microseconds;
    config.is_live = false;
    DpdkPort port(config);
    send_stamped(~uint64_t{0} >> 1);
    send_stamped(~uint64_t{0} - 5'000'000);
    CHECK_EQUAL(2, port.receive(burst));
    CHECK(burst[0].time_ns <= uint64_t{1} << 62);
    CHECK(burst[0].time_ns > uint64_t{1} << 61);
    CHECK(burst[1].time_ns <= uint64_t{1} << 62);
    port.release();
}

TEST(DpdkPort, a_captures_seconds_have_no_sign) {
    // 19 January 2038 and the last of all, as libpcap tells them: a signed number of 32 bits.
    config.stamp = Stamp::kernel_microseconds;
    for (const bool is_live : {false, true}) {
        config.is_live = is_live;
        DpdkPort port(config);
        send_stamped(static_cast<uint64_t>(-2'147'483'648'000'000 + 7));
        send_stamped(static_cast<uint64_t>(-1'000'000 + 999'999));
        CHECK_EQUAL(2, port.receive(burst));
        CHECK_EQUAL(!is_live, burst[0].time_ns == 2'147'483'648'000'007'000);
        CHECK_EQUAL(!is_live, burst[1].time_ns == 4'294'967'295'999'999'000);
        port.release();
    }
}

TEST(DpdkPort, who_sets_the_systems_clock_changes_no_packets_time) {
    config.stamp = Stamp::kernel_microseconds;
    config.is_live = true;
    config.line_clock = LineClock({kStart, 5}, read_test_clocks);
    test_clocks = {kStart, 5};
    DpdkPort port(config);
    uint64_t time_ns = kStart;
    for (const int64_t step : {int64_t{0}, kHour, -24 * kHour, 25 * kHour}) {
        // The kernel has stamped one before the step, and one after it.
        send_stamped(test_clocks.wall_ns / 1000);
        test_clocks.wall_ns += static_cast<uint64_t>(step) + 1'000'000'000;
        test_clocks.steady_ns += 1'000'000'000;
        send_stamped(test_clocks.wall_ns / 1000);
        CHECK_EQUAL(2, port.receive(burst));
        CHECK_EQUAL(time_ns, burst[0].time_ns);
        time_ns += 1'000'000'000;
        CHECK_EQUAL(time_ns, burst[1].time_ns);
        port.release();
        CHECK_EQUAL(time_ns, port.now_ns());
    }
    const probe::ClockSteps steps = port.clock_steps();
    CHECK_EQUAL(3, steps.count);
    CHECK_EQUAL(kStart + 2'000'000'000, steps.steps[0].at_ns);
    CHECK_EQUAL(kHour, steps.steps[0].by_ns);
    CHECK_EQUAL(-24 * kHour, steps.steps[1].by_ns);
}

TEST(DpdkPort, device_stamps_are_ticks_of_its_clock) {
    config.stamp = Stamp::device;
    config.clock = DeviceClock({1000, 5'000'000}, {2000, 5'002'000});
    DpdkPort port(config);
    send_stamped(3000);
    CHECK_EQUAL(1, port.receive(burst));
    CHECK_EQUAL(5'004'000, burst[0].time_ns);
    port.release();
}

TEST(DpdkPort, packets_without_a_stamp_have_the_bursts_time) {
    config.stamp = Stamp::device;
    config.clock = DeviceClock({1000, 5'000'000}, {2000, 5'002'000});
    DpdkPort port(config);
    const uint64_t before = port.now_ns();
    send(buffer_of(test::udp_frame(60)));
    send(buffer_of(test::udp_frame(60)));
    CHECK_EQUAL(2, port.receive(burst));
    CHECK(burst[0].time_ns >= before);
    CHECK_EQUAL(burst[0].time_ns, burst[1].time_ns);
    CHECK(port.now_ns() >= burst[1].time_ns);
    port.release();
}

TEST(DpdkPort, a_device_that_was_taken_out_is_broken) {
    DpdkPort port(config);
    is_removed = true;
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::broken);
    CHECK_EQUAL(std::string("net_ring_test: it was taken out of this machine"), port.fault());
}

TEST(DpdkPort, an_interface_that_is_gone_is_broken) {
    config.interface = "eth77";
    config.interface_index = 0x7fff'ffff;
    DpdkPort port(config);
    CHECK_EQUAL(0, port.receive(burst));
    CHECK(port.state() == PortState::broken);
    CHECK_EQUAL(std::string("net_ring_test: the interface eth77 is gone"), port.fault());
}

TEST(DpdkPort, packets_that_came_are_handed_out_before_it_breaks) {
    DpdkPort port(config);
    is_removed = true;
    send(buffer_of(test::udp_frame(60)));
    CHECK_EQUAL(1, port.receive(burst));
    CHECK(port.state() == PortState::running);
    port.release();
}

TEST(DpdkPort, any_thread_may_be_the_one_that_receives) {
    DpdkPort port(config);
    send(buffer_of(test::udp_frame(60)));
    size_t received = 0;
    std::thread([&] {
        received = port.receive(burst);
        port.release();
    }).join();
    CHECK_EQUAL(1, received);
}

}  // namespace curlew::dpdk_port
