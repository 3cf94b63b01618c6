#include "signatures/signature_files.h"

#include <algorithm>
#include <optional>

#include "signatures/signature_set.h"
#include "signatures/toml_reader.h"

namespace curlew::signatures {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> paths_in(const fs::path& folder, std::vector<Problem>& problems) {
    std::error_code failure;
    std::vector<fs::path> files;
    fs::directory_iterator entry(folder, failure);
    for (; !failure && entry != fs::directory_iterator(); entry.increment(failure)) {
        std::error_code unreadable;
        if (entry->path().extension() != ".toml") {
            continue;
        }
        // A pipe is silent for as long as it likes.
        if (entry->is_other(unreadable) || entry->is_directory(unreadable)) {
            problems.push_back({entry->path().string(), 0, 0, "cannot be read: it is no file"});
        } else {
            files.push_back(entry->path());
        }
    }
    if (failure) {
        problems.push_back({folder.string(), 0, 0, "cannot be read: " + failure.message()});
        return {};
    }
    if (files.empty()) {
        problems.push_back({folder.string(), 0, 0, "holds no file *.toml"});
    }
    if (files.size() > kMaximumSignatureFiles) {
        problems.push_back(
            {folder.string(),
             0,
             0,
             "holds more than " + std::to_string(kMaximumSignatureFiles) + " files *.toml"});
        return {};
    }
    std::sort(files.begin(), files.end());
    return files;
}

}  // namespace

std::string_view SignatureFiles::vocabulary() const noexcept {
    for (const SignatureFile& file : files) {
        if (file.is_vocabulary) {
            return file.text;
        }
    }
    return {};
}

SignatureFiles read_signature_files(const fs::path& folder) {
    SignatureFiles files;
    size_t octets = 0;
    for (const fs::path& path : paths_in(folder, files.problems)) {
        if (std::optional<std::string> text = read_file(path, files.problems)) {
            octets += text->size();
            if (octets > kMaximumSetOctets) {
                files.problems.push_back({folder.string(),
                                          0,
                                          0,
                                          "its files have more than " +
                                              std::to_string(kMaximumSetOctets >> 20) +
                                              " MiB together"});
                break;
            }
            files.files.push_back(
                {path.string(), std::move(*text), path.filename() == kVocabularyFile});
        }
    }
    return files;
}

}  // namespace curlew::signatures
