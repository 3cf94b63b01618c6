// The dispatcher with several ports, and with live ones.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "probe/dispatcher.h"
#include "probe/scripted_port.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/times.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;

namespace {

Packet datagram_of_flow(uint16_t port, uint64_t time_ns, size_t octets = 4) {
    return PacketBuilder{}
        .ethernet()
        .ipv4("10.0.0.1", "10.0.0.2")
        .udp(port, 53)
        .payload(Octets(octets, 'x'))
        .time_ns(time_ns)
        .build();
}

// One packet of random traffic, and whose it is.
struct Sent {
    uint32_t flow;
    bool reply;
    Packet packet;
};

// Flows of both transports that begin, end, pause and are cut; no two packets at one time.
std::vector<Sent> random_traffic(std::mt19937& random) {
    constexpr const char* kFlags[] = {"S", "SA", "A", "PA", "PA", "FA", "A", "R"};
    std::vector<Sent> traffic;
    uint64_t time_ns = kSecond;
    for (size_t i = 0; i < 2000; ++i) {
        const bool pause = random() % 100 == 0;
        time_ns += pause ? (random() % 330) * kSecond + 1 : 1 + random() % (kSecond / 4);
        const auto flow = static_cast<uint32_t>(random() % 60);
        const bool reply = random() % 2 == 0;
        const auto port = static_cast<uint16_t>(1000 + flow);
        const uint16_t service = flow % 3 == 0 ? 80 : 53;
        PacketBuilder builder;
        builder.ethernet().ipv4(reply ? "10.0.0.2" : "10.0.0.1", reply ? "10.0.0.1" : "10.0.0.2");
        if (flow % 3 == 0) {
            builder.tcp(reply ? service : port, reply ? port : service)
                .flags(kFlags[random() % std::size(kFlags)]);
        } else {
            builder.udp(reply ? service : port, reply ? port : service);
        }
        builder.payload(random() % 4 == 0 ? Octets{} : Octets(random() % 300, 'y'));
        traffic.push_back({flow, reply, builder.time_ns(time_ns).build()});
    }
    return traffic;
}

using Ports = std::vector<std::unique_ptr<ScriptedPort>>;

// `port_of_packet` says which port carries a packet.
template <typename Choose>
Ports split(const std::vector<Sent>& traffic, size_t ports, size_t burst, Choose port_of_packet) {
    std::vector<std::vector<Packet>> parts(ports);
    for (const Sent& sent : traffic) {
        parts[port_of_packet(sent)].push_back(sent.packet);
    }
    Ports result;
    for (const std::vector<Packet>& part : parts) {
        result.push_back(port_of(part, burst));
    }
    return result;
}

// Each record as octets, in an order that depends on nothing else.
std::vector<std::string> records(const Ports& ports, const DispatcherConfig& config) {
    std::vector<Port*> pointers;
    for (const auto& port : ports) {
        pointers.push_back(port.get());
    }
    const Metered metered = meter_ports(pointers, config);
    std::vector<std::string> octets;
    for (const auto& record : metered.records) {
        octets.push_back(record.SerializeAsString());
    }
    std::sort(octets.begin(), octets.end());
    CHECK_EQUAL(2000u, metered.flows.packets);
    CHECK_EQUAL(0u, metered.flows.records_lost);
    return octets;
}

// Room for all: a live port waits for nobody.
DispatcherConfig roomy(size_t workers) {
    DispatcherConfig config;
    config.workers = workers;
    config.worker.flow_capacity = 8192;
    config.worker.record_ring_octets = size_t{16} << 20;
    return config;
}

uint64_t accounted_for(const MeterLedger& ledger) {
    uint64_t packets = ledger.port.packets_filtered + ledger.port.packets_missed +
                       ledger.port.packets_in_error + ledger.port.packets_without_buffer +
                       ledger.packets.packets_lost_handing_over;
    for (const uint64_t result : ledger.packets.by_result) {
        packets += result;
    }
    return packets;
}

uint64_t metered_packets(const MeterLedger& ledger) {
    return ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)];
}

// A live port of a device that counts losses of every kind.
class LossyPort final : public Port {
  public:
    explicit LossyPort(std::unique_ptr<ScriptedPort> port) : port_(std::move(port)) {}

