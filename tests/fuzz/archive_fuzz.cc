#include <stdexcept>
#include <string>

#include "collector/device_file.h"
#include "collector/digest.h"
#include "collector/index.h"
#include "collector/label_overlay.h"
#include "collector/manifest.h"
#include "collector/record_check.h"
#include "collector/verify.h"
#include "tests/fuzz/fuzz_input.h"

// Input: one octet what it is, then the text of a file in an archive: index, manifest, dataset,
// device file, overlay. A manifest and a dataset are listed with their sums right.

namespace curlew {

namespace {

void check_index(const std::string& line) {
    const auto entry = collector::parse_index_line(line);
    require(!entry || collector::index_line(*entry) == line);
}

collector::VerifyResult verified(const MemoryFolder& archive) {
    uint64_t told = 0;
    const collector::VerifyResult result =
        collector::verify_archive(archive.path(), [&told](const std::string& problem) {
            require(!problem.empty());
            require(problem.find('\n') == std::string::npos);
            ++told;
        });
    require_ledger(told == result.problems);
    return result;
}

void check_archive(const std::string& manifest, const std::string& dataset) {
    const MemoryFolder archive;
    std::filesystem::create_directories(archive.path() / "g/s");
    archive.put("g/s/a.manifest.json", manifest);
    archive.put("g/s/a.json", dataset);
    archive.put("index.jsonl",
                collector::index_line({.manifest = "g/s/a.manifest.json",
                                       .sha256 = collector::sha256_of(manifest),
                                       .previous = collector::first_previous(),
                                       .tombstone = std::nullopt}) +
                    "\n");
    const collector::VerifyResult result = verified(archive);
    require(!result.holds() || collector::parse_manifest(manifest).has_value());
}

void check_any_index(const std::string& text) {
    const MemoryFolder archive;
    archive.put("index.jsonl", text);
    verified(archive);
    try {
        const collector::ArchiveIndex index(archive.path());
        require(index.present().size() + index.removed().size() <= text.size());
    } catch (const std::runtime_error&) {
        // Damaged: told in one sentence.
    }
}

void check_lines(const std::string& preset, const std::string& text) {
    collector::RecordCheck check(preset);
    for (size_t begin = 0; begin < text.size();) {
        const size_t end = std::min(text.find('\n', begin), text.size());
        static_cast<void>(check.check(std::string_view(text).substr(begin, end - begin)));
        begin = end + 1;
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzInput input(data, size);
    const uint8_t kind = input.octet();
    const std::string text = input.rest();
    switch (kind % 7) {
        case 0:
            check_index(text);
            break;
        case 1:
            check_any_index(text);
            break;
        case 2:
            check_archive(text, "");
            break;
        case 3:
            static_cast<void>(collector::parse_device_file(text));
            static_cast<void>(collector::device_file_of(text));
            break;
        case 4: {
            const MemoryFile file(text);
            try {
                static_cast<void>(collector::check_overlay(
                    file.path(), {file.path(), collector::Encoding::json, "00"}));
            } catch (const std::runtime_error&) {
                // Too long a line, or no end of the last.
            }
            break;
        }
        case 5:
            check_lines("curlew", text);
            break;
        default:
            check_lines("joy-3.0.3", text);
            break;
    }
    return 0;
}

}  // namespace curlew
