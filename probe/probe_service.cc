#include "probe/probe_service.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>

#include "probe/dispatcher.h"
#include "probe/exporter.h"
#include "probe/hello_message.h"
#include "probe/inspector.h"
#include "probe/packet_filter.h"
#include "probe/queue_balance.h"
#include "probe/recorder.h"
#include "probe/recording_setup.h"
#include "probe/table_memory.h"
#include "proto/channel.h"
#include "proto/probe_identity.h"
#include "proto/service_manager.h"

namespace curlew::probe {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kWatchRound{100};
constexpr milliseconds kStatusInterval{1000};
// Of one kind of news at most this often a line.
constexpr std::chrono::seconds kSilence{60};
// Many flows may end at once, and a live worker waits for nobody.
constexpr size_t kLiveRecordRing = size_t{64} << 20;

// One kind of news for people: told when there is more of it, and not again for a while.
class Topic {
  public:
    bool may_be_told(uint64_t amount) {
        if (amount <= told_ || (told_ != 0 && Clock::now() - told_at_ < kSilence)) {
            return false;
        }
        told_ = amount;
        told_at_ = Clock::now();
        return true;
    }

    // What there is more of may be told at once.
    void end_silence() { told_at_ -= kSilence; }

  private:
    uint64_t told_ = 0;
    Clock::time_point told_at_;
};

void fill_randomly(void* octets, size_t count) {
    if (getrandom(octets, count, 0) != static_cast<ssize_t>(count)) {
        throw std::runtime_error("the system gives no random numbers");
    }
}

uint64_t random_number() {
    uint64_t number = 0;
    fill_randomly(&number, sizeof(number));
    return number;
}

uint64_t packets_lost(const MeterLedger& ledger) {
    return ledger.port.packets_missed + ledger.port.packets_in_error +
           ledger.port.packets_without_buffer + ledger.packets.packets_lost_handing_over;
}

// Each thread's count is another one than before, or the thread is at its end.
bool all_moved(const std::vector<uint64_t>& before, const std::vector<uint64_t>& now) {
    for (size_t i = 0; i < std::min(before.size(), now.size()); ++i) {
        if (now[i] == before[i] && now[i] != Dispatcher::kEnded) {
            return false;
        }
    }
    return true;
}

DispatcherConfig dispatcher_config(const ServiceConfig& config, size_t ports, bool is_live) {
    const ProbeConfig& probe = config.probe;
    DispatcherConfig dispatcher;
    dispatcher.parser.decapsulate = probe.decapsulate;
    dispatcher.worker = worker_config(probe);
    dispatcher.worker.memory = config.table_memory;
    dispatcher.workers = probe.workers != 0 ? probe.workers : std::min(ports, kPartitions);
    // Who asks for other than one worker a queue wants the pipeline.
    dispatcher.ports_keep_flows =
        config.ports_keep_flows && (probe.workers == 0 || probe.workers == ports) && ports > 1;
    if (is_live) {
        dispatcher.worker.record_ring_octets = kLiveRecordRing;
    }
    dispatcher.cores = probe.cores;
    dispatcher.idle_sleep_us = probe.idle_sleep_us;
    fill_randomly(dispatcher.hash_key.data(), dispatcher.hash_key.size());
    return dispatcher;
}

ExporterConfig exporter_config(const ProbeConfig& probe, bool is_live, uint64_t epoch) {
    ExporterConfig exporter;
    exporter.probe_id = proto::probe_id_of(probe.name);
    exporter.epoch = epoch;
    exporter.outbox_octets = probe.queue_octets;
    exporter.spool_octets = probe.spool_octets;
    exporter.wait_for_collector = !is_live;
    exporter.drop_oldest = is_live && probe.drop == "oldest";
    exporter.ledger_interval = std::chrono::seconds(probe.ledger_seconds);
    exporter.drain = std::chrono::seconds(probe.drain_seconds);
    return exporter;
}

std::unique_ptr<SpoolFolder> spool_folder(const ProbeConfig& probe) {
    std::filesystem::path folder = probe.spool;
    if (const char* state = std::getenv("STATE_DIRECTORY"); folder.empty() && state != nullptr) {
        folder = std::filesystem::path(state) / "spool";
    }
    return folder.empty() || probe.spool_octets == 0 ? nullptr
                                                     : std::make_unique<SpoolFolder>(folder);
}

}  // namespace

