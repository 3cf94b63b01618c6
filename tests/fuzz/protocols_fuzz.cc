#include <cstdint>
#include <cstdlib>
#include <vector>

#include "probe/protocols/names.h"

// Input: one octet that chooses the parser, then the payload. The payload lies in memory of its own
// length, so that a read past it is seen.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew::probe;
    if (size == 0) {
        return 0;
    }
    const std::vector<uint8_t> octets(data + 1, data + size);
    const std::span<const uint8_t> payload = behind_proxy_header(octets);
    FoundNames names;
    switch (data[0] % 6) {
        case 0:
            find_dns_names(payload, false, names);
            break;
        case 1:
            find_dns_names(payload, true, names);
            break;
        case 2:
            find_tls_server_name(payload, names);
            break;
        case 3:
            find_http_host(payload, names);
            http_request_goes_on(payload);
            http_answer_class(payload);
            break;
        case 4:
            find_dtls_server_name(payload, names);
            break;
        default:
            find_dhcp_host_name(payload, names);
            break;
    }
    for (size_t i = 0; i < names.count(); ++i) {
        if (names[i].octets == 0) {
            std::abort();  // an empty name is none
        }
    }
    return 0;
}
