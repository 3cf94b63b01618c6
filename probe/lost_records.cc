#include "probe/lost_records.h"

#include "probe/ledger_message.h"

namespace curlew::probe {

namespace {

bool is_timed(uint64_t from_ns, uint64_t to_ns) noexcept {
    return from_ns <= to_ns;
}

// Nobody said in time what became of these: who stores the ledger knows.
void add_doubts(LossReason reason,
                const std::deque<LostRecords::Frame>& frames,
                proto::ProbeLedger& message) {
    for (const LostRecords::Frame& frame : frames) {
        if (frame.records == 0) {
            continue;
        }
        const bool timed = is_timed(frame.from_ns, frame.to_ns);
        proto::RecordsInDoubt& doubt = *message.add_in_doubt();
        doubt.set_first_sequence(frame.last_sequence - frame.records + 1);
        doubt.set_last_sequence(frame.last_sequence);
        add_loss(*doubt.mutable_loss(),
                 {.from_ns = timed ? frame.from_ns : 0,
                  .to_ns = timed ? frame.to_ns : 0,
                  .reason = reason,
                  .lost = frame.records});
    }
}

}  // namespace

void LostRecords::lose(uint64_t records, uint64_t from_ns, uint64_t to_ns) {
    without_room_ += records;
    if (records != 0 && is_timed(from_ns, to_ns)) {
        losses_.note(LossReason::outbox, from_ns, to_ns, records);
    }
}

void LostRecords::drop(const Frame& frame, bool was_sent) {
    dropped_through_ = frame.last_sequence;
    if (was_sent) {
        undecided_.push_back(frame);
    } else {
        count_dropped(frame);
    }
}

void LostRecords::count_dropped(const Frame& frame) {
    dropped_ += frame.records;
    if (frame.records != 0 && is_timed(frame.from_ns, frame.to_ns)) {
        losses_.note(LossReason::dropped, frame.from_ns, frame.to_ns, frame.records);
    }
}

void LostRecords::decide(uint64_t last_acknowledged, bool is_welcome) {
    while (!undecided_.empty() &&
           (is_welcome || undecided_.front().last_sequence <= last_acknowledged)) {
        if (undecided_.front().last_sequence > last_acknowledged) {
            count_dropped(undecided_.front());
        }
        undecided_.pop_front();
    }
}

void LostRecords::fill(proto::ProbeLedger& message, bool final) const {
    for (const LossInterval& loss : losses_) {
        add_loss(*message.add_losses(), loss);
    }
    if (without_room_ != 0) {
        add_count(*message.add_records_lost(), name_of(LossReason::outbox), without_room_);
    }
    if (dropped_ != 0) {
        add_count(*message.add_records_lost(), name_of(LossReason::dropped), dropped_);
    }
    if (final) {
        add_doubts(LossReason::dropped, undecided_, message);
        add_doubts(LossReason::outbox, given_up_, message);
    }
}

}  // namespace curlew::probe
