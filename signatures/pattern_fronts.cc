#include "signatures/pattern_fronts.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace curlew::signatures {
namespace {

using Octets = std::bitset<256>;
// The places where something may begin: bit p is place p, the last bit every place behind those.
using Places = std::bitset<kFrontPlaces + 1>;

constexpr size_t kDeepest = 64;
constexpr uint32_t kNoBound = UINT32_MAX;

struct Node {
    enum class Kind {
        octets,
        sequence,
        choice,
        repeat,
        begin,
        boundary,
        end,
        end_or_last_line_feed
    };
    Kind kind = Kind::sequence;
    Octets octets;
    std::vector<Node> parts;
    uint32_t least = 0;  // of a repeat
    uint32_t most = 0;
};

Octets range(unsigned low, unsigned high) {
    Octets octets;
    for (unsigned octet = low; octet <= high; ++octet) {
        octets.set(octet);
    }
    return octets;
}

Octets both_cases(Octets octets) {
    for (unsigned letter = 'a'; letter <= 'z'; ++letter) {
        const unsigned capital = letter - 'a' + 'A';
        const bool either = octets[letter] || octets[capital];
        octets[letter] = octets[capital] = either;
    }
    return octets;
}

// Recursive descent. Nothing is returned for what is not understood, and then nothing is sieved.
class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {}

    std::optional<Node> whole() {
        std::optional<Node> node = choice(0);
        return at_ == text_.size() ? std::move(node) : std::nullopt;
    }

  private:
    bool take(std::string_view wanted) {
        if (!text_.substr(at_).starts_with(wanted)) {
            return false;
        }
        at_ += wanted.size();
        return true;
    }

    // Flags that are set within a branch end with the group around it.
    std::optional<Node> choice(size_t depth) {
        if (depth > kDeepest) {
            return std::nullopt;
        }
        const bool caseless = caseless_;
        Node node;
        node.kind = Node::Kind::choice;
        do {
            std::optional<Node> branch = sequence(depth);
            if (!branch) {
                return std::nullopt;
            }
            node.parts.push_back(std::move(*branch));
        } while (take("|"));
        caseless_ = caseless;
        return node;
    }

    std::optional<Node> sequence(size_t depth) {
        Node node;
        node.kind = Node::Kind::sequence;
        while (at_ < text_.size() && text_[at_] != '|' && text_[at_] != ')') {
            if (take("(?i)")) {
                caseless_ = true;
                continue;
            }
            if (take("(?s)")) {
                continue;
            }
            std::optional<Node> one = atom(depth);
            if (one) {
                one = repeated(std::move(*one));
            }
            if (!one) {
                return std::nullopt;
            }
            node.parts.push_back(std::move(*one));
        }
        return node;
    }

    std::optional<Node> atom(size_t depth) {
        Node node;
        if (take("^")) {
            node.kind = Node::Kind::begin;
            return node;
        }
        if (take("\\z")) {
            node.kind = Node::Kind::end;
            return node;
        }
        if (take("\\b")) {
            node.kind = Node::Kind::boundary;
            return node;
        }
        if (take("$")) {
            node.kind = Node::Kind::end_or_last_line_feed;
            return node;
        }
        if (take("(")) {
            return group(depth);
        }
        std::optional<Octets> octets = take("[") ? octet_class() : one_of();
        if (!octets) {
            return std::nullopt;
        }
        node.kind = Node::Kind::octets;
        node.octets = caseless_ && !is_class_ ? both_cases(*octets) : *octets;
        return node;
    }

    std::optional<Node> group(size_t depth) {
        const bool caseless = caseless_;
        if (take("?i:")) {
            caseless_ = true;
        } else if (!take("?:") && text_.substr(at_).starts_with("?")) {
            return std::nullopt;
        }
        std::optional<Node> node = choice(depth + 1);
        caseless_ = caseless;
        return take(")") ? std::move(node) : std::nullopt;
    }

    // Outside of [ ]. What has a meaning that is not known here is refused.
    std::optional<Octets> one_of() {
        is_class_ = false;
        const char next = text_[at_];
        if (next == '\\') {
            return escape();
        }
        if (std::string_view("*+?{").find(next) != std::string_view::npos) {
            return std::nullopt;
        }
        ++at_;
        return next == '.' ? Octets().set() : Octets().set(static_cast<uint8_t>(next));
    }

