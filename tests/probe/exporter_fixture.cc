#include "tests/probe/exporter_fixture.h"

#include <algorithm>
#include <chrono>
#include <cstring>

#include "proto/flow.pb.h"
#include "tests/support/packet_builder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::tests {

std::vector<std::string> receive_all(proto::ChannelReceiver& receiver) {
    std::vector<std::string> frames;
    while (true) {
        const auto frame = receiver.receive(std::chrono::seconds(20));
        if (!frame) {
            return frames;
        }
        if (frame->header.kind == proto::FrameKind::hello) {
            receiver.welcome(*frame, 0);
            continue;
        }
        frames.push_back(frame->octets);
        const uint64_t count = std::max<uint64_t>(frame->header.record_count, 1);
        receiver.acknowledge(frame->peer,
                             frame->header.probe_id,
                             frame->header.epoch,
                             frame->header.first_sequence + count - 1);
        if (frame->header.kind == proto::FrameKind::ledger) {
            return frames;
        }
    }
}

proto::FrameView view_of(const std::string& octets) {
    proto::FrameView view;
    CHECK(proto::decode_frame({reinterpret_cast<const uint8_t*>(octets.data()), octets.size()},
                              view) == proto::FrameError::none);
    return view;
}

void put_records(probe::ByteRing& ring, uint64_t count, size_t more_octets) {
    proto::FlowSummary record;
    record.set_protocol_identifier(17);
    if (more_octets != 0) {
        record.add_messages()->set_octets(std::string(more_octets, 'x'));
    }
    const std::string octets = record.SerializeAsString();
    for (uint64_t i = 0; i < count; ++i) {
        std::memcpy(ring.reserve(octets.size()), octets.data(), octets.size());
        ring.commit(octets.size());
    }
}

std::string hello_frame() {
    std::string octets;
    proto::append_frame({proto::FrameKind::hello, 7, 99, 1, 0}, {}, octets);
    return octets;
}

probe::MeterLedger with_records_created(uint64_t count) {
    probe::MeterLedger ledger;
    ledger.flows.records_created = count;
    return ledger;
}

std::vector<probe::ScriptedPacket> datagrams(uint16_t count) {
    std::vector<probe::ScriptedPacket> packets;
    for (uint16_t i = 0; i < count; ++i) {
        const Packet packet = PacketBuilder{}
                                  .ethernet()
                                  .ipv4("10.0.0.1", "10.0.0.2")
                                  .udp(static_cast<uint16_t>(1000 + i), 53)
                                  .payload("hello")
                                  .build();
        packets.push_back({uint64_t{i}, packet.octets});
    }
    return packets;
}

}  // namespace curlew::tests
