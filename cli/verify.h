#pragma once

#include <filesystem>
#include <iosfwd>

// `curlew verify`.

namespace curlew::cli {

// Holds the archive's index, manifests and files against each other. Prints each problem and, as
// last line, what was read and whether it holds. Returns the exit code: 0 when it holds, else 1.
// Throws std::runtime_error with one sentence when `archive` is no folder.
int run_verify(const std::filesystem::path& archive, std::ostream& out);

}  // namespace curlew::cli
