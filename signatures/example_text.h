#pragma once

#include <string>
#include <string_view>

// The readable form in which signature files write octets. Either text, in which \xNN, \r, \n, \t
// and \\ stand for an octet, or "hex:" and pairs of hex digits with blanks anywhere between them,
// where "00*192" repeats the octet before the star.

namespace curlew::signatures {

// Writes the octets and returns an empty text; otherwise returns one sentence on what is wrong.
std::string decode_example(std::string_view text, std::string& octets);

}  // namespace curlew::signatures
