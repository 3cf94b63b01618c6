#include "collector/index.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <charconv>
#include <span>
#include <stdexcept>

#include "collector/digest.h"

namespace curlew::collector {

std::string first_previous() {
    return std::string(64, '0');
}

namespace {

// What stands before each value of a line, as index_line() writes it.
constexpr std::string_view kManifestMark = R"({"manifest":")";
constexpr std::string_view kRemovedMark = R"({"removed":")";

// Takes texts and numbers off the front of a line without a backslash, each with what stands before
// it.
class LineReader {
  public:
    explicit LineReader(std::string_view line) : rest_(line) {}

    bool take(std::string_view mark) {
        ok_ = ok_ && rest_.starts_with(mark);
        rest_.remove_prefix(ok_ ? mark.size() : 0);
        return ok_;
    }
    void text(std::string_view mark, std::string& value) {
        const size_t end = take(mark) ? rest_.find('"') : std::string_view::npos;
        ok_ = end != std::string_view::npos;
        value = rest_.substr(0, ok_ ? end : 0);
        rest_.remove_prefix(value.size());
    }
    void number(std::string_view mark, uint64_t& value) {
        const char* end = rest_.data() + rest_.size();
        if (take(mark)) {
            const auto [stop, error] = std::from_chars(rest_.data(), end, value);
            ok_ = error == std::errc();
            rest_.remove_prefix(static_cast<size_t>(stop - rest_.data()));
        }
    }
    bool at_end() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

bool read_member(const rapidjson::Document& document, const char* name, std::string& value) {
    const auto found = document.FindMember(name);
    if (found == document.MemberEnd() || !found->value.IsString()) {
        return false;
    }
    value.assign(found->value.GetString(), found->value.GetStringLength());
    return true;
}

bool read_member(const rapidjson::Document& document, const char* name, uint64_t& value) {
    const auto found = document.FindMember(name);
    if (found == document.MemberEnd() || !found->value.IsUint64()) {
        return false;
    }
    value = found->value.GetUint64();
    return true;
}

void write(rapidjson::Writer<rapidjson::StringBuffer>& json,
           const char* name,
           const std::string& value) {
    json.Key(name);
    json.String(value.c_str());
}

void write(rapidjson::Writer<rapidjson::StringBuffer>& json, const char* name, uint64_t value) {
    json.Key(name);
    json.Uint64(value);
}

bool read_plain_line(std::string_view line, IndexEntry& entry) {
    LineReader reader(line);
    if (line.starts_with(kRemovedMark)) {
        Tombstone& tombstone = entry.tombstone.emplace();
        std::string sum;
        reader.text(kRemovedMark, entry.manifest);
        reader.text(R"(","sha256":")", entry.sha256);
        reader.number(R"(","records":)", tombstone.records);
        reader.number(R"(,"received":)", tombstone.received);
        reader.number(R"(,"octets":)", tombstone.octets);
        reader.text(R"(,"probe":")", tombstone.probe);
        reader.text(R"(","epoch":")", tombstone.epoch);
        reader.text(R"(","previous":")", entry.previous);
        reader.text(R"(","sum":")", sum);
    } else {
        reader.text(kManifestMark, entry.manifest);
        reader.text(R"(","sha256":")", entry.sha256);
        reader.text(R"(","previous":")", entry.previous);
    }
    reader.take("\"}");
    return reader.at_end();
}

// One whose name JSON escapes, or that is none.
bool read_escaped_line(std::string_view line, IndexEntry& entry) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
    if (document.HasParseError() || !document.IsObject()) {
        return false;
    }
    bool whole = read_member(document, "sha256", entry.sha256) &&
                 read_member(document, "previous", entry.previous);
    if (document.HasMember("removed")) {
        Tombstone& tombstone = entry.tombstone.emplace();
        whole = whole && read_member(document, "removed", entry.manifest) &&
                read_member(document, "records", tombstone.records) &&
                read_member(document, "received", tombstone.received) &&
                read_member(document, "octets", tombstone.octets) &&
                read_member(document, "probe", tombstone.probe) &&
                read_member(document, "epoch", tombstone.epoch);
    } else {
        whole = whole && read_member(document, "manifest", entry.manifest);
    }
    return whole;
}

}  // namespace

