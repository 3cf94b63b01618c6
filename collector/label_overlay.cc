#include "collector/label_overlay.h"

#include <fmt/format.h>

#include <stdexcept>
#include <utility>

#include "collector/annotator.h"
#include "collector/dataset_builder.h"
#include "collector/dataset_file.h"
#include "collector/device_file.h"
#include "collector/digest.h"
#include "collector/durable_file.h"
#include "collector/index.h"
#include "collector/json_members.h"
#include "collector/label_fields.h"
#include "collector/manifest.h"

namespace curlew::collector {
namespace {

namespace fs = std::filesystem;
using rapidjson::Value;

constexpr int kSchema = 1;
constexpr std::string_view kEndMark = "{\"sha256\":\"";

std::string strongest_of(const Value& label) {
    const auto evidence = label.FindMember("evidence");
    return evidence != label.MemberEnd() && evidence->value.IsArray() && !evidence->value.Empty() &&
                   evidence->value[0].IsObject()
               ? text_member(evidence->value[0], "kind")
               : std::string();
}

// The labels alone, compared as JSON but for the ruleset that gave them.
bool equal_labels(Value& one, Value& other) {
    one.RemoveMember("ruleset");
    other.RemoveMember("ruleset");
    return one == other;
}

std::string base_of(const fs::path& manifest) {
    const std::string path = manifest.string();
    return path.substr(0, path.size() - std::string_view(kManifestSuffix).size());
}

class OverlayWriter {
  public:
    OverlayWriter(const fs::path& manifest,
                  const signatures::GroupRules& group,
                  const signatures::ContentRules& rules)
        : manifest_(manifest),
          group_(group),
          rules_(rules),
          labeller_(rules),
          lock_(open_locked(base_of(manifest) + ".labels.part")),
          part_(base_of(manifest) + ".labels.part"),
          file_(part_.path(), Encoding::json) {}

    OverlaySummary write() {
        const std::string text = read_file(manifest_, kLongestManifest);
        const auto facts = parse_manifest(text);
        rapidjson::Document document;
        document.Parse<rapidjson::kParseIterativeFlag>(text.data(), text.size());
        if (!facts || !document.IsObject() || !document.HasMember("dataset")) {
            throw std::runtime_error(
                fmt::format("{} is no manifest of a schema known here", manifest_.string()));
        }
        if (facts->preset != kCurlewPreset) {
            throw NoLabels(fmt::format(
                "{}: records of preset {} hold no labels", manifest_.string(), facts->preset));
        }
        const std::string signatures_hash = rules_.set().content_hash();
        ruleset_ = ruleset_name(text_member(document["dataset"], "group"),
                                text_member(document["dataset"], "ruleset_hash"),
                                signatures_hash);
        read_devices(text);
        const std::string base = base_of(manifest_);
        dataset_ = base + suffix_of(facts->encoding);
        begin(dataset_.filename().string(), facts->sums.content_sha256, signatures_hash);
        const DatasetSums sums =
            read_dataset(dataset_, facts->encoding, [this](std::string_view line) { take(line); });
        if (sums.content_sha256 != facts->sums.content_sha256) {
            throw std::runtime_error(
                fmt::format("{} is not what its manifest says: curlew verify tells more", base));
        }
        file_.write(fmt::format("{}{}\"}}\n", kEndMark, digest_.finish()));
        file_.finish();
        summary_.file = base + kOverlayMark + signatures_hash + ".json";
        rename_durably(part_.path(), summary_.file);
        part_.keep();  // who comes next may have begun another one
        return std::move(summary_);
    }

  private:
    void put(std::string_view line) {
        file_.write(line);
        digest_.update(line);
    }

    void read_devices(const std::string& manifest) {
        const auto file = device_file_of(manifest);
        auto devices = file ? parse_device_file(*file) : std::nullopt;
        if (devices) {
            decide_again(rules_, group_, *devices);
            devices_ = DeviceWords(*devices);
        }
    }

    void begin(const std::string& dataset,
               const std::string& content_sha256,
               const std::string& signatures_hash) {
        line_.clear();
        line_.start_object();
        line_.number("schema", kSchema);
        line_.text("dataset", dataset);
        line_.text("content_sha256", content_sha256);
        line_.text("signatures_hash", signatures_hash);
        line_.end_object();
        put(line_.finish());
    }