struct ProbeService::Implementation {
    Implementation(const ServiceConfig& service_config,
                   const signatures::SignatureSet& signature_set,
                   const std::vector<OpenPort>& open_ports,
                   std::function<void(const std::string&)> say_to_people)
        : config(service_config),
          ports(open_ports),
          say(std::move(say_to_people)),
          epoch(random_number()),
          set(signature_set),
          inspector(set),
          record_filter(service_config.probe.record.filter, LinkType::ethernet),
          dispatcher(own_dispatcher_config(), ports_of(open_ports), inspector),
          recorder(own_recorder()),
          hello_body(
              hello_message(config.probe, config.program_version, set.content_hash(), ports)),
          sender(context,
                 {.endpoint = service_config.probe.collector,
                  .probe_id = proto::probe_id_of(service_config.probe.name),
                  .epoch = epoch,
                  .hello = hello_body,
                  .keys = service_config.keys,
                  .insecure = service_config.insecure}),
          folder(spool_folder(service_config.probe)),
          spool(own_spool()),
          leftover(left_in_spool()),
          exporter(exporter_config(service_config.probe, open_ports.front().port->is_live(), epoch),
                   set,
                   sender,
                   spool.get(),
                   leftover.get()) {}

    DispatcherConfig own_dispatcher_config() const {
        DispatcherConfig dispatching =
            dispatcher_config(config, ports.size(), ports.front().port->is_live());
        dispatching.worker.recording = lane_config(config.probe.record, set, record_filter);
        return dispatching;
    }

    std::unique_ptr<Recorder> own_recorder() {
        if (config.probe.record.folder.empty()) {
            return nullptr;
        }
        return std::make_unique<Recorder>(recorder_config(config, ports, epoch),
                                          dispatcher.recording_lanes(),
                                          [this] { return dispatcher.port_counters(); });
    }

    std::unique_ptr<Spool> own_spool() const {
        if (folder == nullptr) {
            return nullptr;
        }
        std::string frame;
        proto::append_frame(
            {proto::FrameKind::hello, proto::probe_id_of(config.probe.name), epoch, 1, 0},
            {reinterpret_cast<const uint8_t*>(hello_body.data()), hello_body.size()},
            frame);
        return std::make_unique<Spool>(
            *folder, epoch, std::move(frame), Spool::segment_octets(config.probe.spool_octets));
    }

    std::unique_ptr<Leftover> left_in_spool() {
        if (folder == nullptr) {
            return nullptr;
        }
        std::vector<std::string> problems;
        std::vector<SpooledRun> runs = folder->left(problems);
        std::ranges::for_each(problems, say);
        auto left =
            std::make_unique<Leftover>(*folder,
                                       std::move(runs),
                                       context,
                                       proto::SenderConfig{.endpoint = config.probe.collector,
                                                           .hello = {},
                                                           .keys = config.keys,
                                                           .insecure = config.insecure});
        if (!left->is_done()) {
            say(fmt::format("{} records of earlier runs are in the spool and go first",
                            left->records_waiting()));
        }
        return left;
    }

    static std::vector<Port*> ports_of(const std::vector<OpenPort>& open) {
        std::vector<Port*> found;
        for (const OpenPort& one : open) {
            found.push_back(one.port);
        }
        return found;
    }

