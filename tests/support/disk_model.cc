#include "tests/support/disk_model.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <fstream>
#include <random>
#include <utility>

namespace curlew::tests {
namespace {

namespace fs = std::filesystem;
using Kind = FileCall::Kind;

constexpr uint64_t kSector = 512;

std::string folder_of(const std::string& path) {
    const size_t slash = path.rfind('/');
    return slash == std::string::npos ? "" : path.substr(0, slash);
}

}  // namespace

Disk::Disk(const fs::path& folder) {
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        const std::string path = entry.path().lexically_relative(folder).string();
        if (entry.is_directory()) {
            seen_.folders.insert(path);
            continue;
        }
        File file;
        std::ifstream stream(entry.path(), std::ios::binary);
        file.seen.resize(entry.file_size());
        stream.read(file.seen.data(), static_cast<std::streamsize>(file.seen.size()));
        file.certain = file.seen;
        file.mode = static_cast<mode_t>(entry.status().permissions());
        seen_.files[path] = new_file();
        files_[last_file_] = std::move(file);
    }
    certain_ = seen_;
}

uint32_t Disk::file_named(const std::string& path) const {
    const auto found = seen_.files.find(path);
    return found == seen_.files.end() ? 0 : found->second;
}

void Disk::Names::apply(const FileCall& call) {
    switch (call.kind) {
        case Kind::create:
            files[call.path] = call.file;
            break;
        case Kind::make_folder:
            folders.insert(call.path);
            break;
        case Kind::rename:
            // By the file, for its old name may never have been certain.
            if (const auto old = files.find(call.path);
                old != files.end() && old->second == call.file) {
                files.erase(old);
            }
            files[call.to] = call.file;
            break;
        case Kind::remove:
            files.erase(call.path);
            folders.erase(call.path);
            break;
        default:
            assert(false);
    }
}

void Disk::change(const FileCall& call, std::string& octets) {
    switch (call.kind) {
        case Kind::write:
            octets.resize(std::max<size_t>(octets.size(), call.offset + call.octets.size()));
            octets.replace(call.offset, call.octets.size(), call.octets);
            break;
        case Kind::cut:
            octets.resize(call.length);
            break;
        case Kind::reserve:
            octets.resize(std::max<size_t>(octets.size(), call.length));
            break;
        default:
            assert(false);
    }
}

void Disk::apply(const FileCall& call) {
    last_file_ = std::max(last_file_, call.file);
    switch (call.kind) {
        case Kind::create:
            files_[call.file].mode = call.mode;
            [[fallthrough]];
        case Kind::make_folder:
        case Kind::rename:
        case Kind::remove:
            seen_.apply(call);
            unsure_names_.push_back(call);
            break;
        case Kind::write:
        case Kind::cut:
        case Kind::reserve:
            change(call, files_.at(call.file).seen);
            files_.at(call.file).unsure.push_back(call);
            break;
        case Kind::sync:
            sync(files_.at(call.file));
            break;
        case Kind::failed_sync:
            files_.at(call.file).lost = files_.at(call.file).unsure.size();
            break;
        case Kind::sync_folder:
            sync_folder(call.path);
            break;
    }
}

void Disk::sync(File& file) {
    for (size_t i = 0; i < file.unsure.size(); ++i) {
        // A length is no page of the file: it is not lost.
        if (i >= file.lost || file.unsure[i].kind != Kind::write) {
            change(file.unsure[i], file.certain);
        }
    }
    file.certain.resize(file.seen.size());
    file.unsure.clear();
    file.lost = 0;
}

void Disk::sync_folder(const std::string& path) {
    std::vector<FileCall> rest;
    for (FileCall& call : unsure_names_) {
        if (folder_of(call.kind == Kind::rename ? call.to : call.path) != path) {
            rest.push_back(std::move(call));
            continue;
        }
        certain_.apply(call);
        if (call.kind == Kind::rename) {
            // The old name goes with it, also where it was not certain yet.
            std::erase_if(rest, [&](const FileCall& before) {
                return before.file == call.file &&
                       (before.kind == Kind::rename ? before.to : before.path) == call.path;
            });
        }
    }
    unsure_names_ = std::move(rest);
}

std::string Disk::torn(const File& file, unsigned seed) {
    std::mt19937 random(seed);
    std::string octets = file.certain;
    for (size_t i = 0; i < file.unsure.size(); ++i) {
        const FileCall& call = file.unsure[i];
        const bool is_last = i + 1 == file.unsure.size();
        const auto chance = random() % 3;
        if (call.kind != Kind::write) {
            if (chance != 0) {
                change(call, octets);
            }
            continue;
        }
        // The last one ends at a sector; of the others any sectors may be there.
        const uint64_t end = call.offset + call.octets.size();
        const uint64_t first_sector = call.offset / kSector;
        const uint64_t sectors = (end - 1) / kSector + 1 - first_sector;
        const uint64_t whole = is_last ? random() % (sectors + 1) : sectors;
        for (uint64_t sector = first_sector; sector < first_sector + whole; ++sector) {
            if (!is_last && (chance == 0 || (chance == 1 && random() % 2 == 0))) {
                continue;
            }
            FileCall piece = call;
            piece.offset = std::max(call.offset, sector * kSector);
            const uint64_t piece_end = std::min(end, (sector + 1) * kSector);
            piece.octets = call.octets.substr(piece.offset - call.offset, piece_end - piece.offset);
            change(piece, octets);
        }
    }
    return octets;
}

void Disk::materialise(Left left, unsigned seed, const fs::path& folder) const {
    Names names = left == Left::kept ? seen_ : certain_;
    if (left == Left::torn) {
        const auto count = std::mt19937(seed)() % (unsure_names_.size() + 1);
        for (size_t i = 0; i < count; ++i) {
            names.apply(unsure_names_[i]);
        }
    }
    fs::create_directories(folder);
    // In order of their names, so that a folder stands before what is in it.
    for (const std::string& path : names.folders) {
        if (!path.empty() && fs::is_directory(folder / folder_of(path))) {
            fs::create_directory(folder / path);
        }
    }
    for (const auto& [path, number] : names.files) {
        if (!fs::is_directory(folder / folder_of(path))) {
            continue;
        }
        const File& file = files_.at(number);
        const std::string octets = left == Left::kept      ? file.seen
                                   : left == Left::dropped ? file.certain
                                                           : torn(file, seed + number);
        std::ofstream(folder / path, std::ios::binary) << octets;
        fs::permissions(folder / path, static_cast<fs::perms>(file.mode));
    }
}

}  // namespace curlew::tests
