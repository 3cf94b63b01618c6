#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "probe/byte_ring.h"
#include "probe/meter_ledger.h"
#include "probe/scripted_port.h"
#include "proto/channel.h"

// What tests of the exporter share: records to send, and a collector that takes them.

namespace curlew::tests {

namespace proto = curlew::proto;

inline constexpr const char* kExporterEndpoint = "inproc://exporter-test";

// Takes frames until a ledger came; acknowledges each.
std::vector<std::string> receive_all(proto::ChannelReceiver& receiver);
proto::FrameView view_of(const std::string& octets);
// Serialized, longer by so many octets than they need be.
void put_records(probe::ByteRing& ring, uint64_t count, size_t more_octets = 0);
std::string hello_frame();
probe::MeterLedger with_records_created(uint64_t count);
std::vector<probe::ScriptedPacket> datagrams(uint16_t count);

}  // namespace curlew::tests