    size_t receive(std::span<PacketView, kMaximumBurst> burst) noexcept override {
        return port_->receive(burst);
    }
    void release() noexcept override { port_->release(); }
    PortState state() const noexcept override { return port_->state(); }
    bool caught_up() const noexcept override { return port_->caught_up(); }
    bool is_live() const noexcept override { return true; }
    uint64_t now_ns() const noexcept override { return port_->now_ns(); }
    PortCounters counters() const noexcept override {
        PortCounters counters = port_->counters();
        counters.packets_offered += 1 + 20 + 300 + 4000;
        counters.packets_filtered = 1;
        counters.packets_missed = 20;
        counters.packets_in_error = 300;
        counters.packets_without_buffer = 4000;
        return counters;
    }
    const std::string& fault() const noexcept override { return port_->fault(); }
    double progress() const noexcept override { return port_->progress(); }

  private:
    std::unique_ptr<ScriptedPort> port_;
};

// A capture whose first calls of receive() find nothing.
class PausingPort final : public Port {
  public:
    explicit PausingPort(std::unique_ptr<ScriptedPort> port) : port_(std::move(port)) {}

    size_t receive(std::span<PacketView, kMaximumBurst> burst) noexcept override {
        return ++calls_ < 2000 ? 0 : port_->receive(burst);
    }
    void release() noexcept override { port_->release(); }
    PortState state() const noexcept override { return port_->state(); }
    // As where a filter leaves packets out: more comes.
    bool caught_up() const noexcept override { return calls_ >= 2000 && port_->caught_up(); }
    bool is_live() const noexcept override { return false; }
    uint64_t now_ns() const noexcept override { return port_->now_ns(); }
    PortCounters counters() const noexcept override { return port_->counters(); }
    const std::string& fault() const noexcept override { return port_->fault(); }
    double progress() const noexcept override { return port_->progress(); }

  private:
    std::unique_ptr<ScriptedPort> port_;
    size_t calls_ = 0;
};

// A live line that has another packet at each look, stamped as it is received.
class BusyPort final : public Port {
  public:
    size_t receive(std::span<PacketView, kMaximumBurst> burst) noexcept override {
        packet_.time_ns = ++now_ns_;
        burst[0] = packet_.view();
        return 1;
    }
    void release() noexcept override {}
    PortState state() const noexcept override { return PortState::running; }
    bool caught_up() const noexcept override { return false; }
    bool is_live() const noexcept override { return true; }
    uint64_t now_ns() const noexcept override { return now_ns_; }
    PortCounters counters() const noexcept override {
        return {.packets_offered = now_ns_ - kSecond};
    }
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return -1; }

  private:
    Packet packet_ = datagram_of_flow(1, kSecond);
    uint64_t now_ns_ = kSecond;
    std::string fault_;
};

// A live port that hangs in its first receive() until it is let go, and ends then.
class HangingPort final : public Port {
  public:
    size_t receive(std::span<PacketView, kMaximumBurst> /*burst*/) noexcept override {
        go_.wait(false);
        return 0;
    }
    void release() noexcept override {}
    PortState state() const noexcept override { return PortState::ended; }
    bool caught_up() const noexcept override { return true; }
    bool is_live() const noexcept override { return true; }
    uint64_t now_ns() const noexcept override { return 0; }
    PortCounters counters() const noexcept override { return {}; }
    const std::string& fault() const noexcept override { return no_fault_; }
    double progress() const noexcept override { return -1; }

    void let_go() noexcept {
        go_ = true;
        go_.notify_all();
    }

  private:
    std::atomic<bool> go_{false};
    std::string no_fault_;
};

// True once `holds` does; false when it did not for long.
template <typename Condition>
bool comes_true(Condition holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!holds()) {
        if (std::chrono::steady_clock::now() > deadline) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

}  // namespace

TEST_GROUP(SeveralPorts) {
    const unsigned seed = std::random_device{}();
    std::mt19937 random{seed};
    const std::string told = "seed " + std::to_string(seed);
};

