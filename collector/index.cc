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
#include <stdexcept>

#include "collector/digest.h"

namespace curlew::collector {

std::string first_previous() {
    return std::string(64, '0');
}

std::optional<IndexEntry> parse_index_line(std::string_view line) {
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
    if (document.HasParseError() || !document.IsObject() || document.MemberCount() != 3) {
        return std::nullopt;
    }
    IndexEntry entry;
    for (const auto& [name, value] :
         {std::pair<const char*, std::string*>{"manifest", &entry.manifest},
          {"sha256", &entry.sha256},
          {"previous", &entry.previous}}) {
        const auto found = document.FindMember(name);
        if (found == document.MemberEnd() || !found->value.IsString()) {
            return std::nullopt;
        }
        value->assign(found->value.GetString(), found->value.GetStringLength());
    }
    return entry;
}

ArchiveIndex::ArchiveIndex(const std::filesystem::path& archive)
    : path_(archive / kIndexName), previous_(first_previous()) {
    file_ = open_file(path_, O_RDWR | O_CREAT | O_APPEND);
    while (::flock(file_.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            throw_file_error("lock", path_);
        }
    }
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
        listed_.emplace(entry->manifest, entry->sha256);
        previous_ = sha256_of(line);
        rest.remove_prefix(end + 1);
    }
    const size_t whole = content.size() - rest.size();
    if (!rest.empty() && ::ftruncate(file_.get(), static_cast<off_t>(whole)) != 0) {
        throw_file_error("write", path_);
    }
}

std::optional<std::string> ArchiveIndex::sha256_of_manifest(const std::string& manifest) const {
    const auto found = listed_.find(manifest);
    return found == listed_.end() ? std::nullopt : std::optional(found->second);
}

void ArchiveIndex::append(const std::string& manifest, const std::string& sha256) {
    assert(!listed_.contains(manifest));
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> json(buffer);
    json.StartObject();
    json.Key("manifest");
    json.String(manifest.c_str());
    json.Key("sha256");
    json.String(sha256.c_str());
    json.Key("previous");
    json.String(previous_.c_str());
    json.EndObject();
    const std::string line(buffer.GetString(), buffer.GetSize());
    write_all(file_.get(), line + "\n", path_);
    sync_data(file_.get(), path_);
    sync_folder(path_.parent_path());
    listed_.emplace(manifest, sha256);
    previous_ = sha256_of(line);
}

}  // namespace curlew::collector
