// Hot path. Only what looks at a payload: the rest is set-up.
#include "signatures/payload_fronts.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

namespace curlew::signatures {

namespace {

constexpr uint32_t kSeveral = 256;

}  // namespace

Front any_of(const std::vector<Front>& fronts) {
    Front any = fronts.front();
    for (const Front& front : fronts) {
        for (size_t place = 0; place < kFrontPlaces; ++place) {
            any.octets[place] |= front.octets[place];
        }
    }
    return any;
}

PayloadFronts::Pattern PayloadFronts::add(const std::vector<Front>& fronts,
                                          const Front& any,
                                          size_t known_places) {
    Pattern made;
    made.any = checks_of(any, [known_places](size_t place) { return place < known_places; });
    made.begin = static_cast<uint32_t>(fronts_.size());
    for (const Front& front : fronts) {
        fronts_.push_back(checks_of(
            front, [&](size_t place) { return front.octets[place] == any.octets[place]; }));
        add_runs(front, fronts_.back());
    }
    made.end = static_cast<uint32_t>(fronts_.size());
    made.suffice =
        std::all_of(fronts.begin(), fronts.end(), [](auto& front) { return front.suffices; });
    return made;
}

template <typename IsKnown>
PayloadFronts::Checks PayloadFronts::checks_of(const Front& front, const IsKnown& is_known) {
    Checks made;
    made.least_octets = static_cast<uint32_t>(std::min<size_t>(front.least_octets, UINT32_MAX));
    // How many octets may stand at a place, and the place. Where none may the payload has ended.
    std::vector<std::pair<size_t, uint32_t>> places;
    for (size_t place = 0; place < kFrontPlaces; ++place) {
        const Octets& octets = front.octets[place];
        if (octets.none()) {
            made.most_octets = static_cast<uint32_t>(place);
            break;
        }
        if (!octets.all() && !is_known(place)) {
            places.emplace_back(octets.count(), static_cast<uint32_t>(place));
        }
    }
    // What rules out most comes first.
    std::sort(places.begin(), places.end());
    made.begin = made.sets_begin = static_cast<uint32_t>(checks_.size());
    for (const auto& [count, place] : places) {
        const Octets& octets = front.octets[place];
        made.sets_begin += count == 1 ? 1 : 0;
        checks_.push_back(
            {place, count == 1 ? static_cast<uint32_t>(octets._Find_first()) : index_of(octets)});
    }
    made.end = static_cast<uint32_t>(checks_.size());
    return made;
}

void PayloadFronts::add_runs(const Front& front, Checks& made) {
    made.runs_at = static_cast<uint32_t>(front.runs_at);
    made.runs_begin = static_cast<uint32_t>(runs_.size());
    for (const Run& run : front.runs) {
        const Octets others = ~run.octets;
        runs_.push_back(
            {index_of(run.octets),
             others.count() == 1 ? static_cast<uint32_t>(others._Find_first()) : kSeveral,
             run.least,
             run.most});
    }
    made.runs_end = static_cast<uint32_t>(runs_.size());
}

uint32_t PayloadFronts::index_of(const Octets& wanted) {
    const auto [entry, is_new] = index_.emplace(wanted, static_cast<uint32_t>(octets_.size()));
    if (is_new) {
        octets_.push_back(wanted);
    }
    return entry->second;
}

bool PayloadFronts::pass(const Checks& asked, std::span<const uint8_t> payload) const noexcept {
    if (payload.size() < asked.least_octets || payload.size() > asked.most_octets) {
        return false;
    }
    for (uint32_t i = asked.begin; i < asked.sets_begin; ++i) {
        const Check check = checks_[i];
        if (check.place < payload.size() && check.octets != payload[check.place]) {
            return false;
        }
    }
    for (uint32_t i = asked.sets_begin; i < asked.end; ++i) {
        const Check check = checks_[i];
        if (check.place < payload.size() && !octets_[check.octets][payload[check.place]]) {
            return false;
        }
    }
    return true;
}

// Of how many octets the run is that the payload begins with.
uint32_t PayloadFronts::length_of(const LaidRun& run,
                                  std::span<const uint8_t> payload) const noexcept {
    const size_t most = std::min<size_t>(payload.size(), run.most);
    size_t length = 0;
    if (run.ends_at != kSeveral && most != 0) {
        const void* end = std::memchr(payload.data(), static_cast<int>(run.ends_at), most);
        length = end == nullptr
                     ? most
                     : static_cast<size_t>(static_cast<const uint8_t*>(end) - payload.data());
    } else {
        const Octets& wanted = octets_[run.octets];
        while (length < most && wanted[payload[length]]) {
            ++length;
        }
    }
    return static_cast<uint32_t>(length);
}

// Where the match ends of a front that suffices; 0: there is none. Requires: the payload passes.
uint32_t PayloadFronts::end_of(const Checks& front,
                               std::span<const uint8_t> payload) const noexcept {
    uint32_t at = front.runs_at;
    for (uint32_t i = front.runs_begin; i < front.runs_end; ++i) {
        const uint32_t length = length_of(runs_[i], payload.subspan(at));
        if (length < runs_[i].least) {
            return 0;
        }
        at += length;
    }
    return at;
}

uint32_t PayloadFronts::first_end(const Pattern& pattern,
                                  std::span<const uint8_t> payload) const noexcept {
    uint32_t first = 0;
    for (uint32_t i = pattern.begin; i < pattern.end; ++i) {
        if (first != 0 && first <= fronts_[i].least_octets) {
            break;
        }
        const uint32_t end = pass(fronts_[i], payload) ? end_of(fronts_[i], payload) : 0;
        if (end != 0 && (first == 0 || end < first)) {
            first = end;
        }
    }
    return first;
}

bool PayloadFronts::has_front(const Pattern& pattern,
                              std::span<const uint8_t> payload) const noexcept {
    for (uint32_t i = pattern.begin; i < pattern.end; ++i) {
        if (pass(fronts_[i], payload)) {
            return true;
        }
    }
    return false;
}

}  // namespace curlew::signatures
