#pragma once

#include <string_view>
#include <vector>

#include "collector/json_line.h"
#include "collector/label.h"

// Labels as members of a record or of an overlay.

namespace curlew::collector {

// A list of objects with kind, field, value, signature, packet, offset, dir.
void write_facts(JsonLine& json, std::string_view name, const std::vector<Fact>& facts);

// The member `label`. Without evidence the list has one entry, of kind "none".
void write_label(JsonLine& json, const Label& label, std::string_view ruleset);

}  // namespace curlew::collector
