#pragma once

#include <filesystem>
#include <iosfwd>

// `curlew annotate --rules curlew`: the content labels of an archive by other signatures, without
// packets. An overlay for each dataset (collector/label_overlay.h); what changed goes to `out`.

namespace curlew::cli {

struct RelabelConfig {
    std::filesystem::path archive;
    std::filesystem::path signatures_folder;
    // A folder of signatures, or one file that is added to the folder above, where its signatures
    // replace those of the same id; empty: the folder as it is.
    std::filesystem::path ruleset;
};

// 0 or 1, as the program ends. Throws UsageError where the ruleset has problems.
int run_relabel(const RelabelConfig& config, std::ostream& out, std::ostream& err);

}  // namespace curlew::cli
