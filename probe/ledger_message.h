#pragma once

#include <cstdint>

#include "probe/loss_intervals.h"
#include "probe/meter_ledger.h"
#include "proto/flow.pb.h"

// What the meter counted, as the message that crosses to the collector. What the delivery counts
// (records sent, waiting and lost for want of room) is the exporter's to add.

namespace curlew::probe {

proto::ProbeLedger ledger_message(const MeterLedger& ledger);

void add_count(proto::Count& count, const char* reason, uint64_t packets);
void add_loss(proto::LossInterval& message, const LossInterval& loss);

}  // namespace curlew::probe
