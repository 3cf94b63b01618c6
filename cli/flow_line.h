#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// One line of a flow file, read as far as the published rules and the pairing of flows look at it,
// with the places where `flow_type` stands or would stand.

namespace curlew::cli {

// A value as the line has it. When a key stands twice the last one counts, as in the program that
// labelled the published files.
struct FlowField {
    enum class Kind : uint8_t { absent, null, text, number, other };
    Kind kind = Kind::absent;
    std::string value;  // text: decoded; number: as spelled
};

struct FlowLine {
    FlowField sa;
    FlowField da;
    FlowField sp;
    FlowField dp;
    FlowField pr;
    FlowField time_start;
    FlowField flow_type;
    FlowField out_ttl;         // ip.out.ttl
    FlowField in_ttl;          // ip.in.ttl
    bool has_flow_id = false;  // preset curlew's

    // Offsets and pieces of the line, for a member added after the last. `comma` and `colon` are
    // these characters with the white space around them, as the object itself spells them.
    size_t members_end = 0;  // one past the last member
    std::string_view comma;
    std::string_view colon;

    uint32_t flow_type_count = 0;  // how often the key stands in the object
    bool flow_type_is_last = false;
    size_t last_value_begin = 0;  // the last member's value, up to members_end

    // Joy's first line holds its settings and no address.
    bool is_record() const noexcept { return sa.kind != FlowField::Kind::absent; }
};

// Nesting deeper than this is refused; a record with certificates has 6.
constexpr uint32_t kMaximumFlowLineDepth = 64;

// Requires: `text` outlives the result. Throws std::runtime_error with the cause alone ("is not a
// JSON object ..."); the caller knows file and line.
FlowLine parse_flow_line(std::string_view text);

// The field as text, a port (-1: null) or a number within [0, maximum]. Throw std::runtime_error
// with the cause when it is something else; `name` is for the sentence.
const std::string& text_of(const FlowField& field, std::string_view name);
int32_t port_of(const FlowField& field, std::string_view name);
uint32_t number_of(const FlowField& field, std::string_view name, uint32_t maximum);
double seconds_of(const FlowField& field, std::string_view name);

// A JSON string of ASCII alone, as the published files spell theirs. Requires: valid UTF-8.
std::string json_string(std::string_view text);

}  // namespace curlew::cli
