#pragma once

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/container/node_hash_map.h>

#include <functional>
#include <string>

#include "collector/octet_hash.h"

// Hash tables for what each record is looked up in: one that is not there costs one cache line.

namespace curlew::collector {

// What it holds moves when something is put in.
template <typename Key, typename Value, typename Hash>
using FlatMap = absl::flat_hash_map<Key, Value, Hash>;

// Of numbers that are hashes.
template <typename Key>
using FlatSet = absl::flat_hash_set<Key>;

// By octets, with look-up by views. What these hold stays where it is.
template <typename Value>
using OctetMap = absl::node_hash_map<std::string, Value, OctetHash, std::equal_to<>>;

}  // namespace curlew::collector
