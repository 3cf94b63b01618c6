#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Files whose durability is asked for and whose every error is told. All throw
// std::runtime_error with one sentence that names the file and the cause.

namespace curlew::collector {

// Owns a file descriptor.
class FileDescriptor {
  public:
    FileDescriptor() = default;
    explicit FileDescriptor(int descriptor) : descriptor_(descriptor) {}
    ~FileDescriptor();
    FileDescriptor(FileDescriptor&& other) noexcept;
    FileDescriptor& operator=(FileDescriptor&& other) noexcept;

    int get() const noexcept { return descriptor_; }

  private:
    int descriptor_ = -1;
};

// Which file is meant, whatever its name.
struct FileIdentity {
    uint64_t device = 0;
    uint64_t inode = 0;
    bool operator==(const FileIdentity&) const = default;
};

// Of a file, or of a link itself. Nothing: there is none, or nobody can tell.
std::optional<FileIdentity> identity_of(const std::filesystem::path& path) noexcept;

// A file read from its beginning.
class InputFile {
  public:
    // Says so of a pipe, a folder or a device.
    explicit InputFile(const std::filesystem::path& path);

    // Fills the front of `buffer`; 0 at the end of the file.
    size_t read(std::span<char> buffer);

  private:
    std::filesystem::path path_;
    FileDescriptor descriptor_;
};

// The end of every sentence here: "cannot `verb` `path`: `errno in words`".
[[noreturn]] void throw_file_error(const char* verb, const std::filesystem::path& path);

// Opens with O_CLOEXEC; `flags` as open(2) has them.
FileDescriptor open_file(const std::filesystem::path& path, int flags);

// Opens for reading and writing, makes it if need be, and keeps other processes from doing so until
// it is closed; renamed or removed meanwhile, it is another file's turn. Says so when another
// process has it, or when a link or what is no file stands there.
FileDescriptor open_locked(const std::filesystem::path& path);

void write_all(int descriptor, std::string_view octets, const std::filesystem::path& path);

void write_all_at(int descriptor,
                  std::string_view octets,
                  uint64_t at,
                  const std::filesystem::path& path);

// fdatasync: the content and the length survive a crash once this returns. After a sync that
// failed, a second one says nothing: what was written before the first may be lost, though it can
// still be read, and has to be written again.
void sync_data(int descriptor, const std::filesystem::path& path);

// For what another process, or a failure, left: writes the first `octets` again as they are read,
// and syncs. Requires: open for reading and writing, and not for appending.
void write_again_durably(int descriptor, uint64_t octets, const std::filesystem::path& path);

// Makes a rename or a new name in `folder` survive a crash.
void sync_folder(const std::filesystem::path& folder);

// Renames within one file system, unless something has the name: a plain rename would replace what
// took it since the caller looked. False: errno says why.
bool rename_to_free_name(const std::filesystem::path& from,
                         const std::filesystem::path& to) noexcept;

// Renames within one file system and syncs the folder of `to`. Requires: the content of `from` is
// synced.
void rename_durably(const std::filesystem::path& from, const std::filesystem::path& to);

// Writes beside the file, syncs, renames: a reader finds the whole content or no file. What stands
// beside it, a link or a pipe as well, is removed. Requires: nobody else writes this file.
void write_file_durably(const std::filesystem::path& path, std::string_view content);

// Makes the folder and what leads to it; those made, outermost first, are added to `made`, also
// when it throws. Who made one that is there may have died before its name was synced, so it is
// synced again, where we can write; not so what leads to `certain` and that itself.
void make_folders_durably(const std::filesystem::path& folder,
                          std::vector<std::filesystem::path>& made,
                          const std::filesystem::path& certain = {});

// The whole file, refused when longer than `maximum_octets`.
std::string read_file(const std::filesystem::path& path, uint64_t maximum_octets);

}  // namespace curlew::collector
