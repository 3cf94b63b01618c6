#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <tuple>
#include <vector>

#include "cli/flow_line.h"

namespace curlew::cli {

// The flows of one file, in memory. A flow is its addresses, ports (null is -1) and protocol, in
// either direction.
class FlowSet {
  public:
    struct Record {
        std::string text;  // the line
        uint64_t line_number = 0;
        double time_start = 0;  // seconds since 1970
        FlowField flow_type;
    };

    struct Flow {
        std::string name;             // "192.0.2.1:443 - 192.0.2.2:50000 protocol 6"
        std::vector<Record> records;  // by time_start, then as in the file; at least one
    };

    // Low and high endpoint, protocol.
    using Endpoint = std::pair<std::string, int32_t>;
    using Key = std::tuple<Endpoint, Endpoint, uint32_t>;

    // Throws std::runtime_error with one sentence that names the file, and the line where a record
    // cannot be used. A file without a record is an empty set.
    explicit FlowSet(const std::filesystem::path& path);

    const std::map<Key, Flow>& flows() const noexcept { return flows_; }

    // The file begins with Joy's settings, as all that Joy writes does, or has two records of a
    // flow: it is no choice of first records.
    bool holds_later_records() const noexcept { return holds_later_records_; }

    // nullptr when there is none.
    const Flow* find(const Key& key) const;

  private:
    void add(std::string_view line, uint64_t line_number, const FlowLine& flow);

    std::map<Key, Flow> flows_;
    bool holds_later_records_ = false;
};

}  // namespace curlew::cli
