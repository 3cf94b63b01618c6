#pragma once

#include "collector/json_line.h"
#include "collector/protocols/http.h"

// SSDP (UPnP Device Architecture 1.1 section 1): datagrams in the form of an HTTP head.

namespace curlew::collector {

// The members of one message, into an object that is begun. `head` is what decode_http() made of
// it.
void write_ssdp(JsonLine& json, const HttpHead& head);

}  // namespace curlew::collector
