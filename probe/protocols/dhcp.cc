#include "probe/protocols/cursor.h"
#include "probe/protocols/names.h"

namespace curlew::probe {

namespace {

constexpr size_t kCookieAt = 236;         // RFC 2131 section 2
constexpr uint32_t kCookie = 0x63825363;  // section 3
constexpr uint8_t kBootRequest = 1;       // from a client
constexpr uint8_t kPad = 0;               // RFC 2132 section 3
constexpr uint8_t kHostName = 12;
constexpr uint8_t kEndOption = 255;

}  // namespace

bool find_dhcp_host_name(std::span<const uint8_t> payload, FoundNames& names) noexcept {
    Cursor cursor(payload);
    const uint8_t operation = cursor.u8();
    cursor.skip(kCookieAt - 1);
    if (cursor.u32() != kCookie) {
        return false;
    }
    if (operation != kBootRequest) {
        return true;
    }
    while (cursor.left() > 0) {
        const uint8_t code = cursor.u8();
        if (code == kPad) {
            continue;
        }
        if (code == kEndOption) {
            return true;
        }
        const auto value = cursor.take_counted(1);
        if (!cursor.ok()) {
            return false;
        }
        if (code == kHostName) {
            names.add(NameField::dhcp_host_name, value);
        }
    }
    return true;
}

}  // namespace curlew::probe
