#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "collector/flow_identity.h"
#include "proto/mapped_memory.h"

// Sorts serialized flow records in bounded memory: runs of at most `memory_octets` are sorted and
// put into temporary files, which are merged in the end. Records of one order are ordered by their
// octets, so the result depends on the set of records alone.

namespace curlew::collector {

class RecordSorter {
  public:
    static constexpr size_t kDefaultMemoryOctets = size_t{256} << 20;

    // Temporary files are made in `folder` and have no name there, so none is ever left. Throws
    // std::runtime_error when so much memory cannot be reserved.
    explicit RecordSorter(std::filesystem::path folder,
                          size_t memory_octets = kDefaultMemoryOctets);
    ~RecordSorter();

    // Throws std::runtime_error on an I/O failure, as all that follow do. Requires: before
    // finish().
    void add(const RecordOrder& order, std::string_view record);

    // The same without a copy. Requires: the record stays where it is until let_go() or the end.
    void add_in_place(const RecordOrder& order, std::string_view record);
    void let_go();

    void finish();

    // The next record in order, good until the next call; false at the end. Requires: after
    // finish().
    bool next(RecordOrder& order, std::string_view& record);
    bool next(std::string_view& record);

  private:
    // A record in memory. Sorting moves these alone and mostly looks at the start alone.
    struct Entry {
        uint64_t flow_start_ns;
        const char* at;  // its Header
        uint32_t dataset;
    };
    struct Header;
    struct Run;

    static bool comes_before(const Entry& left, const Entry& right);
    std::span<Entry> entries() const noexcept;
    // Memory for a header, with room behind it.
    Header* take_header(const RecordOrder& order, size_t room);
    char* take_memory(size_t octets);
    void sort_entries();
    void write_run();
    void merge_runs();
    std::unique_ptr<Run> new_run() const;

    std::filesystem::path folder_;
    size_t memory_octets_;
    // Both are filled from the front, from run to run anew. What was never filled is not there.
    proto::MappedMemory records_;
    proto::MappedMemory entries_;
    proto::PagedFront records_front_;
    proto::PagedFront entries_front_;
    std::unique_ptr<char[]> large_record_;    // one alone that is larger than all the memory
    size_t records_used_ = 0;                 // octets
    size_t entries_used_ = 0;                 // how many
    std::vector<std::unique_ptr<Run>> runs_;  // after finish(): a heap, the next record at front
    Run* taken_ = nullptr;                    // whose record was handed out last
};

}  // namespace curlew::collector
