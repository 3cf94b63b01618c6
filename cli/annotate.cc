#include "cli/annotate.h"

#include <fmt/format.h>

#include <optional>
#include <set>
#include <string_view>
#include <system_error>

#include "cli/flow_file.h"
#include "cli/flow_line.h"
#include "cli/whole_file.h"
#include "signatures/group_rules.h"

namespace curlew::cli {

namespace {

using signatures::GroupRules;
using signatures::RuleView;

constexpr uint32_t kMaximumTtl = 255;

std::string known_groups(const std::filesystem::path& folder) {
    std::set<std::string> names;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
        if (entry.path().extension() == ".toml") {
            names.insert(entry.path().stem().string());
        }
    }
    return fmt::format("{}", fmt::join(names, ", "));
}

GroupRules load_rules(const AnnotateConfig& config) {
    if (!std::filesystem::is_directory(config.groups_folder)) {
        throw UnknownGroup(
            fmt::format("{}: there is no such folder of groups", config.groups_folder.string()));
    }
    const std::filesystem::path file = config.groups_folder / (config.group + ".toml");
    // A group is a name, not a path out of the folder.
    if (config.group.find('/') != std::string::npos || !std::filesystem::exists(file)) {
        throw UnknownGroup(fmt::format("unknown group {}: {} has {}",
                                       config.group,
                                       config.groups_folder.string(),
                                       known_groups(config.groups_folder)));
    }
    GroupRules rules = GroupRules::load(file);
    if (!rules.problems().empty()) {
        throw std::runtime_error(to_string(rules.problems().front()));
    }
    if (!rules.has_rules()) {
        throw UnknownGroup(
            fmt::format("group {} has no published rules to annotate by", config.group));
    }
    return rules;
}

RuleView rule_view(const FlowLine& flow) {
    RuleView view;
    view.sa = text_of(flow.sa, "sa");
    view.da = text_of(flow.da, "da");
    view.sp = port_of(flow.sp, "sp");
    view.dp = port_of(flow.dp, "dp");
    view.out_ttl = number_of(flow.out_ttl, "ip.out.ttl", kMaximumTtl);
    view.has_in_ttl = flow.in_ttl.kind != FlowField::Kind::absent;
    if (view.has_in_ttl) {
        view.in_ttl = number_of(flow.in_ttl, "ip.in.ttl", kMaximumTtl);
    }
    return view;
}

// Nothing for Joy's settings. Throws std::runtime_error with the cause alone.
std::optional<std::string> label_of(const FlowLine& flow,
                                    bool may_be_settings,
                                    const GroupRules& rules) {
    if (may_be_settings && !flow.is_record()) {
        return std::nullopt;
    }
    if (flow.flow_type_count > 1 || (flow.flow_type_count == 1 && !flow.flow_type_is_last)) {
        throw std::runtime_error("the record has `flow_type`, but not as its last key");
    }
    if (flow.has_flow_id) {
        throw std::runtime_error(
            "the record is of preset curlew, which does not tell the sides as Joy did: its "
            "flow_type comes with `curlew run --group`");
    }
    const std::string_view label = rules.label(rule_view(flow));
    if (label.empty()) {
        throw std::runtime_error("no rule of the group holds for the record");
    }
    return std::string(label);
}

void write_labelled(std::string_view line,
                    const FlowLine& flow,
                    std::string_view label,
                    WholeFile& out) {
    if (flow.flow_type_count == 1) {
        out.write(line.substr(0, flow.last_value_begin));
    } else {
        out.write(line.substr(0, flow.members_end));
        out.write(flow.comma);
        out.write("\"flow_type\"");
        out.write(flow.colon);
    }
    out.write(json_string(label));
    out.write(line.substr(flow.members_end));
}

void annotate_file(const std::filesystem::path& input,
                   const std::filesystem::path& output,
                   const GroupRules& rules,
                   AnnotateSummary& summary) {
    FlowFile in(input);
    WholeFile out(output);
    AnnotateSummary counted = summary;
    bool first_object = true;
    bool is_empty = true;
    std::string_view line;
    while (in.next_line(line)) {
        is_empty = false;
        if (is_blank(line)) {
            out.write(line);
            continue;
        }
        FlowLine flow;
        std::optional<std::string> label;
        try {
            flow = parse_flow_line(line);
            label = label_of(flow, first_object, rules);
        } catch (const std::runtime_error& error) {
            throw std::runtime_error(in.sentence(error.what()));
        }
        if (label) {
            write_labelled(line, flow, *label, out);
            ++counted.records;
            ++counted.flow_types[*label];
        } else {
            out.write(line);
        }
        first_object = false;
    }
    // A dataset of no flows is a file without octets.
    if (first_object && !is_empty) {
        throw std::runtime_error(fmt::format("{}: holds no JSON object", input.string()));
    }
    out.finish();
    ++counted.files;
    summary = std::move(counted);
}

}  // namespace

AnnotateSummary annotate(const AnnotateConfig& config) {
    const GroupRules rules = load_rules(config);
    std::set<std::filesystem::path> outputs;
    for (const std::filesystem::path& input : config.inputs) {
        const std::filesystem::path output = config.output / without_compression(input.filename());
        if (!outputs.insert(output).second) {
            throw std::runtime_error(
                fmt::format("{}: two inputs would be written here", output.string()));
        }
        if (std::filesystem::exists(output)) {
            throw std::runtime_error(
                fmt::format("{}: exists and is not written over", output.string()));
        }
    }
    std::error_code error;
    const bool is_new = std::filesystem::create_directories(config.output, error);
    if (error) {
        throw std::runtime_error(
            fmt::format("{}: cannot be made: {}", config.output.string(), error.message()));
    }
    AnnotateSummary summary;
    try {
        for (const std::filesystem::path& input : config.inputs) {
            annotate_file(
                input, config.output / without_compression(input.filename()), rules, summary);
        }
    } catch (...) {
        if (is_new) {
            // Stays when something is in it.
            std::filesystem::remove(config.output, error);
        }
        throw;
    }
    return summary;
}

}  // namespace curlew::cli