TEST(SeveralPorts, records_do_not_depend_on_how_a_line_is_split) {
    const std::vector<Sent> traffic = random_traffic(random);
    const auto all = [](const Sent&) { return size_t{0}; };
    const std::vector<std::string> one = records(split(traffic, 1, 64, all), roomy(1));
    CHECK(one.size() > 60);
    for (size_t workers = 1; workers <= 4; ++workers) {
        for (const bool live : {false, true}) {
            Ports directions = split(traffic, 2, 1 + random() % 64, [](const Sent& sent) {
                return sent.reply ? 1u : 0u;
            });
            const auto salt = static_cast<uint32_t>(random());
            Ports anywhere = split(traffic, 3, 1 + random() % 64, [salt](const Sent& sent) {
                return ((sent.flow * 2 + (sent.reply ? 1 : 0) + salt) * 2654435761u >> 8) % 3;
            });
            for (Ports* ports : {&directions, &anywhere}) {
                for (const auto& port : *ports) {
                    if (live) {
                        port->make_live();
                    }
                }
                CHECK_TEXT(one == records(*ports, roomy(workers)), told.c_str());
            }
        }
    }
}

TEST(SeveralPorts, ports_that_keep_flows_have_a_table_each) {
    std::vector<Sent> traffic = random_traffic(random);
    // Both lines go on until the end.
    const uint64_t end_ns = traffic.back().packet.time_ns;
    traffic.resize(1998);
    for (const uint32_t flow : {100u, 101u}) {
        traffic.push_back(
            {flow, false, datagram_of_flow(static_cast<uint16_t>(flow), end_ns + flow)});
    }
    const auto all = [](const Sent&) { return size_t{0}; };
    const auto by_flow = [](const Sent& sent) { return sent.flow % 2; };
    const std::vector<std::string> one = records(split(traffic, 1, 64, all), roomy(1));
    DispatcherConfig config = roomy(1);
    config.ports_keep_flows = true;
    CHECK_TEXT(one == records(split(traffic, 2, 64, by_flow), config), told.c_str());

    const Ports ports = split(traffic, 2, 64, by_flow);
    Dispatcher dispatcher(config, {ports[0].get(), ports[1].get()}, test_inspector());
    CHECK_EQUAL(2u, dispatcher.record_rings().size());
}

