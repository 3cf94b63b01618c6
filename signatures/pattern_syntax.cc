#include "signatures/pattern_syntax.h"

#include <cctype>
#include <charconv>
#include <utility>

namespace curlew::signatures {
namespace {

using Octets = std::bitset<256>;
using Node = PatternNode;

constexpr size_t kDeepest = 64;
constexpr uint32_t kNoBound = UINT32_MAX;

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

// Recursive descent. Nothing is returned for what is not understood.
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

}  // namespace

std::optional<PatternNode> parse_pattern(std::string_view pattern) {
    return Parser(pattern).whole();
}

}  // namespace curlew::signatures
