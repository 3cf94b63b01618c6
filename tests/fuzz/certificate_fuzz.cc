#include <cstdint>
#include <string>

#include "collector/protocols/certificate.h"
#include "tests/fuzz/written_line.h"

// Input: the DER of a certificate.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    const std::string der(data, data + size);
    collector::JsonLine json;
    json.start_object();
    json.key("certificate");
    collector::write_certificate(json, der);
    tests::require_text(json);
    return 0;
}
