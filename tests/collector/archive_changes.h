#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <random>
#include <string>

// Single random changes of what stands in a folder: of octets, lines, whole files, and of values in
// JSON that stays JSON.

namespace curlew::tests {

// Contents by path within the folder.
using FolderContent = std::map<std::string, std::string>;

class ArchiveChanges {
  public:
    ArchiveChanges(FolderContent original, uint64_t seed);

    struct Change {
        std::string what;  // one line
        FolderContent after;
    };

    // One that changes something.
    Change next();

  private:
    size_t below(size_t bound);
    std::string& any_file(FolderContent& after, std::string& what);
    std::string new_name();

    std::string change_octets(std::string& content);
    std::string change_lines(std::string& content);
    std::string change_files(FolderContent& after);
    std::string change_json(FolderContent& after);

    FolderContent original_;
    std::mt19937_64 random_;
};

}  // namespace curlew::tests
