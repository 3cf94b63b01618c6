#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>

// Holds an archive's index, manifests and files against each other. What this cannot tell: that the
// newest datasets were taken out together with their manifests and their lines of the index; keep a
// copy of the index elsewhere for that. That an overlay of labels was taken out: it can be made
// again. What a collector keeps in open/ is its own affair, and what it seals or removes meanwhile
// is left to the next time.

namespace curlew::collector {

struct VerifyResult {
    uint64_t datasets = 0;  // listed in the index
    uint64_t records = 0;   // read in them
    uint64_t octets = 0;    // of their files
    uint64_t problems = 0;
    // Leftovers of a run that did not end, and datasets that a collector has yet to name: counted
    // in problems too.
    uint64_t unsealed = 0;

    bool holds() const noexcept { return problems == 0; }
};

// Calls `on_problem` with one sentence for each thing wrong. Files change nothing and are read in
// bounded memory. Throws std::runtime_error with one sentence when `archive` is no folder.
VerifyResult verify_archive(const std::filesystem::path& archive,
                            const std::function<void(const std::string&)>& on_problem);

}  // namespace curlew::collector
