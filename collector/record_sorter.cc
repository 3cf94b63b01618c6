#include "collector/record_sorter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <span>
#include <tuple>
#include <type_traits>

#include "collector/durable_file.h"

namespace curlew::collector {
namespace {

// More files than this are not merged at once; each has a buffer and a descriptor.
constexpr size_t kMaximumRuns = 64;
constexpr size_t kRunBufferOctets = 128 * 1024;

// What is fetched before it is handed out: by then the line is there, and the rest follows it.
constexpr size_t kRecordsAhead = 3;
constexpr size_t kOctetsAhead = 256;
constexpr size_t kCacheLineOctets = 64;

static_assert(std::is_trivially_copyable_v<RecordOrder>);

}  // namespace

// Of a record in memory. Copied octets follow it.
struct RecordSorter::Header {
    RecordOrder order;
    std::string_view octets;

    static Header of(const Entry& entry) {
        Header header;
        std::memcpy(static_cast<void*>(&header), entry.at, sizeof header);
        return header;
    }
};

// Sorted records: those that are still in memory, or one file with order, length and octets of
// each, in the machine's own representation, for this process reads it again and nobody else.
struct RecordSorter::Run {
    explicit Run(std::span<const Entry> sorted) : file(nullptr, &std::fclose), entries(sorted) {}
    Run(std::FILE* open_file, std::filesystem::path file_path)
        : file(open_file, &std::fclose), path(std::move(file_path)) {
        std::setvbuf(file.get(), nullptr, _IOFBF, kRunBufferOctets);
    }

    void write(const void* from, size_t length) {
        if (length > 0 && std::fwrite(from, length, 1, file.get()) != 1) {
            throw_file_error("write", path);
        }
    }

    void write_record(const RecordOrder& record_order, std::string_view octets) {
        const uint64_t length = octets.size();
        write(&record_order, sizeof record_order);
        write(&length, sizeof length);
        write(octets.data(), octets.size());
    }

    void rewind() {
        if (file == nullptr) {
            return;
        }
        if (std::fflush(file.get()) != 0 || std::fseek(file.get(), 0, SEEK_SET) != 0) {
            throw_file_error("write", path);
        }
    }

    void read(void* to, size_t length) {
        if (length > 0 && std::fread(to, length, 1, file.get()) != 1) {
            throw_file_error("read", path);
        }
    }

    bool advance() {
        if (file == nullptr) {
            return advance_in_memory();
        }
        if (std::fread(&order, sizeof order, 1, file.get()) != 1) {
            if (std::ferror(file.get()) != 0) {
                throw_file_error("read", path);
            }
            return false;
        }
        uint64_t length = 0;
        read(&length, sizeof length);
        read_octets.resize(length);
        read(read_octets.data(), read_octets.size());
        record = read_octets;
        return true;
    }

