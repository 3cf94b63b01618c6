#include "cli/flow_line.h"

#include <fmt/format.h>
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <array>
#include <cassert>
#include <charconv>
#include <cmath>
#include <stdexcept>

namespace curlew::cli {

namespace {

using Kind = FlowField::Kind;

constexpr std::string_view kWhiteSpace = " \t\r\n";

// Follows the parser through one object. The offsets rest on one thing only: the parser has taken
// a scalar or a key from the stream when it tells of it.
class FlowLineHandler : public rapidjson::BaseReaderHandler<rapidjson::UTF8<>, FlowLineHandler> {
  public:
    FlowLineHandler(const rapidjson::MemoryStream& stream, FlowLine& line)
        : stream_(stream), line_(line) {}

    bool Null() { return scalar(Kind::null, {}); }
    bool Bool(bool) { return scalar(Kind::other, {}); }
    bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
        return scalar(Kind::number, {text, length});
    }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        return scalar(Kind::text, {text, length});
    }

    bool Key(const char* text, rapidjson::SizeType length, bool) {
        if (depth_ < keys_.size()) {
            keys_[depth_].assign(text, length);
        }
        if (depth_ == 1) {
            if (scalar_end_ != 0) {
                comma_begin_ = scalar_end_;
            }
            scalar_end_ = 0;
            key_end_ = stream_.Tell();
            line_.flow_type_is_last = keys_[1] == "flow_type";
            line_.flow_type_count += line_.flow_type_is_last ? 1 : 0;
        }
        // A key that stands again replaces all that stood under it.
        if (depth_ <= 2 && keys_[1] == "ip") {
            if (depth_ == 1 || keys_[2] == "out") {
                line_.out_ttl = {};
            }
            if (depth_ == 1 || keys_[2] == "in") {
                line_.in_ttl = {};
            }
        }
        return true;
    }

    bool StartObject() { return open(); }
    bool EndObject(rapidjson::SizeType) { return close(); }
    bool StartArray() { return depth_ != 0 && open(); }
    bool EndArray(rapidjson::SizeType) { return close(); }

    bool too_deep() const { return depth_ == kMaximumFlowLineDepth; }
    size_t comma_begin() const { return comma_begin_; }
    size_t key_end() const { return key_end_; }

  private:
    bool open() {
        if (FlowField* field = named_field()) {
            *field = {Kind::other, {}};
        }
        if (depth_ == kMaximumFlowLineDepth) {
            return false;
        }
        ++depth_;
        if (depth_ < keys_.size()) {
            keys_[depth_].clear();
        }
        return true;
    }

    bool close() {
        assert(depth_ > 0);
        --depth_;
        return true;
    }

    bool scalar(Kind kind, std::string_view value) {
        if (FlowField* field = named_field()) {
            field->kind = kind;
            field->value = value;
        }
        if (depth_ == 1) {
            scalar_end_ = stream_.Tell();
            line_.has_flow_id = line_.has_flow_id || keys_[1] == "flow_id";
        }
        return depth_ != 0;
    }

    FlowField* named_field() {
        if (depth_ == 1) {
            const std::string& key = keys_[1];
            return key == "sa"           ? &line_.sa
                   : key == "da"         ? &line_.da
                   : key == "sp"         ? &line_.sp
                   : key == "dp"         ? &line_.dp
                   : key == "pr"         ? &line_.pr
                   : key == "time_start" ? &line_.time_start
                   : key == "flow_type"  ? &line_.flow_type
                                         : nullptr;
        }
        if (depth_ == 3 && keys_[3] == "ttl" && keys_[1] == "ip") {
            return keys_[2] == "out" ? &line_.out_ttl : keys_[2] == "in" ? &line_.in_ttl : nullptr;
        }
        return nullptr;
    }

    const rapidjson::MemoryStream& stream_;
    FlowLine& line_;
    uint32_t depth_ = 0;
    std::array<std::string, 4> keys_;  // the key we are under, by depth; empty in an array
    size_t scalar_end_ = 0;            // of the member before, when it is a scalar
    size_t comma_begin_ = 0;
    size_t key_end_ = 0;
};

