#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "collector/protocols/quic.h"
#include "probe/protocols/quic_hello.h"
#include "tests/fuzz/written_line.h"
#include "tests/support/quic_packets.h"

// Input: an octet that says what the rest is: a datagram, the plain text of a packet that is sealed
// rightly, or what is kept of a client.

namespace {

using namespace curlew;

void open(const tests::Octets& datagram) {
    static probe::QuicCipher cipher;
    probe::OpenedQuic opened;
    if (!probe::is_quic_initial(datagram) ||
        !probe::open_quic_initials(datagram, nullptr, cipher, opened)) {
        return;
    }
    for (const probe::CryptoFrame& frame : opened.found()) {
        probe::FoundNames names;
        probe::find_quic_server_name(frame.octets, names);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const tests::Octets rest(data + 1, data + size);
    if (data[0] % 3 == 0) {
        open(rest);
    } else if (data[0] % 3 == 1 && rest.size() < 4000) {
        const uint32_t version = (data[0] & 8) != 0 ? 0x51303530 : 1;
        open(tests::sealed_initial(tests::quic_connection(version, {1, 2, 3}), rest));
    } else {
        std::vector<uint8_t> room(2048);
        const probe::QuicHandshake handshake = probe::join_quic_handshake(rest, room);
        probe::FoundNames names;
        probe::find_quic_server_name(std::span(room).first(handshake.octets), names);
        collector::JsonLine json;
        json.start_object();
        collector::write_quic(json, std::string(rest.begin(), rest.end()));
        tests::require_text(json);
    }
    return 0;
}
