#include "probe/exporter.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/core.h>

#include "probe/flow_summary.h"
#include "probe/ledger_message.h"
#include "probe/lost_records.h"
#include "probe/outbox.h"
#include "probe/record_batch.h"
#include "probe/record_image.h"
#include "proto/flow.pb.h"

namespace curlew::probe {

namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// How long a turn waits when the rings are empty: they take longer than this to fill, and waking
// costs as much as some dozen records.
constexpr milliseconds kIdleTurn{1};
// A collector that acknowledges nothing for a minute is given up, where that is allowed. One slow
// fsync is no reason.
constexpr milliseconds kGivenUpAfter{60'000};
constexpr milliseconds kFullTurn{20};
// While nobody takes ledgers, one of so many goes into the spool.
constexpr int kSpooledLedgers = 12;
constexpr std::chrono::seconds kSpoolSilence{60};
constexpr size_t kMostNews = 64;
// Between two looks at the rings, so that a rush of records does not keep answers waiting.
constexpr int kRecordsPerTurn = 4096;

std::span<const uint8_t> body_octets(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

struct Exporter::Implementation {
    Implementation(const ExporterConfig& exporter_config,
                   const signatures::SignatureSet& signature_set,
                   proto::ChannelSender& channel_sender,
                   Spool* own_spool,
                   Leftover* left)
        : config(exporter_config),
          set(signature_set),
          sender(channel_sender),
          spool(own_spool),
          leftover(left),
          outbox(exporter_config.outbox_octets, spool == nullptr ? 0 : config.spool_octets) {}

    // Takes at most a bounded number of records out of the ring; false when there was none.
    bool take_records(ByteRing& ring) {
        int taken = 0;
        for (auto image = ring.front(); !image.empty() && taken < kRecordsPerTurn;
             image = ring.front()) {
            ++taken;
            ++records_taken;
            if (config.serialized_records) {
                make_room_in_batch(image.size());
                batch.add(image);
                ring.pop();
            } else {
                summarize(image, set, summary);
                ring.pop();
                const size_t octets = summary.ByteSizeLong();
                make_room_in_batch(octets);
                batch.add(summary, octets);
            }
        }
        return taken != 0;
    }

    void make_room_in_batch(size_t record_octets) {
        if (!batch.has_room(record_octets, config.batch_octets)) {
            close_batch();
        }
        if (batch.records() == 0) {
            batch_begun = Clock::now();
        }
    }

    // A batch gets its numbers only with its place in the outbox: numbers have no gaps.
    void close_batch() {
        if (batch.records() == 0) {
            return;
        }
        const auto is_taken = [&] {
            return fault.empty() &&
                   enqueue(proto::FrameKind::batch, batch.octets(), batch.records());
        };
        bool taken = is_taken();
        while (!taken && config.wait_for_collector && fault.empty()) {
            pump(kFullTurn);
            give_up_if_silent();
            // Building it again is dear.
            const size_t frame_octets = proto::kFrameHeaderOctets + batch.octets().size();
            taken = (outbox.has_room(frame_octets) || has_spool_room(frame_octets)) && is_taken();
        }
        if (taken) {
            records_sent += batch.records();
        } else {
            lost.lose(batch.records(), batch.from_ns(), batch.to_ns());
        }
        batch.clear();
    }

    // False when it finds no room. A ledger always does.
    bool enqueue(proto::FrameKind kind, const std::string& body, uint32_t records) {
        // A ledger holds no record, but takes a number so that its loss would be seen.
        const uint32_t numbers = kind == proto::FrameKind::ledger ? 1 : records;
        auto octets = std::make_shared<std::string>();
        proto::append_frame({kind, config.probe_id, config.epoch, next_sequence, records},
                            body_octets(body),
                            *octets);
        OutboxFrame frame{.octets = nullptr,
                          .place = {},
                          .first_sequence = next_sequence,
                          .last_sequence = next_sequence + numbers - 1,
                          .records = records,
                          .from_ns = batch.from_ns(),
                          .to_ns = batch.to_ns()};
        bool is_spooled = to_spool(*octets, frame);
        while (!is_spooled && records != 0 && !outbox.has_room(octets->size())) {
            if (!config.drop_oldest || outbox.empty()) {
                return false;
            }
            drop_oldest_for(octets->size());
            is_spooled = to_spool(*octets, frame);
        }
        if (!is_spooled) {
            frame.octets = std::move(octets);
        }
        outbox.append(std::move(frame));
        next_sequence += numbers;
        return true;
    }

    // What earlier runs left takes its part of the spool.
    bool has_spool_room(size_t octets) const {
        return outbox.has_spool_room(octets + (leftover != nullptr ? leftover->octets() : 0));
    }

    // The next hello says what is held yet; what lies before is a gap in the collector's manifests.
    // A disk that takes nothing more does so again, if at all, when a whole segment has gone.
    // Requires: something waits.
    void drop_oldest_for(size_t octets) {
        const bool is_full = !has_spool_room(octets);
        const uint64_t first = spool != nullptr ? spool->first_segment() : 0;
        const auto may_fit = [&] {
            return outbox.has_room(octets) ||
                   (is_full ? has_spool_room(octets) : spool->first_segment() != first);
        };
        do {
            drop_front();
        } while (!outbox.empty() && !may_fit());
    }

    void drop_front() {
        const OutboxFrame& front = outbox.front();
        lost.drop({front.last_sequence, front.records, front.from_ns, front.to_ns},
                  front.last_sequence <= sender.last_sent());
        outbox.acknowledged(lost.dropped_through());
        if (spool != nullptr) {
            spool->acknowledged(lost.dropped_through());
        }
    }

    void decide_dropped() {
        const uint64_t connections = sender.counters().connections;
        lost.decide(sender.last_acknowledged(), connections != connections_seen);
        connections_seen = connections;
    }

    bool to_spool(const std::string& octets, OutboxFrame& frame) {
        if (!has_spool_room(octets.size())) {
            return false;
        }
        try {
            frame.place = spool->append(octets, frame.first_sequence, frame.last_sequence);
            if (is_spool_failing && Clock::now() - spool_failed_at >= kSpoolSilence) {
                is_spool_failing = false;
                tell("the spool takes records again");
            }
            return true;
        } catch (const std::runtime_error& error) {
            spool_failed_at = Clock::now();
            if (!std::exchange(is_spool_failing, true)) {
                tell(fmt::format("the spool takes nothing, records wait in memory: {}",
                                 error.what()));
            }
            return false;
        }
    }

    // Once a minute at most: a full disk stays full.
    void tell_at_times(std::string sentence) {
        if (Clock::now() >= spool_told_again) {
            spool_told_again = Clock::now() + kSpoolSilence;
            tell(std::move(sentence));
        }
    }

    void tell(std::string sentence) {
        const std::lock_guard lock(state_mutex);
        if (news.size() < kMostNews) {
            news.push_back(std::move(sentence));
        }
    }

    void send_ledger(const MeterLedger& ledger, bool final) {
        if (spool != nullptr && (lost.dropped() != 0 || !lost.decided())) {
            // What is told as dropped no later run sends.
            spool->forget(lost.dropped_through());
        }
        proto::ProbeLedger message = ledger_message(ledger);
        message.set_final(final);
        message.set_records_sent(records_sent - lost.dropped());
        lost.fill(message, final);
        // Records that left the rings since the snapshot are counted there as not yet created.
        const uint64_t settled = records_sent + lost.without_room() + ledger.flows.records_lost;
        const uint64_t created = std::max(ledger.flows.records_created, settled);
        message.set_records_created(created);
        message.set_records_waiting(created - settled);
        std::string body;
        message.SerializeToString(&body);
        enqueue(proto::FrameKind::ledger, body, 0);
        ledger_due = Clock::now() + config.ledger_interval;
        spooled_ledger_due = Clock::now() + kSpooledLedgers * config.ledger_interval;
    }

    // While the collector is away ledgers would pile up, and the next one says all that they would.
    // But should the probe die meanwhile, what it had counted is what its spool has.
    bool ledger_is_due() const {
        if (config.ledger_interval.count() == 0 || Clock::now() < ledger_due) {
            return false;
        }
        return last_ledger <= sender.last_acknowledged() || outbox.empty() ||
               (spool != nullptr && Clock::now() >= spooled_ledger_due);
    }

    // Moves what can be moved between outbox and channel.
    void pump(milliseconds timeout) {
        if (!fault.empty()) {
            return;
        }
        try {
            if (leftover != nullptr && !leftover->is_done()) {
                deliver_leftover(timeout);
            } else {
                deliver(timeout);
            }
        } catch (const std::exception& error) {
            // This thread has nobody to tell an exception to. A live probe goes on: what failed
            // may go well the next time.
            if (config.wait_for_collector) {
                fault = error.what();
            } else {
                tell_at_times(fmt::format("records wait: {}", error.what()));
                std::this_thread::sleep_for(kFullTurn);
            }
        }
        publish_state();
    }

    void deliver_leftover(milliseconds timeout) {
        const uint64_t before = leftover->records_waiting();
        leftover->turn(timeout);
        if (leftover->records_waiting() != before) {
            last_progress = Clock::now();
        }
        for (std::string& sentence : leftover->problems()) {
            tell(std::move(sentence));
        }
    }

    void deliver(milliseconds timeout) {
        const uint64_t before = sender.last_acknowledged();
        sender.turn(outbox.first_held(), timeout, outbox.last_made());
        decide_dropped();
        outbox.acknowledged(sender.last_acknowledged());
        if (spool != nullptr) {
            spool->acknowledged(sender.last_acknowledged());
        }
        if (sender.last_acknowledged() != before || outbox.empty()) {
            last_progress = Clock::now();
        }
        while (sender.state() == proto::SenderState::welcomed && sender.has_room()) {
            // What a collector asks for that is here no more, it cannot get: it starts at what the
            // hello said is held.
            const OutboxFrame* frame = outbox.after(sender.last_sent());
            if (frame == nullptr) {
                break;
            }
            if (frame->octets == nullptr && frame->last_sequence > spool->synced()) {
                break;
            }
            std::shared_ptr<const std::string> octets;
            try {
                octets = octets_of(*frame);
            } catch (const std::runtime_error& error) {
                pass_over(*frame, error.what());
                break;
            }
            if (!sender.send(std::move(octets), frame->last_sequence)) {
                break;
            }
        }
    }

    // Throws std::runtime_error when the disk has lost them.
    std::shared_ptr<const std::string> octets_of(const OutboxFrame& frame) const {
        return frame.octets != nullptr
                   ? frame.octets
                   : std::make_shared<const std::string>(spool->read(frame.place));
    }

    // What the disk has lost comes neither now nor later. The collector goes on behind it once it
    // has all before: the next hello says what is held then, and what else is lost is none of it.
    void pass_over(const OutboxFrame& unreadable, std::string why) {
        if (&unreadable != &outbox.front()) {
            return;
        }
        while (!why.empty()) {
            // Of a segment once: the rest of it may be as bad.
            if (const uint64_t segment = outbox.front().place.segment + 1;
                std::exchange(segment_told, segment) != segment) {
                tell(fmt::format("records are lost: {}", why));
            }
            drop_front();
            if (outbox.empty() || outbox.front().octets != nullptr ||
                outbox.front().last_sequence > spool->synced()) {
                return;
            }
            why.clear();
            try {
                octets_of(outbox.front());
            } catch (const std::runtime_error& error) {
                why = error.what();
            }
        }
    }

    void give_up_if_silent() {
        if (!fault.empty() || (!abandoned.load(std::memory_order_acquire) &&
                               Clock::now() - last_progress < kGivenUpAfter)) {
            return;
        }
        fault = sender.counters().connections == 0
                    ? "the collector does not answer: records are lost"
                    : "the collector does not acknowledge: records are lost";
    }

    void publish_state() {
        const std::lock_guard lock(state_mutex);
        const bool is_left = leftover != nullptr && !leftover->is_done();
        published.channel = is_left ? leftover->channel() : sender.state();
        published.refusal = is_left ? leftover->refusal() : sender.refusal();
        published.records_sent = records_sent;
        published.records_waiting =
            outbox.records() + (is_left ? leftover->records_waiting() : uint64_t{0});
        published.records_lost = lost.without_room();
        published.records_dropped = lost.dropped();
    }

    // Records that the first look takes for complete are in a ring at the latest: they get their
    // numbers before the ledger gets its own, however long this thread stood still.
    void send_interim_ledger(const std::vector<ByteRing*>& rings,
                             const std::function<MeterLedger()>& ledger_now) {
        const uint64_t complete_until_ns = ledger_now().complete_until_ns;
        for (ByteRing* ring : rings) {
            const uint64_t end = ring->newest_end();
            while (!ring->is_popped_to(end)) {
                take_records(*ring);
            }
        }
        close_batch();
        MeterLedger ledger = ledger_now();
        // A ledger in the spool outlives what is in memory alone, should the probe be killed.
        ledger.complete_until_ns =
            spool == nullptr ? complete_until_ns
                             : std::min(complete_until_ns, outbox.earliest_in_memory_ns());
        last_ledger = next_sequence;
        send_ledger(ledger, false);
    }

    void empty_rings(const std::vector<ByteRing*>& rings,
                     const std::function<MeterLedger()>& ledger_now) {
        while (true) {
            const bool was_finished = finished.load(std::memory_order_acquire);
            bool moved = false;
            for (ByteRing* ring : rings) {
                moved = take_records(*ring) || moved;
            }
            if (was_finished && !moved) {
                return;
            }
            if (batch.records() != 0 && Clock::now() - batch_begun >= config.batch_age) {
                close_batch();
            }
            if (ledger_now && ledger_is_due()) {
                send_interim_ledger(rings, ledger_now);
            }
            pump(moved ? milliseconds(0) : kIdleTurn);
            if (config.wait_for_collector) {
                give_up_if_silent();
            }
            if (!fault.empty() && !moved) {
                std::this_thread::sleep_for(kIdleTurn);
            }
        }
    }

    // Until `is_done`, as long as anything may come of it.
    template <typename Done>
    void pump_until(Done is_done, Clock::time_point deadline) {
        while (!is_done() && fault.empty()) {
            pump(kFullTurn);
            if (abandoned.load(std::memory_order_acquire) || Clock::now() >= deadline) {
                return;
            }
        }
    }

    // What the last ledger does not tell no later one does. So it waits, as long as it may, to hear
    // what a collector has, and for what nobody would deliver later.
    void end() {
        const auto deadline = Clock::now() + config.drain;
        close_batch();
        pump_until(
            [this] {
                return lost.decided() && (spool == nullptr || outbox.records_in_memory() == 0);
            },
            deadline);
        if (spool != nullptr) {
            lose_memory();
        }
        // One that the disk has lost is told again, with what it took along.
        do {
            last_ledger = next_sequence;
            send_ledger(final_ledger, true);
            pump_until([this] { return outbox.empty(); }, deadline);
        } while (lost.dropped_through() >= last_ledger && fault.empty() && Clock::now() < deadline);
        settle();
    }

    void lose_memory() {
        for (const OutboxFrame& frame : outbox.take_memory()) {
            if (frame.records == 0) {
                continue;
            }
            lost_at_end += frame.records;
            if (frame.last_sequence <= sender.last_sent()) {
                lost.give_up({frame.last_sequence, frame.records, frame.from_ns, frame.to_ns});
            } else {
                records_sent -= frame.records;
                lost.lose(frame.records, frame.from_ns, frame.to_ns);
            }
        }
    }

    void settle() {
        if (spool != nullptr) {
            spool->finish(std::max(sender.last_acknowledged(), lost.dropped_through()));
        }
        if (config.wait_for_collector && fault.empty() && lost.dropped() != 0) {
            fault = fmt::format("{} records could not be read in the spool and are lost",
                                lost.dropped());
            publish_state();
        }
        if (outbox.empty() && fault.empty() && lost_at_end == 0) {
            return;
        }
        const uint64_t in_memory = outbox.records_in_memory();
        lost.lose(in_memory);
        if (outbox.records() != in_memory) {
            tell(fmt::format("{} records wait in the spool for the next run",
                             outbox.records() - in_memory));
        }
        const uint64_t unanswered = lost_at_end + in_memory;
        // What is in the spool is delivered yet, the final ledger with it.
        if (fault.empty() && (unanswered != 0 || spool == nullptr)) {
            fault = unanswered == 0
                        ? "the collector did not acknowledge the end of the input"
                        : fmt::format("the collector did not acknowledge {} records in time",
                                      unanswered);
        }
        publish_state();
    }

    ExporterConfig config;
    const signatures::SignatureSet& set;
    proto::ChannelSender& sender;
    Spool* spool;
    Leftover* leftover;
    Outbox outbox;
    std::atomic<bool> finished{false};   // written by finish(), read by run()
    std::atomic<bool> abandoned{false};  // written by abandon(), read by run()
    MeterLedger final_ledger;            // written before finished
    proto::FlowSummary summary;
    RecordBatch batch;
    Clock::time_point batch_begun;
    uint64_t next_sequence = 1;
    uint64_t last_ledger = 0;    // sequence of the newest ledger
    uint64_t records_taken = 0;  // out of the rings
    uint64_t records_sent = 0;
    LostRecords lost;
    uint64_t lost_at_end = 0;  // found in memory at the end, those given up among them
    uint64_t connections_seen = 0;
    Clock::time_point ledger_due = Clock::now();
    Clock::time_point spooled_ledger_due = Clock::now();
    Clock::time_point last_progress = Clock::now();
    std::string fault;
    mutable std::mutex state_mutex;
    DeliveryState published;        // under the mutex
    std::vector<std::string> news;  // under the mutex
    Clock::time_point spool_told_again = Clock::now();
    Clock::time_point spool_failed_at;
    uint64_t segment_told = 0;      // of the spool, damaged, and 1; 0: none
    bool is_spool_failing = false;  // people know
};

Exporter::Exporter(const ExporterConfig& config,
                   const signatures::SignatureSet& set,
                   proto::ChannelSender& sender,
                   Spool* spool,
                   Leftover* leftover)
    : implementation_(std::make_unique<Implementation>(config, set, sender, spool, leftover)) {}

Exporter::~Exporter() = default;

void Exporter::run(const std::vector<ByteRing*>& rings,
                   const std::function<MeterLedger()>& ledger) {
    Implementation& self = *implementation_;
    self.last_progress = Clock::now();
    self.empty_rings(rings, ledger);
    self.end();
}

void Exporter::finish(const MeterLedger& ledger) {
    implementation_->final_ledger = ledger;
    implementation_->finished.store(true, std::memory_order_release);
}

void Exporter::abandon() {
    implementation_->abandoned.store(true, std::memory_order_release);
}

DeliveryState Exporter::state() const {
    const std::lock_guard lock(implementation_->state_mutex);
    return implementation_->published;
}

std::vector<std::string> Exporter::news() {
    const std::lock_guard lock(implementation_->state_mutex);
    return std::exchange(implementation_->news, {});
}

const std::string& Exporter::fault() const noexcept {
    return implementation_->fault;
}

}  // namespace curlew::probe
