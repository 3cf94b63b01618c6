#pragma once

#include <cstdint>
#include <filesystem>

#include "collector/config.h"

// Keeps an archive within its bounds: the oldest sealed datasets go first, each with a tombstone in
// the index before its files go, so that an archive with holes says that it has them.

namespace curlew::collector {

struct Removed {
    uint64_t datasets = 0;
    uint64_t octets = 0;
    bool within_bounds = true;  // false: nothing is left to remove and a bound is still passed
    bool newest_too = false;    // not even the newest dataset fits into a bound of octets
};

// Throws std::runtime_error on an I/O failure. `now_ns` is wall time. Safe against a crash at any
// point: a tombstone whose files are still there is made durable and completed the next time.
Removed enforce(const Retention& keep, const std::filesystem::path& archive, uint64_t now_ns);

// What is free for this user at the archive. Throws std::runtime_error.
uint64_t free_octets(const std::filesystem::path& archive);

// The last part of `min_free`, which no dataset is written into: on a disk that is full to the
// last octet not even a tombstone could be written, and nothing be removed any more.
constexpr uint64_t octets_for_tombstones(const Retention& keep) {
    return keep.min_free / 4;
}

// As much again is for the datasets that are being sealed: nothing new is received into it.
constexpr uint64_t octets_for_sealing(const Retention& keep) {
    return keep.min_free / 2;
}

}  // namespace curlew::collector
