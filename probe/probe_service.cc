#include "probe/probe_service.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "probe/dispatcher.h"
#include "probe/exporter.h"
#include "probe/inspector.h"
#include "proto/channel.h"
#include "proto/service_manager.h"
#include "signatures/content_hash.h"
#include "signatures/signature_set.h"

namespace curlew::probe {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWatchRound{100};
constexpr milliseconds kStatusInterval{1000};
// Of one kind of trouble at most this often a line.
constexpr std::chrono::seconds kSilence{60};

void fill_randomly(void* octets, size_t count) {
    if (getrandom(octets, count, 0) != static_cast<ssize_t>(count)) {
        throw std::runtime_error("the system gives no random numbers");
    }
}

constexpr size_t kLiveRecordRing = size_t{64} << 20;

uint64_t random_number() {
    uint64_t number = 0;
    fill_randomly(&number, sizeof(number));
    return number;
}

uint64_t identity_of(const std::string& name) {
    signatures::ContentHash hash;
    hash.add(name);
    return std::stoull(hash.text(), nullptr, 16);
}

signatures::SignatureSet load_signatures(const std::filesystem::path& folder) {
    signatures::SignatureSet set = signatures::SignatureSet::load(folder);
    if (!set.problems().empty()) {
        throw std::runtime_error(to_string(set.problems().front()));
    }
    return set;
}

DispatcherConfig dispatcher_config(const ServiceConfig& config, size_t ports) {
    const ProbeConfig& probe = config.probe;
    DispatcherConfig dispatcher;
    dispatcher.worker.meter.details = probe.profile == "dataset";
    dispatcher.worker.meter.timeouts = probe.timeouts;
    dispatcher.worker.flow_capacity = probe.flow_capacity;
    dispatcher.workers = probe.workers != 0 ? probe.workers : std::min(ports, kPartitions);
    // Who asks for other than one worker a queue wants the pipeline.
    dispatcher.ports_keep_flows =
        config.ports_keep_flows && (probe.workers == 0 || probe.workers == ports) && ports > 1;
    // Many flows may end at once, and a live worker waits for nobody.
    dispatcher.worker.record_ring_octets = kLiveRecordRing;
    dispatcher.cores = probe.cores;
    dispatcher.idle_sleep_us = probe.idle_sleep_us;
    fill_randomly(dispatcher.hash_key.data(), dispatcher.hash_key.size());
    return dispatcher;
}

ExporterConfig exporter_config(const ProbeConfig& probe, bool is_live, uint64_t epoch) {
    ExporterConfig exporter;
    exporter.probe_id = identity_of(probe.name);
    exporter.epoch = epoch;
    exporter.outbox_octets = probe.queue_octets;
    exporter.wait_for_collector = !is_live;
    exporter.ledger_interval = std::chrono::seconds(probe.ledger_seconds);
    exporter.drain = std::chrono::seconds(probe.drain_seconds);
    return exporter;
}

}  // namespace

struct ProbeService::Implementation {
    Implementation(const ServiceConfig& service_config,
                   const std::vector<OpenPort>& open_ports,
                   std::function<void(const std::string&)> say_to_people)
        : config(service_config),
          ports(open_ports),
          say(std::move(say_to_people)),
          epoch(random_number()),
          set(load_signatures(service_config.signatures)),
          inspector(set),
          dispatcher(dispatcher_config(service_config, open_ports.size()),
                     ports_of(open_ports),
                     inspector),
          sender(context,
                 {.endpoint = service_config.probe.collector,
                  .probe_id = identity_of(service_config.probe.name),
                  .epoch = epoch,
                  .hello = hello()}),
          exporter(exporter_config(service_config.probe, open_ports.front().port->is_live(), epoch),
                   set,
                   sender) {}

    static std::vector<Port*> ports_of(const std::vector<OpenPort>& open) {
        std::vector<Port*> found;
        for (const OpenPort& one : open) {
            found.push_back(one.port);
        }
        return found;
    }

