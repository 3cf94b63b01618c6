#pragma once

#include <memory>
#include <string>
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

// A label with its text, but for the device: records that show the same share one.
struct WrittenLabel {
    std::shared_ptr<const Label> label;      // device empty
    std::shared_ptr<const Label> passed_on;  // without evidence where only the words go on
    std::string matched;                     // the member `matched`
    std::string what;                        // members of `label` before its device
    std::string why;                         // those behind it
};

// `json` is written over.
std::shared_ptr<const WrittenLabel> written(Label label, std::string_view ruleset, JsonLine& json);

// The members `matched` and `label`.
void write_label(JsonLine& json, const WrittenLabel& label, std::string_view device);

}  // namespace curlew::collector
