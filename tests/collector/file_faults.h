#pragma once

#include <cstdint>
#include <filesystem>

// Makes the system calls that change files fail, in the whole program that this is linked into:
// write, ftruncate, fdatasync, fsync, rename, unlink, remove, mkdir, and open when it makes a file.

namespace curlew::tests {

enum class Fault {
    once,   // the disk refuses one call, as when it is full
    crash,  // that call and all after it change nothing, as if the process had died before it
};

// The `countdown`-th call from now on fails; 0: none.
void arm_fault(Fault fault, uint64_t countdown);
bool has_crashed();

// The end of a crash: calls work again. By the seed, only the process had died, or the power was
// lost: then of all files below the folder a random part of what was never synced is gone.
void restart_after_crash(const std::filesystem::path& folder, unsigned seed);

}  // namespace curlew::tests