    bool advance_in_memory() {
        if (entries.empty()) {
            return false;
        }
        const Header header = Header::of(entries.front());
        order = header.order;
        record = header.octets;
        // The next ones lie anywhere.
        if (entries.size() > 2 * kRecordsAhead) {
            __builtin_prefetch(entries[2 * kRecordsAhead].at);
            __builtin_prefetch(entries[2 * kRecordsAhead].at + kCacheLineOctets);
            const char* ahead = Header::of(entries[kRecordsAhead]).octets.data();
            for (size_t octet = 0; octet < kOctetsAhead; octet += kCacheLineOctets) {
                __builtin_prefetch(ahead + octet);
            }
        }
        entries = entries.subspan(1);
        return true;
    }

    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file;
    std::filesystem::path path;
    std::span<const Entry> entries;  // not handed out yet
    RecordOrder order;
    std::string_view record;
    std::string read_octets;  // of the record, where it is read
};

RecordSorter::RecordSorter(std::filesystem::path folder, size_t memory_octets)
    : folder_(std::move(folder)),
      memory_octets_(memory_octets),
      records_(memory_octets, "sorting records"),
      // As many as records without octets find room.
      entries_((memory_octets / (sizeof(Header) + sizeof(Entry)) + 1) * sizeof(Entry),
               "sorting records") {}
RecordSorter::~RecordSorter() = default;

std::span<RecordSorter::Entry> RecordSorter::entries() const noexcept {
    return {reinterpret_cast<Entry*>(entries_.data()), entries_used_};
}

RecordSorter::Header* RecordSorter::take_header(const RecordOrder& order, size_t room) {
    // What follows begins where a header could.
    const size_t octets =
        (sizeof(Header) + room + alignof(Header) - 1) / alignof(Header) * alignof(Header);
    const size_t used = records_used_ + entries_used_ * sizeof(Entry);
    if (entries_used_ != 0 && used + octets + sizeof(Entry) > memory_octets_) {
        write_run();
    }
    auto* header = new (take_memory(octets)) Header{order, {}};
    ++entries_used_;
    entries_front_.fill({entries_.data(), entries_.octets()}, entries_used_ * sizeof(Entry));
    entries().back() = {order.flow_start_ns, reinterpret_cast<const char*>(header), order.dataset};
    return header;
}

void RecordSorter::add(const RecordOrder& order, std::string_view record) {
    Header* header = take_header(order, record.size());
    char* octets = reinterpret_cast<char*>(header + 1);
    if (!record.empty()) {
        std::memcpy(octets, record.data(), record.size());
    }
    header->octets = {octets, record.size()};
}

void RecordSorter::add_in_place(const RecordOrder& order, std::string_view record) {
    take_header(order, 0)->octets = record;
}

void RecordSorter::let_go() {
    if (entries_used_ != 0) {
        write_run();
    }
}

char* RecordSorter::take_memory(size_t octets) {
    if (octets > records_.octets() - records_used_) {
        assert(entries_used_ == 0);
        large_record_ = std::make_unique_for_overwrite<char[]>(octets);
        records_used_ = memory_octets_;
        return large_record_.get();
    }
    char* at = reinterpret_cast<char*>(records_.data()) + records_used_;
    records_used_ += octets;
    records_front_.fill({records_.data(), records_.octets()}, records_used_);
    return at;
}

bool RecordSorter::comes_before(const Entry& left, const Entry& right) {
    if (left.dataset != right.dataset) {
        return left.dataset < right.dataset;
    }
    if (left.flow_start_ns != right.flow_start_ns) {
        return left.flow_start_ns < right.flow_start_ns;
    }
    const Header one = Header::of(left);
    const Header other = Header::of(right);
    if (const auto order = one.order <=> other.order; order != 0) {
        return order < 0;
    }
    return one.octets < other.octets;
}

void RecordSorter::sort_entries() {
    std::sort(entries().begin(), entries().end(), &comes_before);
}

std::unique_ptr<RecordSorter::Run> RecordSorter::new_run() const {
    std::string path = (folder_ / ".sort-XXXXXX").string();
    const int descriptor = ::mkostemp(path.data(), O_CLOEXEC);
    if (descriptor < 0) {
        throw_file_error("write", path);
    }
    ::unlink(path.c_str());
    std::FILE* file = ::fdopen(descriptor, "w+b");
    if (file == nullptr) {
        ::close(descriptor);
        throw_file_error("write", path);
    }
    return std::make_unique<Run>(file, path);
}

void RecordSorter::write_run() {
    if (runs_.size() == kMaximumRuns) {
        merge_runs();
    }
    sort_entries();
    std::unique_ptr<Run> run = new_run();
    for (const Entry& entry : entries()) {
        const Header header = Header::of(entry);
        run->write_record(header.order, header.octets);
    }
    runs_.push_back(std::move(run));
    large_record_.reset();
    records_used_ = 0;
    entries_used_ = 0;
}

namespace {

// Puts the run with the smallest record at the front of the heap.
constexpr auto kLaterRun = [](const auto& left, const auto& right) {
    return std::tie(right->order, right->record) < std::tie(left->order, left->record);
};

template <typename Runs>
void start_merging(Runs& runs) {
    for (auto& run : runs) {
        run->rewind();
        [[maybe_unused]] const bool has_record = run->advance();
        assert(has_record);
    }
    std::make_heap(runs.begin(), runs.end(), kLaterRun);
}

}  // namespace

void RecordSorter::merge_runs() {
    std::unique_ptr<Run> merged = new_run();
    start_merging(runs_);
    RecordOrder order;
    std::string_view record;
    while (next(order, record)) {
        merged->write_record(order, record);
    }
    runs_.push_back(std::move(merged));
}

bool RecordSorter::next(RecordOrder& order, std::string_view& record) {
    if (taken_ != nullptr) {
        std::pop_heap(runs_.begin(), runs_.end(), kLaterRun);
        taken_ = nullptr;
        if (runs_.back()->advance()) {
            std::push_heap(runs_.begin(), runs_.end(), kLaterRun);
        } else {
            runs_.pop_back();
        }
    }
    if (runs_.empty()) {
        return false;
    }
    taken_ = runs_.front().get();
    order = taken_->order;
    record = taken_->record;
    return true;
}

void RecordSorter::finish() {
    if (entries_used_ != 0) {
        sort_entries();
        runs_.push_back(std::make_unique<Run>(entries()));
    }
    start_merging(runs_);
}

bool RecordSorter::next(std::string_view& record) {
    RecordOrder order;
    return next(order, record);
}

}  // namespace curlew::collector