std::string index_line(const IndexEntry& entry) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
    json.StartObject();
    write(json, entry.tombstone ? "removed" : "manifest", entry.manifest);
    write(json, "sha256", entry.sha256);
    if (entry.tombstone) {
        write(json, "records", entry.tombstone->records);
        write(json, "received", entry.tombstone->received);
        write(json, "octets", entry.tombstone->octets);
        write(json, "probe", entry.tombstone->probe);
        write(json, "epoch", entry.tombstone->epoch);
    }
    write(json, "previous", entry.previous);
    if (entry.tombstone) {
        write(json, "sum", sha256_of({buffer.GetString(), buffer.GetSize()}));
    }
    json.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

std::string index_head_text(const IndexHead& head) {
    return fmt::format("{:020} {}\n", head.lines, head.last);
}

std::optional<IndexHead> parse_index_head(std::string_view text) {
    constexpr size_t kDigits = 20;
    IndexHead head;
    if (text.size() != kDigits + 1 + first_previous().size() + 1 ||
        std::from_chars(text.data(), text.data() + kDigits, head.lines).ptr !=
            text.data() + kDigits) {
        return std::nullopt;
    }
    head.last = text.substr(kDigits + 1, first_previous().size());
    return index_head_text(head) == text ? std::optional(head) : std::nullopt;
}

std::optional<IndexEntry> parse_index_line(std::string_view line) {
    IndexEntry entry;
    const bool is_escaped = std::any_of(line.begin(), line.end(), [](char octet) {
        return octet == '\\' || static_cast<uint8_t>(octet) < 0x20;
    });
    const bool whole = is_escaped ? read_escaped_line(line, entry) : read_plain_line(line, entry);
    // Of a plain one without numbers there is one way to write it.
    const bool is_sure = !is_escaped && !entry.tombstone;
    return whole && (is_sure || index_line(entry) == line) ? std::optional(std::move(entry))
                                                           : std::nullopt;
}

ArchiveIndex::ArchiveIndex(const std::filesystem::path& archive)
    : path_(archive / kIndexName), previous_(first_previous()) {
    file_ = open_file(path_, O_RDWR | O_CREAT);
    while (::flock(file_.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            throw_file_error("lock", path_);
        }
    }
    // Who died while it was written left a part of it.
    std::error_code ignored;
    std::filesystem::remove(archive / (std::string(kIndexHeadName) + ".part"), ignored);
    const std::optional<IndexHead> head = read_head();
    read_lines(head);
    if (!head || head->lines < lines_) {
        write_head();
    }
}

void ArchiveIndex::take_line(std::string_view line) {
    auto entry = parse_index_line(line);
    const bool is_right = entry && entry->previous == previous_ &&
                          (!entry->tombstone || listed_.contains(entry->manifest));
    if (!is_right) {
        // A line behind a damaged one would hide where the chain broke.
        throw std::runtime_error(
            fmt::format("{} is damaged; `curlew verify` says where", path_.string()));
    }
    if (entry->tombstone) {
        listed_.at(entry->manifest).is_removed = true;
        entry->previous.clear();
        removed_.push_back(*std::move(entry));
    } else {
        const auto [listed, inserted] =
            listed_.try_emplace(std::move(entry->manifest), Listed{std::move(entry->sha256)});
        if (inserted) {
            in_order_.push_back(&*listed);
        }
    }
    digest_.update(line);
    previous_ = digest_.finish();
    ++lines_;
}

