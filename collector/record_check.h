#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace curlew::collector {

// Looks at the lines of one dataset in turn: each has to be a record of its preset, and none may
// come before its predecessor in the order of record_sorter.h. Joy's order of output, which preset
// joy-3.0.3 has, cannot be told from the records.
class RecordCheck {
  public:
    explicit RecordCheck(std::string_view preset);
    ~RecordCheck();

    // One sentence, or empty when the line is right.
    std::string check(std::string_view line);

    uint64_t lines() const noexcept { return lines_; }

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
    uint64_t lines_ = 0;
};

}  // namespace curlew::collector
