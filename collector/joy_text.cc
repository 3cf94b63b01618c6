#include "collector/joy_text.h"

namespace curlew::collector {

std::string joy_text(std::string_view octets) {
    std::string text(octets.substr(0, octets.find('\0')));
    for (char& octet : text) {
        if (octet < ' ' || octet > '~' || octet == '"' || octet == '\\' || octet == '/') {
            octet = '.';
        }
    }
    return text;
}

std::string PaddedOctets::copy(size_t at, size_t count) const {
    std::string copied(at < octets_.size() ? octets_.substr(at, count) : std::string_view{});
    copied.resize(count);
    return copied;
}

}  // namespace curlew::collector