// Each receiver waits at a worker that waits for the other receiver.
TEST(SeveralPorts, bursts_longer_than_a_ring_do_not_stop_each_other) {
    DispatcherConfig config;
    config.workers = 2;
    config.packet_ring_octets = size_t{2} << 20;
    const KeyedHash hash(config.hash_key);
    std::vector<std::vector<Packet>> parts(2);
    for (uint16_t port = 1; parts[0].empty() || parts[1].empty(); ++port) {
        ParsedPacket parsed;
        const Packet first = datagram_of_flow(port, 1);
        CHECK(parse_packet(first.view(), {}, parsed) == ParseResult::metered);
        std::vector<Packet>& part = parts[partition_of(hash(parsed.key)) % 2];
        for (uint64_t i = 0; i < 64 && part.size() < 64; ++i) {
            part.push_back(datagram_of_flow(port, 1 + i, 60'000));
        }
    }
    const auto first = port_of(parts[0]);
    const auto second = port_of(parts[1]);
    const Metered metered = meter_ports({first.get(), second.get()}, config);
    CHECK_EQUAL(128u, metered.flows.packets);
}

// As a capture whose filter left out more packets than a call may read.
TEST(SeveralPorts, a_capture_that_pauses_is_waited_for) {
    PausingPort pausing(port_of({datagram_of_flow(1, 10), datagram_of_flow(1, 20)}));
    const auto other = port_of({datagram_of_flow(1, 15), datagram_of_flow(1, 25)});
    const Metered metered = meter_ports({&pausing, other.get()}, roomy(2));
    CHECK_EQUAL(1u, metered.records.size());
    CHECK_EQUAL(10u, metered.records[0].flow_start_ns());
    CHECK_EQUAL(0u, metered.records[0].quality() & kQualityTimeReversed);
}

// As a device on a capture, which never tells its end: a short one must not hold up a long one.
TEST(SeveralPorts, a_capture_without_an_end_is_not_waited_for) {
    std::vector<Packet> many;
    for (uint16_t i = 0; i < 200; ++i) {
        many.push_back(datagram_of_flow(i, 20 + i, 60'000));
    }
    const auto few = port_of({datagram_of_flow(1, 10)}, 1, PortState::running);
    const auto rest = port_of(many, 1, PortState::running);
    DispatcherConfig config = roomy(2);
    config.packet_ring_octets = size_t{2} << 20;
    Dispatcher dispatcher(config, {few.get(), rest.get()}, test_inspector());
    bool all_came = false;
    std::thread helper([&] {
        all_came = comes_true([&] { return dispatcher.packets_received() == 201; });
        dispatcher.stop();
    });
    dispatcher.run({});
    helper.join();
    CHECK(all_came);
    CHECK_EQUAL(201u, dispatcher.ledger().flows.packets);
}

TEST(SeveralPorts, one_that_breaks_does_not_stop_the_others) {
    for (const size_t workers : {size_t{1}, size_t{3}}) {
        const auto good =
            port_of({datagram_of_flow(1, 10), datagram_of_flow(2, 20), datagram_of_flow(3, 30)}, 1);
        const auto bad =
            port_of({datagram_of_flow(4, 15)}, 1, PortState::broken, "the cable is out");
        DispatcherConfig config = roomy(workers);
        Dispatcher dispatcher(config, {good.get(), bad.get()}, test_inspector());
        dispatcher.run({});
        CHECK_EQUAL(4u, dispatcher.ledger().flows.records_created);
        CHECK_EQUAL(4u, dispatcher.packets_received());
        CHECK_EQUAL(std::string("the cable is out"), dispatcher.ledger().capture_warning);
        CHECK(dispatcher.port_state(0) == PortState::ended);
        CHECK(dispatcher.port_state(1) == PortState::broken);
    }
}

TEST(SeveralPorts, an_impossible_core_is_refused) {
    const auto port = port_of({});
    DispatcherConfig config;
    config.cores = {100'000};
    std::string refusal = "accepted";
    try {
        const Dispatcher dispatcher(config, {port.get()}, test_inspector());
    } catch (const std::runtime_error& error) {
        refusal = error.what();
    }
    CHECK_EQUAL(std::string("core 100000: this process may not run on it"), refusal);
}

TEST(SeveralPorts, what_tick_throws_leaves_no_thread_behind) {
    const auto quiet = port_of({}, 1, PortState::running);
    const auto other = port_of({}, 1, PortState::running);
    quiet->make_live();
    other->make_live();
    DispatcherConfig config = roomy(2);
    config.idle_sleep_us = 0;
    Dispatcher dispatcher(config, {quiet.get(), other.get()}, test_inspector());
    CHECK_THROWS(std::logic_error, dispatcher.run([](double) { throw std::logic_error("no"); }));
}

TEST_GROUP(LivePort){};

TEST(LivePort, every_packet_offered_is_metered_or_has_a_reason) {
    for (const size_t workers : {size_t{1}, size_t{3}}) {
        LossyPort port(port_of({datagram_of_flow(1, 10),
                                datagram_of_flow(2, 20),
                                datagram_of_flow(3, 30).captured(20)}));
        Dispatcher dispatcher(roomy(workers), {&port}, test_inspector());
        dispatcher.run({});
        const MeterLedger ledger = dispatcher.ledger();
        CHECK_EQUAL(4324u, ledger.port.packets_offered);
        CHECK_EQUAL(4324u, accounted_for(ledger));
        CHECK_EQUAL(2u, metered_packets(ledger));
        CHECK_EQUAL(4000u, ledger.port.packets_without_buffer);
    }
}

TEST(LivePort, what_does_not_fit_a_full_ring_of_packets_is_lost_and_counted) {
    std::vector<Packet> packets;
    for (uint16_t i = 0; i < 200; ++i) {
        packets.push_back(datagram_of_flow(i, i + 1, 60'000));
    }
    LossyPort port(port_of(packets));
    HangingPort hanging;
    DispatcherConfig config = roomy(2);
    config.packet_ring_octets = size_t{2} << 20;
    Dispatcher dispatcher(config, {&hanging, &port}, test_inspector());
    std::thread helper([&] {
        // No worker takes a packet before the other port has passed its time.
        static_cast<void>(comes_true([&] { return dispatcher.port_state(1) == PortState::ended; }));
        hanging.let_go();
    });
    dispatcher.run({});
    helper.join();
    const MeterLedger ledger = dispatcher.ledger();
    CHECK(ledger.packets.packets_lost_handing_over >= 200 - 2 * 34);
    CHECK(metered_packets(ledger) >= 28);
    // Each of them in some interval, within the time of the packets.
    std::map<LossReason, uint64_t> told;
    for (const LossInterval& loss : ledger.losses) {
        CHECK_EQUAL(1u, loss.queue);
        CHECK(loss.from_ns >= ledger.packets.first_packet_ns);
        CHECK(loss.to_ns >= loss.from_ns);
        CHECK(loss.to_ns <= ledger.packets.last_packet_ns);
        told[loss.reason] += loss.lost;
    }
    CHECK_EQUAL(ledger.packets.packets_lost_handing_over, told[LossReason::hand_over]);
    CHECK_EQUAL(ledger.port.packets_missed, told[LossReason::port_missed]);
    CHECK_EQUAL(ledger.port.packets_in_error, told[LossReason::port_in_error]);
    CHECK_EQUAL(ledger.port.packets_without_buffer, told[LossReason::port_without_buffer]);
    CHECK_EQUAL(4521u, ledger.port.packets_offered);
    CHECK_EQUAL(4521u, accounted_for(ledger));
    CHECK_EQUAL(metered_packets(ledger), ledger.flows.packets);
}

TEST(LivePort, what_does_not_fit_a_full_ring_of_records_is_lost_and_counted) {
    for (const size_t workers : {size_t{1}, size_t{2}}) {
        std::vector<Packet> packets;
        for (uint16_t i = 0; i < 2000; ++i) {
            packets.push_back(datagram_of_flow(i, i * 10 * kSecond));
        }
        const auto port = port_of(packets, 1, PortState::running);
        port->make_live();
        DispatcherConfig config = roomy(workers);
        config.worker.meter.timeouts.idle_other_ns = kSecond;
        config.worker.record_ring_octets = size_t{512} << 10;
        Dispatcher dispatcher(config, {port.get()}, test_inspector());
        std::atomic<bool> over{false};
        uint64_t kept = 0;
        std::thread exporter([&] {
            // Away while packets come. Records of the input's end wait for it.
            static_cast<void>(comes_true([&] {
                return dispatcher.packets_received() == 2000 &&
                       dispatcher.ledger().flows.records_lost != 0;
            }));
            dispatcher.stop();
            for (bool last = false; !last;) {
                last = over.load();
                for (ByteRing* ring : dispatcher.record_rings()) {
                    for (; !ring->front().empty(); ring->pop()) {
                        ++kept;
                    }
                }
            }
        });
        dispatcher.run({});
        over.store(true);
        exporter.join();
        const FlowCounters flows = dispatcher.ledger().flows;
        CHECK_EQUAL(2000u, flows.records_created);
        CHECK(kept > 0);
        CHECK(flows.records_lost > 0);
        CHECK_EQUAL(2000u, kept + flows.records_lost);
    }
}

TEST(LivePort, what_came_before_the_stop_is_metered) {
    for (const size_t workers : {size_t{1}, size_t{2}}) {
        std::vector<Packet> packets;
        for (uint16_t i = 0; i < 2000; ++i) {
            packets.push_back(datagram_of_flow(i, i + 1));
        }
        const auto port = port_of(packets, 7, PortState::running);
        port->make_live();
        port->set_clock(kSecond);
        Dispatcher dispatcher(roomy(workers), {port.get()}, test_inspector());
        dispatcher.stop();
        dispatcher.run({});
        CHECK_EQUAL(2000u, dispatcher.ledger().flows.packets);
    }
}

TEST(LivePort, a_line_that_is_never_quiet_is_not_waited_for) {
    BusyPort port;
    Dispatcher dispatcher(roomy(1), {&port}, test_inspector());
    dispatcher.stop();
    dispatcher.run({});
    // What had waited may be stamped later than the stop: the first such packet is not the last.
    CHECK(dispatcher.ledger().flows.packets > 1);
    CHECK_EQUAL(port.counters().packets_offered, dispatcher.ledger().flows.packets);
}

TEST(LivePort, flows_of_a_quiet_line_end_when_its_clock_moves_on) {
    for (size_t variant = 0; variant < 4; ++variant) {
        const auto first =
            port_of({datagram_of_flow(1, 1 * kSecond), datagram_of_flow(2, 2 * kSecond)},
                    1,
                    PortState::running);
        const auto second = port_of({datagram_of_flow(3, 3 * kSecond)}, 1, PortState::running);
        first->make_live();
        second->make_live();
        // Inline, one port for several workers, several ports, apart.
        const bool alone = variant < 2;
        DispatcherConfig config = roomy(variant == 0 ? 1 : 3);
        config.ports_keep_flows = variant == 3;
        std::vector<Port*> ports{first.get()};
        if (!alone) {
            ports.push_back(second.get());
        }
        const uint64_t flows = alone ? 2 : 3;
        Dispatcher dispatcher(config, ports, test_inspector());
        const auto idle = static_cast<size_t>(FlowEndReason::idle_timeout);
        uint64_t ended_before = ~uint64_t{0};
        uint64_t ended_after = 0;
        uint64_t complete_until_ns = 0;
        std::thread operating([&] {
            if (comes_true([&] { return dispatcher.packets_received() == flows; })) {
                ended_before = dispatcher.ledger().flows.records_created;
                first->set_clock(2000 * kSecond);
                second->set_clock(2005 * kSecond);
                static_cast<void>(comes_true([&] {
                    const MeterLedger ledger = dispatcher.ledger();
                    ended_after = ledger.flows.records_by_reason[idle];
                    complete_until_ns = ledger.complete_until_ns;
                    // Each worker sweeps for itself: what is complete follows the last of them.
                    return ended_after == flows && ledger.clock_ns == 2000 * kSecond &&
                           complete_until_ns >= 1690 * kSecond;
                }));
            }
            dispatcher.stop();
        });
        dispatcher.run({});
        operating.join();
        CHECK_EQUAL(0u, ended_before);
        CHECK_EQUAL(flows, ended_after);
        // The longest timeout is 300 s, and 10 s are allowed for sweeps.
        CHECK_EQUAL(1690 * kSecond, complete_until_ns);
    }
}

TEST(LivePort, stop_ends_a_line_that_would_go_on) {
    for (const size_t workers : {size_t{1}, size_t{2}}) {
        const auto port =
            port_of({datagram_of_flow(1, 10), datagram_of_flow(2, 20)}, 1, PortState::running);
        port->make_live();
        Dispatcher dispatcher(roomy(workers), {port.get()}, test_inspector());
        std::thread operating([&] {
            static_cast<void>(comes_true([&] { return dispatcher.packets_received() == 2; }));
            dispatcher.stop();
        });
        dispatcher.run({});
        operating.join();
        const auto forced = static_cast<size_t>(FlowEndReason::forced_end);
        CHECK_EQUAL(2u, dispatcher.ledger().flows.records_by_reason[forced]);
        CHECK(dispatcher.port_state(0) == PortState::running);
    }
}

TEST(LivePort, packets_add_up_at_any_time) {
    std::vector<Packet> packets;
    for (uint32_t i = 0; i < 20'000; ++i) {
        packets.push_back(datagram_of_flow(static_cast<uint16_t>(i % 999), i + 1));
    }
    LossyPort port(port_of(packets, 3, PortState::running));
    Dispatcher dispatcher(roomy(2), {&port}, test_inspector());
    uint64_t differences = 0;
    std::thread asking([&] {
        static_cast<void>(comes_true([&] {
            const MeterLedger ledger = dispatcher.ledger();
            differences += ledger.port.packets_offered != accounted_for(ledger) ? 1 : 0;
            return ledger.port.packets_offered == 24'321 && dispatcher.packets_received() == 20'000;
        }));
        dispatcher.stop();
    });
    dispatcher.run({});
    asking.join();
    CHECK_EQUAL(0u, differences);
    CHECK_EQUAL(24'321u, accounted_for(dispatcher.ledger()));
}
