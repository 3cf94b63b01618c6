#include "tests/collector/archive_changes.h"

#include <rapidjson/document.h>
#include <rapidjson/prettywriter.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

namespace curlew::tests {

namespace {

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size() - 1);
        lines.push_back(text.substr(begin, end + 1 - begin));
        begin = end + 1;
    }
    return lines;
}

std::string joined_lines(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) {
        text += line;
    }
    return text;
}

bool is_json(const std::string& path) {
    return path.ends_with(".json") || path.ends_with(".jsonl");
}

// A manifest is one value over many lines.
bool is_pretty(const std::string& content) {
    return content.starts_with("{\n");
}

// Every value within `value`, itself included, and what holds members.
void collect(rapidjson::Value& value, std::vector<rapidjson::Value*>& found) {
    found.push_back(&value);
    if (value.IsObject()) {
        for (auto& member : value.GetObject()) {
            collect(member.value, found);
        }
    } else if (value.IsArray()) {
        for (auto& item : value.GetArray()) {
            collect(item, found);
        }
    }
}

void change_value(rapidjson::Value& value,
                  size_t random,
                  rapidjson::MemoryPoolAllocator<>& allocator) {
    if (value.IsUint64()) {
        value.SetUint64(value.GetUint64() + 1 + random % 3);
    } else if (value.IsNumber()) {
        value.SetDouble(value.GetDouble() + 1);
    } else if (value.IsBool()) {
        value.SetBool(!value.GetBool());
    } else if (value.IsString()) {
        std::string text(value.GetString(), value.GetStringLength());
        if (text.empty() || random % 4 == 0) {
            text += 'x';
        } else {
            char& at = text[random % text.size()];
            at = at == '1' ? '2' : '1';
        }
        value.SetString(text.data(), static_cast<rapidjson::SizeType>(text.size()), allocator);
    } else if (value.IsObject() && value.MemberCount() != 0) {
        if (random % 2 == 0) {
            value.EraseMember(value.MemberBegin() +
                              static_cast<std::ptrdiff_t>(random / 2 % value.MemberCount()));
        } else {
            auto member =
                value.MemberBegin() + static_cast<std::ptrdiff_t>(random / 2 % value.MemberCount());
            rapidjson::Value name(member->name, allocator);
            rapidjson::Value again(member->value, allocator);
            value.AddMember(name, again, allocator);
        }
    } else if (value.IsArray() && !value.Empty()) {
        value.Erase(value.Begin() + static_cast<std::ptrdiff_t>(random % value.Size()));
    } else {
        value.SetUint64(0);
    }
}

template <typename Writer>
std::string written(const rapidjson::Document& document) {
    rapidjson::StringBuffer buffer;
    Writer writer(buffer);
    if constexpr (std::is_same_v<Writer, rapidjson::PrettyWriter<rapidjson::StringBuffer>>) {
        writer.SetIndent(' ', 2);
    }
    document.Accept(writer);
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace

ArchiveChanges::ArchiveChanges(FolderContent original, uint64_t seed)
    : original_(std::move(original)), random_(seed) {}

size_t ArchiveChanges::below(size_t bound) {
    return static_cast<size_t>(random_() % bound);
}

std::string& ArchiveChanges::any_file(FolderContent& after, std::string& what) {
    const auto file = std::next(after.begin(), static_cast<std::ptrdiff_t>(below(after.size())));
    what += file->first + ": ";
    return file->second;
}

std::string ArchiveChanges::new_name() {
    static constexpr const char* kFolders[] = {"", "any/", "any/kitchen/", "other/", "other/a/"};
    static constexpr const char* kEndings[] = {".json",
                                               ".manifest.json",
                                               ".json.zst",
                                               ".devices.json",
                                               ".open",
                                               ".part",
                                               ".txt",
                                               "",
                                               "~",
                                               ".labels-0123456789abcdef.json"};
    static constexpr const char* kStems[] = {"one", "two", "three", "gone", "new", ".new"};
    std::string name;
    do {
        name = std::string(kFolders[below(std::size(kFolders))]) +
               kStems[below(std::size(kStems))] + kEndings[below(std::size(kEndings))];
    } while (original_.contains(name));
    return name;
}

std::string ArchiveChanges::change_octets(std::string& content) {
    if (content.empty()) {
        content = "x";
        return "was empty";
    }
    const size_t at = below(content.size());
    const std::string place = " at " + std::to_string(at);
    const auto octet = static_cast<char>(below(256));
    switch (below(6)) {
        case 0:
            content[at] = octet;
            return "octet set" + place;
        case 1:
            content.resize(at);
            return "cut" + place;
        case 2:
            content.insert(at, 1, octet);
            return "octet put in" + place;
        case 3:
            content.erase(at, 1 + below(16));
            return "octets taken out" + place;
        case 4:
            content += below(2) == 0 ? "\n" : std::string(1, octet);
            return "octet added";
        default:
            content[at] = static_cast<char>(content[at] ^ 1 << below(8));
            return "bit flipped" + place;
    }
}

std::string ArchiveChanges::change_lines(std::string& content) {
    std::vector<std::string> lines = lines_of(content);
    if (lines.empty()) {
        return "no lines";
    }
    const size_t at = below(lines.size());
    const size_t other = below(lines.size());
    const auto begin = lines.begin();
    std::string what;
    switch (below(5)) {
        case 0:
            what = "dropped";
            lines.erase(begin + static_cast<std::ptrdiff_t>(at));
            break;
        case 1:
            what = "doubled";
            lines.insert(begin + static_cast<std::ptrdiff_t>(other), std::string(lines[at]));
            break;
        case 2:
            what = "swapped";
            std::swap(lines[at], lines[other]);
            break;
        case 3: {
            what = "moved";
            std::string line = std::move(lines[at]);
            lines.erase(begin + static_cast<std::ptrdiff_t>(at));
            lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(below(lines.size() + 1)),
                         std::move(line));
            break;
        }
        default:
            what = "shuffled";
            std::shuffle(lines.begin(), lines.end(), random_);
            break;
    }
    content = joined_lines(lines);
    return "line " + std::to_string(at + 1) + " " + what;
}

