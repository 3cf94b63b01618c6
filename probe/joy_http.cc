#include "probe/joy_http.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

namespace curlew::probe {
namespace {

// Joy works on a copy of this size, zeros behind what was copied, and lexes the zeros too.
constexpr size_t kCopyOctets = 2048;
constexpr size_t kBodyOctets = 16;
constexpr int kMaximumHeaders = 32;

// How much of CR LF CR LF has been met.
enum class LineEnd : uint8_t { none, cr, crlf, crlf_cr, crlf_crlf };

bool is_line_octet(char octet) {
    return octet == '\r' || octet == '\n';
}

// Octets that are out of order leave the state as it is.
LineEnd after(LineEnd end, char line_octet) {
    if (line_octet == '\r') {
        return end == LineEnd::none ? LineEnd::cr : end == LineEnd::crlf ? LineEnd::crlf_cr : end;
    }
    return end == LineEnd::cr ? LineEnd::crlf : end == LineEnd::crlf_cr ? LineEnd::crlf_crlf : end;
}

char printable(char octet) {
    const bool plain = octet >= ' ' && octet <= '~' && octet != '"' && octet != '\\';
    return plain || is_line_octet(octet) ? octet : '.';
}

class Head {
  public:
    explicit Head(std::span<const uint8_t> payload);

    bool read(proto::JoyHttpMessage& message);

  private:
    enum class Found : uint8_t { line, end_of_head, malformed };

    Found start_line(proto::JoyHttpMessage& message);
    Found header_line();
    void add_header(proto::JoyHttpMessage& message);

    // Ends a token. An index below 0 is wrapped and out of range.
    void end_token(size_t at) {
        if (at < kCopyOctets) {
            copy_[at] = 0;
        }
    }
    std::string_view token(size_t at) const {
        const auto* begin = copy_.begin() + at;
        return {begin, std::find(begin, copy_.end(), '\0')};
    }

    std::array<char, kCopyOctets> copy_{};
    size_t length_;  // of the copy as Joy counts it, zeros for a body included
    size_t at_ = 0;  // where the next line begins
    size_t name_at_ = 0;
    size_t value_at_ = 0;  // 0: none, a value is never first
};

Head::Head(std::span<const uint8_t> payload)
    : length_(std::min(payload.size() + kBodyOctets, kCopyOctets)) {
    LineEnd end = LineEnd::none;
    size_t body_octets = 0;
    for (size_t i = 0; i < length_ - kBodyOctets; ++i) {
        copy_[i] = static_cast<char>(payload[i]);
        if (end == LineEnd::crlf_crlf) {
            if (body_octets == kBodyOctets) {
                return;
            }
            ++body_octets;
            continue;
        }
        end = is_line_octet(copy_[i]) ? after(end, copy_[i]) : LineEnd::none;
        copy_[i] = printable(copy_[i]);
    }
}

// Three parts with spaces between. Joy takes a first part with HTTP in it for a version; letters in
// between do not disturb it.
Head::Found Head::start_line(proto::JoyHttpMessage& message) {
    LineEnd end = LineEnd::none;
    int parts = 1;
    bool space = false;
    char letter = 0;
    bool status = false;
    std::array<size_t, 3> part_at{};
    for (size_t i = 0; i < length_; ++i) {
        const char octet = copy_[i];
        if (is_line_octet(octet)) {
            end = after(end, octet);
            copy_[i] = '.';
            if (end == LineEnd::crlf_crlf) {
                end_token(i - 3);
                at_ = i;  // Joy leaves the last octet of the head before the body
                return Found::end_of_head;
            }
            continue;
        }
        if (octet == ' ') {
            space = space || parts < 3;
            end = LineEnd::none;
            continue;
        }
        if (end == LineEnd::crlf) {
            end_token(i - 2);
            at_ = i;
            if (parts < 3) {
                return Found::malformed;
            }
            message.set_line(status ? proto::JOY_HTTP_LINE_STATUS : proto::JOY_HTTP_LINE_REQUEST);
            message.set_first(std::string(token(part_at[0])));
            message.set_second(std::string(token(part_at[1])));
            message.set_third(std::string(token(part_at[2])));
            return Found::line;
        }
        if (space) {
            end_token(i - 1);
            part_at[static_cast<size_t>(parts++)] = i;
            space = false;
        } else if (parts == 1) {
            status = status || (letter == 'T' && octet == 'P');
            if ((letter == 0 && octet == 'H') || (letter != 0 && octet == 'T')) {
                letter = octet;
            }
        }
        end = LineEnd::none;
    }
    return Found::malformed;
}

// Name, colon, value. Spaces neither begin a value nor break the end of a line.
Head::Found Head::header_line() {
    LineEnd end = LineEnd::none;
    bool colon = false;
    name_at_ = at_;
    value_at_ = 0;
    for (size_t i = at_; i < length_; ++i) {
        const char octet = copy_[i];
        if (is_line_octet(octet)) {
            end = after(end, octet);
            copy_[i] = '.';
            if (end == LineEnd::crlf_crlf) {
                end_token(i - 3);
                at_ = i + 1;
                return Found::end_of_head;
            }
        } else if (octet == ':') {
            if (!colon) {
                copy_[i] = 0;
                colon = true;
            }
            end = LineEnd::none;
        } else if (octet != ' ') {
            if (end == LineEnd::crlf) {
                end_token(i - 2);
                at_ = i;
                return value_at_ != 0 ? Found::line : Found::malformed;
            }
            if (colon && value_at_ == 0) {
                value_at_ = i;
            }
            end = LineEnd::none;
        }
    }
    return Found::malformed;
}

void Head::add_header(proto::JoyHttpMessage& message) {
    const std::string_view name = token(name_at_);
    if (value_at_ != 0 && !name.empty()) {
        proto::JoyHttpHeader* header = message.add_headers();
        header->set_name(std::string(name));
        header->set_value(std::string(token(value_at_)));
    }
}

bool Head::read(proto::JoyHttpMessage& message) {
    Found found = start_line(message);
    for (int i = 0; i < kMaximumHeaders && found == Found::line; ++i) {
        found = header_line();
        if (found != Found::malformed) {
            add_header(message);
        }
    }
    if (found == Found::end_of_head && length_ - at_ >= kBodyOctets) {
        message.set_body(std::string(copy_.data() + at_, kBodyOctets));
    }
    return found != Found::malformed;
}

}  // namespace

bool read_joy_http(std::span<const uint8_t> payload, proto::JoyHttpMessage& message) {
    if (payload.empty()) {
        return false;
    }
    return Head(payload).read(message);
}

}  // namespace curlew::probe
