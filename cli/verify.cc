#include "cli/verify.h"

#include <fmt/ostream.h>

#include <ostream>
#include <string>

#include "cli/one_line.h"
#include "collector/verify.h"

namespace curlew::cli {

int run_verify(const std::filesystem::path& archive, std::ostream& out) {
    const collector::VerifyResult result = collector::verify_archive(
        archive, [&](const std::string& problem) { fmt::print(out, "{}\n", one_line(problem)); });
    const std::string verdict =
        result.holds() ? "the archive holds" : fmt::format("{} problems", result.problems);
    fmt::print(out,
               "{} datasets, {} records, {} octets: {}\n",
               result.datasets,
               result.records,
               result.octets,
               verdict);
    return result.holds() ? 0 : 1;
}

}  // namespace curlew::cli
