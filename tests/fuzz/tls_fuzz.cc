#include <algorithm>
#include <cstdint>
#include <string>

#include "collector/protocols/tls.h"
#include "tests/fuzz/written_line.h"

// Input: two octets that say where the forward stream ends, then both streams.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    if (size < 2) {
        return 0;
    }
    const size_t cut = std::min(size_t{data[0]} << 8 | data[1], size - 2);
    // In memory of their own length, so that a read past them is seen.
    const std::string forward(data + 2, data + 2 + cut);
    const std::string reverse(data + 2 + cut, data + size);
    collector::JsonLine json;
    collector::CertificateWriter certificates;
    json.start_object();
    collector::write_tls(json, certificates, forward, reverse);
    tests::require_text(json);
    return 0;
}
