#pragma once

#include <filesystem>
#include <iosfwd>

// `curlew keys`: the channel's keys, one pair for each probe and each collector.

namespace curlew::cli {

// Both print the public key alone, for the other end's configuration, and throw std::runtime_error
// with one sentence. The first makes a key file where none is.
int run_keys_new(const std::filesystem::path& file, std::ostream& out);
int run_keys_show(const std::filesystem::path& file, std::ostream& out);

}  // namespace curlew::cli
