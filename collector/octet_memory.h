#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "collector/hash_map.h"

namespace curlew::collector {

// What was found out for the same octets before. Bounded: where there is no more room it forgets
// everything, for what comes often is soon there again. One thread.
template <typename Value>
class OctetMemory {
  public:
    static constexpr size_t kMaximumEntries = 16 * 1024;
    static constexpr size_t kMaximumOctets = size_t{4} << 20;  // of all keys
    // What is longer hardly comes twice.
    static constexpr size_t kLongestKey = 8 * 1024;

    // Good until the next put(); nullptr: not known.
    const Value* find(std::string_view octets) const {
        const auto found = values_.find(octets);
        return found == values_.end() ? nullptr : &found->second;
    }

    // Requires: not known.
    void put(std::string_view octets, Value value) {
        if (octets.size() > kLongestKey) {
            return;
        }
        if (values_.size() == kMaximumEntries || octets_ + octets.size() > kMaximumOctets) {
            values_.clear();
            octets_ = 0;
        }
        octets_ += octets.size();
        values_.emplace(octets, std::move(value));
    }

  private:
    OctetMap<Value> values_;
    size_t octets_ = 0;
};

}  // namespace curlew::collector
