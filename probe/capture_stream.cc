#include "probe/capture_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <new>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace curlew::probe {

// Turns packed octets into plain ones, a step at a time.
class Unpacker {
  public:
    struct Step {
        size_t eaten = 0;
        size_t made = 0;
        const char* damage = nullptr;  // no further step is possible
        bool is_too_large = false;     // nor is that damage: it wants more memory than is given
    };

    virtual ~Unpacker() = default;

    // An empty `in` asks for what is still held back.
    virtual Step step(std::span<const uint8_t> in, std::span<uint8_t> out) noexcept = 0;

    // True where the packed data may honestly end.
    virtual bool is_whole() const noexcept = 0;

    virtual const char* name() const noexcept = 0;
};

namespace {

constexpr size_t kInputOctets = 64 * 1024;
constexpr size_t kMagicOctets = 4;

std::string describe(int error) {
    return std::generic_category().message(error);
}

// Members may follow each other, and zeros may pad the last one, as gzip(1) reads them.
class GzipUnpacker final : public Unpacker {
  public:
    GzipUnpacker() {
        constexpr int kGzipOnly = 16;
        if (inflateInit2(&stream_, MAX_WBITS + kGzipOnly) != Z_OK) {
            throw std::bad_alloc();
        }
    }
    ~GzipUnpacker() override { inflateEnd(&stream_); }
    GzipUnpacker(const GzipUnpacker&) = delete;
    GzipUnpacker& operator=(const GzipUnpacker&) = delete;

    Step step(std::span<const uint8_t> in, std::span<uint8_t> out) noexcept override {
        if (is_whole_) {
            const auto member =
                std::find_if(in.begin(), in.end(), [](uint8_t o) { return o != 0; });
            if (member != in.begin() || in.empty()) {
                return {.eaten = static_cast<size_t>(member - in.begin())};
            }
            inflateReset(&stream_);
            is_whole_ = false;
        }
        in = in.first(std::min(in.size(), kInputOctets));
        out = out.first(std::min(out.size(), kMaximumOutput));
        // zlib does not write there, but declares it so.
        stream_.next_in = const_cast<uint8_t*>(in.data());
        stream_.avail_in = static_cast<uInt>(in.size());
        stream_.next_out = out.data();
        stream_.avail_out = static_cast<uInt>(out.size());
        const int result = inflate(&stream_, Z_NO_FLUSH);
        Step step{.eaten = in.size() - stream_.avail_in, .made = out.size() - stream_.avail_out};
        if (result == Z_STREAM_END) {
            is_whole_ = true;
        } else if (result != Z_OK && result != Z_BUF_ERROR) {
            step.damage = stream_.msg != nullptr ? stream_.msg : zError(result);
        }
        return step;
    }

    bool is_whole() const noexcept override { return is_whole_; }
    const char* name() const noexcept override { return "gzip"; }

  private:
    static constexpr size_t kMaximumOutput = 1 << 20;

    z_stream stream_{};
    bool is_whole_ = false;  // between two members
};

class ZstdUnpacker final : public Unpacker {
  public:
    ZstdUnpacker() : stream_(ZSTD_createDStream()) {
        if (stream_ == nullptr) {
            throw std::bad_alloc();
        }
        wanted_ = ZSTD_initDStream(stream_);
    }
    ~ZstdUnpacker() override { ZSTD_freeDStream(stream_); }
    ZstdUnpacker(const ZstdUnpacker&) = delete;
    ZstdUnpacker& operator=(const ZstdUnpacker&) = delete;

    Step step(std::span<const uint8_t> in, std::span<uint8_t> out) noexcept override {
        if (wanted_ == 0) {
            if (in.empty()) {
                return {};
            }
            wanted_ = ZSTD_initDStream(stream_);
        }
        // A call that meets damage does not tell what it unpacked before, so no call gets to see
        // the next block: what is held back is asked for alone, and of what is wanted the last
        // octets, which may be the next block's header, wait.
        constexpr size_t kBlockHeaderOctets = 3;
        const size_t now = wanted_ > kBlockHeaderOctets ? wanted_ - kBlockHeaderOctets : wanted_;
        in = in.first(holds_back_ ? 0 : std::min(in.size(), now));
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        ZSTD_outBuffer output{out.data(), out.size(), 0};
        const size_t result = ZSTD_decompressStream(stream_, &output, &input);
        Step step{.eaten = input.pos, .made = output.pos};
        holds_back_ = output.pos == output.size;
        if (ZSTD_isError(result) != 0) {
            step.damage = ZSTD_getErrorName(result);
            step.is_too_large =
                ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge;
        } else {
            wanted_ = result;
        }
        return step;
    }

    bool is_whole() const noexcept override { return wanted_ == 0; }
    const char* name() const noexcept override { return "zstd"; }

  private:
    ZSTD_DStream* stream_;
    size_t wanted_ = 0;        // octets the next step would like; 0 between two frames
    bool holds_back_ = false;  // perhaps: the last call filled its output
};

// Null for octets that are not packed.
std::unique_ptr<Unpacker> unpacker_for(std::span<const uint8_t> magic) {
    if (magic.size() >= 2 && magic[0] == 0x1f && magic[1] == 0x8b) {
        return std::make_unique<GzipUnpacker>();
    }
    if (magic.size() >= kMagicOctets) {
        const bool frame =
            magic[0] == 0x28 && magic[1] == 0xb5 && magic[2] == 0x2f && magic[3] == 0xfd;
        const bool skippable_frame =
            (magic[0] & 0xf0) == 0x50 && magic[1] == 0x2a && magic[2] == 0x4d && magic[3] == 0x18;
        if (frame || skippable_frame) {
            return std::make_unique<ZstdUnpacker>();
        }
    }
    return nullptr;
}

// Closes the descriptor unless the constructor comes to its end.
struct DescriptorGuard {
    int descriptor;
    ~DescriptorGuard() {
        if (descriptor >= 0) {
            close(descriptor);
        }
    }
};

}  // namespace

