#pragma once

#include "probe/packet_walk.h"

// IEEE 802.11 frames as a monitoring interface captures them, bare or behind what the capturing
// driver says of each. Only whole data frames that are not encrypted carry IP; every other kind has
// a reason of its own. A frame sent again because nobody acknowledged it is metered again.

namespace curlew::probe {

// IEEE 802.11 section 9.2.3.
ParseResult enter_wifi(PacketWalk& walk) noexcept;

// Behind a radiotap header (radiotap.org). Honours its flags: FCS at the end, header padded, FCS
// wrong.
ParseResult enter_radiotap(PacketWalk& walk) noexcept;

// Behind a header of the Prism or of the AVS kind; either may come under the first's link type.
ParseResult enter_prism(PacketWalk& walk) noexcept;
ParseResult enter_avs(PacketWalk& walk) noexcept;

}  // namespace curlew::probe
