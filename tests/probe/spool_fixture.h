#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "probe/spool.h"
#include "proto/frame.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// A spool of one probe, and what the next run finds in it.

namespace curlew::tests {

inline constexpr uint64_t kProbe = 7;
inline constexpr uint64_t kEpoch = 99;
inline constexpr uint64_t kSegment = 4096;

inline std::string frame(proto::FrameKind kind,
                         uint64_t first,
                         uint32_t records,
                         const std::string& body,
                         uint64_t epoch = kEpoch) {
    std::string octets;
    proto::append_frame({kind, kProbe, epoch, first, records},
                        {reinterpret_cast<const uint8_t*>(body.data()), body.size()},
                        octets);
    return octets;
}

inline std::string hello(uint64_t epoch = kEpoch) {
    return frame(proto::FrameKind::hello, 1, 0, "who I am", epoch);
}

inline std::string batch(uint64_t first, size_t octets = 500, uint64_t epoch = kEpoch) {
    return frame(proto::FrameKind::batch, first, 10, std::string(octets, 'b'), epoch);
}

inline void wait_for_sync(const probe::Spool& spool, uint64_t sequence) {
    while (spool.synced() < sequence) {
        std::this_thread::yield();
    }
}

struct SpoolFixture : Utest {
    TemporaryFolder temporary;
    std::filesystem::path folder = temporary.path() / "deep/spool";
    std::vector<std::string> problems;

    // What the next run finds: "epoch first-last first-last; ...".
    std::string left() {
        probe::SpoolFolder opened(folder);
        problems.clear();
        std::string text;
        for (const probe::SpooledRun& run : opened.left(problems)) {
            CHECK_EQUAL(kProbe, run.probe_id);
            STRCMP_EQUAL("who I am", run.hello.c_str());
            text += std::to_string(run.epoch);
            for (const probe::SpooledRun::Frame& one : run.frames) {
                text += " " + std::to_string(one.first_sequence) + "-" +
                        std::to_string(one.last_sequence);
            }
            text += "; ";
        }
        return text;
    }

    // Batches of ten records each, and the place of the last.
    void spool_batches(probe::Spool& spool, int count) {
        for (int i = 0; i < count; ++i) {
            const auto first = static_cast<uint64_t>(i) * 10 + 1;
            spool.append(batch(first), first, first + 9);
        }
        wait_for_sync(spool, static_cast<uint64_t>(count) * 10);
    }

    // A run of so many batches that ends without a word, as a killed one does.
    void killed_run(int count) {
        probe::SpoolFolder opened(folder);
        probe::Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, count);
    }
    // One that ends when a collector has all up to `acknowledged`.
    void ended_run(int count, uint64_t acknowledged) {
        probe::SpoolFolder opened(folder);
        probe::Spool spool(opened, kEpoch, hello(), kSegment);
        spool_batches(spool, count);
        spool.finish(acknowledged);
    }

    std::filesystem::path segment(uint64_t number) {
        std::vector<std::filesystem::path> found;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().extension() == ".spool") {
                found.push_back(entry.path());
            }
        }
        std::sort(found.begin(), found.end());
        return found.at(number);
    }

    size_t segments() {
        size_t count = 0;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            count += entry.path().extension() == ".spool" ? 1 : 0;
        }
        return count;
    }
};

}  // namespace curlew::tests
