#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

// SHA-256 (FIPS 180-4): what manifests and index hold files against, and MD5 for what others have
// defined with it.

namespace curlew::collector {

class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void update(std::string_view octets);

    // 64 lower case hex digits of everything since the last call; starts anew.
    std::string finish();

    // The same as octets.
    std::array<uint8_t, 32> finish_octets();

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

std::string sha256_of(std::string_view octets);

// 32 lower case hex digits of MD5 (RFC 1321). For fingerprints that are defined so, nothing else.
std::string md5_of(std::string_view octets);

// Throws std::runtime_error with one sentence when the file cannot be read.
std::string sha256_of_file(const std::filesystem::path& file);

// Lower case hex digits, two an octet.
std::string to_hex(std::string_view octets);

}  // namespace curlew::collector
