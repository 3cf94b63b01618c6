#pragma once

#include <cassert>
#include <cstdint>
#include <string>
#include <string_view>

// Numbers as octets, appended to a string.

namespace curlew::cli {

inline void put8(std::string& out, uint64_t number) {
    assert(number <= 0xff);
    out += static_cast<char>(static_cast<uint8_t>(number));
}

inline void put16(std::string& out, uint64_t number) {
    assert(number <= 0xffff);
    put8(out, number >> 8);
    put8(out, number & 0xff);
}

inline void put24(std::string& out, uint64_t number) {
    assert(number <= 0xffffff);
    put8(out, number >> 16);
    put16(out, number & 0xffff);
}

inline void put32(std::string& out, uint64_t number) {
    assert(number <= 0xffffffff);
    put16(out, number >> 16);
    put16(out, number & 0xffff);
}

inline void put64(std::string& out, uint64_t number) {
    put32(out, number >> 32);
    put32(out, number & 0xffffffff);
}

inline void put16_little(std::string& out, uint64_t number) {
    assert(number <= 0xffff);
    put8(out, number & 0xff);
    put8(out, number >> 8);
}

inline void put32_little(std::string& out, uint64_t number) {
    assert(number <= 0xffffffff);
    put16_little(out, number & 0xffff);
    put16_little(out, number >> 16);
}

// The body behind its own length.
inline std::string counted8(std::string_view body) {
    std::string out;
    put8(out, body.size());
    return out.append(body);
}

inline std::string counted16(std::string_view body) {
    std::string out;
    put16(out, body.size());
    return out.append(body);
}

inline std::string counted24(std::string_view body) {
    std::string out;
    put24(out, body.size());
    return out.append(body);
}

}  // namespace curlew::cli
