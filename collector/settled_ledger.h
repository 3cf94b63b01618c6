#pragma once

#include <vector>

#include "collector/journal_reader.h"
#include "proto/flow.pb.h"

// What a probe could not know when it ended: which of the records that were on their way arrived.

namespace curlew::collector {

// The ledger with nothing in doubt any more: what lies in a gap of the sequence is lost. Requires:
// the ledger passed the batch decoder; `gaps` are those before it.
proto::ProbeLedger settled(proto::ProbeLedger ledger, const std::vector<Gap>& gaps);

}  // namespace curlew::collector
