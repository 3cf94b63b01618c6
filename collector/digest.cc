#include "collector/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

#include "collector/durable_file.h"

namespace curlew::collector {

struct Sha256::Implementation {
    Implementation() : context(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        assert(context != nullptr);
        start(EVP_sha256());
    }

    // Without an algorithm: that of the last time, which need not be looked for again.
    void start(const EVP_MD* algorithm = nullptr) {
        [[maybe_unused]] const int done = EVP_DigestInit_ex(context.get(), algorithm, nullptr);
        assert(done == 1);
    }

    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context;
};

Sha256::Sha256() : implementation_(std::make_unique<Implementation>()) {}
Sha256::~Sha256() = default;

void Sha256::update(std::string_view octets) {
    if (octets.empty()) {
        return;
    }
    [[maybe_unused]] const int done =
        EVP_DigestUpdate(implementation_->context.get(), octets.data(), octets.size());
    assert(done == 1);
}

std::array<uint8_t, 32> Sha256::finish_octets() {
    std::array<uint8_t, 32> sum{};
    unsigned int length = 0;
    [[maybe_unused]] const int done =
        EVP_DigestFinal_ex(implementation_->context.get(), sum.data(), &length);
    assert(done == 1);
    assert(length == sum.size());
    implementation_->start();
    return sum;
}

std::string Sha256::finish() {
    const std::array<uint8_t, 32> sum = finish_octets();
    return to_hex({reinterpret_cast<const char*>(sum.data()), sum.size()});
}

std::string sha256_of(std::string_view octets) {
    Sha256 digest;
    digest.update(octets);
    return digest.finish();
}

std::string md5_of(std::string_view octets) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> sum{};
    unsigned int length = 0;
    [[maybe_unused]] const int done =
        EVP_Digest(octets.data(), octets.size(), sum.data(), &length, EVP_md5(), nullptr);
    assert(done == 1);
    return to_hex({reinterpret_cast<const char*>(sum.data()), length});
}

std::string sha256_of_file(const std::filesystem::path& file) {
    Sha256 digest;
    InputFile input(file);
    constexpr size_t kBufferOctets = 256 * 1024;
    // Most files are shorter: what is not read is not touched.
    const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferOctets);
    while (const size_t octets = input.read({buffer.get(), kBufferOctets})) {
        digest.update({buffer.get(), octets});
    }
    return digest.finish();
}

std::string to_hex(std::string_view octets) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string hex;
    hex.reserve(2 * octets.size());
    for (const char character : octets) {
        const auto octet = static_cast<uint8_t>(character);
        hex.push_back(kDigits[octet >> 4]);
        hex.push_back(kDigits[octet & 15]);
    }
    return hex;
}

}  // namespace curlew::collector
