#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <vector>

namespace curlew::collector {

// Which records a memory has already, though the job that added them failed and is done again: each
// counts once. Jobs take the records of their windows in order of sequence. Windows, told by their
// beginning, are of one length: with another configuration begins another memory.
class AddedRecords {
  public:
    bool has(uint64_t epoch, uint64_t sequence, uint64_t window_ns) const {
        const auto parts = parts_.find(epoch);
        return parts != parts_.end() &&
               std::any_of(parts->second.begin(), parts->second.end(), [&](const Part& part) {
                   return sequence <= part.through &&
                          std::binary_search(part.windows.begin(), part.windows.end(), window_ns);
               });
    }

    // A job failed that had added what is of `windows`, in order, up to `through`.
    void failed(uint64_t epoch, const std::vector<uint64_t>& windows, uint64_t through) {
        std::vector<Part>& parts = parts_[epoch];
        // Done again, it takes as much and more: as a rule there is one.
        std::erase_if(parts, [&](const Part& part) {
            return part.through <= through &&
                   std::includes(
                       windows.begin(), windows.end(), part.windows.begin(), part.windows.end());
        });
        parts.push_back({windows, through});
    }

    // What is of these windows comes no more.
    void sealed(uint64_t epoch, const std::vector<uint64_t>& windows) {
        std::vector<Part>& parts = parts_[epoch];
        for (Part& part : parts) {
            std::erase_if(part.windows, [&windows](uint64_t window) {
                return std::binary_search(windows.begin(), windows.end(), window);
            });
        }
        std::erase_if(parts, [](const Part& part) { return part.windows.empty(); });
        if (parts.empty()) {
            parts_.erase(epoch);
        }
    }

  private:
    struct Part {
        std::vector<uint64_t> windows;
        uint64_t through;
    };

    std::map<uint64_t, std::vector<Part>> parts_;  // by epoch
};

}  // namespace curlew::collector
