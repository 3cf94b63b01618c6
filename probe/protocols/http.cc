#include <string_view>

#include "probe/protocols/names.h"

namespace curlew::probe {

namespace {

constexpr size_t kMaximumFields = 64;

bool is_host_field(std::string_view line) noexcept {
    constexpr std::string_view kHost = "host:";
    if (line.size() < kHost.size()) {
        return false;
    }
    for (size_t i = 0; i < kHost.size(); ++i) {
        const char lower =
            (line[i] >= 'A' && line[i] <= 'Z') ? static_cast<char>(line[i] + 32) : line[i];
        if (lower != kHost[i]) {
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

}  // namespace

bool find_http_host(std::span<const uint8_t> payload, FoundNames& names) noexcept {
    std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    for (size_t i = 0; i < kMaximumFields && !text.empty(); ++i) {
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
            continue;
        }
        if (line.empty() || line == "\r") {
            return true;
        }
        if (is_host_field(line)) {
            const std::string_view host = trimmed(line.substr(5));
            names.add(NameField::http_host,
                      {reinterpret_cast<const uint8_t*>(host.data()), host.size()});
            return true;
        }
    }
    return true;
}

}  // namespace curlew::probe
