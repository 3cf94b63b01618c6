#pragma once

#include <string>
#include <string_view>

namespace curlew::collector {

// Text from the wire as valid UTF-8, whatever its octets: well-formed UTF-8 (RFC 3629 section 4)
// stays, each other octet becomes the code point of its value, as Latin-1 has it. So 0xff is read
// as U+00FF; the first octets of first_packet tell it from a real one.
std::string wire_text(std::string_view octets);

bool is_utf8(std::string_view octets) noexcept;

// Letters from A to Z in lower case, every other octet as it is.
std::string lower_case(std::string_view text);

// IPv4 or IPv6 (RFC 5952) from 4 or 16 octets in network order; empty for any other length.
std::string address_text(std::string_view address);

// The inverse: 4 or 16 octets; empty when the text is no address.
std::string address_octets(const std::string& text);

// Two hex digits an octet with ':' between, as "00:0b:57:00:00:02", and the inverse, which is empty
// when the text is none.
std::string mac_text(std::string_view octets);
std::string mac_octets(std::string_view text);

}  // namespace curlew::collector