    std::optional<Octets> escape() {
        if (++at_ == text_.size()) {
            return std::nullopt;
        }
        const char next = text_[at_++];
        const Octets digits = range('0', '9');
        const Octets word = digits | range('a', 'z') | range('A', 'Z') | range('_', '_');
        const Octets space = range('\t', '\r') | range(' ', ' ');
        switch (next) {
            case 'x':
                return hexadecimal();
            case 'd':
                return digits;
            case 'D':
                return ~digits;
            case 'w':
                return word;
            case 'W':
                return ~word;
            case 's':
                return space;
            case 'S':
                return ~space;
            case 'r':
                return range('\r', '\r');
            case 'n':
                return range('\n', '\n');
            case 't':
                return range('\t', '\t');
            default:
                break;
        }
        const auto octet = static_cast<uint8_t>(next);
        return std::isalnum(octet) != 0 ? std::nullopt : std::optional(range(octet, octet));
    }

    // Two digits, no fewer: \x{...} and short forms are not read.
    std::optional<Octets> hexadecimal() {
        unsigned value = 0;
        const char* begin = text_.data() + at_;
        if (text_.size() - at_ < 2 || std::isxdigit(static_cast<uint8_t>(begin[0])) == 0 ||
            std::isxdigit(static_cast<uint8_t>(begin[1])) == 0) {
            return std::nullopt;
        }
        std::from_chars(begin, begin + 2, value, 16);
        at_ += 2;
        return range(value, value);
    }

    std::optional<Octets> octet_class() {
        const bool inverted = take("^");
        Octets octets;
        bool first = true;
        while (at_ < text_.size() && (first || text_[at_] != ']')) {
            first = false;
            if (text_.substr(at_).starts_with("[:")) {
                return std::nullopt;
            }
            std::optional<Octets> low = class_member();
            if (!low) {
                return std::nullopt;
            }
            const bool is_range = text_.substr(at_).starts_with("-") && at_ + 1 < text_.size() &&
                                  text_[at_ + 1] != ']';
            if (!is_range) {
                octets |= *low;
                continue;
            }
            ++at_;
            const std::optional<Octets> high = class_member();
            if (!high || low->count() != 1 || high->count() != 1) {
                return std::nullopt;
            }
            octets |= range(static_cast<unsigned>(low->_Find_first()),
                            static_cast<unsigned>(high->_Find_first()));
        }
        if (!take("]")) {
            return std::nullopt;
        }
        is_class_ = true;
        if (caseless_) {
            octets = both_cases(octets);
        }
        return inverted ? ~octets : octets;
    }

    std::optional<Octets> class_member() {
        if (text_[at_] == '\\') {
            return escape();
        }
        const auto octet = static_cast<uint8_t>(text_[at_++]);
        return range(octet, octet);
    }

    std::optional<uint32_t> number() {
        uint32_t value = 0;
        const char* begin = text_.data() + at_;
        const auto result = std::from_chars(begin, text_.data() + text_.size(), value);
        if (result.ec != std::errc()) {
            return std::nullopt;
        }
        at_ += static_cast<size_t>(result.ptr - begin);
        return value;
    }

    std::optional<Node> repeated(Node one) {
        uint32_t least = 0;
        uint32_t most = kNoBound;
        if (take("+")) {
            least = 1;
        } else if (take("?")) {
            most = 1;
        } else if (take("{")) {
            const std::optional<uint32_t> low = number();
            std::optional<uint32_t> high = low;
            if (take(",")) {
                high = text_.substr(at_).starts_with("}") ? std::optional(kNoBound) : number();
            }
            if (!low || !high || *high < *low || !take("}")) {
                return std::nullopt;
            }
            least = *low;
            most = *high;
        } else if (!take("*")) {
            return one;
        }
        // Lazy: the same octets. Possessive ones are others, and one more is an error.
        take("?");
        if (at_ < text_.size() &&
            std::string_view("*+?{").find(text_[at_]) != std::string_view::npos) {
            return std::nullopt;
        }
        Node node;
        node.kind = Node::Kind::repeat;
        node.parts.push_back(std::move(one));
        node.least = least;
        node.most = most;
        return node;
    }

    std::string_view text_;
    size_t at_ = 0;
    bool caseless_ = false;
    bool is_class_ = false;  // of the last octets read: their case was seen to
};

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
            case Node::Kind::octets: {
                note(node.octets, from);
                Places to = from << 1;
                to[kFrontPlaces] = to[kFrontPlaces] || from[kFrontPlaces];
                return to;
            }
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
                note(range('\n', '\n'), from);
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

bool has_fixed_places(const Nodes& branch) {
    return std::all_of(branch.begin() + 1, branch.end(), [](const Node& node) {
        return node.kind == Node::Kind::octets ||
               (node.kind == Node::Kind::repeat && node.least == node.most &&
                node.parts.front().kind == Node::Kind::octets);
    });
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
    const bool is_fixed = begins_here && has_fixed_places(branch);
    Node sequence;
    sequence.parts = std::move(branch);
    front.least_octets = least_octets(sequence);
    front.suffices = is_fixed && front.least_octets > 0 && front.least_octets <= kFrontPlaces;
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
    std::optional<Node> node = Parser(pattern).whole();
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
