#pragma once

#include <string_view>

#include "collector/json_line.h"

namespace curlew::collector {

// One X.509 certificate (RFC 5280) of an unknown host as one JSON object: `version`, `serial`,
// `signature_algorithm`, `issuer`, `subject`, `not_before`, `not_after`, `public_key_algorithm`,
// `public_key_bits`, `sha256` of the DER, `san`. Names are as RFC 2253 writes them; a member that
// cannot be read is left out. False, and a member `malformed`, when `der` is no certificate to its
// end.
bool write_certificate(JsonLine& json, std::string_view der);

}  // namespace curlew::collector
