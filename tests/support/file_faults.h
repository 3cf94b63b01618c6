#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "tests/support/disk_model.h"

// The calls that change files of one folder, in the whole program that this is linked into: each is
// kept in a log, and any can be made to fail. Calls: write, pwrite, ftruncate, posix_fallocate,
// fdatasync, fsync, rename, renameat2, unlink, remove, rmdir, mkdir, and open when it makes or
// empties a file. What goes through FILE is not seen. Nothing is really synced: tests are told by
// the model of a disk what is left after a crash. Any thread may call.

namespace curlew::tests {

enum class Fault {
    // ENOSPC, once: a write writes half before, and it is the next one that fails.
    no_space,
    // EIO, once.
    broken,
    // Neither that call nor any after it changes anything, as if the process had died; but of a
    // write the first sectors are written.
    crash,
};

// From now on files below the folder are watched, by their path without links. The disk holds what
// lies there; without one, all that lies there is certain.
void watch_files(const std::filesystem::path& folder);
void watch_files(const std::filesystem::path& folder, const Disk& disk);
void watch_no_files();

// What the disk holds by now, and what was called since watch_files().
Disk watched_disk();
std::vector<FileCall> file_log();
size_t file_log_size();

// The `countdown`-th call from now on fails; 0: none. Ends a crash.
void arm_fault(Fault fault, uint64_t countdown);
// The armed call has come.
bool has_struck();
bool has_crashed();

// The end of a crash: calls work again. By the seed the process alone had died, or the power was
// lost: then the watched folder is left with what a disk has of it. Requires: nobody has a file
// open.
void restart_after_crash(unsigned seed);

// Of calls and prefixes, only every so many are to be tried: CURLEW_FAULT_STRIDE, else 1.
uint64_t fault_stride();

// Disks as they were after the first `calls` of a log, asked for in order.
class LogReplay {
  public:
    LogReplay(Disk start, const std::vector<FileCall>& log) : disk_(std::move(start)), log_(log) {}

    const Disk& after(size_t calls) {
        while (done_ < calls) {
            disk_.apply(log_[done_++]);
        }
        return disk_;
    }

  private:
    Disk disk_;
    const std::vector<FileCall>& log_;
    size_t done_ = 0;
};

}  // namespace curlew::tests
