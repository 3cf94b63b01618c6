#include "collector/retention.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "collector/device_file.h"
#include "collector/durable_file.h"
#include "collector/index.h"
#include "collector/label_overlay.h"
#include "collector/manifest.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr uint64_t kDayNs = 86'400 * kSecondNs;

// The files that a dataset may have: two encodings, one manifest, its devices.
struct Files {
    fs::path plain;
    fs::path compressed;
    fs::path manifest;
    fs::path devices;
};

Files files_of(const fs::path& archive, const std::string& manifest) {
    const std::string base =
        manifest.substr(0, manifest.size() - std::string_view(kManifestSuffix).size());
    return {archive / (base + suffix_of(Encoding::json)),
            archive / (base + suffix_of(Encoding::json_zstd)),
            archive / manifest,
            archive / (base + kDevicesSuffix)};
}

uint64_t octets_of(const fs::path& file) {
    struct stat facts {};
    return ::lstat(file.c_str(), &facts) == 0 && S_ISREG(facts.st_mode)
               ? static_cast<uint64_t>(facts.st_size)
               : 0;
}

uint64_t octets_of(const Files& files) {
    return octets_of(files.plain) + octets_of(files.compressed) + octets_of(files.manifest) +
           octets_of(files.devices);
}

// When the manifest was written; a clock that jumps may be wrong by as much. 0: it is not there.
uint64_t sealed_ns(const Files& files) {
    struct stat facts {};
    if (::lstat(files.manifest.c_str(), &facts) != 0) {
        return 0;
    }
    return static_cast<uint64_t>(facts.st_mtim.tv_sec) * kSecondNs +
           static_cast<uint64_t>(facts.st_mtim.tv_nsec);
}

Tombstone tombstone_of(const Files& files) {
    Tombstone tombstone;
    tombstone.octets = octets_of(files.plain) + octets_of(files.compressed);
    if (octets_of(files.manifest) == 0) {
        return tombstone;
    }
    const auto facts = parse_manifest(read_file(files.manifest, kLongestManifest));
    if (!facts) {
        return tombstone;
    }
    tombstone.records = facts->records;
    tombstone.received = facts->records;
    if (facts->live) {
        tombstone.received = facts->live->records_received;
        tombstone.probe = fmt::format("{:016x}", facts->live->probe_id);
        tombstone.epoch = fmt::format("{:016x}", facts->live->epoch);
    }
    return tombstone;
}

void unlink_files(const Files& files) {
    bool any = false;
    for (const fs::path* file :
         {&files.plain, &files.compressed, &files.devices, &files.manifest}) {
        if (::unlink(file->c_str()) == 0) {
            any = true;
        } else if (errno != ENOENT) {
            throw_file_error("remove", *file);
        }
    }
    // Labels by other rules are nothing without their records.
    const std::string begin = files.plain.stem().string() + kOverlayMark;
    std::error_code failure;
    for (const auto& entry : fs::directory_iterator(files.plain.parent_path(), failure)) {
        if (entry.path().filename().string().starts_with(begin)) {
            any = ::unlink(entry.path().c_str()) == 0 || any;
        }
    }
    if (any) {
        sync_folder(files.manifest.parent_path());
    }
}

// The name of the dataset that a file belongs to; any other file's own name.
std::string dataset_of(const std::string& file) {
    for (const std::string_view end : {std::string_view(kManifestSuffix),
                                       std::string_view(kDevicesSuffix),
                                       std::string_view(suffix_of(Encoding::json_zstd)),
                                       std::string_view(suffix_of(Encoding::json))}) {
        if (file.ends_with(end)) {
            const std::string name = file.substr(0, file.size() - end.size());
            return name.substr(0, name.rfind(kOverlayMark));
        }
    }
    return file;
}

class Keeper {
  public:
    Keeper(const Retention& keep, const fs::path& archive, uint64_t now_ns)
        : keep_(keep), archive_(archive), now_ns_(now_ns), index_(archive) {}

