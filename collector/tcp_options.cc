#include "collector/tcp_options.h"

namespace curlew::collector {
namespace {

// The one length a known kind has, or 0.
size_t required_length(uint8_t kind) noexcept {
    switch (kind) {
        case kTcpOptionMaximumSegmentSize:
            return 4;
        case kTcpOptionWindowScale:
            return 3;
        case kTcpOptionSackPermitted:
            return 2;
        case kTcpOptionTimestamps:
            return 10;
        default:
            return 0;
    }
}

}  // namespace

std::optional<TcpOption> TcpOptionReader::next() noexcept {
    if (rest_.empty()) {
        return std::nullopt;
    }
    TcpOption option;
    option.kind = static_cast<uint8_t>(rest_[0]);
    if (option.kind == kTcpOptionEnd) {
        rest_ = {};
        return std::nullopt;
    }
    if (option.kind == kTcpOptionNoOperation) {
        rest_.remove_prefix(1);
        return option;
    }
    const size_t length = rest_.size() < 2 ? 0 : static_cast<uint8_t>(rest_[1]);
    const size_t required = required_length(option.kind);
    option.malformed = length < 2 || length > rest_.size() || (required != 0 && length != required);
    option.data = option.malformed ? rest_ : rest_.substr(2, length - 2);
    rest_ = option.malformed ? std::string_view{} : rest_.substr(length);
    return option;
}

}  // namespace curlew::collector
