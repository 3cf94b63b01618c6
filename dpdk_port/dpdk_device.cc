#include "dpdk_port/dpdk_device.h"

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mbuf_dyn.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <utility>

#include "dpdk_port/buffers.h"
#include "dpdk_port/device_access.h"
#include "dpdk_port/device_arguments.h"
#include "dpdk_port/device_clock.h"
#include "dpdk_port/dpdk_port.h"
#include "dpdk_port/driver_table.h"
#include "dpdk_port/line_clock.h"
#include "dpdk_port/symmetric_hash.h"
#include "dpdk_port/xdp_use.h"

namespace curlew::dpdk_port {

namespace {

constexpr uint32_t kJumboMtu = 9216;
constexpr uint16_t kSendDescriptors = 512;

void stop(const std::string& device, const std::string& sentence) {
    throw std::runtime_error(device + ": " + sentence);
}

void refuse(const std::string& device, const std::string& sentence) {
    throw DeviceConfigError(device + ": " + sentence);
}

// All devices of this process are opened on one time.
const LineClock& line_clock() {
    static const LineClock clock = LineClock::open();
    return clock;
}

int on_removal(uint16_t, rte_eth_event_type, void* is_removed, void*) {
    static_cast<std::atomic<bool>*>(is_removed)->store(true, std::memory_order_relaxed);
    return 0;
}

}  // namespace

struct Device::Implementation {
    explicit Implementation(const DeviceConfig& wanted)
        : config(wanted),
          arguments(wanted.device),
          instructions(wanted.filter.instructions.begin(), wanted.filter.instructions.end()) {}
    ~Implementation();
    Implementation(const Implementation&) = delete;
    Implementation& operator=(const Implementation&) = delete;

    void find();
    void choose_queues();
    void judge_losses();
    void configure();
    rte_eth_conf plan_configuration(bool is_jumbo) const;
    CaptureSize check_capture(const std::string& file);
    void set_up_queues();
    void start();
    void keep_vlan_tags();
    void see_everything();
    void judge_spread();
    void find_clock();
    void make_ports();