void ArchiveIndex::read_lines(const std::optional<IndexHead>& head) {
    constexpr size_t kAtOnce = size_t{1} << 20;
    bool head_holds = !head || head->lines == 0;
    InputFile file(path_);
    std::string content;  // from the line on that is not whole yet
    uint64_t content_at = 0;
    for (;;) {
        const size_t before = content.size();
        content.resize(before + kAtOnce);
        const size_t octets = file.read(std::span(content).subspan(before));
        content.resize(before + octets);
        size_t begin = 0;
        for (size_t end = content.find('\n', before); end != std::string::npos;
             end = content.find('\n', begin)) {
            const std::string_view line = std::string_view(content).substr(begin, end - begin);
            take_line(line);
            head_holds = head_holds || (head->lines == lines_ && head->last == previous_);
            last_line_ = std::string_view(content).substr(begin, end + 1 - begin);
            last_line_at_ = content_at + begin;
            begin = end + 1;
        }
        content.erase(0, begin);
        content_at += begin;
        if (content.size() > kLongestIndexLine) {
            throw std::runtime_error(
                fmt::format("{} is damaged: a line does not end", path_.string()));
        }
        if (octets == 0) {
            break;
        }
    }
    if (!head_holds) {
        throw std::runtime_error(fmt::format(
            "{} is not the one that {} tells of, which had {} lines at least: restore it, or take "
            "{} away to go on with what is there; `curlew verify` says more",
            path_.string(),
            kIndexHeadName,
            head->lines,
            kIndexHeadName));
    }
    if (!content.empty() && ::ftruncate(file_.get(), static_cast<off_t>(content_at)) != 0) {
        throw_file_error("write", path_);
    }
}

std::optional<IndexHead> ArchiveIndex::read_head() const {
    constexpr uint64_t kLongestHead = 4096;
    const std::filesystem::path path = path_.parent_path() / kIndexHeadName;
    if (!std::filesystem::exists(path)) {
        return std::nullopt;
    }
    auto head = parse_index_head(read_file(path, kLongestHead));
    if (!head) {
        throw std::runtime_error(fmt::format(
            "{} is damaged: take it away to go on with the index that is there", path.string()));
    }
    return head;
}

// One that cannot be written stays behind, which is no harm: the next line brings another.
void ArchiveIndex::write_head() noexcept {
    try {
        write_file_durably(path_.parent_path() / kIndexHeadName,
                           index_head_text({lines_, previous_}));
    } catch (const std::exception&) {
    }
}

void ArchiveIndex::sync() {
    write_all_at(file_.get(), last_line_, last_line_at_, path_);
    sync_data(file_.get(), path_);
    sync_folder(path_.parent_path());
}

std::optional<std::string> ArchiveIndex::sha256_of_manifest(const std::string& manifest) const {
    const auto found = listed_.find(manifest);
    return found == listed_.end() ? std::nullopt : std::optional(found->second.sha256);
}

bool ArchiveIndex::is_removed(const std::string& manifest) const {
    const auto found = listed_.find(manifest);
    return found != listed_.end() && found->second.is_removed;
}

std::vector<IndexEntry> ArchiveIndex::present() const {
    std::vector<IndexEntry> entries;
    for (const auto* entry : in_order_) {
        if (!entry->second.is_removed) {
            entries.push_back({entry->first, entry->second.sha256, {}, std::nullopt});
        }
    }
    return entries;
}

void ArchiveIndex::append(const std::string& manifest, const std::string& sha256) {
    assert(!listed_.contains(manifest));
    append_line(index_line({manifest, sha256, previous_, std::nullopt}));
    in_order_.push_back(&*listed_.try_emplace(manifest, Listed{sha256}).first);
}

void ArchiveIndex::append_tombstone(const std::string& manifest, const Tombstone& tombstone) {
    const auto found = listed_.find(manifest);
    assert(found != listed_.end());
    Listed& listed = found->second;
    assert(!listed.is_removed);
    append_line(index_line({manifest, listed.sha256, previous_, tombstone}));
    removed_.push_back({manifest, listed.sha256, {}, tombstone});
    listed.is_removed = true;
}

void ArchiveIndex::append_line(const std::string& line) {
    const uint64_t at = last_line_at_ + last_line_.size();
    try {
        write_all_at(file_.get(), last_line_ + line + "\n", last_line_at_, path_);
        sync_data(file_.get(), path_);
        sync_folder(path_.parent_path());
    } catch (const std::runtime_error& error) {
        // A line whose sync failed may vanish later: who tries again has to write it again.
        if (::ftruncate(file_.get(), static_cast<off_t>(at)) != 0 ||
            ::fdatasync(file_.get()) != 0) {
            throw UncertainIndex(error.what());
        }
        throw;
    }
    previous_ = sha256_of(line);
    last_line_ = line + "\n";
    last_line_at_ = at;
    ++lines_;
    write_head();
}

}  // namespace curlew::collector
