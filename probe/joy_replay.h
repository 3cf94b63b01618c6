#pragma once

#include <cstddef>
#include <functional>
#include <string>

#include "probe/byte_ring.h"
#include "probe/joy_meter.h"
#include "probe/meter_ledger.h"
#include "probe/port.h"

// One capture through the JoyMeter, into a ring for the exporter, as the dispatcher does it with
// the correct meter.

namespace curlew::probe {

class JoyReplay {
  public:
    // Requires: the port is no live one and outlives this.
    JoyReplay(const JoyMeterConfig& config, Port& port);

    // Serialized FlowSummary messages (ExporterConfig::serialized_records).
    ByteRing& records() noexcept { return ring_; }

    // Meters until the port ends. Waits for room in the ring: somebody has to empty it. `tick` gets
    // the port's progress now and then.
    void run(const std::function<void(double)>& tick = {});

    // After run().
    MeterLedger ledger() const;

  private:
    void hand_on(const proto::FlowSummary& summary);

    Port& port_;
    ByteRing ring_;
    JoyMeter meter_;
};

}  // namespace curlew::probe