    void take(std::string_view record) {
        rapidjson::Document stored;
        stored.Parse<rapidjson::kParseIterativeFlag>(record.data(), record.size());
        FlowFacts facts;
        if (stored.HasParseError() || !facts_of_record(stored, facts)) {
            throw std::runtime_error(
                fmt::format("{}: line {} is no record", dataset_.string(), summary_.records + 1));
        }
        Label label = labeller_.label(facts);
        label.device = devices_.of(facts);
        line_.clear();
        line_.start_object();
        line_.text("flow_id", facts.flow_id);
        line_.number("record", facts.record_number);
        write_label(line_, label, ruleset_);
        line_.end_object();
        const std::string_view line = line_.finish();
        put(line);
        ++summary_.records;

        rapidjson::Document fresh;
        fresh.Parse(line.data(), line.size());
        Value& before = stored["label"];
        Value& now = fresh["label"];
        if (before.IsObject() && !equal_labels(before, now)) {
            ++summary_.changed;
            note_differences(before, now);
        }
    }

    void note_differences(const Value& before, const Value& now) {
        const auto note = [this](
                              const char* name, const std::string& old, const std::string& fresh) {
            if (old != fresh) {
                ++summary_.differences[fmt::format("{} {} -> {}",
                                                   name,
                                                   old.empty() ? "none" : old,
                                                   fresh.empty() ? "none" : fresh)];
            }
        };
        for (const char* name : {"type", "protocol", "service", "activity", "device"}) {
            note(name, text_member(before, name), text_member(now, name));
        }
        note("evidence", strongest_of(before), strongest_of(now));
    }

    const fs::path& manifest_;
    fs::path dataset_;  // known from write() on
    const signatures::GroupRules& group_;
    const signatures::ContentRules& rules_;
    Labeller labeller_;
    DeviceWords devices_;
    std::string ruleset_;
    FileDescriptor lock_;
    PartFile part_;
    DatasetWriter file_;
    Sha256 digest_;
    JsonLine line_;
    OverlaySummary summary_;
};

// Which records some lines are of, and in which order.
class RecordSequence {
  public:
    // False: the line names no record, or has no label where one is wanted.
    bool take(std::string_view line, bool with_label) {
        rapidjson::Document document;
        document.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
        if (document.HasParseError()) {
            return false;
        }
        const std::string flow_id = text_member(document, "flow_id");
        const Value* number = member(document, "record");
        const Value* label = member(document, "label");
        if (flow_id.empty() || number == nullptr || !number->IsUint64() ||
            (with_label && (label == nullptr || !label->IsObject()))) {
            return false;
        }
        digest_.update(fmt::format("{} {}\n", flow_id, number->GetUint64()));
        return true;
    }

    std::string finish() { return digest_.finish(); }

  private:
    Sha256 digest_;
};

}  // namespace

OverlaySummary write_overlay(const fs::path& manifest,
                             const signatures::GroupRules& group,
                             const signatures::ContentRules& rules) {
    return OverlayWriter(manifest, group, rules).write();
}

std::string check_overlay(const fs::path& file, const OverlaidDataset& dataset) {
    std::string last;
    Sha256 digest;
    RecordSequence labels;
    uint64_t line_number = 0;
    uint64_t wrong_line = 0;
    bool is_of_dataset = false;
    bool is_of_its_name = false;
    read_dataset(file, Encoding::json, [&](std::string_view line) {
        if (++line_number == 1) {
            rapidjson::Document head;
            head.Parse<rapidjson::kParseIterativeFlag>(line.data(), line.size());
            const std::string end =
                head.IsObject() ? kOverlayMark + text_member(head, "signatures_hash") + ".json"
                                : "";
            is_of_dataset =
                head.IsObject() && text_member(head, "content_sha256") == dataset.content_sha256;
            is_of_its_name = !end.empty() && file.filename().string().ends_with(end);
        } else {
            digest.update(last);
            digest.update("\n");
            if (line_number > 2 && !labels.take(last, true) && wrong_line == 0) {
                wrong_line = line_number - 1;
            }
        }
        last = line;
    });
    if (!is_of_dataset) {
        return "it is of another dataset";
    }
    if (!is_of_its_name) {
        return "it is of other signatures than its name says";
    }
    if (last != fmt::format("{}{}\"}}", kEndMark, digest.finish())) {
        return "its sum is another one";
    }
    if (wrong_line != 0) {
        return fmt::format("line {} is no record's label", wrong_line);
    }
    RecordSequence records;
    read_dataset(dataset.file, dataset.encoding, [&records](std::string_view line) {
        records.take(line, false);
    });
    return labels.finish() == records.finish()
               ? ""
               : "its lines are not the dataset's records, each once and in their order";
}

}  // namespace curlew::collector
