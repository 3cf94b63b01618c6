#include "cli/flow_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

#include "cli/flow_file.h"

namespace curlew::cli {

namespace {

constexpr uint32_t kMaximumProtocol = 255;

std::string endpoint_name(const FlowSet::Endpoint& endpoint) {
    return endpoint.second < 0 ? endpoint.first
                               : fmt::format("{}:{}", endpoint.first, endpoint.second);
}

}  // namespace

FlowSet::FlowSet(const std::filesystem::path& path) {
    FlowFile file(path);
    bool first_object = true;
    std::string_view line;
    while (file.next_line(line)) {
        if (is_blank(line)) {
            continue;
        }
        try {
            const FlowLine flow = parse_flow_line(line);
            if (flow.is_record() || !first_object) {
                add(line, file.line_number(), flow);
            } else {
                holds_later_records_ = true;
            }
        } catch (const std::runtime_error& error) {
            throw std::runtime_error(file.sentence(error.what()));
        }
        first_object = false;
    }
    for (auto& [key, flow] : flows_) {
        holds_later_records_ = holds_later_records_ || flow.records.size() > 1;
        std::stable_sort(
            flow.records.begin(), flow.records.end(), [](const Record& left, const Record& right) {
                return left.time_start < right.time_start;
            });
    }
}

const FlowSet::Flow* FlowSet::find(const Key& key) const {
    const auto found = flows_.find(key);
    return found == flows_.end() ? nullptr : &found->second;
}

void FlowSet::add(std::string_view line, uint64_t line_number, const FlowLine& flow) {
    const Endpoint source = {text_of(flow.sa, "sa"), port_of(flow.sp, "sp")};
    const Endpoint destination = {text_of(flow.da, "da"), port_of(flow.dp, "dp")};
    const uint32_t protocol = number_of(flow.pr, "pr", kMaximumProtocol);
    const double time_start = seconds_of(flow.time_start, "time_start");
    Flow& entry = flows_[{std::min(source, destination), std::max(source, destination), protocol}];
    if (entry.records.empty()) {
        entry.name = fmt::format(
            "{} - {} protocol {}", endpoint_name(source), endpoint_name(destination), protocol);
    }
    entry.records.push_back({std::string(line), line_number, time_start, flow.flow_type});
}

}  // namespace curlew::cli
