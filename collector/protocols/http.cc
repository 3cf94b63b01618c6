#include "collector/protocols/http.h"

#include <algorithm>
#include <optional>

#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr std::string_view kBlanks = " \t";
constexpr size_t kVersionOctets = 8;  // of HTTP/1.1
constexpr size_t kCodeDigits = 3;

char lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter;
}

bool is_named(std::string_view name, std::string_view lower_name) {
    return name.size() == lower_name.size() &&
           std::equal(name.begin(), name.end(), lower_name.begin(), [](char a, char b) {
               return lower(a) == b;
           });
}

std::string_view trimmed(std::string_view text) {
    const size_t first = text.find_first_not_of(kBlanks);
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

// The next line without its end; nothing when the octets stop before it ends.
std::optional<std::string_view> take_line(std::string_view& octets) {
    const size_t end = octets.find('\n');
    if (end == std::string_view::npos) {
        return std::nullopt;
    }
    std::string_view line = octets.substr(0, end);
    octets.remove_prefix(end + 1);
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    return line;
}

// HTTP-version = "HTTP/" DIGIT "." DIGIT; what a line of it begins with where that is cut.
bool begins_version(std::string_view text) {
    constexpr std::string_view kForm = "HTTP/0.0";
    return text.size() <= kForm.size() &&
           std::equal(text.begin(), text.end(), kForm.begin(), [](char letter, char form) {
               return form == '0' ? letter >= '0' && letter <= '9' : letter == form;
           });
}

// RFC 9112 section 4: HTTP-version SP status-code SP [ reason-phrase ].
void read_status_line(std::string_view line, HttpHead& head) {
    head.is_response = true;
    const size_t version_end = std::min(line.find(' '), line.size());
    head.version = line.substr(0, version_end);
    line = trimmed(line.substr(version_end));
    const std::string_view code = line.substr(0, kCodeDigits);
    if (code.size() < kCodeDigits ||
        code.find_first_not_of("0123456789") != std::string_view::npos ||
        (line.size() > kCodeDigits && line[kCodeDigits] != ' ')) {
        head.malformed = true;
        return;
    }
    for (const char digit : code) {
        head.code = head.code * 10 + static_cast<uint32_t>(digit - '0');
    }
    head.reason = trimmed(line.substr(kCodeDigits));
}

// Section 3: method SP request-target SP HTTP-version. Some targets have blanks in them.
void read_request_line(std::string_view line, HttpHead& head) {
    line = trimmed(line);
    const size_t method_end = std::min(line.find_first_of(kBlanks), line.size());
    head.method = line.substr(0, method_end);
    line = trimmed(line.substr(method_end));
    const size_t version_at = line.rfind(' ');
    if (version_at != std::string_view::npos && line.substr(version_at + 1).starts_with("HTTP/")) {
        head.version = line.substr(version_at + 1);
        head.target = trimmed(line.substr(0, version_at));
    } else {
        head.target = line;  // HTTP/0.9
    }
    head.malformed = head.target.empty();
}

// A first line of which the end was not kept: what is whole, of the target and the reason as much
// as there is.
void read_cut_line(std::string_view line, HttpHead& head) {
    if (!line.empty() && line.back() == '\r') {
        line.remove_suffix(1);
    }
    const size_t first_end = line.find(' ');
    const std::string_view first = line.substr(0, first_end);
    std::string_view rest =
        first_end == std::string_view::npos ? std::string_view{} : line.substr(first_end + 1);
    if (first.starts_with("HTTP/")) {
        head.is_response = true;
        if (rest.size() >= kCodeDigits) {
            read_status_line(line, head);
        } else if (first_end != std::string_view::npos || first.size() == kVersionOctets) {
            head.version = first;
        }
        return;
    }
    if (first_end == std::string_view::npos) {
        return;
    }
    head.method = first;
    const size_t last = rest.rfind(' ');
    if (last != std::string_view::npos && begins_version(rest.substr(last + 1))) {
        const std::string_view version = rest.substr(last + 1);
        head.version = version.size() == kVersionOctets ? version : std::string_view{};
        rest = rest.substr(0, last);
    }
    head.target = trimmed(rest);
}

// Section 5: field-name ":" OWS field-value OWS; a line that begins with a blank goes on with the
// value before it.
void read_field(std::string_view line, HttpHead& head) {
    if (kBlanks.find(line.front()) != std::string_view::npos) {
        if (head.fields.empty()) {
            head.malformed = true;
        } else {
            head.fields.back().value.append(" ").append(trimmed(line));
        }
        return;
    }
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) {
        head.malformed = true;
        return;
    }
    head.fields.push_back(
        {trimmed(line.substr(0, colon)), std::string(trimmed(line.substr(colon + 1)))});
}

void write_if(JsonLine& json, const char* name, std::string_view value) {
    if (!value.empty()) {
        json.text(name, wire_text(value));
    }
}

}  // namespace

std::string_view HttpHead::value_of(std::string_view lower_name) const {
    for (const HttpField& field : fields) {
        if (is_named(field.name, lower_name)) {
            return field.value;
        }
    }
    return {};
}

bool HttpHead::has(std::string_view lower_name) const {
    return std::any_of(fields.begin(), fields.end(), [lower_name](const HttpField& field) {
        return is_named(field.name, lower_name);
    });
}

HttpHead decode_http(std::string_view octets, bool cut) {
    HttpHead head;
    std::optional<std::string_view> line = take_line(octets);
    if (!line && cut) {
        read_cut_line(octets, head);
        return head;
    }
    if (!line || line->empty()) {
        head.malformed = true;
        return head;
    }
    if (line->starts_with("HTTP/")) {
        read_status_line(*line, head);
    } else {
        read_request_line(*line, head);
    }
    for (line = take_line(octets); line && !line->empty(); line = take_line(octets)) {
        read_field(*line, head);
    }
    if (!line && !cut) {
        head.malformed = true;  // no empty line
    }
    return head;
}

void write_http(JsonLine& json, const HttpHead& head) {
    if (head.is_response) {
        write_if(json, "version", head.version);
        if (head.code != 0) {
            json.number("code", head.code);
            json.text("reason", wire_text(head.reason));
        }
    } else {
        write_if(json, "method", head.method);
        write_if(json, "uri", head.target);
        write_if(json, "version", head.version);
    }
    write_if(json, "host", head.value_of("host"));
    write_if(json, "user_agent", head.value_of("user-agent"));
    write_if(json, "content_type", head.value_of("content-type"));
    json.key("headers");
    json.start_array();
    for (const HttpField& field : head.fields) {
        json.start_object();
        json.text("name", wire_text(field.name));
        json.text("value", wire_text(field.value));
        json.end_object();
    }
    json.end_array();
}

}  // namespace curlew::collector