// From `begin`, the separator and the white space around it.
std::string_view separator(std::string_view text, size_t begin, char expected) {
    const size_t at = text.find_first_not_of(kWhiteSpace, begin);
    assert(at != std::string_view::npos);
    assert(text[at] == expected);
    const size_t end = text.find_first_not_of(kWhiteSpace, at + 1);
    assert(end != std::string_view::npos);
    return text.substr(begin, end - begin);
}

// Where the line's own members stand; `end` is one past the closing brace.
void place_members(std::string_view text,
                   size_t end,
                   const FlowLineHandler& handler,
                   FlowLine& line) {
    assert(end > 0);
    assert(text[end - 1] == '}');
    line.members_end = text.find_last_not_of(kWhiteSpace, end - 2) + 1;
    if (handler.comma_begin() != 0) {
        line.comma = separator(text, handler.comma_begin(), ',');
    }
    if (handler.key_end() != 0) {
        line.colon = separator(text, handler.key_end(), ':');
        line.last_value_begin = handler.key_end() + line.colon.size();
    }
}

}  // namespace

FlowLine parse_flow_line(std::string_view text) {
    FlowLine line;
    rapidjson::MemoryStream stream(text.data(), text.size());
    FlowLineHandler handler(stream, line);
    rapidjson::Reader reader;
    constexpr unsigned kFlags = rapidjson::kParseIterativeFlag | rapidjson::kParseStopWhenDoneFlag |
                                rapidjson::kParseNumbersAsStringsFlag;
    const rapidjson::ParseResult result = reader.Parse<kFlags>(stream, handler);
    if (result.Code() == rapidjson::kParseErrorTermination && handler.too_deep()) {
        throw std::runtime_error(
            fmt::format("the JSON is nested deeper than {}", kMaximumFlowLineDepth));
    }
    if (result.Code() == rapidjson::kParseErrorTermination) {
        throw std::runtime_error("the line is not a JSON object");
    }
    if (result.IsError()) {
        throw std::runtime_error(fmt::format("the line is not a JSON object: column {}: {}",
                                             result.Offset() + 1,
                                             rapidjson::GetParseError_En(result.Code())));
    }
    const size_t end = stream.Tell();
    if (text.find_first_not_of(kWhiteSpace, end) != std::string_view::npos) {
        throw std::runtime_error(
            fmt::format("the line goes on after its JSON object: column {}", end + 1));
    }
    place_members(text, end, handler, line);
    return line;
}

const std::string& text_of(const FlowField& field, std::string_view name) {
    if (field.kind != Kind::text) {
        throw std::runtime_error(fmt::format("the record has no text `{}`", name));
    }
    return field.value;
}

int32_t port_of(const FlowField& field, std::string_view name) {
    if (field.kind == Kind::null) {
        return -1;
    }
    return static_cast<int32_t>(number_of(field, name, 65535));
}

uint32_t number_of(const FlowField& field, std::string_view name, uint32_t maximum) {
    if (field.kind == Kind::absent) {
        throw std::runtime_error(fmt::format("the record has no `{}`", name));
    }
    const char* begin = field.value.data();
    const char* end = begin + field.value.size();
    uint32_t value = 0;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (field.kind != Kind::number || error != std::errc() || stop != end || value > maximum) {
        throw std::runtime_error(
            fmt::format("`{}` is no whole number from 0 to {}", name, maximum));
    }
    return value;
}

double seconds_of(const FlowField& field, std::string_view name) {
    const char* begin = field.value.data();
    const char* end = begin + field.value.size();
    double value = 0;
    const auto [stop, error] = std::from_chars(begin, end, value);
    if (field.kind != Kind::number || error != std::errc() || stop != end) {
        throw std::runtime_error(fmt::format("the record has no number `{}`", name));
    }
    return value;
}

std::string json_string(std::string_view text) {
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::ASCII<>> writer(
        buffer);
    const bool valid = writer.String(text.data(), static_cast<rapidjson::SizeType>(text.size()));
    assert(valid);
    return {buffer.GetString(), buffer.GetSize()};
}

}  // namespace curlew::cli
