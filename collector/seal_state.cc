#include "collector/seal_state.h"

#include <fmt/format.h>
#include <rapidjson/document.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "collector/durable_file.h"
#include "collector/json_output.h"
#include "collector/window.h"

namespace curlew::collector {
namespace {

constexpr uint64_t kLongestState = uint64_t{1} << 30;
constexpr uint64_t kStateSchema = 2;
constexpr uint64_t kSchemaWithoutUncleanEnd = 1;

using StateOutput = JsonOutput<rapidjson::Writer<rapidjson::StringBuffer>>;

void write_publication(StateOutput& json, const Publication& publication) {
    json.start_object();
    json.text("part", publication.part);
    json.text("group", publication.group);
    json.text("scenario", publication.scenario);
    json.text("name", publication.name);
    json.text("encoding", suffix_of(publication.encoding));
    json.number("octets", publication.sums.octets);
    json.text("sha256", publication.sums.sha256);
    json.number("content_octets", publication.sums.content_octets);
    json.text("content_sha256", publication.sums.content_sha256);
    json.text("manifest", publication.manifest);
    json.end_object();
}

// Reads the members of one object; one that is missing or of another kind is told at the end.
class Members {
  public:
    explicit Members(const rapidjson::Value& object) : object_(object) {
        whole_ = object.IsObject();
    }
    void read(const char* name, uint64_t& value) {
        if (const auto* found = find(name); found != nullptr && found->IsUint64()) {
            value = found->GetUint64();
        } else {
            whole_ = false;
        }
    }
    void read(const char* name, std::string& value) {
        if (const auto* found = find(name); found != nullptr && found->IsString()) {
            value.assign(found->GetString(), found->GetStringLength());
        } else {
            whole_ = false;
        }
    }
    void read(const char* name, bool& value) {
        if (const auto* found = find(name); found != nullptr && found->IsBool()) {
            value = found->GetBool();
        } else {
            whole_ = false;
        }
    }
    template <typename Take>
    void each(const char* name, Take take) {
        const auto* found = find(name);
        whole_ = whole_ && found != nullptr && found->IsArray();
        if (whole_) {
            for (const rapidjson::Value& item : found->GetArray()) {
                whole_ = whole_ && take(item);
            }
        }
    }
    bool whole() const { return whole_; }

  private:
    const rapidjson::Value* find(const char* name) const {
        if (!object_.IsObject()) {
            return nullptr;
        }
        const auto found = object_.FindMember(name);
        return found == object_.MemberEnd() ? nullptr : &found->value;
    }

    const rapidjson::Value& object_;
    bool whole_;
};

bool read_mark(const rapidjson::Value& item, SealState& state) {
    Members members(item);
    uint64_t minutes = 0;
    uint64_t window_ns = 0;
    uint64_t through = 0;
    members.read("minutes", minutes);
    members.read("window_ns", window_ns);
    members.read("through", through);
    if (!members.whole() || minutes > UINT32_MAX) {
        return false;
    }
    state.mark(static_cast<uint32_t>(minutes), window_ns, through);
    return true;
}

bool read_publication(const rapidjson::Value& item, Publication& publication) {
    Members members(item);
    std::string encoding;
    members.read("part", publication.part);
    members.read("group", publication.group);
    members.read("scenario", publication.scenario);
    members.read("name", publication.name);
    members.read("encoding", encoding);
    members.read("octets", publication.sums.octets);
    members.read("sha256", publication.sums.sha256);
    members.read("content_octets", publication.sums.content_octets);
    members.read("content_sha256", publication.sums.content_sha256);
    members.read("manifest", publication.manifest);
    const bool plain = encoding == suffix_of(Encoding::json);
    publication.encoding = plain ? Encoding::json : Encoding::json_zstd;
    return members.whole() && (plain || encoding == suffix_of(Encoding::json_zstd));
}

bool is_of_another_version(const rapidjson::Document& document) {
    Members members(document);
    uint64_t schema = 0;
    members.read("schema", schema);
    return members.whole() && schema != kStateSchema && schema != kSchemaWithoutUncleanEnd;
}

bool read_state(const rapidjson::Document& document, SealState& state) {
    Members members(document);
    uint64_t schema = 0;
    members.read("schema", schema);
    members.read("all_through", state.all_through);
    members.read("final_ledger_sealed", state.final_ledger_sealed);
    if (schema != kSchemaWithoutUncleanEnd) {
        members.read("unclean_end_sealed", state.unclean_end_sealed);
    }
    members.each("sealed", [&](const rapidjson::Value& item) { return read_mark(item, state); });
    members.each("publications", [&](const rapidjson::Value& item) {
        return read_publication(item, state.publications.emplace_back());
    });
    return members.whole();
}

}  // namespace

bool SealState::covers(uint64_t sequence, uint64_t end_ns) const {
    if (sequence <= all_through) {
        return true;
    }
    for (auto mark = marks.begin(); mark != marks.end();) {
        const uint32_t minutes = mark->first.first;
        const auto found = marks.find({minutes, window_of(end_ns, minutes).from_ns});
        if (found != marks.end() && sequence <= found->second) {
            return true;
        }
        mark = marks.upper_bound({minutes, UINT64_MAX});
    }
    return false;
}

uint64_t SealState::sealed_through(uint32_t minutes, uint64_t window_ns) const {
    const auto found = marks.find({minutes, window_ns});
    return found == marks.end() ? all_through : std::max(all_through, found->second);
}

void SealState::mark(uint32_t minutes, uint64_t window_ns, uint64_t through) {
    uint64_t& marked = marks[{minutes, window_ns}];
    marked = std::max(marked, through);
}

void SealState::forget_before(uint64_t sequence) {
    std::erase_if(marks, [&](const auto& mark) {
        return mark.second < sequence || mark.second <= all_through;
    });
}

std::filesystem::path seal_state_path(const std::filesystem::path& folder,
                                      const std::string& probe,
                                      uint64_t epoch) {
    return folder / fmt::format("{}-{:016x}{}", probe, epoch, kSealStateSuffix);
}

SealState load_seal_state(const std::filesystem::path& path) {
    SealState state;
    if (!std::filesystem::exists(path)) {
        return state;
    }
    const std::string text = read_file(path, kLongestState);
    rapidjson::Document document;
    document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
    if (!document.HasParseError() && is_of_another_version(document)) {
        throw std::runtime_error(
            fmt::format("cannot read {}: it is of another version", path.string()));
    }
    if (document.HasParseError() || !read_state(document, state)) {
        throw SealStateError(fmt::format("cannot read {}: it is damaged", path.string()));
    }
    return state;
}

void save_seal_state(const std::filesystem::path& path, const SealState& state) {
    StateOutput json;
    json.start_object();
    json.number("schema", kStateSchema);
    json.number("all_through", state.all_through);
    json.flag("final_ledger_sealed", state.final_ledger_sealed);
    json.flag("unclean_end_sealed", state.unclean_end_sealed);
    json.key("sealed");
    json.start_array();
    for (const auto& [window, through] : state.marks) {
        json.start_object();
        json.number("minutes", window.first);
        json.number("window_ns", window.second);
        json.number("through", through);
        json.end_object();
    }
    json.end_array();
    json.key("publications");
    json.start_array();
    for (const Publication& publication : state.publications) {
        write_publication(json, publication);
    }
    json.end_array();
    json.end_object();
    write_file_durably(path, json.finish());
}

}  // namespace curlew::collector
