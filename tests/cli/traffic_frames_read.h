#pragma once

#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "cli/traffic_writer.h"

namespace curlew::cli {

// The file that a capture becomes.
inline std::string file_of(TrafficCapture& capture, TimeUnit unit = TimeUnit::nanoseconds) {
    std::string name = std::filesystem::temp_directory_path() / "curlew-traffic-XXXXXX";
    const int descriptor = mkstemp(name.data());
    if (descriptor < 0) {
        return {};
    }
    close(descriptor);
    capture.write(name, unit);
    std::ifstream in(name, std::ios::binary);
    std::string file = {std::istreambuf_iterator<char>(in), {}};
    std::filesystem::remove(name);
    return file;
}

// Its frames, in the file's order.
inline std::vector<std::string> frames_of(TrafficCapture& capture) {
    constexpr size_t kFileHeaderOctets = 24;
    constexpr size_t kPacketHeaderOctets = 16;
    const std::string file = file_of(capture);
    std::vector<std::string> frames;
    size_t at = kFileHeaderOctets;
    while (at + kPacketHeaderOctets <= file.size()) {
        const size_t octets = static_cast<uint8_t>(file.at(at + 8)) +
                              size_t{static_cast<uint8_t>(file.at(at + 9))} * 256;
        frames.push_back(file.substr(at + kPacketHeaderOctets, octets));
        at += kPacketHeaderOctets + octets;
    }
    return frames;
}

// Octets as text, to compare with literals: two digits each.
inline std::string hex_of(std::string_view octets) {
    std::string text;
    for (const char letter : octets) {
        const auto octet = static_cast<uint8_t>(letter);
        text += "0123456789abcdef"[octet >> 4];
        text += "0123456789abcdef"[octet & 15];
    }
    return text;
}

}  // namespace curlew::cli