    static std::vector<std::string> devices_of(const std::vector<OpenPort>& open) {
        std::vector<std::string> found;
        std::ranges::transform(open, std::back_inserter(found), &OpenPort::device);
        return found;
    }

    MeterLedger ledger() const {
        MeterLedger ledger = dispatcher.ledger();
        ledger.packets_lost_unknown = std::any_of(
            ports.begin(), ports.end(), [](const OpenPort& port) { return !port.losses_counted; });
        for (const OpenPort& port : ports) {
            add_fault(port.damage, ledger.capture_warning);
        }
        if (recorder != nullptr) {
            ledger.recording = recorder->ledger();
        }
        return ledger;
    }

    void watch();
    void end_watch();
    void watch_line();
    void watch_ports();
    void watch_channel(const DeliveryState& state);
    void watch_losses(const DeliveryState& state, const MeterLedger& now);
    void watch_clock(const MeterLedger& now);
    void watch_spool();
    void watch_recording();
    void tell_status(const DeliveryState& state, const MeterLedger& now);
    void feed_watchdog();

    ServiceConfig config;
    std::vector<OpenPort> ports;
    std::function<void(const std::string&)> say;
    uint64_t epoch;
    const signatures::SignatureSet& set;
    Inspector inspector;
    PacketFilter record_filter;
    Dispatcher dispatcher;
    std::unique_ptr<Recorder> recorder;  // null: nothing is recorded
    proto::ChannelContext context;
    std::string hello_body;
    proto::ChannelSender sender;
    std::unique_ptr<SpoolFolder> folder;  // null: there is no spool
    std::unique_ptr<Spool> spool;
    std::unique_ptr<Leftover> leftover;
    Exporter exporter;

    std::mutex mutex;
    std::condition_variable changed;
    bool over = false;  // under the mutex: nothing is left to watch
    std::string fault;  // the watching thread's until it was joined

    // The watching thread's.
    uint64_t packets_seen = 0;
    std::vector<uint64_t> empty_polls_seen;  // as Dispatcher tells them
    std::vector<uint64_t> rounds_fed;        // likewise
    Clock::time_point quiet_since = Clock::now();
    Clock::time_point last_status;
    Clock::time_point last_alive;
    std::vector<bool> broken_told = std::vector<bool>(ports.size());
    QueueBalance balance{devices_of(ports)};
    LineWatch lines{config.lines};
    std::string channel_told;
    uint64_t channel_changes = 1;
    std::array<Topic, 3> channel_topics;  // by SenderState
    Topic packets_lost_topic;
    Topic records_lost_topic;
    Topic spool_topic;
    Topic dropped_topic;
    Topic recording_topic;
    Topic clock_topic;
};

// A line is quiet when every port is asked for packets and has none. A thread that waits for room
// in a ring asks nobody: a capture is not at its end then.
void ProbeService::Implementation::watch_line() {
    uint64_t packets = dispatcher.packets_received();
    for (const PortCounters& port : dispatcher.port_counters()) {
        packets += port.packets_filtered;
    }
    const std::vector<uint64_t> empty_polls = dispatcher.empty_polls();
    const auto now = Clock::now();
    if (packets != packets_seen || !all_moved(empty_polls_seen, empty_polls)) {
        quiet_since = now;
    } else if (config.stop_when_idle.count() != 0 && now - quiet_since >= config.stop_when_idle) {
        dispatcher.stop();
    }
    packets_seen = packets;
    empty_polls_seen = empty_polls;
}

void ProbeService::Implementation::watch_ports() {
    for (size_t i = 0; i < ports.size(); ++i) {
        if (!broken_told[i] && dispatcher.port_state(i) == PortState::broken) {
            broken_told[i] = true;
            say(fmt::format("{}: {}", ports[i].device, ports[i].port->fault()));
            lines.port_broke(ports[i].device);
        }
    }
    std::ranges::for_each(balance.look(dispatcher.port_counters(), Clock::now()), say);
    std::ranges::for_each(lines.look(Clock::now()), say);
    if (fault.empty() && !lines.returned().empty()) {
        fault = lines.returned();
        dispatcher.stop();
    }
}

