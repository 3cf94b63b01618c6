#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

// A capture file as a stream of octets. gzip (RFC 1952) and Zstandard (RFC 8878), told by their
// first octets and not by the file's name, are unpacked on the way; anything else is handed on
// as it is.

namespace curlew::probe {

class Unpacker;

// One thread calls everything.
class CaptureStream {
  public:
    // What head() shows at most.
    static constexpr size_t kHeadOctets = 64 * 1024;

    // Gets the file's octets in order, each once, as they lie there: packed ones packed.
    using Witness = std::function<void(std::span<const uint8_t>)>;

    // Whether a file may be empty, or hold nothing when it is unpacked.
    enum class Nothing : uint8_t { refused, allowed };

    // Throws std::runtime_error when the file cannot be read or nothing is in it.
    explicit CaptureStream(const std::filesystem::path& file,
                           Witness witness = {},
                           Nothing nothing = Nothing::refused);
    ~CaptureStream();
    CaptureStream(const CaptureStream&) = delete;
    CaptureStream& operator=(const CaptureStream&) = delete;

    // The first octets of the unpacked stream, whether they were read yet or not. Shorter than
    // kHeadOctets only when the stream is.
    std::span<const uint8_t> head() const noexcept { return head_; }

    // Fills the front of `out`, returns how many octets. 0 is the end: fault() tells whether it
    // is the true one. Requires: `out` is not empty.
    size_t read(std::span<uint8_t> out) noexcept;

    // Why the stream ended before its true end, for example "gzip data ends early". May be set
    // while octets before the fault wait to be read. Empty otherwise.
    const std::string& fault() const noexcept { return fault_; }

    // Reads the file to its end for the witness alone: who reads packets may have stopped before.
    // False when it cannot be read.
    bool read_rest_of_file() noexcept;
    // Octets that the witness got.
    uint64_t consumed_octets() const noexcept { return consumed_octets_; }

    // Octets of the file consumed, by its size, 0 to 1; negative where the size is not known.
    double progress() const noexcept;

  private:
    size_t read_file(std::span<uint8_t> out) noexcept;
    size_t read_plain(std::span<uint8_t> out) noexcept;
    size_t read_unpacked(std::span<uint8_t> out) noexcept;
    void fill_head();

    int descriptor_ = -1;
    Witness witness_;
    uint64_t file_octets_ = 0;      // 0: not known
    uint64_t consumed_octets_ = 0;  // of the file
    std::vector<uint8_t> input_;    // octets of the file not yet unpacked
    size_t input_begin_ = 0;
    size_t input_end_ = 0;
    std::unique_ptr<Unpacker> unpacker_;  // null: plain
    std::vector<uint8_t> head_;
    size_t head_given_ = 0;  // octets of head_ already read
    std::string fault_;
};

}  // namespace curlew::probe
