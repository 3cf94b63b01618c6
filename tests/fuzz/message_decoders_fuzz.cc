#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "collector/protocols/dhcp.h"
#include "collector/protocols/dns.h"
#include "collector/protocols/http.h"
#include "collector/protocols/igmp.h"
#include "collector/protocols/ntp.h"
#include "collector/protocols/ssdp.h"
#include "collector/wire_text.h"

// Input: one octet that chooses the decoder and whether the message was cut, then the message. It
// lies in memory of its own length, so that a read past it is seen.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew::collector;
    if (size == 0) {
        return 0;
    }
    const auto copy = std::make_unique<char[]>(size);
    std::copy(data + 1, data + size, copy.get());
    const std::string_view octets(copy.get(), size - 1);
    const bool cut = (data[0] & 0x80) != 0;
    JsonLine json;
    json.start_object();
    switch (data[0] & 7) {
        case 0:
            write_dns(json, decode_dns(octets, cut));
            break;
        case 1:
            write_http(json, decode_http(octets, cut));
            break;
        case 2:
            write_ssdp(json, decode_http(octets, cut));
            break;
        case 3:
            write_dhcp(json, decode_dhcp(octets, cut));
            break;
        case 4:
            write_ntp(json, decode_ntp(octets, cut));
            break;
        default:
            write_igmp(json, decode_igmp(octets, cut));
            break;
    }
    json.end_object();
    const std::string_view line = json.finish();
    // What a record's messages may grow to has to stay below the longest line of a dataset: 64 KiB
    // of them below 16 MiB.
    constexpr size_t kGrowth = 200;
    if (!is_utf8(line) || line.size() > kGrowth * size + 4096) {
        std::abort();
    }
    return 0;
}
