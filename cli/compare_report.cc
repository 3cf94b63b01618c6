#include <fmt/format.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include "cli/compare.h"
#include "cli/say.h"
#include "collector/wire_text.h"

// What `curlew compare` tells: the table for people and the object for programs.

namespace curlew::cli {

namespace {

constexpr size_t kShownOctets = 60;

std::string label_sentence(const CompareResult& result) {
    if (result.labels_equal + result.labels_differ == 0) {
        return "GOLDEN has none for the flows found";
    }
    return fmt::format("{} equal, {} differ", result.labels_equal, result.labels_differ);
}

void print_fields(const CompareResult& result, std::FILE* out) {
    if (!result.fields.empty()) {
        say(out, "\n{:<20} {:>10} {:>10}\n", "field", "equal", "differ");
    }
    for (const auto& [name, field] : result.fields) {
        const bool excused = field.differ > 0 && field.differ == field.allowed;
        say(out,
            "{:<20} {:>10} {:>10}{}\n",
            shown_text(name),
            field.equal,
            field.differ,
            excused ? "  allowed" : "");
    }
    for (const auto& [path, records] : result.allowed_within) {
        say(out, "  in {:<28} {:>10}  allowed\n", shown_text(path), records);
    }
    if (!result.fields_extra.empty()) {
        say(out, "\nonly in OURS:");
        for (const auto& [name, records] : result.fields_extra) {
            say(out, " {} ({})", shown_text(name), records);
        }
        say(out, "\n");
    }
}

void print_differences(const CompareResult& result, std::FILE* out) {
    if (result.differences.empty()) {
        return;
    }
    say(out, "\nfirst differences:\n");
    for (const Difference& difference : result.differences) {
        say(out, "  {}", difference.file);
        for (const std::string* part : {&difference.flow, &difference.field}) {
            if (!part->empty()) {
                say(out, ": {}", *part);
            }
        }
        say(out, "\n      golden {}\n      ours   {}\n", difference.golden, difference.ours);
    }
}

void write_fields(const CompareResult& result, rapidjson::Writer<rapidjson::StringBuffer>& writer) {
    writer.Key("fields");
    writer.StartObject();
    for (const auto& [name, field] : result.fields) {
        const std::string text = collector::wire_text(name);
        writer.Key(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        writer.StartObject();
        writer.Key("equal");
        writer.Uint64(field.equal);
        writer.Key("differ");
        writer.Uint64(field.differ);
        writer.EndObject();
    }
    writer.EndObject();
}

void write_extra_fields(const CompareResult& result,
                        rapidjson::Writer<rapidjson::StringBuffer>& writer) {
    writer.Key("fields_extra");
    writer.StartObject();
    for (const auto& [name, records] : result.fields_extra) {
        const std::string text = collector::wire_text(name);
        writer.Key(text.data(), static_cast<rapidjson::SizeType>(text.size()));
        writer.Uint64(records);
    }
    writer.EndObject();
}

}  // namespace

std::string shown_text(std::string text) {
    for (char& octet : text) {
        if (octet < 0x20 || octet > 0x7e) {
            octet = '?';
        }
    }
    if (text.size() > kShownOctets) {
        text.resize(kShownOctets - 3);
        text += "...";
    }
    return text;
}

void print_compare(const CompareResult& result, std::FILE* out) {
    say(out,
        "files    {} compared, {} missing in OURS, {} only in OURS\n",
        result.files,
        result.files_missing.size(),
        result.files_extra.size());
    say(out,
        "flows    {} of {} found, {} only in OURS{}\n",
        result.flows_found,
        result.flows_golden,
        result.flows_extra,
        result.flows_extra > 0 && result.allow.contains("extra") ? "  allowed" : "");
    say(out, "labels   {}\n", label_sentence(result));
    say(out,
        "records  {} of {} found, {} equal in every field, {} only in OURS\n",
        result.records_found,
        result.records_golden,
        result.records_equal,
        result.records_extra);
    print_fields(result, out);
    print_differences(result, out);
    say(out,
        "\n{}\n",
        agrees(result)             ? "OURS agrees with GOLDEN"
        : result.flows_golden == 0 ? "GOLDEN holds no flow: nothing is shown"
                                   : "OURS differs");
}

std::string compare_json(const CompareResult& result) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    const auto number = [&](const char* name, uint64_t value) {
        writer.Key(name);
        writer.Uint64(value);
    };
    writer.StartObject();
    number("flows_golden", result.flows_golden);
    number("flows_found", result.flows_found);
    number("labels_equal", result.labels_equal);
    number("records_equal", result.records_equal);
    write_fields(result, writer);
    number("flows_extra", result.flows_extra);
    number("records_golden", result.records_golden);
    number("records_extra", result.records_extra);
    number("files", result.files);
    write_extra_fields(result, writer);
    writer.EndObject();
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace curlew::cli
