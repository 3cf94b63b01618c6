#include <charconv>
#include <string_view>

#include "probe/protocols/names.h"

namespace curlew::probe {

namespace {

constexpr std::string_view kHostField = "host:";
constexpr std::string_view kLengthField = "content-length:";
constexpr std::string_view kCodingField = "transfer-encoding:";

// Requires: `front` in small letters.
bool begins_with(std::string_view text, std::string_view front) noexcept {
    if (text.size() < front.size()) {
        return false;
    }
    for (size_t i = 0; i < front.size(); ++i) {
        const char lower =
            (text[i] >= 'A' && text[i] <= 'Z') ? static_cast<char>(text[i] + 32) : text[i];
        if (lower != front[i]) {
            return false;
        }
    }
    return true;
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r')) {
        text.remove_suffix(1);
    }
    return text;
}

// RFC 9112 section 3: method, target, version. The method may have come in a packet of its own.
bool is_request_line(std::string_view line) noexcept {
    line = trimmed(line);
    return line.ends_with(" HTTP/1.1") || line.ends_with(" HTTP/1.0");
}

// What a request to a proxy has in its target: the Host field says no more (RFC 9112 section
// 3.2.2). Requires: a request line.
std::string_view host_in_target(std::string_view line) noexcept {
    const size_t blank = line.find(' ');
    const std::string_view target = line.substr(blank == std::string_view::npos ? 0 : blank + 1);
    if (!begins_with(target, "http://") && !begins_with(target, "https://")) {
        return {};
    }
    const std::string_view behind = target.substr(target.find("//") + 2);
    const std::string_view host = behind.substr(0, behind.find_first_of("/?# "));
    return host.substr(host.find('@') + 1);
}

void add_host(std::string_view host, FoundNames& names) noexcept {
    names.add(NameField::http_host, {reinterpret_cast<const uint8_t*>(host.data()), host.size()});
}

}  // namespace

std::span<const uint8_t> behind_empty_lines(std::span<const uint8_t> payload) noexcept {
    // As many as the signature of a request passes over (signatures/http.toml).
    constexpr int kMostLines = 4;
    for (int line = 0; line < kMostLines; ++line) {
        const size_t at = !payload.empty() && payload[0] == '\r' ? 1 : 0;
        if (at >= payload.size() || payload[at] != '\n') {
            break;
        }
        payload = payload.subspan(at + 1);
    }
    return payload;
}

char http_answer_class(std::span<const uint8_t> payload) noexcept {
    constexpr std::string_view kVersion = "HTTP/1.";
    constexpr size_t kCodeAt = kVersion.size() + 2;
    const std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    const bool is_answer = text.size() > kCodeAt && text.starts_with(kVersion) &&
                           text[kCodeAt - 1] == ' ' && text[kCodeAt] >= '1' && text[kCodeAt] <= '9';
    return is_answer ? text[kCodeAt] : '\0';
}

bool http_request_goes_on(std::span<const uint8_t> payload) noexcept {
    std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    uint64_t content_octets = 0;
    // There are no more lines than octets.
    size_t end = text.find('\n');
    if (end == std::string_view::npos || !is_request_line(text.substr(0, end))) {
        return false;
    }
    for (text.remove_prefix(end + 1);; text.remove_prefix(end + 1)) {
        end = text.find('\n');
        if (end == std::string_view::npos) {
            return true;  // the head goes on
        }
        const std::string_view line = text.substr(0, end);
        if (line.empty() || line == "\r") {
            return content_octets > text.size() - (end + 1);
        }
        if (begins_with(line, kCodingField)) {
            return true;  // chunks, of which none says which is the last before it is there
        }
        if (begins_with(line, kLengthField)) {
            const std::string_view value = trimmed(line.substr(kLengthField.size()));
            std::from_chars(value.data(), value.data() + value.size(), content_octets);
        }
    }
}

bool find_http_host(std::span<const uint8_t> payload, FoundNames& names) noexcept {
    std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    for (size_t i = 0; !text.empty(); ++i) {
        const size_t end = text.find('\n');
        if (end == std::string_view::npos) {
            return true;  // the message goes on in the next packet
        }
        const std::string_view line = text.substr(0, end);
        text.remove_prefix(end + 1);
        if (i == 0) {
            if (!is_request_line(line)) {
                return true;  // an answer, or the middle of a body
            }
            if (const std::string_view host = host_in_target(line); !host.empty()) {
                add_host(host, names);
                return true;
            }
            continue;
        }
        if (line.empty() || line == "\r") {
            return true;
        }
        if (begins_with(line, kHostField)) {
            add_host(trimmed(line.substr(kHostField.size())), names);
            return true;
        }
    }
    return true;
}

}  // namespace curlew::probe