void ProbeService::Implementation::watch_channel(const DeliveryState& state) {
    const std::string& endpoint = config.probe.collector;
    const std::string why = state.refusal.empty() ? "" : ": " + state.refusal;
    std::string sentence = fmt::format("waiting for the collector at {}{}", endpoint, why);
    if (state.channel == proto::SenderState::welcomed) {
        sentence = fmt::format("the collector at {} takes records", endpoint);
    } else if (state.channel == proto::SenderState::refused) {
        sentence = fmt::format("the collector at {} refuses{}", endpoint, why);
    }
    Topic& topic = channel_topics[static_cast<size_t>(state.channel)];
    if (sentence != channel_told && topic.may_be_told(channel_changes)) {
        say(sentence);
        channel_told = sentence;
        ++channel_changes;
    }
}

void ProbeService::Implementation::watch_clock(const MeterLedger& now) {
    const ClockSteps& steps = now.clock_steps;
    if (clock_topic.may_be_told(steps.count)) {
        say(
            fmt::format("the system's clock was set by {:.3f} s; records keep the time of before, "
                        "the manifests tell the step",
                        static_cast<double>(steps.steps[steps.count - 1].by_ns) / 1e9));
    }
}

void ProbeService::Implementation::watch_losses(const DeliveryState& state,
                                                const MeterLedger& now) {
    if (packets_lost_topic.may_be_told(packets_lost(now))) {
        say(
            fmt::format("{} packets lost so far: {} missed, {} in error, {} without buffer, {} "
                        "handing over",
                        packets_lost(now),
                        now.port.packets_missed,
                        now.port.packets_in_error,
                        now.port.packets_without_buffer,
                        now.packets.packets_lost_handing_over));
    }
    if (records_lost_topic.may_be_told(state.records_lost + now.flows.records_lost)) {
        say(
            fmt::format("{} records lost so far: {} found no room in a ring, {} none in the queue "
                        "to the collector, or were not acknowledged before the end",
                        state.records_lost + now.flows.records_lost,
                        now.flows.records_lost,
                        state.records_lost));
    }
}

void ProbeService::Implementation::watch_spool() {
    if (const uint64_t dropped = exporter.state().records_dropped;
        dropped_topic.may_be_told(dropped)) {
        say(fmt::format(
            "{} records that waited for the collector were dropped so far, to make room "
            "or as the disk lost them; the manifests count them",
            dropped));
    }
    std::ranges::for_each(exporter.news(), say);
    if (spool != nullptr && spool_topic.may_be_told(spool->failed_syncs())) {
        say(fmt::format("the spool's disk failed to sync {} times: what is there may not survive",
                        spool->failed_syncs()));
    }
}

void ProbeService::Implementation::watch_recording() {
    if (recorder == nullptr) {
        return;
    }
    std::ranges::for_each(recorder->news(), say);
    const RecordingLedger now = recorder->ledger();
    const uint64_t lost = now.packets_lost_in_ring + now.packets_lost_at_disk;
    if (recording_topic.may_be_told(lost)) {
        say(
            fmt::format("{} metered packets are not in the recording so far: {} found no room on "
                        "the way to it, {} none on the disk",
                        lost,
                        now.packets_lost_in_ring,
                        now.packets_lost_at_disk));
    }
}

void ProbeService::Implementation::tell_status(const DeliveryState& state, const MeterLedger& now) {
    if (Clock::now() - last_status < kStatusInterval) {
        return;
    }
    last_status = Clock::now();
    const char* const channel = state.channel == proto::SenderState::welcomed  ? "connected"
                                : state.channel == proto::SenderState::refused ? "refuses"
                                                                               : "absent";
    const auto broken = std::ranges::count(broken_told, true);
    proto::notify_status(
        fmt::format("{} packets, {} lost{}; collector {}; {} records sent, {} wait, {} lost",
                    packets_seen,
                    packets_lost(now),
                    broken == 0 ? "" : fmt::format(", {} of {} ports broken", broken, ports.size()),
                    channel,
                    state.records_sent,
                    state.records_waiting,
                    state.records_lost + state.records_dropped + now.flows.records_lost));
}

