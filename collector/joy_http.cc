#include "collector/joy_http.h"

#include <algorithm>
#include <string>
#include <string_view>

namespace curlew::collector {
namespace {

// The probe has made the text so already; what comes over the channel is made so again.
std::string plain(std::string_view octets) {
    std::string text(octets);
    for (char& octet : text) {
        if (octet < ' ' || octet > '~' || octet == '"' || octet == '\\') {
            octet = '.';
        }
    }
    return text;
}

void write_member(JsonLine& json, std::string_view name, std::string_view value) {
    json.start_object();
    json.text(name, plain(value));
    json.end_object();
}

void write_message(JsonLine& json, std::string_view name, const proto::JoyHttpMessage& message) {
    json.key(name);
    json.start_array();
    if (message.line() == proto::JOY_HTTP_LINE_REQUEST) {
        write_member(json, "method", message.first());
        write_member(json, "uri", message.second());
        write_member(json, "version", message.third());
    } else if (message.line() == proto::JOY_HTTP_LINE_STATUS) {
        write_member(json, "version", message.first());
        write_member(json, "code", message.second());
        write_member(json, "reason", message.third());
    }
    for (const proto::JoyHttpHeader& header : message.headers()) {
        write_member(json, plain(header.name()), header.value());
    }
    if (message.has_body()) {
        json.start_object();
        json.hex("body", message.body());
        json.end_object();
    }
    json.end_array();
}

}  // namespace

void write_joy_http(JsonLine& json, const proto::JoyHttp& record, const proto::JoyHttp* twin) {
    const int out_messages = record.messages_size();
    const int in_messages = twin != nullptr ? twin->messages_size() : 0;
    const int pairs = std::max(out_messages, in_messages);
    if (pairs == 0) {
        return;
    }
    json.key("http");
    json.start_array();
    for (int i = 0; i < pairs; ++i) {
        json.start_object();
        if (i < out_messages) {
            write_message(json, "out", record.messages(i));
        }
        if (i < in_messages) {
            write_message(json, "in", twin->messages(i));
        }
        json.end_object();
    }
    json.end_array();
}

}  // namespace curlew::collector
