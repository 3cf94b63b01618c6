#include "collector/index.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/file.h>
#include <unistd.h>

#include <cassert>
#include <cerrno>
#include <charconv>
#include <stdexcept>

#include "collector/digest.h"

namespace curlew::collector {

std::string first_previous() {
    return std::string(64, '0');
}

namespace {

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
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
    if (document.HasParseError() || !document.IsObject()) {
        return std::nullopt;
    }
    IndexEntry entry;
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
    return whole && index_line(entry) == line ? std::optional(entry) : std::nullopt;
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
    bool head_holds = !head || head->lines == 0;
    const std::string content = read_file(path_, kLongestIndex);
    std::string_view rest = content;
    for (size_t end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
        const std::string_view line = rest.substr(0, end);
        const auto entry = parse_index_line(line);
        if (!entry || entry->previous != previous_) {
            // A line behind a damaged one would hide where the chain broke.
            throw std::runtime_error(
                fmt::format("{} is damaged; `curlew verify` says where", path_.string()));
        }
        if (entry->tombstone) {
            removed_names_.insert(entry->manifest);
            removed_.push_back(*entry);
        } else {
            listed_.emplace(entry->manifest, entry->sha256);
            in_order_.push_back(*entry);
        }
        previous_ = sha256_of(line);
        ++lines_;
        head_holds = head_holds || (head->lines == lines_ && head->last == previous_);
        last_line_ = rest.substr(0, end + 1);
        last_line_at_ = content.size() - rest.size();
        rest.remove_prefix(end + 1);
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
    const size_t whole = content.size() - rest.size();
    if (!rest.empty() && ::ftruncate(file_.get(), static_cast<off_t>(whole)) != 0) {
        throw_file_error("write", path_);
    }
    if (!head || head->lines < lines_) {
        write_head();
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
    return found == listed_.end() ? std::nullopt : std::optional(found->second);
}

bool ArchiveIndex::is_removed(const std::string& manifest) const {
    return removed_names_.contains(manifest);
}

std::vector<IndexEntry> ArchiveIndex::present() const {
    std::vector<IndexEntry> entries;
    for (const IndexEntry& entry : in_order_) {
        if (!is_removed(entry.manifest)) {
            entries.push_back(entry);
        }
    }
    return entries;
}

void ArchiveIndex::append(const std::string& manifest, const std::string& sha256) {
    assert(!listed_.contains(manifest));
    in_order_.push_back({manifest, sha256, previous_, std::nullopt});
    append_line(index_line(in_order_.back()));
    listed_.emplace(manifest, sha256);
}

void ArchiveIndex::append_tombstone(const std::string& manifest, const Tombstone& tombstone) {
    assert(listed_.contains(manifest));
    assert(!is_removed(manifest));
    removed_.push_back({manifest, listed_.at(manifest), previous_, tombstone});
    append_line(index_line(removed_.back()));
    removed_names_.insert(manifest);
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
