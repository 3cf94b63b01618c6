#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

// What a body of a frame may hold at most: who writes one keeps these, who reads one refuses more.

namespace curlew::proto {

// Of a record.
inline constexpr int kMaximumListedPackets = 1024;
inline constexpr int kMaximumMatches = 64;
inline constexpr int kMaximumIpIds = 1024;
inline constexpr int kMaximumVlans = 8;
inline constexpr int kMaximumIcmpTypes = 256;
inline constexpr int kMaximumTunnels = 8;
inline constexpr size_t kMaximumFirstPacketOctets = 2048;
inline constexpr size_t kMaximumTcpOptionOctets = 40;
inline constexpr int kMaximumMessages = 512;
inline constexpr size_t kMaximumMessageOctets = 64 * 1024;  // of all together
// Of one count of octets or packets: sums of them neither overflow nor lose digits as a double.
inline constexpr uint64_t kMaximumCount = uint64_t{1} << 53;

// Of a ledger.
inline constexpr int kMaximumReasons = 256;
inline constexpr int kMaximumLosses = 2048;
inline constexpr int kMaximumClockSteps = 32;
inline constexpr int kMaximumInDoubt = 4096;
inline constexpr int kMaximumRecordingFiles = 1024;

// Of a hello.
inline constexpr int kMaximumSettings = 256;
inline constexpr int kMaximumPorts = 256;
inline constexpr size_t kMaximumSettingOctets = 4096;

// Of any other text: names, reasons, sentences.
inline constexpr size_t kMaximumTextOctets = 512;

// A longer text without its end, "..." instead; the cut goes by octets. Requires: most >= 3.
std::string bounded(std::string_view text, size_t most = kMaximumTextOctets);

}  // namespace curlew::proto
