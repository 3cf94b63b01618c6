#include "collector/verify.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "collector/dataset_file.h"
#include "collector/device_file.h"
#include "collector/digest.h"
#include "collector/durable_file.h"
#include "collector/index.h"
#include "collector/label_overlay.h"
#include "collector/manifest.h"
#include "collector/record_check.h"
#include "collector/seal_state.h"
#include "collector/seal_windows.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;

// Sentences about the lines of one file, so that a file of another kind does not fill a terminal.
constexpr uint64_t kLineProblemsToldPerFile = 5;

class Verifier {
  public:
    Verifier(const fs::path& archive, const std::function<void(const std::string&)>& on_problem)
        : archive_(archive), on_problem_(on_problem) {}

    VerifyResult run() {
        if (!fs::is_directory(archive_)) {
            throw std::runtime_error(
                fmt::format("cannot verify {}: it is no folder", archive_.string()));
        }
        check_index();
        check_strays();
        check_waiting();
        return result_;
    }

  private:
    void tell(const std::string& problem) {
        ++result_.problems;
        on_problem_(wire_text(problem));
    }

    // No folder, link or pipe, nor what stands where we may not look.
    bool is_file(const fs::path& path) const {
        std::error_code error;
        return fs::is_regular_file(fs::symlink_status(path, error));
    }

    // The archive of a living collector changes meanwhile: what the index has got lines about since
    // it was read is left to the next time.
    bool changed_meanwhile(const std::string& name) {
        std::error_code unknown;
        const fs::path path = archive_ / kIndexName;
        if (!index_octets_ || fs::file_size(path, unknown) <= *index_octets_ || unknown) {
            return false;
        }
        const std::string content = read_file(path, kLongestIndex);
        std::string_view added = std::string_view(content).substr(*index_octets_);
        for (size_t end = added.find('\n'); end != std::string_view::npos; end = added.find('\n')) {
            const std::optional<IndexEntry> entry = parse_index_line(added.substr(0, end));
            const size_t suffix = std::string_view(kManifestSuffix).size();
            if (entry && entry->manifest.ends_with(kManifestSuffix) &&
                name.starts_with(entry->manifest.substr(0, entry->manifest.size() - suffix) +
                                 ".")) {
                return true;
            }
            added.remove_prefix(end + 1);
        }
        return false;
    }

    // A collector holds its lock as long as it lives.
    bool is_served() const {
        const fs::path lock = open_folder(archive_) / ".lock";
        const FileDescriptor file(::open(lock.c_str(), O_RDONLY | O_CLOEXEC));
        return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0;
    }