    std::string hello() const;

    MeterLedger ledger() const {
        MeterLedger ledger = dispatcher.ledger();
        ledger.packets_lost_unknown = std::any_of(
            ports.begin(), ports.end(), [](const OpenPort& port) { return !port.losses_counted; });
        return ledger;
    }

    void watch();
    void watch_line();
    void watch_delivery(const DeliveryState& state);
    void watch_ports();
    void tell_status(const DeliveryState& state);

    ServiceConfig config;
    std::vector<OpenPort> ports;
    std::function<void(const std::string&)> say;
    uint64_t epoch;
    signatures::SignatureSet set;
    Inspector inspector;
    Dispatcher dispatcher;
    proto::ChannelContext context;
    proto::ChannelSender sender;
    Exporter exporter;

    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;  // under the mutex: nothing is left to watch

    // The watching thread's.
    uint64_t packets_seen = 0;
    Clock::time_point last_packet = Clock::now();
    Clock::time_point last_status;
    Clock::time_point last_alive;
    Clock::time_point last_loss_told;
    uint64_t losses_told = 0;
    proto::SenderState channel_told = proto::SenderState::connecting;
    bool channel_ever_told = false;
    std::vector<bool> broken_told = std::vector<bool>(ports.size());
};

std::string ProbeService::Implementation::hello() const {
    proto::Hello message;
    const ProbeConfig& probe = config.probe;
    message.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    message.set_probe_name(probe.name);
    message.set_program_version(config.program_version);
    message.set_signatures_hash(set.content_hash());
    message.set_started_ns(static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()));
    const auto seconds = [](uint64_t ns) {
        return fmt::format("{:.3f}", static_cast<double>(ns) / 1e9);
    };
    const std::pair<const char*, std::string> settings[] = {
        {"profile", probe.profile},
        {"filter", probe.filter},
        {"flow_capacity", std::to_string(probe.flow_capacity)},
        {"idle_timeout_tcp_s", seconds(probe.timeouts.idle_tcp_ns)},
        {"idle_timeout_other_s", seconds(probe.timeouts.idle_other_ns)},
        {"active_timeout_s", seconds(probe.timeouts.active_ns)},
        {"closed_timeout_s", seconds(probe.timeouts.closed_ns)}};
    for (const auto& [name, value] : settings) {
        proto::Setting& setting = *message.add_configuration();
        setting.set_name(name);
        setting.set_value(value);
    }
    for (const OpenPort& port : ports) {
        proto::PortFacts& facts = *message.add_ports();
        facts.set_device(port.device);
        facts.set_driver(port.driver);
        facts.set_clock(port.clock);
        facts.set_filter(port.filter);
        facts.set_losses_counted(port.losses_counted);
    }
    return message.SerializeAsString();
}

// A line is quiet when no port hands out anything; so is one whose captures are at their end.
void ProbeService::Implementation::watch_line() {
    const uint64_t packets = dispatcher.packets_received();
    const auto now = Clock::now();
    if (packets != packets_seen) {
        packets_seen = packets;
        last_packet = now;
    } else if (config.stop_when_idle.count() != 0 && now - last_packet >= config.stop_when_idle) {
        dispatcher.stop();
    }
}

