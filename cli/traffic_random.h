#pragma once

#include <cassert>
#include <cstdint>
#include <string>

namespace curlew::cli {

// SplitMix64. The standard library's distributions differ from one library to the next, so that
// one seed would not mean one capture; for the same reason no expression draws twice, because
// compilers differ in what they evaluate first.
class TrafficRandom {
  public:
    explicit TrafficRandom(uint64_t seed) : state_(seed) {}

    uint64_t next() {
        state_ += 0x9e3779b97f4a7c15;
        uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        return mixed ^ (mixed >> 31);
    }

    // Both ends included. The remainder's slight bias does not matter here.
    uint64_t between(uint64_t low, uint64_t high) {
        assert(low <= high);
        return low + next() % (high - low + 1);
    }

    std::string octets(size_t count) {
        std::string made(count, '\0');
        for (char& octet : made) {
            octet = static_cast<char>(next() >> 56);
        }
        return made;
    }

    std::string hex_digits(size_t count) {
        std::string made(count, '0');
        for (char& digit : made) {
            digit = "0123456789abcdef"[next() >> 60];
        }
        return made;
    }

  private:
    uint64_t state_;
};

}  // namespace curlew::cli
