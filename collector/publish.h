#pragma once

#include <filesystem>
#include <string>

#include "collector/dataset_config.h"
#include "collector/dataset_file.h"

namespace curlew::collector {

struct Published {
    std::filesystem::path dataset;
    std::filesystem::path manifest;
    bool already_sealed = false;  // an equal dataset was there; `part` was not used
};

// Gives a finished, synced file its final name, then writes its manifest, then its index entry: a
// crash in between leaves what the next run of the same capture completes, and what `verify` tells.
//
// Names, the first that is free or already holds this very dataset: NAME, then NAME- and 8 digits
// of the capture's SHA-256, then of the content's, then 16 of the manifest's. Nothing sealed is
// ever replaced. Throws std::runtime_error with one sentence.
Published publish(const DatasetConfig& config,
                  Encoding encoding,
                  const std::filesystem::path& part,
                  const DatasetSums& sums,
                  const std::string& manifest);

// The same for a dataset of a live line: NAME-1, NAME-2, ... Asked again after a crash, with the
// same sums and manifest, it completes what is there; `part` need not exist any more when it has
// its name, or when it was published and taken away since. While it exists, a dataset of equal
// octets without a manifest is another's, who has yet to complete it.
Published publish_numbered(const DatasetConfig& config,
                           Encoding encoding,
                           const std::filesystem::path& part,
                           const DatasetSums& sums,
                           const std::string& manifest);

}  // namespace curlew::collector
