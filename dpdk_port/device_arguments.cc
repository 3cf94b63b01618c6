#include "dpdk_port/device_arguments.h"

#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <memory>
#include <stdexcept>

namespace curlew::dpdk_port {

namespace {

// [domain:]bus:device.function
bool is_pci_address(std::string_view name) {
    const auto is_hexadecimal = [](std::string_view text, size_t least, size_t most) {
        return text.size() >= least && text.size() <= most &&
               std::ranges::all_of(text, [](unsigned char c) { return std::isxdigit(c) != 0; });
    };
    const size_t dot = name.rfind('.');
    const size_t second = name.rfind(':');
    if (dot == std::string_view::npos || second == std::string_view::npos || second > dot) {
        return false;
    }
    const std::string_view function = name.substr(dot + 1);
    const std::string_view device = name.substr(second + 1, dot - second - 1);
    std::string_view bus = name.substr(0, second);
    if (const size_t first = bus.find(':'); first != std::string_view::npos) {
        if (!is_hexadecimal(bus.substr(0, first), 1, 8)) {
            return false;
        }
        bus = bus.substr(first + 1);
    }
    return is_hexadecimal(bus, 1, 2) && is_hexadecimal(device, 1, 2) && function.size() == 1 &&
           function[0] >= '0' && function[0] <= '7';
}

}  // namespace

DeviceArguments::DeviceArguments(std::string_view device) {
    name = device.substr(0, device.find(','));
    while (device.find(',') != std::string_view::npos) {
        device = device.substr(device.find(',') + 1);
        const std::string_view pair = device.substr(0, device.find(','));
        const size_t equals = pair.find('=');
        values.emplace_back(
            pair.substr(0, equals),
            equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1));
    }
}

bool DeviceArguments::is_pci() const noexcept {
    return is_pci_address(name);
}

std::vector<std::string> DeviceArguments::all(std::string_view key) const {
    std::vector<std::string> found;
    for (const auto& [name_of_value, value] : values) {
        if (name_of_value == key) {
            found.push_back(value);
        }
    }
    return found;
}

std::vector<std::string> DeviceArguments::interfaces() const {
    constexpr std::array<std::string_view, 3> kKeys{"iface", "rx_iface", "rx_iface_in"};
    std::vector<std::string> found;
    for (const auto& [key, value] : values) {
        if (std::ranges::find(kKeys, key) != kKeys.end()) {
            found.push_back(value);
        }
    }
    return found;
}

bool DeviceArguments::is_endless() const {
    return number("infinite_rx", 0) > 0;
}

uint32_t DeviceArguments::number(std::string_view key, uint32_t otherwise) const {
    const std::vector<std::string> found = all(key);
    uint32_t value = otherwise;
    if (!found.empty()) {
        std::from_chars(found.back().data(), found.back().data() + found.back().size(), value);
    }
    return value;
}

CaptureSize measure_capture(const std::string& file) {
    char cause[PCAP_ERRBUF_SIZE] = "";
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> capture(
        pcap_open_offline(file.c_str(), cause), pcap_close);
    if (!capture) {
        throw std::runtime_error(file + ": " + cause);
    }
    CaptureSize size;
    size.is_ethernet = pcap_datalink(capture.get()) == DLT_EN10MB;
    pcap_pkthdr* header = nullptr;
    const u_char* octets = nullptr;
    int result = 0;
    while ((result = pcap_next_ex(capture.get(), &header, &octets)) == 1) {
        ++size.packets;
        size.shortened += header->caplen < header->len ? 1 : 0;
        size.longest_octets = std::max(size.longest_octets, header->caplen);
    }
    // Past a cut there is nothing more; past a damage libpcap makes packets of what follows.
    size.is_cut = result != PCAP_ERROR_BREAK;
    size.is_damaged =
        size.is_cut && pcap_next_ex(capture.get(), &header, &octets) != PCAP_ERROR_BREAK;
    return size;
}

}  // namespace curlew::dpdk_port
