#include "cli/compare.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/error/en.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

#include "cli/flow_file.h"
#include "cli/flow_set.h"
#include "cli/value_difference.h"

namespace curlew::cli {

namespace {

using rapidjson::Value;
using PathsByName = std::map<std::string, std::filesystem::path>;

constexpr std::string_view kLabel = "flow_type";
constexpr std::string_view kExtraFlows = "extra";

// Whether a name, or one that holds it, may differ: "tls" allows "tls.s_cert" too.
bool is_allowed(const std::set<std::string>& allow, std::string_view path) {
    for (size_t end = path.find('.'); end != std::string_view::npos;
         end = path.find('.', end + 1)) {
        if (allow.contains(std::string(path.substr(0, end)))) {
            return true;
        }
    }
    return allow.contains(std::string(path));
}

std::string shown(const Value* value) {
    if (value == nullptr) {
        return "absent";
    }
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer,
                      rapidjson::UTF8<>,
                      rapidjson::UTF8<>,
                      rapidjson::CrtAllocator,
                      rapidjson::kWriteNanAndInfFlag>
        writer(buffer);
    value->Accept(writer);
    return shown_text({buffer.GetString(), buffer.GetSize()});
}

std::string shown(const FlowField& label) {
    return label.kind == FlowField::Kind::absent ? "absent" : shown_text(label.value);
}

// Holds one pair of files against each other and counts into the result.
class Comparison {
  public:
    Comparison(const CompareConfig& config, CompareResult& result)
        : config_(config), result_(result) {}

    void compare_files(const std::filesystem::path& golden,
                       const std::filesystem::path& ours,
                       const std::string& name);
    void count_missing_file(const std::filesystem::path& golden, const std::string& name);
    void count_extra_file(const std::filesystem::path& ours, const std::string& name);

  private:
    void compare_flows(const FlowSet::Flow& golden, const FlowSet::Flow& ours);
    void compare_labels(const FlowSet::Flow& golden, const FlowSet::Flow& ours);
    void compare_records(const std::string& flow,
                         const FlowSet::Record& golden,
                         const FlowSet::Record& ours);
    bool compare_fields(const std::string& flow,
                        std::string_view name,
                        const Value& golden,
                        const Value* ours);
    void differ(std::string_view allowed_by,
                std::string flow,
                std::string field,
                std::string golden,
                std::string ours);
    static void parse(const FlowSet::Record& record,
                      const std::filesystem::path& path,
                      rapidjson::Document& document);

