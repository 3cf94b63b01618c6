#pragma once

#include <zlib.h>
#include <zstd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"

// Capture files made in words, in a folder that goes away with the test.

namespace curlew::probe::test {

using Octets = std::vector<uint8_t>;

inline Octets operator+(Octets left, const Octets& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

inline Octets first(const Octets& octets, size_t count) {
    return Octets(octets.begin(), octets.begin() + static_cast<std::ptrdiff_t>(count));
}

// A number of so many octets, least significant first.
inline Octets little(uint64_t value, size_t octets) {
    Octets out;
    for (size_t i = 0; i < octets; ++i) {
        out.push_back(static_cast<uint8_t>(value >> (8 * i)));
    }
    return out;
}

// The same, most significant first.
inline Octets big(uint64_t value, size_t octets) {
    const Octets reversed = little(value, octets);
    return Octets(reversed.rbegin(), reversed.rend());
}

// A folder for the files of one test.
class CaptureFolder {
  public:
    const std::filesystem::path& path() const { return folder_.path(); }

    std::filesystem::path write(const std::string& name, const Octets& content) const {
        const std::filesystem::path file = path() / name;
        std::ofstream(file, std::ios::binary)
            .write(reinterpret_cast<const char*>(content.data()),
                   static_cast<std::streamsize>(content.size()));
        return file;
    }

  private:
    tests::TemporaryFolder folder_;
};

inline Octets gzip(const Octets& plain) {
    constexpr int kGzipHeader = 16;
    z_stream stream{};
    if (deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + kGzipHeader, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        throw std::runtime_error("deflate cannot start");
    }
    Octets in = plain;
    Octets out(deflateBound(&stream, in.size()));
    stream.next_in = in.data();
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = out.data();
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

inline Octets zstd(const Octets& plain) {
    Octets out(ZSTD_compressBound(plain.size()));
    out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 3));
    return out;
}

}  // namespace curlew::probe::test
