#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace curlew::collector {

// Looks at the lines of one dataset in turn: each has to be a record, and none may come before its
// predecessor in the order of record_sorter.h.
class RecordCheck {
  public:
    RecordCheck();
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
