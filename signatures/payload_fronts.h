#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "signatures/pattern_fronts.h"

// The fronts of all patterns of a set, laid out for looking at payloads. Const once all are added,
// and then for any number of threads; nothing is allocated or thrown behind add().

namespace curlew::signatures {

class PayloadFronts {
  public:
    // What is asked of a payload: of one front, or of what all fronts of a pattern have room for.
    struct Checks {
        uint32_t begin = 0;  // in checks_: first the places of one octet alone
        uint32_t sets_begin = 0;
        uint32_t end = 0;
        uint32_t least_octets = 0;
        uint32_t most_octets = UINT32_MAX;
        uint32_t runs_at = 0;     // place
        uint32_t runs_begin = 0;  // in runs_
        uint32_t runs_end = 0;
    };

    struct Pattern {
        Checks any;          // but for the places that the caller knows to be right
        uint32_t begin = 0;  // in fronts_, in order of length
        uint32_t end = 0;
        bool suffice = false;  // all of its fronts do
    };

    // Requires: in order of length, and as many as there are of the pattern. `any` is any_of()
    // them; its first `known_places` are looked at by the caller.
    Pattern add(const std::vector<Front>& fronts, const Front& any, size_t known_places);

    // Requires, of the next three: the payload's known places are right.
    // False: it has none of the pattern's fronts.
    bool may_pass(const Pattern& pattern, std::span<const uint8_t> payload) const noexcept {
        return pass(pattern.any, payload);
    }
    // Requires, of the next two: may_pass().
    bool has_front(const Pattern& pattern, std::span<const uint8_t> payload) const noexcept;
    // Where the pattern's first match ends; 0: it matches nowhere. Requires: its fronts suffice.
    uint32_t first_end(const Pattern& pattern, std::span<const uint8_t> payload) const noexcept;

  private:
    using Octets = std::bitset<256>;

    // What stands at a place.
    struct Check {
        uint32_t place;
        uint32_t octets;  // the one, or in octets_
    };

    struct LaidRun {
        uint32_t octets;   // in octets_
        uint32_t ends_at;  // the one octet that is none of them; kSeveral: there are more, or none
        uint32_t least;
        uint32_t most;
    };

    template <typename IsKnown>
    Checks checks_of(const Front& front, const IsKnown& is_known);
    void add_runs(const Front& front, Checks& made);
    uint32_t index_of(const Octets& octets);
    bool pass(const Checks& asked, std::span<const uint8_t> payload) const noexcept;
    uint32_t end_of(const Checks& front, std::span<const uint8_t> payload) const noexcept;
    uint32_t length_of(const LaidRun& run, std::span<const uint8_t> payload) const noexcept;

    std::vector<Checks> fronts_;
    std::vector<Check> checks_;
    std::vector<LaidRun> runs_;
    std::vector<Octets> octets_;
    std::unordered_map<Octets, uint32_t> index_;  // in octets_
};

// What any of them has room for. Requires: one or more, in order of length.
Front any_of(const std::vector<Front>& fronts);

}  // namespace curlew::signatures