    const DeviceConfig config;
    const DeviceArguments arguments;
    const std::vector<probe::BpfInstruction> instructions;  // of the filter
    std::vector<Interface> interfaces;
    std::unique_ptr<InterfaceClaim> claim;  // where the driver is net_af_xdp
    Driver driver;
    DeviceFacts facts;
    rte_eth_dev_info info{};
    uint16_t port_id = 0;
    uint16_t queues = 0;
    uint64_t owner = RTE_ETH_DEV_NO_OWNER;
    bool was_probed = false;  // by us, so it is taken away again
    bool was_started = false;
    bool was_plain = false;  // not promiscuous before us
    Stamp stamp = Stamp::probe;
    int time_offset = -1;
    uint64_t time_flag = 0;
    std::optional<DeviceClock> clock;
    std::atomic<bool> is_removed = false;
    std::vector<Pool> pools;                       // outlive the device
    std::vector<std::unique_ptr<DpdkPort>> ports;  // and these do not
};

Device::Implementation::~Implementation() {
    ports.clear();
    if (owner == RTE_ETH_DEV_NO_OWNER) {
        return;
    }
    rte_eth_dev_callback_unregister(port_id, RTE_ETH_EVENT_INTR_RMV, on_removal, &is_removed);
    if (was_plain) {
        rte_eth_promiscuous_disable(port_id);
    }
    if (was_started) {
        rte_eth_dev_stop(port_id);
    }
    rte_eth_dev_owner_unset(port_id, owner);
    if (!was_probed || rte_dev_remove(info.device) != 0) {
        rte_eth_dev_close(port_id);
    }
}

void Device::Implementation::find() {
    if (rte_eth_dev_get_port_by_name(arguments.name.c_str(), &port_id) != 0) {
        check_access(arguments);
        if (arguments.name.starts_with("net_af_xdp") && !arguments.interfaces().empty()) {
            claim =
                std::make_unique<InterfaceClaim>(arguments.name, arguments.interfaces().front());
        }
        const int error = rte_dev_probe(config.device.c_str());
        if (error != 0 || rte_eth_dev_get_port_by_name(arguments.name.c_str(), &port_id) != 0) {
            throw std::runtime_error(explain_failed_probe(arguments, -error));
        }
        was_probed = true;
    }
    rte_eth_dev_owner ours{};
    rte_eth_dev_owner_new(&ours.id);
    std::strncpy(ours.name, "curlew", sizeof(ours.name) - 1);
    if (rte_eth_dev_owner_set(port_id, &ours) != 0) {
        refuse(arguments.name, "opened twice; each device is to be named once");
    }
    owner = ours.id;
    if (rte_eth_dev_info_get(port_id, &info) != 0) {
        stop(arguments.name, "it does not say what it can");
    }
    driver = find_driver(info.driver_name);
    facts.driver = info.driver_name;
    for (const std::string& name : arguments.interfaces()) {
        interfaces.push_back(find_interface(name));
        if (!interfaces.back().is_up) {
            facts.warnings.push_back(arguments.name + ": the interface " + name +
                                     " is down; 'ip link set " + name + " up' starts it");
        }
    }
}

void Device::Implementation::choose_queues() {
    queues = driver.brings_queues ? info.max_rx_queues : config.queues;
    if (queues == 0 || queues > info.max_rx_queues) {
        refuse(arguments.name,
               std::to_string(config.queues) + " queues are asked for, and it has " +
                   std::to_string(info.max_rx_queues));
    }
    facts.is_live = arguments.captures().empty() || arguments.is_endless();
}

void Device::Implementation::judge_losses() {
    facts.losses_counted = driver.losses_counted();
    std::string why;
    if (driver.name == "net_af_packet") {
        why = "the driver net_af_packet does not tell what it loses";
    } else if (!driver.is_known) {
        facts.warnings.push_back(arguments.name + ": the driver " + facts.driver +
                                 " is not known: it may lose packets without telling");
    } else if (!facts.losses_counted) {
        facts.warnings.push_back(arguments.name + ": the driver " + facts.driver +
                                 " does not tell all that is lost before it");
    }
    if (driver.name == "net_af_xdp") {
        const uint32_t taken = arguments.number("start_queue", 0) + queues;
        const Interface& line = interfaces.front();
        if (line.queues > taken) {
            const std::string name = arguments.interfaces().front();
            const std::string all = std::to_string(line.queues);
            why = "it takes " + std::to_string(queues) + " of the " + all + " queues of " + name +
                  ", and packets on the others are not seen; " +
                  (line.receiving_queues == 0
                       ? "'queue_count=" + all + "' takes them all"
                       : "it cannot take those that only receive: 'ethtool -L " + name + " rx " +
                             (line.receiving_queues == line.queues ? "1" : "0") +
                             "' does without them");
        }
    }
    if (why.empty()) {
        return;
    }
    if (!config.allow_uncounted_loss) {
        refuse(arguments.name,
               why +
                   (driver.name == "net_af_packet"
                        ? "; net_af_xdp and net_pcap do, so take one of these, or allow it"
                        : ", or allow it") +
                   " (allow_uncounted_loss)");
    }
    facts.losses_counted = false;
    facts.warnings.push_back(arguments.name + ": " + why);
}

rte_eth_conf Device::Implementation::plan_configuration(bool is_jumbo) const {
    rte_eth_conf wanted{};
    uint64_t& offloads = wanted.rxmode.offloads;
    if (is_jumbo && driver.kind == DriverKind::hardware && info.max_mtu > RTE_ETHER_MTU) {
        wanted.rxmode.mtu = std::min<uint32_t>(info.max_mtu, kJumboMtu);
        offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_SCATTER;
    }
    if (driver.stamp == Stamp::device) {
        offloads |= info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP;
    }
    if (queues > 1) {
        ask_symmetric_hash(info, wanted);
    }
    if (info.dev_flags != nullptr && (*info.dev_flags & RTE_ETH_DEV_INTR_RMV) != 0) {
        wanted.intr_conf.rmv = 1;
    }
    return wanted;
}

void Device::Implementation::configure() {
    int error = 0;
    // Some devices want somewhere to send to, or take no longer frames than usual.
    const uint16_t paired = driver.pairs_queues ? queues : uint16_t{0};
    for (const bool is_jumbo : {true, false}) {
        for (const uint16_t senders : {paired, std::max(paired, uint16_t{1})}) {
            const rte_eth_conf wanted = plan_configuration(is_jumbo);
            error = rte_eth_dev_configure(port_id, queues, senders, &wanted);
            if (error == 0) {
                if (!is_jumbo && driver.kind == DriverKind::hardware) {
                    facts.warnings.push_back(arguments.name +
                                             ": it takes no frames longer than usual");
                }
                // Several ask again for what was configured.
                rte_eth_dev_info_get(port_id, &info);
                return;
            }
        }
    }
    throw std::runtime_error(explain_failed_start(arguments, -error));
}

// The driver takes every capture for one of Ethernet, and says nothing of what it could not read.
CaptureSize Device::Implementation::check_capture(const std::string& file) {
    const CaptureSize size = measure_capture(file);
    if (!size.is_ethernet) {
        stop(arguments.name, "'" + file + "' is no capture of Ethernet; 'curlew run' reads it");
    }
    if (size.is_damaged) {
        stop(arguments.name,
             "'" + file + "' is damaged after " + std::to_string(size.packets) +
                 " packets; 'curlew run' reads what stands before that");
    }
    if (size.is_cut) {
        const std::string cut = arguments.name + ": '" + file + "' is cut after " +
                                std::to_string(size.packets) + " packets";
        facts.warnings.push_back(cut);
        facts.damage += (facts.damage.empty() ? "" : "; ") + cut;
    }
    if (size.shortened > 0) {
        facts.warnings.push_back(arguments.name + ": '" + file + "' has " +
                                 std::to_string(size.shortened) +
                                 " packets cut short, whose lengths on the wire are lost");
    }
    return size;
}

void Device::Implementation::set_up_queues() {
    BufferWish wish;
    wish.descriptors = std::max<uint32_t>(config.descriptors, driver.fewest_descriptors);
    wish.fewest_descriptors = driver.fewest_descriptors;
    wish.buffer_octets = driver.buffer_octets;
    wish.queues = queues;
    for (const std::string& file : arguments.captures()) {
        const CaptureSize size = check_capture(file);
        if (arguments.is_endless()) {
            wish.held_packets = std::max(wish.held_packets, size.packets);
            wish.longest_octets = std::max(wish.longest_octets, size.longest_octets);
        }
    }
    const int socket = rte_eth_dev_socket_id(port_id);
    wish.free_octets = free_memory(socket);
    BufferPlan plan = plan_buffers(wish);
    if (plan.was_cut) {
        facts.warnings.push_back(arguments.name + ": for want of memory its queues have " +
                                 std::to_string(plan.descriptors) +
                                 " descriptors; huge pages or the EAL option -m give more");
    }
    uint16_t send_descriptors = kSendDescriptors;
    rte_eth_dev_adjust_nb_rx_tx_desc(port_id, &plan.descriptors, &send_descriptors);

    const auto set_up_senders = [&](uint16_t count) {
        for (uint16_t queue = 0; queue < count; ++queue) {
            rte_eth_tx_queue_setup(
                port_id, queue, send_descriptors, static_cast<unsigned>(socket), nullptr);
        }
    };
    for (uint16_t queue = 0; queue < queues; ++queue) {
        pools.push_back(make_pool(plan, socket, driver.kind == DriverKind::hardware));
        if (!pools.back()) {
            stop(arguments.name,
                 "no memory for " + std::to_string(plan.buffers) +
                     " packet buffers; huge pages or the EAL option -m give more");
        }
        const int error = rte_eth_rx_queue_setup(port_id,
                                                 queue,
                                                 plan.descriptors,
                                                 static_cast<unsigned>(socket),
                                                 nullptr,
                                                 pools.back().get());
        if (error != 0) {
            throw std::runtime_error(explain_failed_start(arguments, -error));
        }
    }
    set_up_senders(info.nb_tx_queues);
}

void Device::Implementation::start() {
    rte_eth_dev_callback_register(port_id, RTE_ETH_EVENT_INTR_RMV, on_removal, &is_removed);
    if (const int error = rte_eth_dev_start(port_id); error != 0) {
        throw std::runtime_error(explain_failed_start(arguments, -error));
    }
    was_started = true;
    rte_eth_link link{};
    if (driver.kind == DriverKind::hardware && rte_eth_link_get(port_id, &link) == 0 &&
        link.link_status == RTE_ETH_LINK_DOWN) {
        facts.warnings.push_back(arguments.name + ": no link; is the cable in?");
    }
}

void Device::Implementation::keep_vlan_tags() {
    const int offload = rte_eth_dev_get_vlan_offload(port_id);
    if (offload > 0 && (offload & RTE_ETH_VLAN_STRIP_OFFLOAD) != 0 &&
        rte_eth_dev_set_vlan_offload(port_id, offload & ~RTE_ETH_VLAN_STRIP_OFFLOAD) != 0) {
        facts.warnings.push_back(arguments.name + ": it takes VLAN tags off");
    }
    // The kernel keeps them beside the packet, where XDP does not look.
    if (claim != nullptr && strips_vlan_tags(arguments.interfaces().front())) {
        facts.warnings.push_back(arguments.name +
                                 ": its interface takes VLAN tags off; 'ethtool -K " +
                                 arguments.interfaces().front() + " rxvlan off' leaves them");
    }
}

void Device::Implementation::see_everything() {
    const bool is_interface = driver.kind == DriverKind::interface && !interfaces.empty();
    was_plain = is_interface && !interfaces.front().is_promiscuous;
    const int error = rte_eth_promiscuous_enable(port_id);
    if (error == -EPERM || error == -EACCES) {
        stop(arguments.name, "no permission to see packets for others; it needs CAP_NET_ADMIN");
    }
    if (driver.kind != DriverKind::software && rte_eth_promiscuous_get(port_id) != 1) {
        was_plain = false;
        facts.warnings.push_back(arguments.name +
                                 ": not promiscuous: of a mirror's packets it sees few");
    }
}

void Device::Implementation::judge_spread() {
    if (queues == 1) {
        facts.keeps_flows = true;
        return;
    }
    // Software that tells a hash may not use it.
    facts.keeps_flows = driver.kind == DriverKind::hardware && has_symmetric_hash(port_id, info);
    if (!facts.keeps_flows) {
        facts.warnings.push_back(arguments.name +
                                 ": its queues do not keep the two directions of a flow together");
    }
}

void Device::Implementation::find_clock() {
    facts.clock = "probe ns";
    if (driver.stamp == Stamp::probe || arguments.is_endless() ||
        rte_mbuf_dyn_rx_timestamp_register(&time_offset, &time_flag) != 0) {
        return;
    }
    if (driver.stamp == Stamp::kernel_microseconds) {
        stamp = driver.stamp;
        facts.clock = facts.is_live ? "kernel us" : "capture us";
        return;
    }
    LineClock now = line_clock();
    DeviceClock::Reading first{0, now.now_ns()};
    if ((info.rx_offload_capa & RTE_ETH_RX_OFFLOAD_TIMESTAMP) == 0 ||
        rte_eth_read_clock(port_id, &first.ticks) != 0) {
        return;
    }
    rte_delay_us_block(10'000);
    DeviceClock::Reading second{0, now.now_ns()};
    if (rte_eth_read_clock(port_id, &second.ticks) == 0 && second.ticks > first.ticks &&
        second.time_ns > first.time_ns) {
        clock.emplace(first, second);
        stamp = Stamp::device;
        facts.clock = "device ns";
    }
}

void Device::Implementation::make_ports() {
    const std::vector<std::string> names = arguments.interfaces();
    for (uint16_t queue = 0; queue < queues; ++queue) {
        DpdkPortConfig port{
            .device = arguments.name,
            .port_id = port_id,
            .queue = queue,
            .stamp = stamp,
            .time_offset = time_offset,
            .time_flag = time_flag,
            .clock = clock,
            .line_clock = line_clock(),
            .is_live = facts.is_live,
            .errors_are_packets = driver.errors_are_packets,
            .cuts_frames = facts.is_live && arguments.name.starts_with("net_pcap"),
            .tells_device_losses = queue == 0,
            .filter = {instructions, config.filter.matches},
            .is_removed = &is_removed,
        };
        if (!names.empty()) {
            // net_pcap names one for each queue, others one for them all.
            const size_t which = std::min<size_t>(queue, names.size() - 1);
            port.interface = names[which];
            port.interface_index = interfaces[which].index;
            port.xdp_program = claim != nullptr ? xdp_program(interfaces[which].index) : 0;
        }
        ports.push_back(std::make_unique<DpdkPort>(std::move(port)));
    }
}

Device::Device(Eal&, const DeviceConfig& config)
    : implementation_(std::make_unique<Implementation>(config)) {
    implementation_->find();
    implementation_->choose_queues();
    implementation_->judge_losses();
    implementation_->configure();
    implementation_->set_up_queues();
    implementation_->start();
    implementation_->keep_vlan_tags();
    implementation_->see_everything();
    implementation_->judge_spread();
    implementation_->find_clock();
    implementation_->facts.filter = config.filter.instructions.empty() ? "" : "libpcap";
    implementation_->make_ports();
}

Device::~Device() = default;

const DeviceFacts& Device::facts() const noexcept {
    return implementation_->facts;
}

bool Device::has_link() const noexcept {
    rte_eth_link link{};
    return implementation_->is_removed.load(std::memory_order_relaxed) ||
           rte_eth_link_get_nowait(implementation_->port_id, &link) != 0 ||
           link.link_status != RTE_ETH_LINK_DOWN;
}

std::vector<probe::Port*> Device::ports() {
    std::vector<probe::Port*> ports;
    for (const auto& port : implementation_->ports) {
        ports.push_back(port.get());
    }
    return ports;
}

}  // namespace curlew::dpdk_port
