#include "collector/dataset_file.h"

#include <fmt/format.h>
#include <zstd.h>

#include <cassert>
#include <stdexcept>
#include <vector>

namespace curlew::collector {
namespace {

constexpr size_t kReadOctets = 256 * 1024;
constexpr size_t kLongestLine = size_t{16} << 20;
constexpr int kCompressionLevel = 3;

size_t checked(size_t result) {
    if (ZSTD_isError(result) != 0) {
        throw std::runtime_error(fmt::format("zstd failed: {}", ZSTD_getErrorName(result)));
    }
    return result;
}

[[noreturn]] void refuse(const std::filesystem::path& path, std::string_view cause) {
    throw std::runtime_error(fmt::format("cannot read {}: {}", path.string(), cause));
}

// Cuts a stream of octets into lines.
class LineCutter {
  public:
    LineCutter(const std::filesystem::path& path,
               const std::function<void(std::string_view)>& on_line)
        : path_(path), on_line_(on_line) {}

    void take(std::string_view octets) {
        while (!octets.empty()) {
            const size_t end = octets.find('\n');
            rest_.append(octets.substr(0, end));
            if (rest_.size() > kLongestLine) {
                refuse(path_, "a line is longer than 16 MiB");
            }
            if (end == std::string_view::npos) {
                return;
            }
            on_line_(rest_);
            rest_.clear();
            octets.remove_prefix(end + 1);
        }
    }

    void finish() const {
        if (!rest_.empty()) {
            refuse(path_, "its last line does not end");
        }
    }

  private:
    const std::filesystem::path& path_;
    const std::function<void(std::string_view)>& on_line_;
    std::string rest_;
};

class Decompressor {
  public:
    explicit Decompressor(const std::filesystem::path& path)
        : path_(path), stream_(ZSTD_createDStream(), &ZSTD_freeDStream) {
        assert(stream_ != nullptr);
        // A window larger than ours is no file of ours, and would take its size in memory.
        checked(ZSTD_DCtx_setParameter(stream_.get(), ZSTD_d_windowLogMax, 27));
    }

    template <typename Take>
    void take(std::string_view octets, Take take) {
        ZSTD_inBuffer in{octets.data(), octets.size(), 0};
        bool out_was_full = false;
        while (in.pos < in.size || (out_was_full && !frame_ended_)) {
            ZSTD_outBuffer out{out_.get(), kReadOctets, 0};
            const size_t result = ZSTD_decompressStream(stream_.get(), &out, &in);
            if (ZSTD_isError(result) != 0) {
                refuse(path_, ZSTD_getErrorName(result));
            }
            take(std::string_view(out_.get(), out.pos));
            frame_ended_ = result == 0;
            out_was_full = out.pos == out.size;
        }
    }

    void finish() const {
        if (!frame_ended_) {
            refuse(path_, "the zstd frame does not end");
        }
    }

  private:
    const std::filesystem::path& path_;
    std::unique_ptr<ZSTD_DStream, size_t (*)(ZSTD_DStream*)> stream_;
    std::unique_ptr<char[]> out_ = std::make_unique_for_overwrite<char[]>(kReadOctets);
    bool frame_ended_ = false;
};

}  // namespace

const char* suffix_of(Encoding encoding) noexcept {
    return encoding == Encoding::json ? ".json" : ".json.zst";
}

struct DatasetWriter::Compressor {
    Compressor() : stream(ZSTD_createCCtx(), &ZSTD_freeCCtx), out(ZSTD_CStreamOutSize()) {
        assert(stream != nullptr);
        checked(ZSTD_CCtx_setParameter(stream.get(), ZSTD_c_compressionLevel, kCompressionLevel));
        checked(ZSTD_CCtx_setParameter(stream.get(), ZSTD_c_checksumFlag, 1));
    }

    std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> stream;
    std::vector<char> out;
};

DatasetWriter::DatasetWriter(const std::filesystem::path& path, Encoding encoding)
    : file_(path), lines_([this](std::string_view chunk) {
          if (compressor_ != nullptr) {
              compress(chunk, false);
          } else {
              file_digest_.update(chunk);
              file_.write(chunk);
          }
      }) {
    if (encoding == Encoding::json_zstd) {
        compressor_ = std::make_unique<Compressor>();
    }
}

DatasetWriter::~DatasetWriter() = default;

void DatasetWriter::write(std::string_view line) {
    content_octets_ += line.size();
    lines_.write(line);
}

void DatasetWriter::compress(std::string_view lines, bool last) {
    content_digest_.update(lines);
    ZSTD_inBuffer in{lines.data(), lines.size(), 0};
    size_t left = 1;
    while (last ? left > 0 : in.pos < in.size) {
        ZSTD_outBuffer out{compressor_->out.data(), compressor_->out.size(), 0};
        left = checked(ZSTD_compressStream2(
            compressor_->stream.get(), &out, &in, last ? ZSTD_e_end : ZSTD_e_continue));
        const std::string_view made(compressor_->out.data(), out.pos);
        file_digest_.update(made);
        file_octets_ += made.size();
        file_.write(made);
    }
}

DatasetSums DatasetWriter::finish() {
    const std::string_view rest = lines_.finish();
    DatasetSums sums{.content_octets = content_octets_};
    if (compressor_ != nullptr) {
        compress(rest, true);
        file_.finish();
        sums.octets = file_octets_;
        sums.sha256 = file_digest_.finish();
        sums.content_sha256 = content_digest_.finish();
    } else {
        file_digest_.update(rest);
        file_.finish(rest);
        sums.octets = content_octets_;
        sums.sha256 = file_digest_.finish();
        sums.content_sha256 = sums.sha256;
    }
    return sums;
}

DatasetSums read_dataset(const std::filesystem::path& path,
                         Encoding encoding,
                         const std::function<void(std::string_view)>& on_line) {
    InputFile input(path);
    Sha256 file_digest;
    Sha256 content_digest;
    DatasetSums sums;
    LineCutter lines(path, on_line);
    Decompressor decompressor(path);
    const auto take_content = [&](std::string_view content) {
        if (encoding == Encoding::json_zstd) {
            content_digest.update(content);
        }
        sums.content_octets += content.size();
        lines.take(content);
    };

    // Most files are shorter: what is not read is not touched.
    const auto buffer = std::make_unique_for_overwrite<char[]>(kReadOctets);
    while (const size_t octets = input.read({buffer.get(), kReadOctets})) {
        const std::string_view chunk(buffer.get(), octets);
        file_digest.update(chunk);
        sums.octets += octets;
        if (encoding == Encoding::json) {
            take_content(chunk);
        } else {
            decompressor.take(chunk, take_content);
        }
    }
    if (encoding == Encoding::json_zstd) {
        decompressor.finish();
    }
    lines.finish();
    sums.sha256 = file_digest.finish();
    sums.content_sha256 = encoding == Encoding::json ? sums.sha256 : content_digest.finish();
    return sums;
}

}  // namespace curlew::collector
