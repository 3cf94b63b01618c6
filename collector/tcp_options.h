#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

// TCP options (RFC 9293 section 3.1): octets of an unknown host, read one by one within bounds.
//
//     +--------+--------+---------------+
//     |  kind  | length | length - 2    |   kind 0 ends the list, kind 1 pads: one octet each
//     +--------+--------+---------------+

namespace curlew::collector {

struct TcpOption {
    uint8_t kind = 0;
    std::string_view data;   // behind kind and length
    bool malformed = false;  // data is all that was left; nothing comes after it
};

class TcpOptionReader {
  public:
    // Requires: `options` outlives the reader.
    explicit TcpOptionReader(std::string_view options) : rest_(options) {}

    // Nothing at the end of the list. A length that contradicts the octets left, or that a known
    // kind cannot have, gives one malformed option and then nothing.
    std::optional<TcpOption> next() noexcept;

  private:
    std::string_view rest_;
};

inline constexpr uint8_t kTcpOptionEnd = 0;
inline constexpr uint8_t kTcpOptionNoOperation = 1;
inline constexpr uint8_t kTcpOptionMaximumSegmentSize = 2;  // RFC 9293
inline constexpr uint8_t kTcpOptionWindowScale = 3;         // RFC 7323
inline constexpr uint8_t kTcpOptionSackPermitted = 4;       // RFC 2018
inline constexpr uint8_t kTcpOptionTimestamps = 8;          // RFC 7323

}  // namespace curlew::collector
