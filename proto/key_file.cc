#include "proto/key_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "proto/file_handle.h"

namespace curlew::proto {
namespace {

constexpr size_t kKeyCharacters = 40;
constexpr size_t kKeyOctets = 32;
using KeyText = std::array<char, kKeyCharacters + 1>;

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view what) {
    throw std::runtime_error(fmt::format("key file {}: {}", file.string(), what));
}

bool write_whole(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return false;
        }
        text.remove_prefix(written < 0 ? 0 : static_cast<size_t>(written));
    }
    return ::fsync(descriptor) == 0;
}

std::string read_whole(int descriptor, const std::filesystem::path& file) {
    // One octet more than a key file has tells that it is none.
    std::string text(kKeyCharacters + 2, '\0');
    size_t size = 0;
    while (size < text.size()) {
        const ssize_t count = ::read(descriptor, text.data() + size, text.size() - size);
        if (count < 0 && errno != EINTR) {
            fail(file, std::strerror(errno));
        }
        if (count == 0) {
            break;
        }
        size += count < 0 ? 0 : static_cast<size_t>(count);
    }
    text.resize(size);
    return text;
}

}  // namespace

bool is_key(std::string_view text) noexcept {
    std::array<uint8_t, kKeyOctets> octets;
    // What decodes to 32 octets may still be written in more than one way; the one counts.
    KeyText again;
    return text.size() == kKeyCharacters && text.find('\0') == std::string_view::npos &&
           zmq_z85_decode(octets.data(), std::string(text).c_str()) != nullptr &&
           zmq_z85_encode(again.data(), octets.data(), octets.size()) != nullptr &&
           text == again.data();
}

KeyPair new_keys() {
    KeyText public_key;
    KeyText secret_key;
    if (zmq_curve_keypair(public_key.data(), secret_key.data()) != 0) {
        throw std::runtime_error(fmt::format("no keys can be made: {}", zmq_strerror(errno)));
    }
    return {public_key.data(), secret_key.data()};
}

void write_key_file(const std::filesystem::path& file, const KeyPair& keys) {
    const FileHandle open(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (open.get() < 0) {
        fail(file,
             errno == EEXIST ? "exists, and a key is never written over" : std::strerror(errno));
    }
    if (!write_whole(open.get(), keys.secret_key + "\n")) {
        const int cause = errno;
        ::unlink(file.c_str());
        fail(file, std::strerror(cause));
    }
}

KeyPair read_key_file(const std::filesystem::path& file) {
    // A pipe's other end may never come.
    const FileHandle open(::open(file.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    struct stat facts {};
    if (open.get() < 0 || ::fstat(open.get(), &facts) != 0) {
        fail(file, std::strerror(errno));
    }
    if (!S_ISREG(facts.st_mode)) {
        fail(file, "is not a file");
    }
    if ((facts.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        fail(
            file,
            fmt::format("others than its owner may use it (mode {:04o}): chmod 600 makes it secret",
                        facts.st_mode & 07777));
    }
    std::string text = read_whole(open.get(), file);
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    KeyText public_key;
    if (!is_key(text) || zmq_curve_public(public_key.data(), text.c_str()) != 0) {
        fail(file, "holds no secret key; `curlew keys new` makes one");
    }
    return {public_key.data(), text};
}

}  // namespace curlew::proto
