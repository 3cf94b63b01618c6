#include "collector/damaged_states.h"

#include <fmt/format.h>

#include <algorithm>

#include "collector/durable_file.h"
#include "collector/journal_reader.h"
#include "collector/seal_state.h"

namespace curlew::collector {

namespace fs = std::filesystem;

void set_damaged_states_aside(const fs::path& folder, std::vector<std::string>& problems) {
    std::vector<fs::path> files;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
        files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& state : files) {
        if (!state.native().ends_with(kSealStateSuffix)) {
            continue;
        }
        try {
            static_cast<void>(load_seal_state(state));
        } catch (const SealStateError& error) {
            size_t aside = 0;
            for (const fs::path& file : files) {
                const auto name = parse_journal_name(file.filename().string());
                const bool is_journal =
                    name && seal_state_path(folder, name->probe, name->epoch) == state;
                if (file == state || is_journal) {
                    rename_durably(file, file.string() + ".damaged");
                    aside += is_journal ? 1 : 0;
                }
            }
            problems.push_back(
                fmt::format("{}: it is kept as .damaged, {} journals of its epoch with it",
                            error.what(),
                            aside));
        }
    }
}

}  // namespace curlew::collector
