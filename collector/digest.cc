#include "collector/digest.h"

#include <openssl/evp.h>

#include <array>
#include <cassert>

#include "collector/durable_file.h"

namespace curlew::collector {

namespace {

// A context that has had its algorithm begins anew without looking for it, which takes longer than
// a short text.
class Context {
  public:
    explicit Context(const EVP_MD* algorithm) : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
        assert(context_ != nullptr);
        start(algorithm);
    }

    void update(std::string_view octets) {
        if (octets.empty()) {
            return;
        }
        [[maybe_unused]] const int done =
            EVP_DigestUpdate(context_.get(), octets.data(), octets.size());
        assert(done == 1);
    }

    template <size_t kOctets>
    std::array<uint8_t, kOctets> finish() {
        std::array<uint8_t, kOctets> sum{};
        unsigned int length = 0;
        [[maybe_unused]] const int done = EVP_DigestFinal_ex(context_.get(), sum.data(), &length);
        assert(done == 1);
        assert(length == sum.size());
        start(nullptr);
        return sum;
    }

  private:
    void start(const EVP_MD* algorithm) {
        [[maybe_unused]] const int done = EVP_DigestInit_ex(context_.get(), algorithm, nullptr);
        assert(done == 1);
    }

    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

template <size_t kOctets>
std::string hex_of(const std::array<uint8_t, kOctets>& sum) {
    return to_hex({reinterpret_cast<const char*>(sum.data()), sum.size()});
}

}  // namespace

struct Sha256::Implementation {
    Context context{EVP_sha256()};
};

Sha256::Sha256() : implementation_(std::make_unique<Implementation>()) {}
Sha256::~Sha256() = default;

void Sha256::update(std::string_view octets) {
    implementation_->context.update(octets);
}

std::array<uint8_t, 32> Sha256::finish_octets() {
    return implementation_->context.finish<32>();
}

std::string Sha256::finish() {
    return hex_of(finish_octets());
}

std::string sha256_of(std::string_view octets) {
    thread_local Context context(EVP_sha256());
    context.update(octets);
    return hex_of(context.finish<32>());
}

std::string md5_of(std::string_view octets) {
    thread_local Context context(EVP_md5());
    context.update(octets);
    return hex_of(context.finish<16>());
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
