#pragma once

#include <functional>
#include <string>
#include <vector>

#include "collector/annotator.h"
#include "collector/dataset_config.h"
#include "collector/seal.h"
#include "probe/byte_ring.h"
#include "probe/meter_ledger.h"
#include "signatures/signature_set.h"

// From a meter's rings over exporter, channel and collector to a sealed dataset, for `curlew run`.

namespace curlew::cli {

// Gets how much of the input was consumed, 0 to 1, or a negative number.
using Progress = std::function<void(double)>;

// A meter as delivery sees it. `run` returns at the end of input, then `ledger` is final.
struct RunMeter {
    std::vector<probe::ByteRing*> rings;
    bool serialized_records = false;  // ExporterConfig::serialized_records
    std::function<void(const Progress&)> run;
    std::function<probe::MeterLedger()> ledger;
    // Of all of the input; throws std::runtime_error when it cannot be read to its end.
    std::function<collector::CaptureFacts()> capture;
    std::function<void()> release;  // last: gives the meter's memory back
};

struct Delivery {
    const signatures::SignatureSet& signatures;
    collector::LabelRules rules;
    collector::DatasetConfig dataset;
    std::string shown_name;  // beside a progress bar on stderr; empty: no bar
};

// Throws with one sentence; nothing that looks whole is left then.
collector::SealResult deliver(const RunMeter& meter, const Delivery& delivery);

}  // namespace curlew::cli
