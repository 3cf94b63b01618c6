#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "collector/flow_identity.h"

// Sorts serialized flow records in bounded memory: runs of at most `memory_octets` are sorted and
// put into temporary files, which are merged in the end. Records of one order are ordered by their
// octets, so the result depends on the set of records alone.

namespace curlew::collector {

class RecordSorter {
  public:
    static constexpr size_t kDefaultMemoryOctets = size_t{64} << 20;

    // Temporary files are made in `folder` and have no name there, so none is ever left.
    explicit RecordSorter(std::filesystem::path folder,
                          size_t memory_octets = kDefaultMemoryOctets);
    ~RecordSorter();

    // Throws std::runtime_error on an I/O failure, as the other two do. Requires: before finish().
    void add(const RecordOrder& order, std::string_view record);

    void finish();

    // The next record in order, good until the next call; false at the end. Requires: after
    // finish().
    bool next(std::string_view& record);

  private:
    struct Entry {
        RecordOrder order;
        size_t offset;  // into octets_
        size_t length;
    };
    struct Run;

    void sort_entries();
    void write_run();
    void merge_runs();
    bool next_merged(RecordOrder& order, std::string_view& record);
    std::unique_ptr<Run> new_run() const;

    std::filesystem::path folder_;
    size_t memory_octets_;
    std::string octets_;
    std::vector<Entry> entries_;
    size_t next_entry_ = 0;
    std::vector<std::unique_ptr<Run>> runs_;  // after finish(): a heap, the next record at front
    Run* taken_ = nullptr;                    // whose record was handed out last
};

}  // namespace curlew::collector
