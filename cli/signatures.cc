#include "cli/signatures.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "cli/usage_error.h"
#include "signatures/compiled_set.h"
#include "signatures/group_rules.h"
#include "signatures/signature_check.h"
#include "signatures/signature_set.h"

namespace curlew::cli {
namespace {

using signatures::Problem;

constexpr size_t kColumns = 7;
using Row = std::array<std::string, kColumns>;

void require_folder(const std::filesystem::path& folder) {
    std::error_code failure;
    if (!std::filesystem::is_directory(folder, failure)) {
        throw UsageError(fmt::format("{}: there is no such folder of signatures", folder.string()));
    }
}

void append(std::vector<Problem>& problems, const std::vector<Problem>& more) {
    problems.insert(problems.end(), more.begin(), more.end());
}

std::vector<Problem> check_groups(const std::filesystem::path& folder) {
    std::vector<std::filesystem::path> files;
    std::vector<Problem> problems;
    if (!std::filesystem::is_regular_file(folder / "any.toml")) {
        problems.push_back({(folder / "any.toml").string(),
                            0,
                            0,
                            "is missing: the group of everything that no other one has"});
    }
    std::error_code failure;
    std::filesystem::directory_iterator entry(folder, failure);
    for (; !failure && entry != std::filesystem::directory_iterator(); entry.increment(failure)) {
        if (entry->path().extension() == ".toml") {
            files.push_back(entry->path());
        }
    }
    if (failure && failure != std::errc::no_such_file_or_directory) {
        problems.push_back({folder.string(), 0, 0, "cannot be read: " + failure.message()});
    }
    std::sort(files.begin(), files.end());
    for (const std::filesystem::path& file : files) {
        append(problems, signatures::GroupRules::load(file).problems());
    }
    return problems;
}

void print_row(const Row& row, const std::array<size_t, kColumns>& widths, std::ostream& out) {
    for (size_t column = 0; column + 1 < kColumns; ++column) {
        out << row[column] << std::string(widths[column] - row[column].size() + 2, ' ');
    }
    out << row.back() << '\n';
}

}  // namespace

int run_signatures_check(const std::filesystem::path& folder, std::ostream& out) {
    require_folder(folder);
    const auto set = signatures::SignatureSet::load(folder);
    std::vector<Problem> problems = set.problems();
    append(problems, signatures::check_signatures(set));
    append(problems, check_groups(folder / "groups"));
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
        return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
    });
    for (const Problem& problem : problems) {
        out << to_string(problem) << '\n';
    }
    out << set.signatures().size() << " signatures, " << problems.size() << " problems\n";
    return problems.empty() ? 0 : 1;
}

namespace {

std::string measured_text(const signatures::Signature& signature) {
    if (!signature.measured || signature.measured->flows == 0) {
        return "unmeasured";
    }
    const signatures::Measured& measured = *signature.measured;
    const std::string flows = fmt::format("{} flows", measured.flows);
    return measured.judged == 0 ? flows + ", none judged"
                                : fmt::format("{}, {:.1f} % of {}",
                                              flows,
                                              100.0 * measured.right / measured.judged,
                                              measured.judged);
}

std::string or_dash(const std::string& text) {
    return text.empty() ? "-" : text;
}

}  // namespace

int run_signatures_list(const std::filesystem::path& folder, std::ostream& out, std::ostream& err) {
    require_folder(folder);
    const auto compiled = signatures::load_compiled(folder, signatures::default_cache_folder());
    const signatures::SignatureSet& set = compiled.set;
    std::vector<Row> rows = {{"id", "kind", "protocol", "service", "cost", "measured", "title"}};
    for (size_t i = 0; i < set.signatures().size(); ++i) {
        const signatures::Signature& signature = set.signatures()[i];
        const bool has_cost = i < compiled.costs.size() && compiled.costs[i] > 0;
        rows.push_back({signature.id,
                        std::string(name_of(signature.kind)),
                        or_dash(signature.protocol),
                        or_dash(signature.service),
                        has_cost ? fmt::format("{:.1f}", compiled.costs[i]) : "-",
                        measured_text(signature),
                        signature.title});
    }
    std::array<size_t, kColumns> widths{};
    for (const Row& row : rows) {
        for (size_t column = 0; column < kColumns; ++column) {
            widths[column] = std::max(widths[column], row[column].size());
        }
    }
    for (const Row& row : rows) {
        print_row(row, widths, out);
    }
    for (const Problem& problem : set.problems()) {
        err << to_string(problem) << '\n';
    }
    return set.problems().empty() ? 0 : 1;
}

}  // namespace curlew::cli
