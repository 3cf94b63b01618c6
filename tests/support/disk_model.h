#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

// What a disk holds of a folder while files in it are changed: what programs see, and what is there
// for certain after the power was cut. Knows no system call; file_faults.h tells it of them.
//
// The rules are the least that POSIX and Linux promise:
// - Octets and length of a file are there for certain once a sync of it succeeded.
// - What was written before a sync that failed is lost, though it can still be read: a later sync
//   has nothing to do with it, unless it was written again.
// - A name (made, renamed, removed) is as it was until its folder was synced; a rename is bound to
//   the folder that it goes to. A sync of a folder that failed can be tried again.

namespace curlew::tests {

struct FileCall {
    enum class Kind : uint8_t {
        create,
        write,
        cut,      // ftruncate, and an open that empties
        reserve,  // fallocate
        sync,
        failed_sync,
        make_folder,
        sync_folder,
        rename,
        remove,  // of a file or an empty folder
    };

    Kind kind = Kind::write;
    uint32_t file = 0;   // number of the file that is created or changed
    std::string path{};  // within the folder; "" is the folder itself
    std::string to{};    // of a rename
    uint64_t offset = 0;
    std::string octets{};  // written
    uint64_t length = 0;   // of cut and reserve
    mode_t mode = 0;       // of create
};

// What a crash leaves.
enum class Left {
    kept,     // the process alone died: everything
    dropped,  // only what is there for certain
    torn,     // that, and of the rest whatever a disk may have written of it by then
};

class Disk {
  public:
    Disk() = default;
    // All that lies in the folder is there for certain.
    explicit Disk(const std::filesystem::path& folder);

    // A number for a new file.
    uint32_t new_file() noexcept { return ++last_file_; }
    // 0: there is none of that name.
    uint32_t file_named(const std::string& path) const;
    bool has_folder(const std::string& path) const { return seen_.folders.contains(path); }
    uint64_t length_of(uint32_t file) const { return files_.at(file).seen.size(); }

    void apply(const FileCall& call);

    // Puts what is left into `folder`, which is made.
    void materialise(Left left, unsigned seed, const std::filesystem::path& folder) const;

  private:
    struct File {
        std::string seen;
        std::string certain;
        std::vector<FileCall> unsure;  // changes since the last sync, in order
        size_t lost = 0;               // the first so many came before a sync that failed
        mode_t mode = 0644;
    };
    struct Names {
        std::map<std::string, uint32_t> files;
        std::set<std::string> folders{""};

        void apply(const FileCall& call);
    };

    static void change(const FileCall& call, std::string& octets);
    void sync(File& file);
    void sync_folder(const std::string& path);
    static std::string torn(const File& file, unsigned seed);

    std::map<uint32_t, File> files_;
    Names seen_;
    Names certain_;
    std::vector<FileCall> unsure_names_;  // in order
    uint32_t last_file_ = 0;
};

}  // namespace curlew::tests
