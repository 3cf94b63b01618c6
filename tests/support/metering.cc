#include "tests/support/metering.h"

#include <algorithm>
#include <thread>
#include <tuple>

#include "probe/flow_summary.h"
#include "probe/scripted_port.h"

namespace curlew::tests {

const signatures::SignatureSet& test_signatures() {
    static const signatures::SignatureSet set = signatures::SignatureSet::parse(
        R"(
[[signature]]
id = "dns-query"
title = "DNS query"
reference = "RFC 1035"
kind = "payload"
pattern = '^..[\x00-\x07]'
transport = "udp"
protocol = "dns"
label = "dns"
examples.match = ['hex:1234 0100 0001']
examples.no_match = ['hex:1234 8180 0001']

[[signature]]
id = "tls-client-hello"
title = "TLS ClientHello"
reference = "RFC 8446"
kind = "payload"
pattern = '^\x16\x03..'
transport = "tcp"
protocol = "tls"
label = "tls"
examples.match = ['hex:16030100']
examples.no_match = ['hex:17030300']

[[signature]]
id = "http-request"
title = "HTTP request"
reference = "RFC 9112"
kind = "payload"
pattern = '^GET '
transport = "tcp"
protocol = "http"
label = "http"
examples.match = ['GET /']
examples.no_match = ['PUT /']

[[signature]]
id = "known"
title = "A name known to the tests"
reference = "none"
kind = "name"
pattern = "known.example"
service = "known-service"
examples.match = ["known.example"]
examples.no_match = ["unknown.example"]
)",
        "test.toml");
    return set;
}

namespace {

probe::ScriptedPort port_of(const std::vector<Packet>& packets, size_t burst) {
    std::vector<probe::ScriptedPacket> scripted;
    for (const Packet& packet : packets) {
        scripted.push_back({packet.time_ns, packet.octets, packet.wire_octets, packet.link});
    }
    return probe::ScriptedPort(std::move(scripted), burst);
}

}  // namespace

Metered meter(const std::vector<Packet>& packets,
              const probe::DispatcherConfig& config,
              size_t burst) {
    const probe::Inspector inspector(test_signatures());
    probe::Dispatcher dispatcher(config, inspector);
    probe::ScriptedPort port = port_of(packets, burst);
    Metered result;
    std::atomic<bool> finished{false};
    std::thread reader([&] {
        const auto rings = dispatcher.record_rings();
        while (true) {
            const bool last = finished.load(std::memory_order_acquire);
            for (probe::ByteRing* ring : rings) {
                for (auto image = ring->front(); !image.empty(); image = ring->front()) {
                    probe::summarize(image, test_signatures(), result.records.emplace_back());
                    ring->pop();
                }
            }
            if (last) {
                return;
            }
            std::this_thread::yield();
        }
    });
    dispatcher.run(port, {});
    finished.store(true, std::memory_order_release);
    reader.join();
    std::sort(result.records.begin(), result.records.end(), [](const auto& a, const auto& b) {
        const auto order = [](const proto::FlowSummary& record) {
            return std::make_tuple(record.flow_start_ns(),
                                   record.initiator_port(),
                                   record.flow_ordinal(),
                                   record.record_number());
        };
        return order(a) < order(b);
    });
    result.packets = dispatcher.packet_counters();
    result.flows = dispatcher.flow_counters();
    return result;
}

}  // namespace curlew::tests
