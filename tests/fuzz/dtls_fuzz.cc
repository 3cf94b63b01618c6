#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "collector/protocols/tls.h"
#include "tests/fuzz/written_line.h"

// Input: datagrams, each behind two octets: whose it is, and its length.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    // In memory of their own length, so that a read past them is seen.
    std::vector<std::string> datagrams[2];
    while (size >= 2) {
        const size_t octets = std::min<size_t>(data[1], size - 2);
        datagrams[data[0] & 1].emplace_back(data + 2, data + 2 + octets);
        data += 2 + octets;
        size -= 2 + octets;
    }
    collector::JsonLine json;
    collector::CertificateWriter certificates;
    json.start_object();
    collector::write_dtls(json,
                          certificates,
                          {datagrams[0].begin(), datagrams[0].end()},
                          {datagrams[1].begin(), datagrams[1].end()});
    tests::require_text(json);
    return 0;
}