void ProbeService::Implementation::watch_delivery(const DeliveryState& state) {
    if (!channel_ever_told || state.channel != channel_told) {
        channel_ever_told = true;
        channel_told = state.channel;
        const std::string& endpoint = config.probe.collector;
        switch (state.channel) {
            case proto::SenderState::welcomed:
                say(fmt::format("the collector at {} takes records", endpoint));
                break;
            case proto::SenderState::refused:
                say(fmt::format("the collector at {} refuses: {}", endpoint, state.refusal));
                break;
            case proto::SenderState::connecting:
                say(fmt::format("waiting for the collector at {}", endpoint));
                break;
        }
    }
    const MeterLedger now = dispatcher.ledger();
    const uint64_t losses = state.records_lost + now.flows.records_lost + now.port.packets_missed +
                            now.port.packets_in_error + now.port.packets_without_buffer +
                            now.packets.packets_lost_handing_over;
    if (losses > losses_told && Clock::now() - last_loss_told >= kSilence) {
        say(
            fmt::format("lost so far: {} packets missed, {} in error, {} without buffer, {} "
                        "handing over; {} records in full rings, {} without a collector",
                        now.port.packets_missed,
                        now.port.packets_in_error,
                        now.port.packets_without_buffer,
                        now.packets.packets_lost_handing_over,
                        now.flows.records_lost,
                        state.records_lost));
        losses_told = losses;
        last_loss_told = Clock::now();
    }
}

void ProbeService::Implementation::watch_ports() {
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!broken_told[i] && dispatcher.port_state(i) == PortState::broken) {
            broken_told[i] = true;
            say(fmt::format(
                "{}: {}; the other ports go on", ports[i].device, ports[i].port->fault()));
        }
    }
}

void ProbeService::Implementation::tell_status(const DeliveryState& state) {
    const auto now = Clock::now();
    if (now - last_status < kStatusInterval) {
        return;
    }
    last_status = now;
    const char* channel = state.channel == proto::SenderState::welcomed  ? "connected"
                          : state.channel == proto::SenderState::refused ? "refused"
                                                                         : "absent";
    proto::notify_status(fmt::format("{} packets; collector {}; {} records sent, {} wait, {} lost",
                                     packets_seen,
                                     channel,
                                     state.records_sent,
                                     state.records_waiting,
                                     state.records_lost));
}

void ProbeService::Implementation::watch() {
    const auto alive_interval = proto::watchdog_interval();
    uint64_t polls_fed = 0;
    std::unique_lock lock(mutex);
    while (!over) {
        changed.wait_for(lock, kWatchRound, [this] { return over; });
        lock.unlock();
        const DeliveryState state = exporter.state();
        watch_line();
        watch_delivery(state);
        watch_ports();
        tell_status(state);
        // Fed only while the ports' threads move: a hung one shall be seen.
        const uint64_t polls = dispatcher.polls();
        if (alive_interval.count() != 0 && polls != polls_fed &&
            Clock::now() - last_alive >= alive_interval / 2) {
            polls_fed = polls;
            last_alive = Clock::now();
            proto::notify_alive();
        }
        lock.lock();
    }
}

ProbeService::ProbeService(const ServiceConfig& config,
                           const std::vector<OpenPort>& ports,
                           std::function<void(const std::string&)> say)
    : implementation_(std::make_unique<Implementation>(config, ports, std::move(say))) {}

ProbeService::~ProbeService() = default;

ServiceOutcome ProbeService::run() {
    Implementation& self = *implementation_;
    std::thread exporting([&self] {
        self.exporter.run(self.dispatcher.record_rings(), [&] { return self.ledger(); });
    });
    std::thread watching([&self] { self.watch(); });
    proto::notify_ready();
    self.dispatcher.run({});
    self.exporter.finish(self.ledger());
    proto::notify_stopping();
    exporting.join();
    {
        const std::lock_guard lock(self.mutex);
        self.over = true;
    }
    self.changed.notify_all();
    watching.join();
    if (!self.exporter.fault().empty()) {
        return {false, self.exporter.fault()};
    }
    bool all_broken = true;
    for (size_t i = 0; i < self.ports.size(); ++i) {
        all_broken = all_broken && self.dispatcher.port_state(i) == PortState::broken;
    }
    return all_broken ? ServiceOutcome{false, self.ports.front().port->fault()} : ServiceOutcome{};
}

void ProbeService::stop() noexcept {
    implementation_->dispatcher.stop();
}

}  // namespace curlew::probe