    // Who writes a dataset, or labels, holds a lock on its part.
    bool is_being_written(const std::string& file) const {
        if (!file.ends_with(".part")) {
            return false;
        }
        const fs::path part = archive_ / file;
        const FileDescriptor open(::open(part.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
        return open.get() >= 0 && ::flock(open.get(), LOCK_SH | LOCK_NB) != 0 &&
               errno == EWOULDBLOCK;
    }

    // Who publishes a dataset, or takes it away, holds the index' lock.
    bool is_index_locked() const {
        const fs::path path = archive_ / kIndexName;
        const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
        return file.get() >= 0 && ::flock(file.get(), LOCK_SH | LOCK_NB) != 0 &&
               errno == EWOULDBLOCK;
    }

    // A living collector, and a run, put the files of a dataset in place before its line of the
    // index. One that is gone in the end is settled, too.
    bool is_being_sealed(const std::string& file) {
        constexpr int kLooks = 30;
        constexpr std::chrono::milliseconds kPause{100};
        const auto is_settled = [&] {
            std::error_code unknown;
            const fs::file_status now = fs::symlink_status(archive_ / file, unknown);
            return changed_meanwhile(file) || now.type() == fs::file_type::not_found;
        };
        for (int look = 0; !is_settled(); ++look) {
            if (look == kLooks || (!is_served() && !is_index_locked())) {
                // It may have got its line, and who wrote that gone, since the look before.
                return is_settled();
            }
            std::this_thread::sleep_for(kPause);
        }
        return true;
    }

    void tell_absent(const std::string& name) {
        if (changed_meanwhile(name)) {
            return;
        }
        std::error_code error;
        const fs::file_status status = fs::symlink_status(archive_ / name, error);
        tell(status.type() == fs::file_type::none
                 ? fmt::format("{} cannot be read: {}", name, error.message())
                 : fmt::format("{} {}", name, fs::exists(status) ? "is no file" : "is missing"));
    }

    // A live collector makes the index with its first dataset.
    bool is_begun() const {
        const auto status = [&](const auto& name) {
            std::error_code unknown;
            return fs::symlink_status(archive_ / name, unknown).type();
        };
        return status(open_folder({})) == fs::file_type::directory &&
               status(kIndexName) == fs::file_type::not_found &&
               status(kIndexHeadName) == fs::file_type::not_found;
    }

    // Sealed, and without a name: a collector gives it one soon after its start.
    void check_waiting() {
        std::error_code error;
        for (auto entry = fs::directory_iterator(open_folder(archive_), error);
             !error && entry != fs::directory_iterator();
             entry.increment(error)) {
            const std::string file = entry->path().lexically_relative(archive_).string();
            if (!file.ends_with(kSealStateSuffix) || !is_file(entry->path()) || is_served()) {
                continue;
            }
            check_guarded(file, [&] {
                const size_t waiting = load_seal_state(entry->path()).publications.size();
                if (waiting != 0) {
                    result_.unsealed += waiting;
                    tell(
                        fmt::format("{}: {} datasets wait there for a collector that gives them "
                                    "their names",
                                    file,
                                    waiting));
                }
            });
        }
    }

    void check_index() {
        const fs::path path = archive_ / kIndexName;
        if (!is_file(path)) {
            // Lines that it gets from now on are new.
            index_octets_ = 0;
            if (!is_begun()) {
                tell_absent(kIndexName);
            }
            return;
        }
        // Before the index, which may grow in between: the head names a line that is there then.
        const std::optional<IndexHead> head = read_head(fs::file_size(path) == 0);
        const std::string content = read_file(path, kLongestIndex);
        index_octets_ = content.size();
        find_tombstones(content);
        std::string_view rest = content;
        std::string previous = first_previous();
        uint64_t lines = 0;
        for (uint64_t line_number = 1; !rest.empty(); ++line_number) {
            const size_t end = rest.find('\n');
            if (end == std::string_view::npos) {
                tell(fmt::format("{}: line {} does not end", kIndexName, line_number));
                return;
            }
            const std::string_view line = rest.substr(0, end);
            check_index_line(line, line_number, previous);
            previous = sha256_of(line);
            rest.remove_prefix(end + 1);
            lines = line_number;
            if (head && head->lines == line_number && head->last != previous) {
                tell(fmt::format(
                    "{}: line {} is not the one that {} names", kIndexName, lines, kIndexHeadName));
            }
        }
        if (head && head->lines > lines) {
            tell(fmt::format("{} had {} lines at least", kIndexName, head->lines));
        }
    }

    std::optional<IndexHead> read_head(bool index_is_empty) {
        constexpr uint64_t kLongestHead = 4096;
        const fs::path path = archive_ / kIndexHeadName;
        if (!is_file(path)) {
            if (!index_is_empty) {
                tell_absent(kIndexHeadName);
            }
            return std::nullopt;
        }
        const std::optional<IndexHead> head = parse_index_head(
            fs::file_size(path) <= kLongestHead ? read_file(path, kLongestHead) : "");
        // One of fewer lines is one that could not be written anew.
        if (!head || (head->lines == 0 && head->last != first_previous())) {
            tell(fmt::format("{} is none", kIndexHeadName));
        }
        return head;
    }

    // A tombstone stands behind the line of its dataset, which is not missed then.
    void find_tombstones(std::string_view content) {
        for (size_t end = content.find('\n'); end != std::string_view::npos;
             end = content.find('\n')) {
            const std::optional<IndexEntry> entry = parse_index_line(content.substr(0, end));
            if (entry && entry->tombstone) {
                removed_.insert(entry->manifest);
            }
            content.remove_prefix(end + 1);
        }
    }

    void check_index_line(std::string_view line,
                          uint64_t line_number,
                          const std::string& previous) {
        const std::optional<IndexEntry> entry = parse_index_line(line);
        if (!entry) {
            tell(fmt::format("{}: line {} is no entry", kIndexName, line_number));
            return;
        }
        if (entry->previous != previous) {
            tell(fmt::format(
                "{}: line {} does not follow the line before", kIndexName, line_number));
        }
        if (!is_within_archive(entry->manifest)) {
            tell(fmt::format("{}: line {} names \"{}\", which is no place in an archive",
                             kIndexName,
                             line_number,
                             entry->manifest));
            return;
        }
        if (entry->tombstone) {
            check_tombstone(*entry, line_number);
            return;
        }
        listed_[entry->manifest] = entry->sha256;
        if (!known_files_.insert(entry->manifest).second) {
            tell(fmt::format(
                "{}: line {} lists {} again", kIndexName, line_number, entry->manifest));
            return;
        }
        if (removed_.contains(entry->manifest)) {
            // A living collector removes its files behind the tombstone.
            if (fs::exists(archive_ / entry->manifest) && !is_being_sealed(entry->manifest)) {
                tell(fmt::format("{} has a tombstone and is there", entry->manifest));
            }
            return;
        }
        ++result_.datasets;
        check_guarded(entry->manifest, [&] { check_manifest(*entry); });
    }

    // It stands behind the line of its dataset, once.
    void check_tombstone(const IndexEntry& entry, uint64_t line_number) {
        const auto of = listed_.find(entry.manifest);
        if (of == listed_.end() || of->second != entry.sha256) {
            tell(fmt::format("{}: line {} removes {}, which is not listed so before it",
                             kIndexName,
                             line_number,
                             entry.manifest));
        } else if (!buried_.insert(entry.manifest).second) {
            tell(fmt::format(
                "{}: line {} removes {} again", kIndexName, line_number, entry.manifest));
        }
    }

    // GROUP/SCENARIO/NAME.manifest.json and no link on the way, so that nothing outside is read.
    bool is_within_archive(const std::string& manifest) const {
        if (manifest.find('\0') != std::string::npos || !manifest.ends_with(kManifestSuffix)) {
            return false;
        }
        const fs::path relative(manifest);
        if (relative.is_absolute() || std::distance(relative.begin(), relative.end()) != 3) {
            return false;
        }
        fs::path walked = archive_;
        for (const fs::path& part : relative) {
            walked /= part;
            std::error_code error;
            if (part.empty() || part == "." || part == ".." ||
                fs::is_symlink(fs::symlink_status(walked, error))) {
                return false;
            }
        }
        return true;
    }

    template <typename Check>
    void check_guarded(const std::string& what, Check check) {
        try {
            check();
        } catch (const std::runtime_error& error) {
            if (!changed_meanwhile(what)) {
                tell(fmt::format("{}: {}", what, error.what()));
            }
        }
    }

    void check_manifest(const IndexEntry& entry) {
        const fs::path path = archive_ / entry.manifest;
        if (!is_file(path)) {
            tell_absent(entry.manifest);
            return;
        }
        const std::string text = read_file(path, kLongestManifest);
        if (sha256_of(text) != entry.sha256) {
            tell(fmt::format("{} is not the one that the index lists", entry.manifest));
        }
        const std::string base =
            entry.manifest.substr(0, entry.manifest.size() - std::string(kManifestSuffix).size());
        const std::optional<ManifestFacts> facts = parse_manifest(text);
        if (!facts) {
            // Its dataset is not a stray besides.
            known_files_.insert(base + suffix_of(Encoding::json));
            known_files_.insert(base + suffix_of(Encoding::json_zstd));
            known_files_.insert(base + kDevicesSuffix);
            tell(fmt::format("{} is no manifest of a schema known here", entry.manifest));
            return;
        }
        if (!facts->ledgers_close) {
            tell(fmt::format("{}: its ledgers do not close", entry.manifest));
        }
        const std::string dataset = base + suffix_of(facts->encoding);
        sealed_[base] = {archive_ / dataset, facts->encoding, facts->sums.content_sha256};
        known_files_.insert(dataset);
        check_devices(base + kDevicesSuffix, text);
        check_guarded(dataset, [&] { check_dataset(dataset, *facts); });
    }

    void check_devices(const std::string& file, const std::string& manifest) {
        const std::optional<std::string> devices = device_file_of(manifest);
        if (!devices) {
            return;
        }
        known_files_.insert(file);
        if (!is_file(archive_ / file)) {
            tell_absent(file);
        } else if (sha256_of_file(archive_ / file) != sha256_of(*devices)) {
            tell(fmt::format("{}: it is not what its manifest says", file));
        }
    }

    void check_dataset(const std::string& dataset, const ManifestFacts& facts) {
        const fs::path path = archive_ / dataset;
        if (!is_file(path)) {
            tell_absent(dataset);
            return;
        }
        RecordCheck records(facts.preset);
        uint64_t line_problems = 0;
        const DatasetSums sums = read_dataset(path, facts.encoding, [&](std::string_view line) {
            const std::string problem = records.check(line);
            if (!problem.empty() && ++line_problems <= kLineProblemsToldPerFile) {
                tell(fmt::format("{}: {}", dataset, problem));
            }
        });
        result_.records += records.lines();
        result_.octets += sums.octets;
        const auto require = [&](bool equal, const char* what) {
            if (!equal) {
                tell(fmt::format("{}: its {} is not what its manifest says", dataset, what));
            }
        };
        require(sums.octets == facts.sums.octets, "length");
        require(sums.sha256 == facts.sums.sha256, "SHA-256");
        require(sums.content_octets == facts.sums.content_octets, "length of content");
        require(sums.content_sha256 == facts.sums.content_sha256, "SHA-256 of content");
        require(records.lines() == facts.records, "number of records");
    }

    // Two folders deep is where datasets are; a folder there is as foreign as a file that is none
    // of theirs.
    void check_strays() {
        std::vector<std::string> files;
        list_folder(archive_, 0, files);
        std::sort(files.begin(), files.end());
        for (const std::string& file : files) {
            check_stray(file);
        }
    }

    void list_folder(const fs::path& folder, int depth, std::vector<std::string>& files) {
        std::error_code error;
        for (auto entry = fs::directory_iterator(folder, error);
             !error && entry != fs::directory_iterator();
             entry.increment(error)) {
            std::error_code unknown;
            const bool is_folder = fs::is_directory(entry->symlink_status(unknown));
            if (!is_folder || depth >= 2) {
                files.push_back(entry->path().lexically_relative(archive_).string());
            } else if (depth != 0 || entry->path().filename() != open_folder({})) {
                list_folder(entry->path(), depth + 1, files);
            }
        }
        if (error) {
            tell(fmt::format("cannot read {}: {}", folder.string(), error.message()));
        }
    }

    void check_stray(const std::string& file) {
        if (known_files_.contains(file) || file == kIndexName || file == kIndexHeadName) {
            return;
        } else if (const size_t mark = file.rfind(kOverlayMark);
                   mark != std::string::npos && sealed_.contains(file.substr(0, mark))) {
            if (!is_file(archive_ / file)) {
                tell_absent(file);
                return;
            }
            check_guarded(file, [&] {
                const std::string wrong =
                    check_overlay(archive_ / file, sealed_.at(file.substr(0, mark)));
                if (!wrong.empty()) {
                    tell(fmt::format("{}: {}", file, wrong));
                }
            });
        } else if (is_being_written(file) || is_being_sealed(file)) {
            return;
        } else if (file.ends_with(".open") || file.ends_with(".part")) {
            ++result_.unsealed;
            tell(fmt::format("{} was left unsealed by a run that did not end", file));
        } else if (file.ends_with(kManifestSuffix)) {
            tell(fmt::format("{} is not listed in the index", file));
        } else if (file.ends_with(".json") || file.ends_with(".json.zst")) {
            tell(fmt::format("{} has no manifest in the index", file));
        } else {
            tell(fmt::format("{} is none of the archive's files", file));
        }
    }

    const fs::path& archive_;
    const std::function<void(const std::string&)>& on_problem_;
    std::set<std::string> known_files_;
    std::map<std::string, OverlaidDataset> sealed_;  // by path without its ending
    std::map<std::string, std::string> listed_;      // sums by manifest, of lines read so far
    std::set<std::string> removed_;                  // manifests with a tombstone
    std::set<std::string> buried_;                   // the same, of lines read so far
    std::optional<uint64_t> index_octets_;           // when it was read
    VerifyResult result_;
};

}  // namespace

VerifyResult verify_archive(const fs::path& archive,
                            const std::function<void(const std::string&)>& on_problem) {
    return Verifier(archive, on_problem).run();
}

}  // namespace curlew::collector
