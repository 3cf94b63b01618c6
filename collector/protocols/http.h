#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "collector/json_line.h"

// Heads of HTTP/1 (RFC 9112), and of what is written in the same form: SSDP.

namespace curlew::collector {

struct HttpField {
    std::string_view name;
    std::string value;  // lines of a folded one joined by a blank
};

struct HttpHead {
    // Of a request; empty in a response.
    std::string_view method;
    std::string_view target;
    std::string_view version;  // "HTTP/1.1"; empty when there is none
    // Of a response.
    uint32_t code = 0;
    std::string_view reason;
    std::vector<HttpField> fields;
    bool is_response = false;
    bool malformed = false;  // contradicts the form; what was read before that is here

    // The value of the first field of that name; empty when there is none. Requires: lower case.
    std::string_view value_of(std::string_view lower_name) const;
    bool has(std::string_view lower_name) const;
};

// `cut`: the head went on behind `octets`; a last line without its end is then left out. What is
// decoded reaches into `octets`.
HttpHead decode_http(std::string_view octets, bool cut);

// The members of one message, into an object that is begun.
void write_http(JsonLine& json, const HttpHead& head);

}  // namespace curlew::collector
