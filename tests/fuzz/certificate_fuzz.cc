#include <cstdint>
#include <string>

#include "collector/protocols/certificate.h"
#include "tests/fuzz/written_line.h"

// Input: the DER of a certificate.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    const std::string der(data, data + size);
    collector::JsonLine json;
    collector::CertificateWriter writer;
    json.start_object();
    json.key("certificate");
    writer.write(json, der);
    tests::require_text(json);
    return 0;
}
