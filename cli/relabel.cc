#include "cli/relabel.h"

#include <fmt/ostream.h>

#include <map>
#include <ostream>
#include <string>

#include "cli/usage_error.h"
#include "collector/durable_file.h"
#include "collector/index.h"
#include "collector/label_overlay.h"
#include "collector/manifest.h"
#include "signatures/group_rules.h"

namespace curlew::cli {
namespace {

namespace fs = std::filesystem;
using signatures::GroupRules;
using signatures::SignatureSet;

SignatureSet load_set(const RelabelConfig& config) {
    if (config.ruleset.empty()) {
        return SignatureSet::load(config.signatures_folder);
    }
    return fs::is_directory(config.ruleset)
               ? SignatureSet::load(config.ruleset)
               : SignatureSet::load_with(config.signatures_folder, config.ruleset);
}

// The ruleset's own groups, where it is a folder that has some.
fs::path groups_folder(const RelabelConfig& config) {
    const fs::path own = config.ruleset / "groups";
    return !config.ruleset.empty() && fs::is_directory(own) ? own
                                                            : config.signatures_folder / "groups";
}

// Which device a role is stands in the group's file; a group that is not there tells nothing.
const GroupRules& group_of(const fs::path& manifest,
                           const fs::path& folder,
                           std::map<std::string, GroupRules>& groups) {
    const std::string name = manifest.parent_path().parent_path().filename().string();
    auto found = groups.find(name);
    if (found == groups.end()) {
        const fs::path file = folder / (name + ".toml");
        GroupRules rules = fs::is_regular_file(file)
                               ? GroupRules::load(file)
                               : GroupRules::parse("name = 'none'\ntitle = 'none'\n", "none");
        if (!rules.problems().empty()) {
            throw UsageError(to_string(rules.problems().front()));
        }
        found = groups.emplace(name, std::move(rules)).first;
    }
    return found->second;
}

// Records do not keep the octets that a pattern of the ruleset's file would be looked for in.
void tell_of_payloads(const SignatureSet& set, const fs::path& ruleset, std::ostream& err) {
    for (const signatures::Signature& one : set.signatures()) {
        if (one.kind == signatures::SignatureKind::payload && one.file == ruleset.string()) {
            fmt::print(err,
                       "{}:{}: records do not keep payloads: \"{}\" labels those alone of which it "
                       "is written that a signature of this id matched\n",
                       one.file,
                       one.line,
                       one.id);
        }
    }
}

}  // namespace

int run_relabel(const RelabelConfig& config, std::ostream& out, std::ostream& err) {
    const SignatureSet set = load_set(config);
    if (!set.problems().empty()) {
        throw UsageError(to_string(set.problems().front()));
    }
    const fs::path index_file = config.archive / collector::kIndexName;
    if (!fs::is_regular_file(index_file)) {
        throw UsageError(fmt::format(
            "{} is no archive: it has no {}", config.archive.string(), collector::kIndexName));
    }
    tell_of_payloads(set, config.ruleset, err);
    const signatures::ContentRules rules(set);
    const fs::path groups_at = groups_folder(config);
    std::map<std::string, GroupRules> groups;
    std::map<std::string, uint64_t> differences;
    uint64_t records = 0;
    uint64_t changed = 0;
    uint64_t failures = 0;
    for (const auto& entry : collector::ArchiveIndex(config.archive).present()) {
        const fs::path manifest = config.archive / entry.manifest;
        try {
            const collector::OverlaySummary summary =
                collector::write_overlay(manifest, group_of(manifest, groups_at, groups), rules);
            records += summary.records;
            changed += summary.changed;
            for (const auto& [what, count] : summary.differences) {
                differences[what] += count;
            }
            fmt::print(err, "wrote {}\n", summary.file.string());
        } catch (const UsageError&) {
            throw;
        } catch (const collector::NoLabels& error) {
            fmt::print(err, "{}\n", error.what());
        } catch (const std::exception& error) {
            ++failures;
            fmt::print(err, "{}\n", error.what());
        }
    }
    for (const auto& [what, count] : differences) {
        fmt::print(out, "{:10}  {}\n", count, what);
    }
    fmt::print(out, "{} of {} records have another label\n", changed, records);
    return failures == 0 ? 0 : 1;
}

}  // namespace curlew::cli
