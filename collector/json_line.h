#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

// One JSON object as one line, octets straight into a buffer that is kept from line to line. For
// the records of a dataset, of which there are many; JsonOutput has the same words for the rest.
// Numbers and strings are written as RapidJSON writes them, doubles by RapidJSON itself.

namespace curlew::collector {

class JsonLine {
  public:
    JsonLine();
    JsonLine(const JsonLine&) = delete;
    JsonLine& operator=(const JsonLine&) = delete;

    void clear();

    // The document and a newline, good until the next call of clear(). Requires: everything begun
    // is ended.
    std::string_view finish();

    void start_object() { open('{'); }
    void end_object() { close('}'); }
    void start_array() { open('['); }
    void end_array() { close(']'); }

    // Requires: nothing in `name` that JSON escapes.
    void key(std::string_view name) {
        char* at = room(name.size() + 4);
        *at++ = '"';
        at = put(at, name);
        *at++ = '"';
        *at++ = ':';
        used_ = at;
        separate_ = false;
    }

    // Requires: valid UTF-8.
    void text(std::string_view value);
    void number(uint64_t value) {
        if (value < 10) {
            char* at = room(1);
            *at = static_cast<char>('0' + value);
            used_ = at + 1;
            separate_ = true;
        } else {
            long_number(value);
        }
    }
    void real(double value);

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
    void null(std::string_view name) {
        key(name);
        raw("null");
    }
    // Two digits an octet, as a string.
    void hex(std::string_view name, std::string_view octets);

    // A value, or several with their commas, exactly as it is to stand there.
    void raw(std::string_view value) {
        char* at = room(value.size() + 1);
        used_ = put(at, value);
        separate_ = true;
    }

  private:
    // Room for `octets`, a comma and what key() and text() put around; the comma is written.
    char* room(size_t octets) {
        if (static_cast<size_t>(end_ - used_) < octets + 1) {
            grow(octets + 1);
        }
        if (separate_) {
            *used_++ = ',';
        }
        return used_;
    }
    static char* put(char* to, std::string_view octets);
    void long_number(uint64_t value);
    void grow(size_t octets);
    void open(char bracket) {
        char* at = room(1);
        *at = bracket;
        used_ = at + 1;
        separate_ = false;
        ++depth_;
    }
    void close(char bracket) {
        assert(depth_ > 0);
        separate_ = false;
        char* at = room(1);
        *at = bracket;
        used_ = at + 1;
        separate_ = true;
        --depth_;
    }

    std::unique_ptr<char[]> buffer_;
    char* used_;  // behind the last octet written
    char* end_;
    bool separate_ = false;  // a comma comes before what is next
    int depth_ = 0;          // objects and arrays begun
};

inline char* JsonLine::put(char* to, std::string_view octets) {
    if (!octets.empty()) {
        std::memcpy(to, octets.data(), octets.size());
    }
    return to + octets.size();
}

}  // namespace curlew::collector
