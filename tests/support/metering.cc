#include "tests/support/metering.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <tuple>
#include <utility>

#include "probe/flow_summary.h"

namespace curlew::tests {

const signatures::SignatureSet& test_signatures() {
    static const signatures::SignatureSet set = signatures::SignatureSet::parse(
        R"(
[[signature]]
id = "dns-query"
title = "DNS query"
reference = "RFC 1035"
kind = "payload"
pattern = '^..[\x00-\x07].\x00.\x00'
transport = "udp"
protocol = "dns"
label = "dns"
examples.match = ['hex:1234 0100 0001 0000']
examples.no_match = ['hex:1234 8180 0001 0000']

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
pattern = '^(?:\r?\n){0,4}GET '
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

const probe::Inspector& test_inspector() {
    static const probe::Inspector inspector(test_signatures());
    return inspector;
}

std::unique_ptr<probe::ScriptedPort> port_of(const std::vector<Packet>& packets,
                                             size_t burst,
                                             probe::PortState at_end,
                                             const std::string& fault) {
    std::vector<probe::ScriptedPacket> scripted;
    for (const Packet& packet : packets) {
        scripted.push_back({packet.time_ns, packet.octets, packet.wire_octets, packet.link});
    }
    return std::make_unique<probe::ScriptedPort>(std::move(scripted), burst, at_end, fault);
}

Metered meter(const std::vector<Packet>& packets,
              const probe::DispatcherConfig& config,
              size_t burst) {
    const std::unique_ptr<probe::ScriptedPort> port = port_of(packets, burst);
    return meter_ports({port.get()}, config);
}

Metered meter_ports(const std::vector<probe::Port*>& ports, const probe::DispatcherConfig& config) {
    probe::Dispatcher dispatcher(config, ports, test_inspector());
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
    dispatcher.run({});
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
    result.ledger = dispatcher.ledger();
    result.packets = result.ledger.packets;
    result.flows = result.ledger.flows;
    return result;
}

}  // namespace curlew::tests
