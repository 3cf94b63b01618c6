#pragma once

#include <filesystem>
#include <string>
#include <string_view>

// Keys of the channel (CURVE), as people see them: 40 characters of Z85. A key file holds a secret
// key and a line end, nothing else; the public key follows from it.

namespace curlew::proto {

struct KeyPair {
    std::string public_key;
    std::string secret_key;
};

// Whether the text has a key's form.
bool is_key(std::string_view text) noexcept;

KeyPair new_keys();

// For its owner alone (mode 0600), durable: written as `file`.part and then named, so that a crash
// leaves the whole file or none. Throws std::runtime_error with one sentence, also when the file
// exists: a key that is written over is lost.
void write_key_file(const std::filesystem::path& file, const KeyPair& keys);

// Throws std::runtime_error with one sentence, also when others than its owner may read the file.
KeyPair read_key_file(const std::filesystem::path& file);

}  // namespace curlew::proto