CaptureStream::CaptureStream(const std::filesystem::path& file, Witness witness, Nothing nothing)
    : witness_(std::move(witness)), input_(kInputOctets) {
    descriptor_ = open(file.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor_ < 0) {
        throw std::runtime_error(file.string() + ": " + describe(errno));
    }
    DescriptorGuard guard{descriptor_};
    struct stat status {};
    if (fstat(descriptor_, &status) == 0 && S_ISREG(status.st_mode)) {
        file_octets_ = static_cast<uint64_t>(status.st_size);
    }
    while (input_end_ < kMagicOctets) {
        const size_t got = read_file(std::span(input_).subspan(input_end_));
        if (got == 0) {
            break;
        }
        input_end_ += got;
    }
    if (!fault_.empty()) {
        throw std::runtime_error(file.string() + ": " + fault_);
    }
    if (input_end_ == 0 && nothing == Nothing::refused) {
        throw std::runtime_error(file.string() + ": file is empty");
    }
    unpacker_ = unpacker_for(std::span(input_).first(input_end_));
    fill_head();
    if (head_.empty() && (nothing == Nothing::refused || !fault_.empty())) {
        const std::string cause =
            fault_.empty() ? std::string(unpacker_->name()) + " data with nothing in it" : fault_;
        throw std::runtime_error(file.string() + ": " + cause);
    }
    guard.descriptor = -1;
}

CaptureStream::~CaptureStream() {
    close(descriptor_);
}

void CaptureStream::fill_head() {
    head_.resize(kHeadOctets);
    size_t filled = 0;
    while (filled < kHeadOctets) {
        const auto rest = std::span(head_).subspan(filled);
        const size_t got = unpacker_ ? read_unpacked(rest) : read_plain(rest);
        if (got == 0) {
            break;
        }
        filled += got;
    }
    head_.resize(filled);
}

size_t CaptureStream::read(std::span<uint8_t> out) noexcept {
    assert(!out.empty());
    if (head_given_ < head_.size()) {
        const size_t given = std::min(out.size(), head_.size() - head_given_);
        std::memcpy(out.data(), head_.data() + head_given_, given);
        head_given_ += given;
        return given;
    }
    return unpacker_ ? read_unpacked(out) : read_plain(out);
}

double CaptureStream::progress() const noexcept {
    if (file_octets_ == 0) {
        return -1;
    }
    return std::min(1.0, static_cast<double>(consumed_octets_) / static_cast<double>(file_octets_));
}

size_t CaptureStream::read_file(std::span<uint8_t> out) noexcept {
    for (;;) {
        const ssize_t got = ::read(descriptor_, out.data(), out.size());
        if (got >= 0) {
            consumed_octets_ += static_cast<size_t>(got);
            if (witness_ && got > 0) {
                witness_(out.first(static_cast<size_t>(got)));
            }
            return static_cast<size_t>(got);
        }
        if (errno != EINTR) {
            fault_ = "file cannot be read: " + describe(errno);
            return 0;
        }
    }
}

bool CaptureStream::read_rest_of_file() noexcept {
    std::array<uint8_t, kInputOctets> rest;
    const std::string fault_before = std::exchange(fault_, {});
    while (read_file(rest) > 0) {
    }
    const bool whole = fault_.empty();
    fault_ = whole ? fault_before : fault_;
    return whole;
}

size_t CaptureStream::read_plain(std::span<uint8_t> out) noexcept {
    if (input_begin_ < input_end_) {
        const size_t given = std::min(out.size(), input_end_ - input_begin_);
        std::memcpy(out.data(), input_.data() + input_begin_, given);
        input_begin_ += given;
        return given;
    }
    return fault_.empty() ? read_file(out) : 0;
}

size_t CaptureStream::read_unpacked(std::span<uint8_t> out) noexcept {
    while (fault_.empty()) {
        bool at_end = false;
        if (input_begin_ == input_end_) {
            input_begin_ = 0;
            input_end_ = read_file(input_);
            at_end = input_end_ == 0;
        }
        const auto in =
            std::span<const uint8_t>(input_).subspan(input_begin_, input_end_ - input_begin_);
        const Unpacker::Step step = unpacker_->step(in, out);
        assert(step.eaten <= in.size());
        assert(step.made <= out.size());
        input_begin_ += step.eaten;
        if (step.is_too_large) {
            fault_ = std::string(unpacker_->name()) +
                     " data is packed with a window of more than 128 MiB; unpack it first";
        } else if (step.damage != nullptr) {
            fault_ = std::string(unpacker_->name()) + " data is damaged (" + step.damage + ")";
        } else if (at_end && step.made == 0 && !unpacker_->is_whole() && fault_.empty()) {
            fault_ = std::string(unpacker_->name()) + " data ends early";
        }
        if (step.made > 0 || at_end) {
            return step.made;
        }
    }
    return 0;
}

}  // namespace curlew::probe
