#pragma once

#include <filesystem>
#include <iosfwd>

// `curlew signatures check|list`.

namespace curlew::cli {

// Both throw UsageError when there is no such folder.

// Checks the signature files of `folder` and the group files of `folder`/groups, of which `any` is
// wanted. Prints every problem and as last line "N signatures, M problems" to `out`. Returns the
// exit code: 0 without a problem, else 1.
int run_signatures_check(const std::filesystem::path& folder, std::ostream& out);

// Prints id, kind, protocol, service and title of every signature to `out`, in aligned columns.
// Problems of the files go to `err`, and the exit code is 1 when there are any.
int run_signatures_list(const std::filesystem::path& folder, std::ostream& out, std::ostream& err);

}  // namespace curlew::cli
