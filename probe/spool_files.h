#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

// The files of a spool, see spool.h: their names, and how they are read and written.

namespace curlew::probe {

struct SegmentName {
    uint64_t epoch;
    uint64_t first_sequence;
};

std::filesystem::path segment_file(const std::filesystem::path& folder, const SegmentName& name);
// Nothing for what is no segment.
std::optional<SegmentName> segment_name(const std::filesystem::path& file);

std::filesystem::path position_file(const std::filesystem::path& folder, uint64_t epoch);
std::filesystem::path hello_file(const std::filesystem::path& folder, uint64_t epoch);
// Of a position or hello. Nothing for any other file.
std::optional<uint64_t> epoch_named(const std::filesystem::path& file);

// The text of a position: 16 hex digits, a blank, 8 of their CRC32C.
std::string position_text(uint64_t sequence);
// Nothing for what is no such text. The digits alone, as they were written once, are believed.
std::optional<uint64_t> position_in(std::string_view text);

// "cannot <verb> <path>: <errno>", thrown as std::runtime_error.
[[noreturn]] void throw_spool_error(const char* verb, const std::filesystem::path& path);

// Throws likewise, also for what is no file.
int opened_file(const std::filesystem::path& path, int flags);
std::string read_at(int descriptor,
                    uint64_t offset,
                    size_t octets,
                    const std::filesystem::path& path);

// False: errno says why.
bool write_at(int descriptor, std::string_view octets, uint64_t offset);
// A file of that name, durable but for the name; what had it before is replaced. Until then it has
// kPartSuffix behind its name. False: errno says why.
inline constexpr std::string_view kPartSuffix = ".part";
bool write_durably(const std::filesystem::path& path, std::string_view octets);
// False: errno says why.
bool sync_spool(const std::filesystem::path& folder);

}  // namespace curlew::probe
