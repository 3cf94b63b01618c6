#pragma once

#include <rapidjson/stringbuffer.h>

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>

// Thin words over a RapidJSON writer, for code that reads like the JSON it makes. Strings must be
// valid UTF-8. The buffer is kept from one document to the next.

namespace curlew::collector {

template <typename Writer>
class JsonOutput {
  public:
    JsonOutput() : writer_(buffer_) {}
    JsonOutput(const JsonOutput&) = delete;
    JsonOutput& operator=(const JsonOutput&) = delete;

    void clear() {
        buffer_.Clear();
        writer_.Reset(buffer_);
    }

    // The document and a newline, good until the next call of clear().
    std::string_view finish() {
        assert(writer_.IsComplete());
        buffer_.Put('\n');
        return {buffer_.GetString(), buffer_.GetSize()};
    }

    void start_object() { writer_.StartObject(); }
    void end_object() { writer_.EndObject(); }
    void start_array() { writer_.StartArray(); }
    void end_array() { writer_.EndArray(); }
    void key(std::string_view name) { writer_.Key(name.data(), size_of(name)); }

    void text(std::string_view value) { writer_.String(value.data(), size_of(value)); }
    void number(uint64_t value) { writer_.Uint64(value); }
    void real(double value) { writer_.Double(value); }

    void text(std::string_view name, std::string_view value) {
        key(name);
        text(value);
    }
    void number(std::string_view name, uint64_t value) {
        key(name);
        number(value);
    }
    void real(std::string_view name, double value) {
        key(name);
        real(value);
    }
    void flag(std::string_view name, bool value) {
        key(name);
        writer_.Bool(value);
    }
    void null(std::string_view name) {
        key(name);
        writer_.Null();
    }

    // Written so far.
    size_t octets() const noexcept { return buffer_.GetSize(); }

    // For what this class has no word for.
    Writer& writer() { return writer_; }

  private:
    static rapidjson::SizeType size_of(std::string_view text) {
        return static_cast<rapidjson::SizeType>(text.size());
    }

    rapidjson::StringBuffer buffer_;
    Writer writer_;
};

}  // namespace curlew::collector