    Removed run() {
        finish_removals();
        const std::vector<IndexEntry> present = index_.present();
        if (keep_.octets != 0) {
            for (const IndexEntry& entry : present) {
                octets_ += octets_with_labels(files_of(archive_, entry.manifest));
            }
        }
        bool has_no_room = is_beyond_bounds();
        for (const IndexEntry& entry : present) {
            if (!has_no_room && keep_.days == 0) {
                break;
            }
            const Files files = files_of(archive_, entry.manifest);
            // One from a time when the clock was wrong keeps none of those behind it.
            if (has_no_room || is_too_old(files)) {
                remove(entry, files);
                removed_.newest_too = has_no_room && &entry == &present.back();
                has_no_room = has_no_room && is_beyond_bounds();
            }
        }
        removed_.within_bounds = !is_beyond_bounds();
        return removed_;
    }

  private:
    // What a crash interrupted: the tombstone is there, so the files have to go. Tombstones are all
    // that ever were; so it is asked which files have one, not which tombstone has files.
    void finish_removals() {
        std::map<fs::path, std::unordered_set<std::string>> removed;  // by folder, names
        for (const IndexEntry& entry : index_.removed()) {
            const fs::path manifest = archive_ / entry.manifest;
            removed[manifest.parent_path()].insert(dataset_of(manifest.filename().string()));
        }
        for (const auto& [folder, names] : removed) {
            std::set<std::string> left;
            std::error_code failure;
            for (const auto& entry : fs::directory_iterator(folder, failure)) {
                std::string name = dataset_of(entry.path().filename().string());
                if (names.contains(name)) {
                    left.insert(std::move(name));
                }
            }
            if (!left.empty()) {
                // Who wrote the tombstone may have died before it was durable.
                index_.sync();
            }
            for (const std::string& name : left) {
                unlink_files(files_of(folder, name + kManifestSuffix));
            }
        }
    }

    // With what is labelled anew beside it, which may be longer than itself.
    uint64_t octets_with_labels(const Files& files) {
        const fs::path folder = files.manifest.parent_path();
        const auto [of_folder, is_new] = overlays_.try_emplace(folder);
        if (is_new) {
            std::error_code failure;
            for (const auto& entry : fs::directory_iterator(folder, failure)) {
                const std::string name = entry.path().filename().string();
                if (const size_t end = name.rfind(kOverlayMark); end != std::string::npos) {
                    of_folder->second[name.substr(0, end)] += octets_of(entry.path());
                }
            }
        }
        const auto overlays = of_folder->second.find(files.plain.stem().string());
        return octets_of(files) + (overlays == of_folder->second.end() ? 0 : overlays->second);
    }

    bool is_beyond_bounds() const {
        return (keep_.octets != 0 && octets_ > keep_.octets) ||
               (keep_.min_free != 0 && free_octets(archive_) < keep_.min_free);
    }

    bool is_too_old(const Files& files) const {
        const uint64_t sealed = sealed_ns(files);
        return keep_.days != 0 && sealed != 0 && now_ns_ > sealed &&
               now_ns_ - sealed > keep_.days * kDayNs;
    }

    void remove(const IndexEntry& entry, const Files& files) {
        const uint64_t octets = octets_with_labels(files);
        index_.append_tombstone(entry.manifest, tombstone_of(files));
        unlink_files(files);
        octets_ -= std::min(octets_, octets);
        ++removed_.datasets;
        removed_.octets += octets;
    }

    const Retention& keep_;
    const fs::path& archive_;
    uint64_t now_ns_;
    ArchiveIndex index_;
    uint64_t octets_ = 0;  // of what is present; counted only where it is bounded
    // By folder and dataset, as the folder was first seen.
    std::map<fs::path, std::unordered_map<std::string, uint64_t>> overlays_;
    Removed removed_;
};

}  // namespace

uint64_t free_octets(const fs::path& archive) {
    struct statvfs facts {};
    if (::statvfs(archive.c_str(), &facts) != 0) {
        throw_file_error("ask for the room at", archive);
    }
    return static_cast<uint64_t>(facts.f_bavail) * facts.f_frsize;
}

Removed enforce(const Retention& keep, const fs::path& archive, uint64_t now_ns) {
    if (keep.days == 0 && keep.octets == 0 && keep.min_free == 0) {
        return {};
    }
    return Keeper(keep, archive, now_ns).run();
}

}  // namespace curlew::collector