// Fed only while every thread goes round: one that hangs shall be seen. On captures threads wait
// for the collector, as long as it takes.
void ProbeService::Implementation::feed_watchdog() {
    const auto interval = proto::watchdog_interval();
    const auto now = Clock::now();
    if (interval.count() == 0 || now - last_alive < interval / 2) {
        return;
    }
    const std::vector<uint64_t> rounds = dispatcher.rounds();
    if (all_moved(rounds_fed, rounds) || !ports.front().port->is_live()) {
        rounds_fed = rounds;
        last_alive = now;
        proto::notify_alive();
    }
}

void ProbeService::Implementation::watch() {
    std::unique_lock lock(mutex);
    quiet_since = Clock::now();
    empty_polls_seen = dispatcher.empty_polls();
    while (!changed.wait_for(lock, kWatchRound, [this] { return over; })) {
        lock.unlock();
        watch_line();
        watch_ports();
        const DeliveryState state = exporter.state();
        const MeterLedger now = dispatcher.ledger();
        watch_channel(state);
        watch_losses(state, now);
        watch_clock(now);
        watch_spool();
        watch_recording();
        tell_status(state, now);
        feed_watchdog();
        lock.lock();
    }
}

void ProbeService::Implementation::end_watch() {
    {
        const std::lock_guard lock(mutex);
        over = true;
    }
    changed.notify_all();
}

ProbeService::ProbeService(const ServiceConfig& config,
                           const signatures::SignatureSet& set,
                           const std::vector<OpenPort>& ports,
                           std::function<void(const std::string&)> say)
    : implementation_(std::make_unique<Implementation>(config, set, ports, std::move(say))) {}

ProbeService::~ProbeService() = default;

ServiceOutcome ProbeService::run() {
    Implementation& self = *implementation_;
    std::thread exporting([&self] {
        self.exporter.run(self.dispatcher.record_rings(), [&self] { return self.ledger(); });
    });
    std::thread recording([&self] {
        if (self.recorder != nullptr) {
            self.recorder->run();
        }
    });
    std::thread watching([&self] { self.watch(); });
    proto::notify_ready();
    std::string fault;
    try {
        self.dispatcher.run({});
    } catch (const std::exception& error) {
        fault = error.what();
    }
    proto::notify_stopping();
    if (self.recorder != nullptr) {
        self.recorder->finish(self.dispatcher.end_of_input());
    }
    // The last ledger has its last file.
    recording.join();
    self.exporter.finish(self.ledger());
    exporting.join();
    self.end_watch();
    watching.join();
    // What the last round did not see any more, and how much it was in all.
    for (Topic* topic : {&self.packets_lost_topic,
                         &self.records_lost_topic,
                         &self.spool_topic,
                         &self.dropped_topic,
                         &self.recording_topic}) {
        topic->end_silence();
    }
    self.watch_ports();
    self.watch_losses(self.exporter.state(), self.dispatcher.ledger());
    self.watch_spool();
    self.watch_recording();
    fault = fault.empty() ? self.fault : fault;
    fault = fault.empty() ? self.exporter.fault() : fault;
    const bool all_broken = std::ranges::count(self.broken_told, false) == 0;
    if (fault.empty() && all_broken) {
        fault = self.ports.size() == 1 ? "the port broke" : "every port broke";
    }
    return {fault.empty(), fault};
}

void ProbeService::stop() noexcept {
    implementation_->dispatcher.stop();
}

}  // namespace curlew::probe
