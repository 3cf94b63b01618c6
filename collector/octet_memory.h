#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/hash_map.h"

namespace curlew::collector {

// What was found out for the same octets before. Kept is what comes a second time: of octets that
// never do, only a mark is left. Bounded: where there is no more room it forgets everything, for
// what comes often is soon there again. One thread.
template <typename Value>
class OctetMemory {
  public:
    static constexpr size_t kMaximumEntries = 16 * 1024;
    static constexpr size_t kMaximumOctets = size_t{4} << 20;  // of all keys
    // What is longer hardly comes twice.
    static constexpr size_t kLongestKey = 8 * 1024;

    // Good until the next offer(); nullptr: not known.
    const Value* find(std::string_view octets) const {
        const auto found = values_.find(octets);
        return found == values_.end() ? nullptr : &found->second;
    }

    // Requires: not known.
    void offer(std::string_view octets, const Value& value) {
        if (octets.size() > kLongestKey || !came_before(octets)) {
            return;
        }
        if (values_.size() == kMaximumEntries || octets_ + octets.size() > kMaximumOctets) {
            values_.clear();
            octets_ = 0;
        }
        octets_ += octets.size();
        values_.emplace(octets, value);
    }

  private:
    static constexpr size_t kMarks = 4 * kMaximumEntries;

    // By a mark that others may have left, or taken away: what comes of it is a value kept too
    // early or too late.
    bool came_before(std::string_view octets) {
        const uint64_t hash = octet_hash(octets);
        const auto mark = static_cast<uint32_t>(hash >> 32);
        return std::exchange(marks_[hash % kMarks], mark) == mark;
    }

    OctetMap<Value> values_;
    size_t octets_ = 0;
    std::vector<uint32_t> marks_ = std::vector<uint32_t>(kMarks);
};

}  // namespace curlew::collector
