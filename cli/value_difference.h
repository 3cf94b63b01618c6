#pragma once

#include <rapidjson/document.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

// Where two JSON values differ. Numbers are equal by value: whole ones exactly, others as the
// nearest double of what is written, without any tolerance. Objects are compared whole, in any
// order of their keys.

namespace curlew::cli {

// Members by name. When a key stands twice the last one counts, as in FlowLine.
using Members = std::map<std::string_view, const rapidjson::Value*>;

// Requires: an object, which outlives the result.
Members members_of(const rapidjson::Value& object);

bool equal_values(const rapidjson::Value& golden, const rapidjson::Value& ours);

struct ValueDifference {
    std::string path;                // names of members down to it: "tls.s_cert.extensions"
    std::string place;               // with positions in lists: "tls.s_cert[0].extensions"
    const rapidjson::Value* golden;  // null: absent
    const rapidjson::Value* ours;
};

// The innermost values that differ below the member `name`, either of them null when it is absent;
// lists that hold anything but objects, or not equally many, differ as a whole. Empty: equal.
// Requires: nesting is bounded, as FlowLine does; the values outlive the result.
std::vector<ValueDifference> differences_of(std::string_view name,
                                            const rapidjson::Value* golden,
                                            const rapidjson::Value* ours);

}  // namespace curlew::cli
