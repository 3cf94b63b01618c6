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

bool rename_new(const std::filesystem::path& from, const std::filesystem::path& to) {
    return ::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0;
}

bool sync_folder(const std::filesystem::path& folder) {
    const FileHandle open(
        ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return open.get() >= 0 && ::fsync(open.get()) == 0;
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
    const std::filesystem::path part = file.string() + ".part";
    // One that a crash left; whoever made it, it is not written into.
    ::unlink(part.c_str());
    const FileHandle open(::open(part.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (open.get() < 0) {
        fail(file, std::strerror(errno));
    }
    const bool is_named = write_whole(open.get(), keys.secret_key + "\n") && rename_new(part, file);
    if (!is_named || !sync_folder(file.parent_path())) {
        const int cause = errno;
        ::unlink(is_named ? file.c_str() : part.c_str());
        fail(file,
             !is_named && cause == EEXIST ? "exists, and a key is never written over"
                                          : std::strerror(cause));
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
