#include "probe/recording_setup.h"

#include <fmt/format.h>

#include <bit>

#include "signatures/config_file.h"

namespace curlew::probe {

namespace {

// By signature: whether it recognises one of the protocols. Throws ConfigError when nothing
// recognises one.
std::vector<uint8_t> recognising(const std::vector<std::string>& protocols,
                                 const signatures::SignatureSet& set) {
    std::vector<uint8_t> wanted(protocols.empty() ? 0 : set.signatures().size());
    for (const std::string& protocol : protocols) {
        bool is_known = false;
        for (size_t i = 0; i < wanted.size(); ++i) {
            const signatures::Signature& one = set.signatures()[i];
            if (one.kind == signatures::SignatureKind::payload && one.protocol == protocol) {
                wanted[i] = 1;
                is_known = true;
            }
        }
        if (!is_known) {
            throw signatures::ConfigError(
                fmt::format("no payload signature recognises \"{}\", which [record] names in "
                            "'protocols'",
                            protocol));
        }
    }
    return wanted;
}

}  // namespace

RecordingLaneConfig lane_config(const RecordConfig& record,
                                const signatures::SignatureSet& set,
                                const PacketFilter& filter) {
    RecordingLaneConfig lane;
    if (!record.folder.empty()) {
        lane.ring_octets = std::bit_floor(record.buffer_octets);
        lane.choice = {
            filter.for_port(), recognising(record.protocols, set), record.octets_per_flow};
    }
    return lane;
}

RecorderConfig recorder_config(const ServiceConfig& config,
                               const std::vector<OpenPort>& ports,
                               uint64_t epoch) {
    const RecordConfig& record = config.probe.record;
    RecorderConfig recorder;
    recorder.folder = record.folder;
    recorder.probe = config.probe.name;
    recorder.program = fmt::format("curlew-probe {}", config.program_version);
    recorder.epoch = epoch;
    recorder.is_live = ports.front().port->is_live();
    recorder.rotate = record.rotate;
    recorder.keep = record.keep;
    for (const OpenPort& port : ports) {
        if (recorder.interfaces.empty() || recorder.interfaces.back().name != port.device) {
            recorder.interfaces.push_back({port.device, port.driver, config.probe.filter});
            recorder.queues.push_back({static_cast<uint32_t>(recorder.interfaces.size() - 1), 0});
        } else {
            recorder.queues.push_back(
                {recorder.queues.back().interface, recorder.queues.back().number + 1});
        }
    }
    return recorder;
}

}  // namespace curlew::probe