std::string ArchiveChanges::change_files(FolderContent& after) {
    std::string what;
    std::string& content = any_file(after, what);
    const std::string path = what.substr(0, what.size() - 2);
    std::string ignored;
    switch (below(6)) {
        case 0:
            // An overlay may be made and taken away at any time.
            if (path.find(".labels-") == std::string::npos) {
                after.erase(path);
            }
            return what + "removed";
        case 1: {
            const std::string name = new_name();
            after[name] = std::move(content);
            after.erase(path);
            return what + "renamed to " + name;
        }
        case 2: {
            const std::string name = new_name();
            after[name] = content;
            return what + "copied to " + name;
        }
        case 3: {
            const std::string name = new_name();
            after[name] = below(2) == 0 ? "" : "{}\n";
            return name + " added";
        }
        case 4:
            std::swap(content, any_file(after, ignored));
            return what + "swapped with " + ignored;
        default:
            content = any_file(after, ignored);
            return what + "overwritten by " + ignored;
    }
}

std::string ArchiveChanges::change_json(FolderContent& after) {
    std::string what;
    std::string* content = nullptr;
    do {
        what.clear();
        content = &any_file(after, what);
    } while (!is_json(what.substr(0, what.size() - 2)));
    const bool pretty = is_pretty(*content);
    std::vector<std::string> lines = pretty ? std::vector{*content} : lines_of(*content);
    std::string& line = lines[below(lines.size())];
    rapidjson::Document document;
    document.Parse(line.data(), line.size());
    std::vector<rapidjson::Value*> values;
    collect(document, values);
    const size_t chosen = below(values.size());
    change_value(*values[chosen], below(1000), document.GetAllocator());
    const bool ends = line.ends_with('\n');
    line = pretty ? written<rapidjson::PrettyWriter<rapidjson::StringBuffer>>(document)
                  : written<rapidjson::Writer<rapidjson::StringBuffer>>(document);
    line += ends ? "\n" : "";
    *content = joined_lines(lines);
    return what + "JSON value " + std::to_string(chosen) + " changed";
}

ArchiveChanges::Change ArchiveChanges::next() {
    while (true) {
        Change change{.what = "", .after = original_};
        switch (below(4)) {
            case 0: {
                std::string& content = any_file(change.after, change.what);
                change.what += change_octets(content);
                break;
            }
            case 1: {
                std::string& content = any_file(change.after, change.what);
                change.what += change_lines(content);
                break;
            }
            case 2:
                change.what = change_files(change.after);
                break;
            default:
                change.what = change_json(change.after);
                break;
        }
        if (change.after != original_) {
            return change;
        }
    }
}

}  // namespace curlew::tests
