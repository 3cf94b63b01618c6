#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/counters.h"
#include "probe/fragment_table.h"
#include "probe/port.h"
#include "proto/channel.h"
#include "signatures/signature_set.h"

// From the workers' rings to the collector: each RecordImage becomes a FlowSummary, many become a
// batch, batches go over the channel. The only place where the probe speaks protobuf. One thread
// runs it, off the workers' cores.

namespace curlew::probe {

struct ExporterConfig {
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    size_t batch_octets = 64 * 1024;  // a batch is sent when it has grown to this
};

// The probe's half of the ledger, told to the collector at the end of an input.
struct MeterLedger {
    PortCounters port;
    PacketCounters packets;
    FragmentCounters fragments;
    FlowCounters flows;
    std::string capture_warning;  // one sentence when the input broke off
};

class Exporter {
  public:
    // Requires: all references outlive this; the sender is used by the thread in run() only.
    Exporter(const ExporterConfig& config,
             const signatures::SignatureSet& set,
             proto::ChannelSender& sender);
    ~Exporter();

    // Empties the rings until finish() was called and they are empty, then waits for the last
    // acknowledgement. When the collector is gone, which takes a minute to believe, the rings are
    // emptied all the same and what was not acknowledged counts as lost.
    void run(const std::vector<ByteRing*>& rings);

    // Any thread: no worker writes any more; this is what they counted.
    void finish(const MeterLedger& ledger);

    // Any thread: the collector will not answer any more; do not wait for it.
    void abandon();

    // After run(): one sentence when records could not be delivered, else empty.
    const std::string& fault() const noexcept;
    uint64_t records_lost() const noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::probe
