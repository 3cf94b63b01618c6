#pragma once

#include <zlib.h>
#include <zstd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/support/temporary_folder.h"

// Files of flow records made in words, in a folder that goes away with the test.

namespace curlew::cli::test {

class FlowFolder {
  public:
    const std::filesystem::path& path() const { return folder_.path(); }

    // Makes the folders on the way.
    std::filesystem::path write(const std::string& name, const std::string& content) const {
        const std::filesystem::path file = path() / name;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file, std::ios::binary) << content;
        return file;
    }

    std::string read(const std::string& name) const {
        std::ifstream file(path() / name, std::ios::binary);
        return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    }

    bool has(const std::string& name) const { return std::filesystem::exists(path() / name); }

    // Files and folders in a folder; 0 when there is no such folder.
    size_t count(const std::string& name) const {
        if (!has(name)) {
            return 0;
        }
        const std::filesystem::directory_iterator files(path() / name);
        return static_cast<size_t>(std::distance(begin(files), end(files)));
    }

  private:
    tests::TemporaryFolder folder_;
};

inline std::string gzipped(const std::string& content) {
    z_stream stream{};
    constexpr int kGzip = 15 + 16;
    deflateInit2(&stream, 6, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, content.size()), '\0');
    std::string in = content;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

inline std::string zstandard(const std::string& content) {
    std::string out(ZSTD_compressBound(content.size()), '\0');
    out.resize(ZSTD_compress(out.data(), out.size(), content.data(), content.size(), 3));
    return out;
}

// What the call throws, "" when it throws nothing.
template <typename Call>
std::string refusal(Call call) {
    try {
        call();
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return {};
}

}  // namespace curlew::cli::test
