#include "collector/protocols/fingerprint.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <string_view>
#include <vector>

#include "collector/digest.h"

namespace curlew::collector {
namespace {

constexpr size_t kHashDigits = 12;
constexpr std::string_view kNothingHashed = "000000000000";

std::string_view ja4_version(uint16_t version) {
    switch (version) {
        case 0x0304:
            return "13";
        case 0x0303:
            return "12";
        case 0x0302:
            return "11";
        case 0x0301:
            return "10";
        case 0x0300:
            return "s3";
        case 0x0002:
            return "s2";
        case 0xfeff:
            return "d1";
        case 0xfefd:
            return "d2";
        case 0xfefc:
            return "d3";
        default:
            return "00";
    }
}

bool is_alphanumeric(char character) {
    return (character >= '0' && character <= '9') || (character >= 'A' && character <= 'Z') ||
           (character >= 'a' && character <= 'z');
}

std::string ends_of(const std::vector<std::string_view>& names) {
    if (names.empty() || names.front().empty()) {
        return "00";
    }
    const std::string_view name = names.front();
    if (is_alphanumeric(name.front()) && is_alphanumeric(name.back())) {
        return {name.front(), name.back()};
    }
    const std::string hex = to_hex(name);
    return {hex.front(), hex.back()};
}

// The numbers without GREASE, decimal or as four hex digits.
template <typename Numbers>
std::string joined(const Numbers& numbers, char separator, bool hex) {
    std::string text;
    for (const uint32_t number : numbers) {
        if (is_grease(number)) {
            continue;
        }
        if (!text.empty()) {
            text.push_back(separator);
        }
        text += hex ? fmt::format("{:04x}", number) : fmt::to_string(number);
    }
    return text;
}

std::vector<uint16_t> types_of(const std::vector<TlsExtension>& extensions) {
    std::vector<uint16_t> types;
    for (const TlsExtension& extension : extensions) {
        types.push_back(extension.type);
    }
    return types;
}

template <typename Numbers>
size_t counted(const Numbers& numbers) {
    const auto grease = std::count_if(numbers.begin(), numbers.end(), is_grease);
    return std::min<size_t>(numbers.size() - static_cast<size_t>(grease), 99);
}

std::string hash_of(const std::string& text) {
    return sha256_of(text).substr(0, kHashDigits);
}

}  // namespace

std::string ja3_text(const ClientHello& hello) {
    assert(!hello.version2);
    return fmt::format("{},{},{},{},{}",
                       hello.version,
                       joined(hello.cipher_suites, '-', false),
                       joined(types_of(hello.extensions), '-', false),
                       joined(hello.supported_groups, '-', false),
                       joined(hello.point_formats, '-', false));
}

std::string ja3s_text(const ServerHello& hello) {
    return fmt::format("{},{},{}",
                       hello.version,
                       hello.cipher_suite,
                       joined(types_of(hello.extensions), '-', false));
}

std::string ja4(const ClientHello& hello, Transport transport) {
    assert(!hello.version2);
    std::vector<uint16_t> types = types_of(hello.extensions);
    const bool named = std::count(types.begin(), types.end(), kExtensionServerName) > 0;
    const size_t extensions = counted(types);
    std::erase_if(types, [](uint16_t type) {
        return type == kExtensionServerName || type == kExtensionProtocolNames || is_grease(type);
    });
    std::sort(types.begin(), types.end());
    std::vector<uint32_t> suites = hello.cipher_suites;
    std::erase_if(suites, is_grease);
    std::sort(suites.begin(), suites.end());

    std::string offered = joined(types, ',', true);
    if (const std::string algorithms = joined(hello.signature_algorithms, ',', true);
        !algorithms.empty()) {
        offered += '_' + algorithms;
    }
    return fmt::format("{}{}{}{:02}{:02}{}_{}_{}",
                       static_cast<char>(transport),
                       ja4_version(hello.highest_version()),
                       named ? 'd' : 'i',
                       counted(suites),
                       extensions,
                       ends_of(hello.protocol_names),
                       suites.empty() ? kNothingHashed : hash_of(joined(suites, ',', true)),
                       types.empty() ? kNothingHashed : hash_of(offered));
}

}  // namespace curlew::collector
