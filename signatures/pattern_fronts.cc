#include "signatures/pattern_fronts.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

#include "signatures/pattern_syntax.h"

namespace curlew::signatures {
namespace {

using Octets = std::bitset<256>;
// The places where something may begin: bit p is place p, the last bit every place behind those.
using Places = std::bitset<kFrontPlaces + 1>;

using Node = PatternNode;

// Goes through a pattern with all places that its parts may begin at, and notes what may stand
// there.
class Walk {
  public:
    explicit Walk(Front& found) : found_(&found) {}

    // Where the node ends when it begins at any of `from`.
    Places over(const Node& node, const Places& from) {
        if (from.none() || is_too_long()) {
            return {};
        }
        --steps_left_;
        switch (node.kind) {
            case Node::Kind::octets:
                note(node.octets, from);
                return behind(from);
            case Node::Kind::sequence: {
                Places at = from;
                for (const Node& part : node.parts) {
                    at = over(part, at);
                }
                return at;
            }
            case Node::Kind::choice: {
                Places to;
                for (const Node& part : node.parts) {
                    to |= over(part, from);
                }
                return to;
            }
            case Node::Kind::repeat:
                return over_repeat(node, from);
            case Node::Kind::begin:
                return from & Places(1);
            case Node::Kind::boundary:
                return from;
            case Node::Kind::end_or_last_line_feed:
                note(Octets().set('\n'), from);
                break;
            case Node::Kind::end:
                break;
        }
        return {};  // nothing follows
    }

    // It was given up: repeats within repeats can take for ever.
    bool is_too_long() const { return steps_left_ == 0; }

  private:
    Places over_repeat(const Node& node, const Places& from) {
        if (node.parts.front().kind == Node::Kind::octets) {
            return over_octets(node, from);
        }
        Places at = from;
        for (uint32_t i = 0; i < node.least; ++i) {
            const Places next = over(node.parts.front(), at);
            if (next == at) {
                break;
            }
            at = next;
        }
        Places all = at;
        for (uint32_t i = node.least; i < node.most; ++i) {
            at = over(node.parts.front(), at);
            if ((all | at) == all) {
                break;
            }
            all |= at;
        }
        return all;
    }

    // Of one octet each time: what is noted is the same at each place.
    Places over_octets(const Node& repeat, const Places& from) {
        const size_t first = from._Find_first();
        Places noted;
        Places to;
        if (repeat.most > kFrontPlaces) {
            noted = all_from(first);
            to = all_from(std::min<size_t>(first + repeat.least, kFrontPlaces));
        } else {
            Places at = from;
            for (uint32_t times = 0; times < repeat.most; ++times) {
                to |= times >= repeat.least ? at : Places();
                noted |= at;
                at = behind(at);
            }
            to |= at;
        }
        note(repeat.parts.front().octets, noted);
        return to;
    }

    static Places all_from(size_t place) { return ~Places() << place; }

    static Places behind(const Places& from) {
        Places to = from << 1;
        to[kFrontPlaces] = to[kFrontPlaces] || from[kFrontPlaces];
        return to;
    }

    void note(const Octets& octets, const Places& from) {
        for (size_t place = from._Find_first(); place < kFrontPlaces;
             place = from._Find_next(place)) {
            found_->octets[place] |= octets;
        }
    }

