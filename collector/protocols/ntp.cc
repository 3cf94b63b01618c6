#include "collector/protocols/ntp.h"

#include <fmt/format.h>

#include <algorithm>

#include "collector/protocols/cursor.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr uint8_t kLastClockMode = 5;

// A name in letters, padded with zeros, where the stratum is that of a clock or of none (RFC 5905
// figures 12 and 13); else four octets of an address or of its hash.
std::string reference_text(uint8_t stratum, std::string_view reference) {
    const std::string_view name =
        reference.substr(0, std::min(reference.find('\0'), reference.size()));
    if (stratum <= 1 && reference.find_first_not_of('\0', name.size()) == std::string_view::npos) {
        return wire_text(name);
    }
    return address_text(reference);
}

}  // namespace

//  LI 2 bits, VN 3, mode 3 | stratum 1 | poll 1 | precision 1 | root delay 4 | root dispersion 4
//  | reference id 4 | four time stamps of 8
NtpMessage decode_ntp(std::string_view octets, bool cut) {
    NtpMessage message;
    Cursor reader(octets);
    const uint8_t first = reader.u8();
    message.leap = first >> 6;
    message.version = first >> 3 & 7;
    message.mode = first & 7;
    if (message.mode > kLastClockMode) {
        message.malformed = !reader.ok();
        return message;
    }
    NtpClock clock;
    clock.stratum = reader.u8();
    clock.poll = static_cast<int8_t>(reader.u8());
    clock.precision = static_cast<int8_t>(reader.u8());
    reader.skip(4 + 4);
    clock.reference_id = reference_text(clock.stratum, reader.take(4));
    if (reader.ok()) {
        message.clock = std::move(clock);
    }
    reader.skip(4 * 8);
    message.malformed = !reader.ok() && !cut;
    return message;
}

void write_ntp(JsonLine& json, const NtpMessage& message) {
    json.number("version", message.version);
    json.number("mode", message.mode);
    json.number("leap", message.leap);
    if (!message.clock) {
        return;
    }
    json.number("stratum", message.clock->stratum);
    json.key("poll");
    json.raw(fmt::format("{}", message.clock->poll));
    json.key("precision");
    json.raw(fmt::format("{}", message.clock->precision));
    json.text("reference_id", message.clock->reference_id);
}

}  // namespace curlew::collector
