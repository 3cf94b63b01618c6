#pragma once

#include <absl/container/btree_map.h>

namespace curlew::collector {

// In order of its keys, many in one node: a third of the memory of std::map where both are numbers.
// What it holds moves when something is put in or taken out.
template <typename Key, typename Value>
using SortedMap = absl::btree_map<Key, Value>;

}  // namespace curlew::collector
