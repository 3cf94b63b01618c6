#pragma once

#include <filesystem>
#include <iosfwd>

// `curlew signatures explain CAPTURE`: of each flow of a capture what matched where, and what
// nearly did: a payload signature whose transport, ports, sender or beginning is another one, a
// name beside one that is listed, a field that a pattern matches in part.

namespace curlew::cli {

// 0 or 1, as the program ends.
int run_explain(const std::filesystem::path& capture,
                const std::filesystem::path& signatures_folder,
                std::ostream& out,
                std::ostream& err);

}  // namespace curlew::cli
