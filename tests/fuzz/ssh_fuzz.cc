#include <algorithm>
#include <cstdint>
#include <string>

#include "collector/protocols/ssh.h"
#include "tests/fuzz/written_line.h"

// Input: two octets that say where the client's stream ends, then both streams.

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace curlew;
    if (size < 2) {
        return 0;
    }
    const size_t cut = std::min(size_t{data[0]} << 8 | data[1], size - 2);
    const std::string client(data + 2, data + 2 + cut);
    const std::string server(data + 2 + cut, data + size);
    collector::JsonLine json;
    json.start_object();
    collector::write_ssh(json, client, server);
    tests::require_text(json);
    return 0;
}
