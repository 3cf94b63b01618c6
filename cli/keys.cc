#include "cli/keys.h"

#include <ostream>

#include "proto/key_file.h"

namespace curlew::cli {

int run_keys_new(const std::filesystem::path& file, std::ostream& out) {
    const proto::KeyPair keys = proto::new_keys();
    proto::write_key_file(file, keys);
    out << keys.public_key << '\n';
    return 0;
}

int run_keys_show(const std::filesystem::path& file, std::ostream& out) {
    out << proto::read_key_file(file).public_key << '\n';
    return 0;
}

}  // namespace curlew::cli
