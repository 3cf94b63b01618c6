#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

#include "proto/flow.pb.h"

// Which records are published: an expression over a record's endpoints and protocol.
//
//     expression = term { "or" term }            term = factor { "and" factor }
//     factor     = "not" factor | "(" expression ")" | "host" ADDRESS | "net" ADDRESS "/" LENGTH
//                | "port" NUMBER | "proto" ( NUMBER | "tcp" | "udp" | "icmp" )
//
// `host`, `net` and `port` hold when either endpoint is so; `icmp` is ICMP and ICMPv6; a record
// without ports has no port. An empty expression selects everything.

namespace curlew::collector {

// One sentence that names the place.
class SelectionError : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

class Selection {
  public:
    // Throws SelectionError.
    explicit Selection(std::string_view expression);
    ~Selection();
    Selection(Selection&&) noexcept;
    Selection& operator=(Selection&&) noexcept;

    // Requires: the flow passed the batch decoder.
    bool holds_for(const proto::FlowSummary& flow) const;

    struct Node;

  private:
    std::unique_ptr<Node> root_;  // null: everything
};

}  // namespace curlew::collector