    Front* found_;
    size_t steps_left_ = 100'000;
};

bool begins_with_anchor(const Node& choice) {
    for (const Node& branch : choice.parts) {
        if (branch.parts.empty() || branch.parts.front().kind != Node::Kind::begin) {
            return false;
        }
    }
    return true;
}

// More than any payload has.
constexpr uint64_t kTooMany = uint64_t{1} << 32;

// The fewest octets that the node stands for.
uint64_t least_octets(const Node& node) {
    uint64_t octets = 0;
    switch (node.kind) {
        case Node::Kind::octets:
            return 1;
        case Node::Kind::sequence:
            for (const Node& part : node.parts) {
                octets = std::min(kTooMany, octets + least_octets(part));
            }
            return octets;
        case Node::Kind::choice:
            octets = kTooMany;
            for (const Node& part : node.parts) {
                octets = std::min(octets, least_octets(part));
            }
            return octets;
        case Node::Kind::repeat:
            return std::min(kTooMany, node.least * least_octets(node.parts.front()));
        default:
            return 0;
    }
}

using Nodes = std::vector<Node>;

Node repeat_of(const Node& part, uint32_t times) {
    Node node;
    node.kind = Node::Kind::repeat;
    node.parts.push_back(part);
    node.least = node.most = times;
    return node;
}

// What the node may be taken for, one of them at a time; none: it stays as it is.
std::vector<Nodes> alternatives(const Node& node) {
    std::vector<Nodes> found;
    switch (node.kind) {
        case Node::Kind::sequence:
            return {node.parts};
        case Node::Kind::choice:
            for (const Node& part : node.parts) {
                found.push_back({part});
            }
            return found;
        case Node::Kind::repeat:
            break;
        default:
            return found;
    }
    const Node& part = node.parts.front();
    const bool is_one = part.kind == Node::Kind::octets;
    if ((is_one && node.least == node.most) || node.most > kMostFronts) {
        return found;
    }
    for (uint32_t times = node.least; times <= node.most; ++times) {
        found.push_back(is_one ? Nodes{repeat_of(part, times)} : Nodes(times, part));
    }
    return found;
}

// Of what comes last no more needs to be there than must: the match ends there first.
void shorten(Nodes& branch) {
    while (!branch.empty() && branch.back().kind == Node::Kind::repeat) {
        Node& last = branch.back();
        last.most = last.least;
        if (last.least != 0) {
            return;
        }
        branch.pop_back();
    }
}

// A branch with more than these stays as it is.
constexpr size_t kMostNodes = 1024;

size_t nodes_in(const Nodes& nodes) {
    size_t all = nodes.size();
    for (const Node& node : nodes) {
        all += nodes_in(node.parts);
    }
    return all;
}

// A payload that the node matches is matched by a branch. A round takes every branch one step
// further, so that none uses up what there is for all.
std::vector<Nodes> split(Node whole) {
    std::vector<Nodes> branches(1);
    branches.front().push_back(std::move(whole));
    for (bool changed = true; changed;) {
        changed = false;
        std::vector<Nodes> next;
        for (size_t i = 0; i < branches.size(); ++i) {
            Nodes& branch = branches[i];
            shorten(branch);
            const size_t others = next.size() + branches.size() - i - 1;
            std::vector<Nodes> found;
            size_t at = 0;
            for (; at < branch.size() && found.empty(); ++at) {
                found = alternatives(branch[at]);
                const bool too_many = std::any_of(found.begin(), found.end(), [&](auto& one) {
                    return nodes_in(branch) + nodes_in(one) > kMostNodes;
                });
                if (too_many || others + found.size() > kMostFronts) {
                    found.clear();
                }
            }
            if (found.empty()) {
                next.push_back(std::move(branch));
                continue;
            }
            changed = true;
            const auto node = branch.begin() + static_cast<std::ptrdiff_t>(at) - 1;
            for (const Nodes& one : found) {
                Nodes made(branch.begin(), node);
                made.insert(made.end(), one.begin(), one.end());
                made.insert(made.end(), node + 1, branch.end());
                next.push_back(std::move(made));
            }
        }
        branches = std::move(next);
    }
    return branches;
}

// The branch's parts as runs, where it has no others and each ends where the next one begins, or
// after as many as are wanted: there is one way only in which a payload can be matched.
std::optional<std::vector<Run>> runs_of(const Nodes& branch) {
    std::vector<Run> runs;
    for (auto node = branch.begin() + 1; node != branch.end(); ++node) {
        const bool is_repeat = node->kind == Node::Kind::repeat;
        const Node& octets = is_repeat ? node->parts.front() : *node;
        if (octets.kind != Node::Kind::octets) {
            return std::nullopt;
        }
        runs.push_back(is_repeat ? Run{octets.octets, node->least, node->most}
                                 : Run{octets.octets, 1, 1});
    }
    for (size_t i = 0; i < runs.size(); ++i) {
        const bool is_fixed = runs[i].least == runs[i].most;
        const bool ends_at_next = i + 1 < runs.size() && runs[i + 1].least != 0 &&
                                  (runs[i].octets & runs[i + 1].octets).none();
        if (!is_fixed && !ends_at_next) {
            return std::nullopt;
        }
    }
    return runs;
}

// Where the first run that is of no fixed length begins; what is before is in the front's places.
void keep_runs(Front& front, std::vector<Run> runs) {
    const auto first = std::find_if(
        runs.begin(), runs.end(), [](const Run& run) { return run.least != run.most; });
    uint64_t places = 0;
    for (auto run = runs.begin(); run != first; ++run) {
        places += run->least;
    }
    front.suffices = front.least_octets > 0 && places <= kFrontPlaces;
    front.runs_at = static_cast<size_t>(places);
    front.runs.assign(std::make_move_iterator(first), std::make_move_iterator(runs.end()));
}

Front anything() {
    Front front;
    front.octets.fill(Octets().set());
    return front;
}

// Requires: the branch begins with ^, here or in all that its first part may be.
Front front_of(Nodes branch) {
    Front front;
    const bool begins_here = branch.front().kind == Node::Kind::begin;
    std::optional<std::vector<Run>> runs;
    if (begins_here) {
        runs = runs_of(branch);
    }
    Node sequence;
    sequence.parts = std::move(branch);
    front.least_octets = least_octets(sequence);
    if (runs) {
        keep_runs(front, std::move(*runs));
    }
    Walk walk(front);
    const Places matched_before = walk.over(sequence, Places(1));
    if (walk.is_too_long()) {
        return anything();
    }
    // Behind a match stands what likes.
    for (size_t place = matched_before._Find_first(); place < kFrontPlaces; ++place) {
        front.octets[place].set();
    }
    return front;
}

}  // namespace

std::vector<Front> pattern_fronts(std::string_view pattern) {
    std::optional<Node> node = parse_pattern(pattern);
    if (!node || !begins_with_anchor(*node)) {
        return {anything()};
    }
    std::vector<Front> fronts;
    for (Nodes& branch : split(std::move(*node))) {
        fronts.push_back(front_of(std::move(branch)));
    }
    return fronts;
}

}  // namespace curlew::signatures
