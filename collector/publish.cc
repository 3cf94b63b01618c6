#include "collector/publish.h"

#include <fmt/format.h>

#include <stdexcept>
#include <vector>

#include "collector/device_file.h"
#include "collector/digest.h"
#include "collector/durable_file.h"
#include "collector/index.h"
#include "collector/manifest.h"

namespace curlew::collector {
namespace {

struct Place {
    std::filesystem::path dataset;        // with this dataset's encoding
    std::filesystem::path other_dataset;  // the same name in the other encoding
    std::filesystem::path manifest;
    std::filesystem::path devices;
    std::string manifest_in_archive;  // as the index names it
};

Place place_of(const DatasetConfig& config, Encoding encoding, const std::string& name) {
    const std::filesystem::path folder =
        std::filesystem::path(config.group) / std::filesystem::path(config.scenario);
    const Encoding other = encoding == Encoding::json ? Encoding::json_zstd : Encoding::json;
    const std::filesystem::path manifest = folder / (name + kManifestSuffix);
    return {config.archive / folder / (name + suffix_of(encoding)),
            config.archive / folder / (name + suffix_of(other)),
            config.archive / manifest,
            config.archive / folder / (name + kDevicesSuffix),
            manifest.string()};
}

bool holds(const std::filesystem::path& file, const std::string& sha256) {
    return std::filesystem::exists(file) && sha256_of_file(file) == sha256;
}

enum class Vacancy { free, ours, taken };

// `ours` may lack any of its three parts: a crash or a hand took it. A dataset that nothing names
// is ours where its octets are equal, and no other's by `may_adopt`.
Vacancy vacancy(const Place& place,
                const ArchiveIndex& index,
                const DatasetSums& sums,
                const std::string& manifest_sha256,
                bool may_adopt) {
    if (std::filesystem::exists(place.other_dataset)) {
        return Vacancy::taken;
    }
    const auto listed = index.sha256_of_manifest(place.manifest_in_archive);
    if ((listed && *listed != manifest_sha256) || index.is_removed(place.manifest_in_archive)) {
        return Vacancy::taken;
    }
    const bool has_manifest = std::filesystem::exists(place.manifest);
    if (has_manifest && !holds(place.manifest, manifest_sha256)) {
        return Vacancy::taken;
    }
    if (std::filesystem::exists(place.dataset) && !holds(place.dataset, sums.sha256)) {
        if (has_manifest || listed) {
            throw std::runtime_error(
                fmt::format("{} is not what its manifest says: curlew verify tells more",
                            place.dataset.string()));
        }
        return Vacancy::taken;
    }
    if (listed || has_manifest) {
        return Vacancy::ours;
    }
    if (!std::filesystem::exists(place.dataset)) {
        return Vacancy::free;
    }
    return may_adopt ? Vacancy::ours : Vacancy::taken;
}

std::vector<std::string> candidate_names(const DatasetConfig& config,
                                         const DatasetSums& sums,
                                         const std::string& manifest_sha256) {
    std::vector<std::string> names{config.name};
    if (!config.capture.sha256.empty()) {
        names.push_back(config.name + "-" + config.capture.sha256.substr(0, 8));
    }
    names.push_back(config.name + "-" + sums.content_sha256.substr(0, 8));
    names.push_back(config.name + "-" + manifest_sha256.substr(0, 16));
    return names;
}

// The devices that the manifest tells, as a file; true when it was not there.
bool put_devices(const Place& place, const std::string& manifest) {
    const std::optional<std::string> devices = device_file_of(manifest);
    if (!devices || holds(place.devices, sha256_of(*devices))) {
        return false;
    }
    write_file_durably(place.devices, *devices);
    return true;
}

// Gives dataset, manifest, devices and entry what is missing of them; false when nothing was. A
// failure takes back what this call had named: without its entry it would look whole. The dataset
// goes back to where it was, for of a live one nothing else may be left.
bool put_in_place(const Place& place,
                  const std::filesystem::path& part,
                  const std::string& manifest,
                  const std::string& manifest_sha256,
                  ArchiveIndex& index) {
    const bool names_dataset = !std::filesystem::exists(place.dataset);
    const bool names_manifest = !std::filesystem::exists(place.manifest);
    bool names_devices = false;
    try {
        if (names_dataset) {
            if (!std::filesystem::exists(part)) {
                throw std::runtime_error(
                    fmt::format("cannot write {}: {}, which becomes it, is gone",
                                place.dataset.string(),
                                part.string()));
            }
            rename_durably(part, place.dataset);
        }
        if (names_manifest) {
            write_file_durably(place.manifest, manifest);
        }
        names_devices = put_devices(place, manifest);
        // What was there may have been named by one who died before that was durable.
        sync_folder(place.manifest.parent_path());
        if (!index.sha256_of_manifest(place.manifest_in_archive)) {
            index.append(place.manifest_in_archive, manifest_sha256);
            return true;
        }
    } catch (const UncertainIndex&) {
        // The entry may come back and must find all that it names.
        throw;
    } catch (...) {
        std::error_code ignored;
        if (names_devices) {
            std::filesystem::remove(place.devices, ignored);
        }
        if (names_manifest) {
            std::filesystem::remove(place.manifest, ignored);
        }
        if (names_dataset) {
            // Another run may have begun a part of its own there.
            rename_to_free_name(place.dataset, part);
        }
        throw;
    }
    return names_dataset || names_manifest || names_devices;
}

// Under the first name that `name_of(0)`, `name_of(1)`, ... gives and that is free or ours; an
// empty name is the last. `may_adopt`: see vacancy().
template <typename NameOf>
Published publish_under(NameOf name_of,
                        bool may_adopt,
                        const DatasetConfig& config,
                        Encoding encoding,
                        const std::filesystem::path& part,
                        const DatasetSums& sums,
                        const std::string& manifest,
                        const std::string& manifest_sha256) {
    ArchiveIndex index(config.archive);
    for (uint64_t number = 0;; ++number) {
        const std::string name = name_of(number);
        if (name.empty()) {
            throw std::runtime_error(fmt::format("cannot seal {}: every name for it in {} is taken",
                                                 config.name,
                                                 part.parent_path().string()));
        }
        const Place place = place_of(config, encoding, name);
        const bool was_ours =
            index.is_removed(place.manifest_in_archive) &&
            index.sha256_of_manifest(place.manifest_in_archive) == manifest_sha256 &&
            !std::filesystem::exists(part);
        if (was_ours) {
            return {place.dataset, place.manifest, true};
        }
        if (vacancy(place, index, sums, manifest_sha256, may_adopt) == Vacancy::taken) {
            continue;
        }
        const bool is_listed = index.sha256_of_manifest(place.manifest_in_archive).has_value();
        if (is_listed) {
            index.sync();
        }
        if (is_listed && !std::filesystem::exists(part)) {
            return {place.dataset, place.manifest, true};
        }
        return {place.dataset,
                place.manifest,
                !put_in_place(place, part, manifest, manifest_sha256, index)};
    }
}

}  // namespace

Published publish(const DatasetConfig& config,
                  Encoding encoding,
                  const std::filesystem::path& part,
                  const DatasetSums& sums,
                  const std::string& manifest) {
    const std::string manifest_sha256 = sha256_of(manifest);
    const std::vector<std::string> names = candidate_names(config, sums, manifest_sha256);
    return publish_under(
        [&](uint64_t number) { return number < names.size() ? names[number] : std::string(); },
        true,
        config,
        encoding,
        part,
        sums,
        manifest,
        manifest_sha256);
}

Published publish_numbered(const DatasetConfig& config,
                           Encoding encoding,
                           const std::filesystem::path& part,
                           const DatasetSums& sums,
                           const std::string& manifest) {
    return publish_under(
        [&](uint64_t number) { return fmt::format("{}-{}", config.name, number + 1); },
        !std::filesystem::exists(part),
        config,
        encoding,
        part,
        sums,
        manifest,
        sha256_of(manifest));
}

}  // namespace curlew::collector
