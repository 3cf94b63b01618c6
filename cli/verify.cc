#include "cli/verify.h"

#include <fmt/ostream.h>

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>

#include "collector/verify.h"

namespace curlew::cli {
namespace {

// One line on a terminal, whatever a file is called.
std::string one_line(std::string text) {
    std::replace_if(
        text.begin(),
        text.end(),
        [](char octet) { return static_cast<uint8_t>(octet) < 0x20 || octet == 0x7f; },
        '?');
    return text;
}

}  // namespace

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
