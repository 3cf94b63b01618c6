#pragma once

#include <cstdint>

namespace curlew::proto {

// Lets this process have so many descriptors open, or as many as the system allows it: 1,024 are
// usual at first, and a file, a connection or a segment of a spool takes one each.
void raise_descriptor_limit(uint64_t wanted);

// How many it may have open now.
uint64_t descriptor_limit();

}  // namespace curlew::proto