    const CompareConfig& config_;
    CompareResult& result_;
    bool held_against_ = false;  // what OURS has more of a flow
    std::string file_;
    std::filesystem::path golden_path_;
    std::filesystem::path ours_path_;
};

void Comparison::compare_files(const std::filesystem::path& golden,
                               const std::filesystem::path& ours,
                               const std::string& name) {
    file_ = name;
    golden_path_ = golden;
    ours_path_ = ours;
    const FlowSet golden_set(golden);
    const FlowSet ours_set(ours);
    held_against_ = config_.exact || golden_set.holds_later_records();
    ++result_.files;
    for (const auto& [key, flow] : golden_set.flows()) {
        ++result_.flows_golden;
        result_.records_golden += flow.records.size();
        if (const FlowSet::Flow* partner = ours_set.find(key)) {
            ++result_.flows_found;
            compare_flows(flow, *partner);
        } else {
            differ({}, flow.name, {}, "present", "not found");
        }
    }
    for (const auto& [key, flow] : ours_set.flows()) {
        if (golden_set.find(key) == nullptr) {
            ++result_.flows_extra;
            differ(kExtraFlows, flow.name, {}, "absent", "only here");
        }
    }
}

void Comparison::count_missing_file(const std::filesystem::path& golden, const std::string& name) {
    file_ = name;
    result_.files_missing.push_back(name);
    const FlowSet set(golden);
    result_.flows_golden += set.flows().size();
    for (const auto& [key, flow] : set.flows()) {
        result_.records_golden += flow.records.size();
    }
    differ({}, {}, {}, fmt::format("{} flows", set.flows().size()), "no such file");
}

void Comparison::count_extra_file(const std::filesystem::path& ours, const std::string& name) {
    file_ = name;
    result_.files_extra.push_back(name);
    const size_t flows = FlowSet(ours).flows().size();
    result_.flows_extra += flows;
    differ(kExtraFlows, {}, {}, "no such file", fmt::format("{} flows", flows));
}

void Comparison::compare_flows(const FlowSet::Flow& golden, const FlowSet::Flow& ours) {
    compare_labels(golden, ours);
    const size_t paired = std::min(golden.records.size(), ours.records.size());
    result_.records_found += paired;
    for (size_t i = 0; i < paired; ++i) {
        compare_records(golden.name, golden.records[i], ours.records[i]);
    }
    const bool more = ours.records.size() > paired && held_against_;
    result_.records_extra += more ? ours.records.size() - paired : 0;
    if (paired < golden.records.size() || more) {
        differ(more ? kExtraFlows : std::string_view(),
               golden.name,
               {},
               fmt::format("{} records", golden.records.size()),
               fmt::format("{} records", ours.records.size()));
    }
}

// A flow's label is equal when that of each of its records is.
void Comparison::compare_labels(const FlowSet::Flow& golden, const FlowSet::Flow& ours) {
    const size_t paired = std::min(golden.records.size(), ours.records.size());
    bool has_label = false;
    bool equal = true;
    for (size_t i = 0; i < paired; ++i) {
        const FlowField& expected = golden.records[i].flow_type;
        const FlowField& label = ours.records[i].flow_type;
        if (expected.kind == FlowField::Kind::absent) {
            continue;
        }
        has_label = true;
        if (expected.kind != label.kind || expected.value != label.value) {
            if (!std::exchange(equal, false)) {
                continue;  // told of this flow
            }
            differ(kLabel, golden.name, std::string(kLabel), shown(expected), shown(label));
        }
    }
    if (has_label) {
        ++(equal ? result_.labels_equal : result_.labels_differ);
    }
}

void Comparison::compare_records(const std::string& flow,
                                 const FlowSet::Record& golden,
                                 const FlowSet::Record& ours) {
    rapidjson::Document golden_document;
    rapidjson::Document ours_document;
    parse(golden, golden_path_, golden_document);
    parse(ours, ours_path_, ours_document);
    const Members golden_members = members_of(golden_document);
    Members ours_members = members_of(ours_document);
    if (!config_.exact || golden_members.contains(kLabel)) {
        ours_members.erase(kLabel);
    }
    bool equal = true;
    for (const auto& [key, value] : golden_members) {
        if (key != kLabel) {
            const auto found = ours_members.find(key);
            const Value* partner = found == ours_members.end() ? nullptr : found->second;
            equal = compare_fields(flow, key, *value, partner) && equal;
            ours_members.erase(key);
        }
    }
    for (const auto& [key, value] : ours_members) {
        ++result_.fields_extra[std::string(key)];
        equal = false;
        if (config_.exact) {
            differ(key, flow, shown_text(std::string(key)), "absent", shown(value));
        }
    }
    result_.records_equal += equal ? 1 : 0;
}

// Counts one field of GOLDEN; true when it is equal.
bool Comparison::compare_fields(const std::string& flow,
                                std::string_view name,
                                const Value& golden,
                                const Value* ours) {
    const std::vector<ValueDifference> differences = differences_of(name, &golden, ours);
    FieldAgreement& field = result_.fields[std::string(name)];
    if (differences.empty()) {
        ++field.equal;
        return true;
    }
    ++field.differ;
    bool all_allowed = true;
    std::set<std::string> paths;
    for (const ValueDifference& one : differences) {
        all_allowed = is_allowed(config_.allow, one.path) && all_allowed;
        if (one.path != name && is_allowed(config_.allow, one.path)) {
            paths.insert(one.path);
        }
        differ(one.path, flow, shown_text(one.place), shown(one.golden), shown(one.ours));
    }
    field.allowed += all_allowed ? 1 : 0;
    for (const std::string& path : paths) {
        ++result_.allowed_within[path];
    }
    return false;
}

void Comparison::differ(std::string_view allowed_by,
                        std::string flow,
                        std::string field,
                        std::string golden,
                        std::string ours) {
    if (result_.differences.size() < CompareResult::kMaximumDifferences &&
        (allowed_by.empty() || !is_allowed(config_.allow, allowed_by))) {
        result_.differences.push_back({file_,
                                       shown_text(std::move(flow)),
                                       std::move(field),
                                       std::move(golden),
                                       std::move(ours)});
    }
}

void Comparison::parse(const FlowSet::Record& record,
                       const std::filesystem::path& path,
                       rapidjson::Document& document) {
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseFullPrecisionFlag;
    document.Parse<kFlags>(record.text.data(), record.text.size());
    if (document.HasParseError()) {
        throw std::runtime_error(
            fmt::format("{}:{}: the record cannot be compared: column {}: {}",
                        path.string(),
                        record.line_number,
                        document.GetErrorOffset() + 1,
                        rapidjson::GetParseError_En(document.GetParseError())));
    }
}

// Devices or labels that stand beside a dataset of an archive.
bool is_beside_dataset(const std::filesystem::path& folder, const std::string& stem) {
    const size_t end = stem.ends_with(".devices") ? stem.rfind('.') : stem.rfind(".labels-");
    return end != std::string::npos &&
           std::filesystem::exists(folder / (stem.substr(0, end) + ".manifest.json"));
}

// The name two files of a pair share, empty for what is no file of records: manifests and what else
// stands beside a dataset, the archive's index, open segments.
std::string pair_name(const std::filesystem::path& folder, const std::filesystem::path& file) {
    const std::filesystem::path plain = without_compression(file);
    if (plain.extension() != ".json" || plain.stem().extension() == ".manifest" ||
        is_beside_dataset(file.parent_path(), plain.stem().string())) {
        return {};
    }
    return (plain.parent_path().lexically_relative(folder) / plain.stem())
        .lexically_normal()
        .string();
}

PathsByName files_of(const std::filesystem::path& folder) {
    PathsByName files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
        const std::string name =
            entry.is_regular_file() ? pair_name(folder, entry.path()) : std::string();
        if (name.empty()) {
            continue;
        }
        const auto [other, inserted] = files.emplace(name, entry.path());
        if (!inserted) {
            throw std::runtime_error(fmt::format(
                "{} and {}: two files of one name", other->second.string(), entry.path().string()));
        }
    }
    if (files.empty()) {
        throw std::runtime_error(fmt::format("{}: holds no file of flow records", folder.string()));
    }
    return files;
}

bool is_folder(const std::filesystem::path& path) {
    std::error_code error;
    const std::filesystem::file_status status = std::filesystem::status(path, error);
    if (!std::filesystem::exists(status)) {
        throw std::runtime_error(fmt::format("{}: {}", path.string(), error.message()));
    }
    return std::filesystem::is_directory(status);
}

void compare_folders(const CompareConfig& config, Comparison& comparison) {
    const PathsByName golden = files_of(config.golden);
    const PathsByName ours = files_of(config.ours);
    for (const auto& [name, path] : golden) {
        const auto partner = ours.find(name);
        if (partner != ours.end()) {
            comparison.compare_files(path, partner->second, name);
        } else {
            comparison.count_missing_file(path, name);
        }
    }
    for (const auto& [name, path] : ours) {
        if (!golden.contains(name)) {
            comparison.count_extra_file(path, name);
        }
    }
}

}  // namespace

