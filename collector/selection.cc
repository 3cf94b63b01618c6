#include "collector/selection.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <optional>

#include "collector/flow_identity.h"
#include "collector/wire_text.h"

namespace curlew::collector {

struct Selection::Node {
    enum class Kind { either, both, negation, net, port, protocol };

    Kind kind;
    std::unique_ptr<Node> left;
    std::unique_ptr<Node> right;
    std::string address;       // net: network order
    uint32_t prefix_bits = 0;  // net
    uint32_t number = 0;       // port, protocol
    uint32_t alternative = 0;  // protocol: another that holds too
};

namespace {

using Node = Selection::Node;

// Bounds recursion here and in evaluation.
constexpr size_t kLongestExpression = 4096;
constexpr int kDeepestNesting = 64;

class Parser {
  public:
    explicit Parser(std::string_view text) : text_(text) {
        if (text.size() > kLongestExpression) {
            throw SelectionError(fmt::format(
                "the selection expression is longer than {} characters", kLongestExpression));
        }
        advance();
    }

    bool at_end() const { return word_.empty(); }

    std::unique_ptr<Node> parse_all() {
        std::unique_ptr<Node> root = expression();
        if (!at_end()) {
            fail(fmt::format("\"{}\" does not belong here", word_));
        }
        return root;
    }

  private:
    [[noreturn]] void fail(const std::string& what) const {
        throw SelectionError(fmt::format(
            "selection expression \"{}\", column {}: {}", text_, word_begin_ + 1, what));
    }

    // The next word: a parenthesis, or everything up to a space or parenthesis.
    void advance() {
        const size_t begin = text_.find_first_not_of(" \t\n", position_);
        word_begin_ = std::min(begin, text_.size());
        position_ = word_begin_;
        if (position_ < text_.size()) {
            const bool parenthesis = text_[position_] == '(' || text_[position_] == ')';
            position_ = parenthesis
                            ? position_ + 1
                            : std::min(text_.find_first_of(" \t\n()", position_), text_.size());
        }
        word_ = text_.substr(word_begin_, position_ - word_begin_);
    }

    bool take(std::string_view word) {
        if (word_ != word) {
            return false;
        }
        advance();
        return true;
    }

    static std::unique_ptr<Node> join(Node::Kind kind,
                                      std::unique_ptr<Node> left,
                                      std::unique_ptr<Node> right) {
        auto node = std::make_unique<Node>(Node{kind, std::move(left), std::move(right), {}});
        return node;
    }

    std::unique_ptr<Node> expression() {
        std::unique_ptr<Node> node = term();
        while (take("or")) {
            node = join(Node::Kind::either, std::move(node), term());
        }
        return node;
    }

    std::unique_ptr<Node> term() {
        std::unique_ptr<Node> node = factor();
        while (take("and")) {
            node = join(Node::Kind::both, std::move(node), factor());
        }
        return node;
    }

    std::unique_ptr<Node> factor() {
        if (++depth_ > kDeepestNesting) {
            fail(fmt::format("nested deeper than {}", kDeepestNesting));
        }
        std::unique_ptr<Node> node;
        if (take("not")) {
            node = join(Node::Kind::negation, factor(), nullptr);
        } else if (take("(")) {
            node = expression();
            if (!take(")")) {
                fail("a closing parenthesis is missing");
            }
        } else {
            node = condition();
        }
        --depth_;
        return node;
    }

    std::unique_ptr<Node> condition() {
        auto node = std::make_unique<Node>();
        if (take("host")) {
            node->kind = Node::Kind::net;
            node->address = address(word_);
            node->prefix_bits = static_cast<uint32_t>(8 * node->address.size());
        } else if (take("net")) {
            net(*node);
        } else if (take("port")) {
            node->kind = Node::Kind::port;
            node->number = number(word_, 65535);
        } else if (take("proto")) {
            protocol(*node);
        } else {
            fail(at_end() ? std::string("a condition is missing")
                          : fmt::format("\"{}\" is none of host, net, port, proto, not", word_));
        }
        advance();
        return node;
    }

    std::string address(std::string_view text) const {
        std::string octets = address_octets(std::string(text));
        if (octets.empty()) {
            fail(fmt::format("\"{}\" is no address", text));
        }
        return octets;
    }

    uint32_t number(std::string_view text, uint32_t maximum) const {
        uint32_t value = 0;
        const char* end = text.data() + text.size();
        const auto result = std::from_chars(text.data(), end, value);
        if (text.empty() || result.ec != std::errc{} || result.ptr != end || value > maximum) {
            fail(fmt::format("\"{}\" is no number from 0 to {}", text, maximum));
        }
        return value;
    }

    void net(Node& node) {
        const size_t slash = word_.find('/');
        if (slash == std::string_view::npos) {
            fail(fmt::format("\"{}\" has no prefix length", word_));
        }
        node.kind = Node::Kind::net;
        node.address = address(word_.substr(0, slash));
        node.prefix_bits =
            number(word_.substr(slash + 1), static_cast<uint32_t>(8 * node.address.size()));
    }

    void protocol(Node& node) {
        node.kind = Node::Kind::protocol;
        if (word_ == "tcp") {
            node.number = 6;
        } else if (word_ == "udp") {
            node.number = 17;
        } else if (word_ == "icmp") {
            node.number = 1;
            node.alternative = 58;
            return;
        } else {
            node.number = number(word_, 255);
        }
        node.alternative = node.number;
    }

    std::string_view text_;
    size_t position_ = 0;
    size_t word_begin_ = 0;
    std::string_view word_;
    int depth_ = 0;
};

bool is_within(const Node& net, std::string_view address) {
    if (address.size() != net.address.size()) {
        return false;
    }
    uint32_t bits = net.prefix_bits;
    for (size_t i = 0; bits > 0; ++i) {
        const uint32_t compared = std::min(bits, 8U);
        const auto difference = static_cast<uint8_t>(address[i] ^ net.address[i]);
        if (difference >> (8 - compared) != 0) {
            return false;
        }
        bits -= compared;
    }
    return true;
}

bool evaluate(const Node& node, const proto::FlowSummary& flow) {
    switch (node.kind) {
        case Node::Kind::either:
            return evaluate(*node.left, flow) || evaluate(*node.right, flow);
        case Node::Kind::both:
            return evaluate(*node.left, flow) && evaluate(*node.right, flow);
        case Node::Kind::negation:
            return !evaluate(*node.left, flow);
        case Node::Kind::net:
            return is_within(node, flow.initiator_address()) ||
                   is_within(node, flow.responder_address());
        case Node::Kind::port: {
            return has_ports(flow.protocol_identifier()) &&
                   (flow.initiator_port() == node.number || flow.responder_port() == node.number);
        }
        case Node::Kind::protocol:
            return flow.protocol_identifier() == node.number ||
                   flow.protocol_identifier() == node.alternative;
    }
    return false;
}

}  // namespace

Selection::Selection(std::string_view expression) {
    Parser parser(expression);
    if (!parser.at_end()) {
        root_ = parser.parse_all();
    }
}

Selection::~Selection() = default;
Selection::Selection(Selection&&) noexcept = default;
Selection& Selection::operator=(Selection&&) noexcept = default;

bool Selection::holds_for(const proto::FlowSummary& flow) const {
    return root_ == nullptr || evaluate(*root_, flow);
}

}  // namespace curlew::collector
