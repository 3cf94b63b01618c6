#include "probe/dispatcher.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <stdexcept>
#include <system_error>

#include "probe/thread_placement.h"
#include "proto/body_limits.h"

namespace curlew::probe {

namespace {

// Bursts of a worker between two looks at the clock that says when counters are told.
constexpr uint64_t kPublishRounds = 32;
constexpr std::chrono::milliseconds kPublishInterval{50};
// A record may come this much later than its timeout says: FlowMeter's margin for late packets, and
// the ticks of its wheel.
constexpr uint64_t kRecordDelay = 10'000'000'000;
// Of loss intervals told in one ledger: it has to fit into a frame.
constexpr size_t kMostLosses = 1024;
static_assert(kMostLosses < proto::kMaximumLosses);

// Until when records are complete on a line that is swept until `clock_ns`; 0: cannot be told.
uint64_t complete_until(uint64_t clock_ns, const Timeouts& timeouts) {
    const bool idle_bounds = timeouts.idle_tcp_ns != 0 && timeouts.idle_other_ns != 0;
    if (!idle_bounds) {
        return 0;
    }
    const uint64_t delay =
        std::max({timeouts.idle_tcp_ns, timeouts.idle_other_ns, timeouts.closed_ns}) + kRecordDelay;
    return clock_ns > delay ? clock_ns - delay : 0;
}

// Who received the packets took for metered what the workers then removed.
void take_out_copies(MeterLedger& ledger) {
    const PacketsRemoved& removed = ledger.flows.removed;
    ledger.packets.by_result[static_cast<size_t>(ParseResult::metered)] -= removed.packets;
    ledger.packets.octets_metered -= removed.octets;
    for (size_t i = 0; i < removed.by_note.size(); ++i) {
        ledger.packets.by_note[i] -= removed.by_note[i];
    }
    ledger.not_metered.emplace_back("copy", removed.packets);
}

}  // namespace

Dispatcher::Dispatcher(const DispatcherConfig& config,
                       const std::vector<Port*>& ports,
                       const Inspector& inspector)
    : config_(config), ports_(ports), hash_(config.hash_key) {
    assert(!ports.empty());
    assert(config.workers >= 1);
    assert(config.workers <= kPartitions);
    is_live_ = ports.front()->is_live();
    assert(std::all_of(ports.begin(), ports.end(), [this](const Port* port) {
        return port->is_live() == is_live_;
    }));
    require_cores(config.cores);
    config_.worker.meter.wait_for_ring = !is_live_;
    config_.worker.recording.wait_for_ring = !is_live_;
    config_.worker.recording.queues = ports.size();
    make_workers(inspector);
    if (config_.ports_keep_flows || (ports_.size() == 1 && workers_.size() == 1)) {
        for (size_t i = 0; i < ports_.size(); ++i) {
            receivers_.push_back(
                std::make_unique<Receiver>(receiver_config(i), *ports_[i], hash_, *workers_[i]));
        }
        return;
    }
    make_pipeline();
}

Dispatcher::~Dispatcher() {
    stop();
    join_threads();
}

ReceiverConfig Dispatcher::receiver_config(size_t port) const {
    return {config_.parser,
            config_.hash_key,
            config_.idle_sleep_us,
            static_cast<uint16_t>(port),
            config_.worker.meter.stages};
}

// With ports apart, each worker has all partitions of a table of its own.
void Dispatcher::make_workers(const Inspector& inspector) {
    if (config_.ports_keep_flows) {
        WorkerConfig share = config_.worker;
        share.flow_capacity = config_.worker.flow_capacity / ports_.size();
        for (size_t i = 0; i < ports_.size(); ++i) {
            workers_.push_back(std::make_unique<Worker>(share, 0, 1, inspector, hash_));
        }
        return;
    }
    for (size_t i = 0; i < config_.workers; ++i) {
        workers_.push_back(
            std::make_unique<Worker>(config_.worker, i, config_.workers, inspector, hash_));
    }
}

void Dispatcher::make_pipeline() {
    for (size_t r = 0; r < ports_.size(); ++r) {
        std::vector<PacketLane*> lanes;
        for (size_t i = 0; i < workers_.size(); ++i) {
            lanes_.push_back(std::make_unique<PacketLane>(config_.packet_ring_octets));
            lanes.push_back(lanes_.back().get());
        }
        receivers_.push_back(
            std::make_unique<Receiver>(receiver_config(r), *ports_[r], hash_, std::move(lanes)));
    }
    for (size_t w = 0; w < workers_.size(); ++w) {
        std::vector<PacketMerger::Source> sources;
        for (size_t r = 0; r < receivers_.size(); ++r) {
            sources.push_back(
                {&lanes_[r * workers_.size() + w]->ring(), &receivers_[r]->progress()});
        }
        stations_.push_back(std::unique_ptr<Station>(
            new Station{workers_[w].get(), PacketMerger(sources), {}, {}, {}, {}}));
    }
}

void Dispatcher::stop() noexcept {
    stop_.store(true, std::memory_order_relaxed);
}

std::vector<ByteRing*> Dispatcher::record_rings() {
    std::vector<ByteRing*> rings;
    for (const auto& worker : workers_) {
        rings.push_back(&worker->records());
    }
    return rings;
}

std::vector<RecordingLane*> Dispatcher::recording_lanes() {
    std::vector<RecordingLane*> lanes;
    for (const auto& worker : workers_) {
        if (worker->recording() != nullptr) {
            lanes.push_back(worker->recording());
        }
    }
    return lanes;
}

std::vector<PortCounters> Dispatcher::port_counters() const {
    std::vector<PortCounters> counters;
    for (const auto& receiver : receivers_) {
        counters.push_back(receiver->counters().port);
    }
    return counters;
}

void Dispatcher::run(const std::function<void(double)>& tick) {
    try {
        start_threads();
        receive(0, tick);
    } catch (...) {
        // Workers wait until every receiver ended, also those that have no thread.
        stop();
        for (size_t i = receiver_threads_.size() + 1; i < receivers_.size(); ++i) {
            receivers_[i]->run(stop_, {});
        }
        receivers_[0]->run(stop_, {});
        join_threads();
        throw;
    }
    join_threads();
}

void Dispatcher::start_threads() {
    try {
        for (size_t i = 0; i < stations_.size(); ++i) {
            stations_[i]->thread = std::thread([this, i] { work(*stations_[i], i); });
        }
        for (size_t i = 1; i < receivers_.size(); ++i) {
            receiver_threads_.emplace_back([this, i] { receive(i, {}); });
        }
    } catch (const std::system_error& error) {
        throw std::runtime_error(fmt::format(
            "cannot start {} threads: {}", receivers_.size() + stations_.size(), error.what()));
    }
}

void Dispatcher::receive(size_t port, const std::function<void(double)>& tick) {
    pin(port);
    receivers_[port]->run(stop_, tick);
}

void Dispatcher::pin(size_t thread) const noexcept {
    if (thread < config_.cores.size()) {
        pin_this_thread(config_.cores[thread]);
    }
}

void Dispatcher::join_threads() {
    for (std::thread& thread : receiver_threads_) {
        thread.join();
    }
    receiver_threads_.clear();
    for (const auto& station : stations_) {
        if (station->thread.joinable()) {
            station->thread.join();
        }
    }
}

bool Dispatcher::all_receivers_ended() const noexcept {
    return std::all_of(receivers_.begin(), receivers_.end(), [](const auto& receiver) {
        return receiver->progress().ended.load(std::memory_order_acquire);
    });
}

// Every receiver's clock has passed this; 0 on captures.
uint64_t Dispatcher::common_clock() const noexcept {
    uint64_t clock = ~uint64_t{0};
    for (const auto& receiver : receivers_) {
        if (!receiver->progress().ended.load(std::memory_order_relaxed)) {
            clock = std::min(clock, receiver->progress().clock_ns.load(std::memory_order_acquire));
        }
    }
    return clock == ~uint64_t{0} ? 0 : clock;
}

// Every worker has looked after its flows until this.
uint64_t Dispatcher::swept_ns() const noexcept {
    uint64_t swept = ~uint64_t{0};
    for (const auto& worker : workers_) {
        swept = std::min(swept, worker->swept_ns());
    }
    return swept;
}

void Dispatcher::work(Station& station, size_t index) noexcept {
    pin(receivers_.size() + index);
    const auto publish = [&station] {
        const std::lock_guard lock(station.published_mutex);
        station.published = station.worker->counters();
    };
    IdlePause pause(config_.idle_sleep_us);
    auto published_at = std::chrono::steady_clock::now();
    for (uint64_t round = 1;; ++round) {
        station.rounds.store(round, std::memory_order_relaxed);
        // Asked before looking: what was handed over before the end is then seen.
        const bool ended = all_receivers_ended();
        uint64_t clock_ns = common_clock();
        const PacketMerger::Burst burst = station.merger.gather();
        if (!burst.packets.empty()) {
            station.worker->process(burst.packets, burst.hashes);
            // The ports' clocks may be ahead of what still lies in the rings.
            clock_ns = std::min(clock_ns, burst.packets.back().time_ns);
            pause.found();
        }
        station.merger.release();
        if (burst.packets.empty() && ended) {
            break;
        }
        if (is_live_ && (!burst.packets.empty() || !station.merger.holds_packets())) {
            station.worker->tick(clock_ns);
        }
        if (round % kPublishRounds == 0 &&
            std::chrono::steady_clock::now() - published_at >= kPublishInterval) {
            published_at = std::chrono::steady_clock::now();
            publish();
        }
        if (burst.packets.empty()) {
            pause.wait();
        }
    }
    station.rounds.store(kEnded, std::memory_order_relaxed);
    station.worker->finish(end_of_input());
    publish();
}

uint64_t Dispatcher::end_of_input() const {
    uint64_t end_ns = 0;
    for (const auto& receiver : receivers_) {
        end_ns = std::max(end_ns, receiver->progress().clock_ns.load(std::memory_order_acquire));
    }
    return end_ns;
}

MeterLedger Dispatcher::ledger() const {
    MeterLedger ledger;
    uint64_t clock_ns = ~uint64_t{0};
    // Workers first: what they count as a record has then been counted as packets.
    for (const auto& station : stations_) {
        const std::lock_guard lock(station->published_mutex);
        ledger.flows.add(station->published);
    }
    for (size_t queue = 0; queue < receivers_.size(); ++queue) {
        const auto& receiver = receivers_[queue];
        const ReceiverCounters part = receiver->counters();
        for (LossInterval loss : part.losses) {
            loss.queue = static_cast<uint32_t>(queue);
            ledger.losses.push_back(loss);
        }
        if (queue == 0) {
            ledger.clock_steps = part.clock_steps;
        }
        ledger.port.add(part.port);
        ledger.packets.add(part.packets);
        ledger.fragments.add(part.fragments);
        ledger.flows.add(part.flows);
        if (part.state == PortState::broken) {
            add_fault(receiver->port().fault(), ledger.capture_warning);
        }
        if (!receiver->progress().ended.load(std::memory_order_acquire)) {
            clock_ns =
                std::min(clock_ns, receiver->progress().clock_ns.load(std::memory_order_acquire));
        }
    }
    take_out_copies(ledger);
    limit_losses(ledger.losses, kMostLosses);
    if (is_live_ && clock_ns != ~uint64_t{0}) {
        ledger.clock_ns = clock_ns;
        ledger.complete_until_ns =
            complete_until(std::min(clock_ns, swept_ns()), config_.worker.meter.timeouts);
    } else {
        ledger.clock_ns = ledger.packets.last_packet_ns;
    }
    return ledger;
}

uint64_t Dispatcher::packets_received() const noexcept {
    uint64_t packets = 0;
    for (const auto& receiver : receivers_) {
        packets += receiver->packets_received();
    }
    return packets;
}

std::vector<uint64_t> Dispatcher::rounds() const {
    std::vector<uint64_t> rounds;
    for (const auto& receiver : receivers_) {
        const bool ended = receiver->progress().ended.load(std::memory_order_relaxed);
        rounds.push_back(ended ? kEnded : receiver->polls());
    }
    for (const auto& station : stations_) {
        rounds.push_back(station->rounds.load(std::memory_order_relaxed));
    }
    return rounds;
}

std::vector<uint64_t> Dispatcher::empty_polls() const {
    std::vector<uint64_t> polls;
    for (const auto& receiver : receivers_) {
        const ReceiverProgress& progress = receiver->progress();
        const bool ended = progress.ended.load(std::memory_order_relaxed);
        polls.push_back(ended ? kEnded : progress.empty_polls.load(std::memory_order_relaxed));
    }
    return polls;
}

PortState Dispatcher::port_state(size_t port) const noexcept {
    return receivers_[port]->counters().state;
}

}  // namespace curlew::probe