CompareResult compare(const CompareConfig& config) {
    CompareResult result;
    result.allow = config.allow;
    result.exact = config.exact;
    Comparison comparison(config, result);
    const bool golden_is_folder = is_folder(config.golden);
    if (golden_is_folder != is_folder(config.ours)) {
        throw std::runtime_error(fmt::format("{} and {}: a file and a folder cannot be compared",
                                             config.golden.string(),
                                             config.ours.string()));
    }
    if (golden_is_folder) {
        compare_folders(config, comparison);
    } else {
        comparison.compare_files(config.golden, config.ours, config.golden.filename().string());
    }
    return result;
}

bool agrees(const CompareResult& result) {
    const auto allowed = [&](std::string_view name) {
        return result.allow.contains(std::string(name));
    };
    const bool fields_agree =
        std::all_of(result.fields.begin(), result.fields.end(), [&](const auto& field) {
            return field.second.differ == field.second.allowed;
        });
    const bool no_more_fields =
        !result.exact || std::all_of(result.fields_extra.begin(),
                                     result.fields_extra.end(),
                                     [&](const auto& field) { return allowed(field.first); });
    const bool nothing_extra =
        result.flows_extra == 0 && result.records_extra == 0 && result.files_extra.empty();
    return result.flows_golden > 0 && result.flows_found == result.flows_golden &&
           result.records_found == result.records_golden && result.files_missing.empty() &&
           (result.labels_differ == 0 || allowed(kLabel)) && fields_agree && no_more_fields &&
           (nothing_extra || allowed(kExtraFlows));
}

}  // namespace curlew::cli
