#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/leftover.h"
#include "probe/meter_ledger.h"
#include "probe/spool.h"
#include "proto/channel.h"
#include "signatures/signature_set.h"

// From the workers' rings to the collector: each RecordImage becomes a FlowSummary, many become a
// batch, batches wait in the spool, or in memory, until the collector has them. One thread runs
// it, off the workers' cores.

namespace curlew::probe {

struct ExporterConfig {
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    size_t batch_octets = 64 * 1024;  // a batch is sent when it has grown to this
    // ... or is this old. A run of a capture need not care.
    std::chrono::milliseconds batch_age{100};
    size_t outbox_octets = size_t{64} << 20;  // of frames in memory
    uint64_t spool_octets = 0;                // of frames in the spool
    // True: a full outbox is waited for, and a collector silent for a minute is given up. False:
    // records that find no room are lost and counted, and the collector is waited for for ever.
    bool wait_for_collector = true;
    // The rings hold serialized FlowSummary messages, not RecordImages.
    bool serialized_records = false;
    // How often a live probe tells its ledger; 0: at the end only.
    std::chrono::milliseconds ledger_interval{0};
    // Where records are not waited for: those that wait longest make room, and the collector is
    // told that their sequences never come.
    bool drop_oldest = false;
    // After finish(), how long the last acknowledgement is waited for.
    std::chrono::milliseconds drain{60'000};
};

// How delivery fares, for people and for the status.
struct DeliveryState {
    proto::SenderState channel = proto::SenderState::connecting;
    std::string refusal;           // ChannelSender::refusal()
    uint64_t records_sent = 0;     // took a sequence number, less what the end found in memory
    uint64_t records_waiting = 0;  // not acknowledged, those of earlier runs included
    uint64_t records_lost = 0;     // found no room, or were never acknowledged
    // Of those sent: made room for newer ones, or cannot be read, and the collector has them not.
    uint64_t records_dropped = 0;
};

class Exporter {
  public:
    // Requires: all references outlive this; sender, spool and leftover are used by the thread in
    // run() only. Without a spool all waits in memory.
    Exporter(const ExporterConfig& config,
             const signatures::SignatureSet& set,
             proto::ChannelSender& sender,
             Spool* spool = nullptr,
             Leftover* leftover = nullptr);
    ~Exporter();

    // Empties the rings until finish() was called and they are empty, then sends the final ledger
    // and waits for the last acknowledgement. `ledger` is asked, from this thread, whenever one is
    // due before the end. When the collector is given up, the rings are emptied all the same and
    // what was not acknowledged, and is not in the spool, counts as lost; a final ledger that waits
    // in the spool tells that.
    void run(const std::vector<ByteRing*>& rings, const std::function<MeterLedger()>& ledger = {});

    // Any thread: no worker writes any more; this is what they counted.
    void finish(const MeterLedger& ledger);

    // Any thread: the collector will not answer any more; do not wait for it.
    void abandon();

    // Any thread.
    DeliveryState state() const;

    // Any thread: sentences for people about the spool; each is given once.
    std::vector<std::string> news();

    // After run(): one sentence when records could not be delivered, else empty.
    const std::string& fault() const noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::probe
