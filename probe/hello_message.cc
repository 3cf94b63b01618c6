#include "probe/hello_message.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/timex.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "proto/body_limits.h"
#include "proto/flow.pb.h"

namespace curlew::probe {

std::string hello_message(const ProbeConfig& config,
                          std::string_view program_version,
                          std::string_view signatures_hash,
                          std::span<const OpenPort> ports) {
    proto::Hello message;
    message.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    message.set_probe_name(config.name);
    message.set_program_version(std::string(program_version));
    message.set_signatures_hash(std::string(signatures_hash));
    message.set_started_ns(static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count()));
    const auto seconds = [](uint64_t ns) {
        return fmt::format("{:.3f}", static_cast<double>(ns) / 1e9);
    };
    timex clock{};
    if (const int state = ::adjtimex(&clock); state >= 0) {
        message.set_clock_synchronised(state != TIME_ERROR && (clock.status & STA_UNSYNC) == 0);
        message.set_clock_maximum_error_us(static_cast<uint64_t>(std::max(clock.maxerror, 0L)));
    }
    const std::pair<const char*, std::string> settings[] = {
        {"profile", config.profile},
        {"packets", std::to_string(config.list.packets)},
        {"packets_of", name_of_listed(config.list)},
        {"filter", config.filter},
        {"decapsulation", config.decapsulate ? "true" : "false"},
        {"flow_capacity", std::to_string(config.flow_capacity)},
        {"idle_timeout_tcp_s", seconds(config.timeouts.idle_tcp_ns)},
        {"idle_timeout_other_s", seconds(config.timeouts.idle_other_ns)},
        {"active_timeout_s", seconds(config.timeouts.active_ns)},
        {"closed_timeout_s", seconds(config.timeouts.closed_ns)},
        {"copies", name_of(config.copies.action)},
        {"copy_window_us", std::to_string(config.copies.window_ns / 1000)}};
    const auto add = [&message](const char* name, const std::string& value) {
        proto::Setting& setting = *message.add_configuration();
        setting.set_name(name);
        // The whole of a longer one is in the configuration's file.
        setting.set_value(proto::bounded(value, proto::kMaximumSettingOctets));
    };
    for (const auto& [name, value] : settings) {
        add(name, value);
    }
    if (const RecordConfig& record = config.record; !record.folder.empty()) {
        add("record_filter", record.filter);
        add("record_protocols", fmt::format("{}", fmt::join(record.protocols, " ")));
        add("record_octets_per_flow", std::to_string(record.octets_per_flow));
    }
    for (const OpenPort& port : ports) {
        proto::PortFacts& facts = *message.add_ports();
        facts.set_device(proto::bounded(port.device));
        facts.set_driver(proto::bounded(port.driver));
        facts.set_clock(proto::bounded(port.clock));
        facts.set_filter(proto::bounded(port.filter));
        facts.set_losses_counted(port.losses_counted);
    }
    return message.SerializeAsString();
}

}  // namespace curlew::probe
