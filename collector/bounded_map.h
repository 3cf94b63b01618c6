#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "collector/hash_map.h"
#include "collector/octet_hash.h"

namespace curlew::collector {

// By octets, with room for so many. Of more it keeps those whose keys have the lowest
// fixed_octet_hash(): which these are is the keys' affair alone, not the order in which they came,
// for what had to go once never comes back. What it holds stays where it is until it has to go.
template <typename Value>
class BoundedMap {
  public:
    using Map = OctetMap<Value>;

    explicit BoundedMap(size_t capacity) : capacity_(capacity) {}

    const Map& entries() const noexcept { return entries_; }
    // Since the last erase_if() there were more than it has room for.
    bool left_out() const noexcept { return left_out_; }

    Value* find(std::string_view key) {
        const auto found = entries_.find(key);
        return found == entries_.end() ? nullptr : &found->second;
    }

    // `make` gives what one begins with. Null: it has no room for this one. Another may have to go,
    // `let_go` sees it last.
    Value* find_or_add(std::string_view key, auto&& make, auto&& let_go) {
        // Above the highest that stays there is none: of a flood that is most, told without a look.
        if (!by_mark_.empty() && fixed_octet_hash(key) > by_mark_.front().first) {
            return nullptr;
        }
        if (Value* const known = find(key)) {
            return known;
        }
        if (entries_.size() == capacity_ && !make_room_for(key, let_go)) {
            return nullptr;
        }
        const auto added = entries_.emplace(key, make()).first;
        if (!by_mark_.empty()) {
            by_mark_.emplace_back(fixed_octet_hash(key), &added->first);
            std::push_heap(by_mark_.begin(), by_mark_.end(), is_lower);
        }
        return &added->second;
    }

    // A new beginning: what comes now may be what had to go before.
    void erase_if(auto&& is_over) {
        by_mark_.clear();
        left_out_ = false;
        for (auto at = entries_.begin(); at != entries_.end();) {
            const auto here = at++;
            if (is_over(here->first, here->second)) {
                entries_.erase(here);
            }
        }
    }

  private:
    using Marked = std::pair<uint64_t, const std::string*>;

    static bool is_lower(const Marked& one, const Marked& other) {
        return one.first != other.first ? one.first < other.first : *one.second < *other.second;
    }

    static bool is_below(std::string_view key, const Marked& other) {
        const uint64_t mark = fixed_octet_hash(key);
        return mark != other.first ? mark < other.first : key < *other.second;
    }

    bool make_room_for(std::string_view key, auto&& let_go) {
        left_out_ = true;
        if (by_mark_.empty()) {
            for (const auto& [known, value] : entries_) {
                by_mark_.emplace_back(fixed_octet_hash(known), &known);
            }
            std::make_heap(by_mark_.begin(), by_mark_.end(), is_lower);
        }
        if (by_mark_.empty() || !is_below(key, by_mark_.front())) {
            return false;
        }
        std::pop_heap(by_mark_.begin(), by_mark_.end(), is_lower);
        const auto highest = entries_.find(*by_mark_.back().second);
        let_go(highest->second);
        entries_.erase(highest);
        by_mark_.pop_back();
        return true;
    }

    Map entries_;
    // A heap, the highest first, from when the room was first too small.
    std::vector<Marked> by_mark_;
    size_t capacity_;
    bool left_out_ = false;
};

}  // namespace curlew::collector
