#include "collector/record_sorter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <type_traits>

#include "collector/durable_file.h"

namespace curlew::collector {
namespace {

// More files than this are not merged at once; each has a buffer and a descriptor.
constexpr size_t kMaximumRuns = 64;
constexpr size_t kRunBufferOctets = 128 * 1024;

static_assert(std::is_trivially_copyable_v<RecordOrder>);

}  // namespace

// One sorted file: order, length and octets of each record, in the machine's own representation,
// for this process reads it again and nobody else.
struct RecordSorter::Run {
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
        if (std::fread(&order, sizeof order, 1, file.get()) != 1) {
            if (std::ferror(file.get()) != 0) {
                throw_file_error("read", path);
            }
            return false;
        }
        uint64_t length = 0;
        read(&length, sizeof length);
        record.resize(length);
        read(record.data(), record.size());
        return true;
    }

    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file;
    std::filesystem::path path;
    RecordOrder order;
    std::string record;
};

RecordSorter::RecordSorter(std::filesystem::path folder, size_t memory_octets)
    : folder_(std::move(folder)), memory_octets_(memory_octets) {}
RecordSorter::~RecordSorter() = default;

void RecordSorter::add(const RecordOrder& order, std::string_view record) {
    const size_t used = octets_.size() + entries_.size() * sizeof(Entry);
    if (!entries_.empty() && used + record.size() + sizeof(Entry) > memory_octets_) {
        write_run();
    }
    entries_.push_back({order, octets_.size(), record.size()});
    octets_.append(record);
}

void RecordSorter::sort_entries() {
    const std::string_view octets(octets_);
    std::sort(entries_.begin(), entries_.end(), [&](const Entry& left, const Entry& right) {
        if (const auto order = left.order <=> right.order; order != 0) {
            return order < 0;
        }
        return octets.substr(left.offset, left.length) < octets.substr(right.offset, right.length);
    });
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
    for (const Entry& entry : entries_) {
        run->write_record(entry.order,
                          std::string_view(octets_).substr(entry.offset, entry.length));
    }
    runs_.push_back(std::move(run));
    entries_.clear();
    octets_.clear();
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
    while (next_merged(order, record)) {
        merged->write_record(order, record);
    }
    runs_.push_back(std::move(merged));
}

bool RecordSorter::next_merged(RecordOrder& order, std::string_view& record) {
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
    if (runs_.empty()) {
        sort_entries();
        return;
    }
    if (!entries_.empty()) {
        write_run();
    }
    start_merging(runs_);
}

bool RecordSorter::next(std::string_view& record) {
    if (next_entry_ < entries_.size()) {
        const Entry& entry = entries_[next_entry_++];
        record = std::string_view(octets_).substr(entry.offset, entry.length);
        return true;
    }
    RecordOrder order;
    return next_merged(order, record);
}

}  // namespace curlew::collector
