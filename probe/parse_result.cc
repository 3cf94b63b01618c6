#include <array>

#include "probe/packet_parser.h"

// Names for the ledger.

namespace curlew::probe {

const char* name_of(ParseResult result) noexcept {
    static constexpr std::array<const char*, static_cast<size_t>(ParseResult::count_)> kNames{
        "metered",
        "not_ip",
        "link_header_truncated",
        "ip_header_truncated",
        "ip_header_malformed",
        "ip_extensions_malformed",
        "wifi_no_data",
        "wifi_protected",
        "wifi_fragment",
        "wifi_aggregated",
        "wifi_bad_fcs",
    };
    return kNames[static_cast<size_t>(result)];
}

const char* name_of_note(int bit) noexcept {
    static constexpr std::array<const char*, kPacketNoteCount> kNames{
        "truncated",
        "fragment",
        "later_fragment",
        "transport_malformed",
        "merged_frame",
        "length_from_frame",
        "tunnelled",
        "tunnel_too_deep",
        "tunnel_not_ip",
        "tunnel_unreadable",
        "tunnel_fragment",
    };
    return kNames[static_cast<size_t>(bit)];
}

}  // namespace curlew::probe
