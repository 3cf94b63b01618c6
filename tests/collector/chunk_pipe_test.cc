#include "collector/chunk_pipe.h"

#include <atomic>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

constexpr size_t kChunk = kChunkOctets;

// Different in every place.
std::string octets_in_order(size_t count) {
    std::string octets(count, '\0');
    for (size_t at = 0; at < count; ++at) {
        octets[at] = static_cast<char>((at * 2'654'435'761u) >> 13);
    }
    return octets;
}

}  // namespace

TEST_GROUP(ChunkPipe){};

TEST(ChunkPipe, octets_come_in_order_as_whole_chunks_and_a_rest) {
    for (const size_t count :
         {size_t{0}, size_t{1}, kChunk - 1, kChunk, kChunk + 1, 5 * kChunk, 5 * kChunk + 12'345}) {
        const std::string octets = octets_in_order(count);
        for (const size_t piece : {size_t{1'111}, 2 * kChunk + 5}) {
            std::string taken;
            bool all_whole = true;
            ChunkPipe pipe([&](std::string_view chunk) {
                const auto at = reinterpret_cast<uintptr_t>(chunk.data());
                all_whole = all_whole && chunk.size() == kChunk && at % kChunkAlignment == 0;
                taken += chunk;
            });
            for (size_t at = 0; at < count; at += piece) {
                pipe.write(std::string_view(octets).substr(at, piece));
            }
            const std::string_view rest = pipe.finish();
            CHECK(rest.size() <= kChunk);
            CHECK(all_whole);
            taken += rest;
            CHECK(taken == octets);
        }
    }
}

TEST(ChunkPipe, another_thread_works_and_none_does_while_all_fits_into_one_chunk) {
    const std::thread::id here = std::this_thread::get_id();
    size_t chunks = 0;
    bool elsewhere = true;
    ChunkPipe pipe([&](std::string_view) {
        ++chunks;
        elsewhere = elsewhere && std::this_thread::get_id() != here;
    });
    pipe.write(octets_in_order(kChunk));
    CHECK_EQUAL(kChunk, pipe.finish().size());
    CHECK_EQUAL(0u, chunks);
    pipe.write("x");
    CHECK_EQUAL(1u, pipe.finish().size());
    CHECK_EQUAL(1u, chunks);
    CHECK(elsewhere);
}

TEST(ChunkPipe, what_the_work_throws_is_thrown_to_who_writes_or_finishes) {
    const auto fails = [](std::string_view) { throw std::runtime_error("no room"); };
    const std::string octets = octets_in_order(kChunk + 1);
    ChunkPipe finished(fails);
    finished.write(octets);
    CHECK_THROWS(std::runtime_error, finished.finish());
    ChunkPipe written(fails);
    written.write(octets);
    CHECK_THROWS(std::runtime_error, written.write(octets));
    // Nobody asked.
    ChunkPipe forgotten(fails);
    forgotten.write(octets);
}

TEST(ChunkPipe, its_end_waits_for_the_chunk_that_is_worked_on) {
    std::atomic<bool> begun = false;
    std::atomic<bool> at_end = false;
    std::atomic<bool> ended = false;
    bool ended_before = false;
    {
        ChunkPipe pipe([&](std::string_view) {
            begun = true;
            begun.notify_all();
            at_end.wait(false);
            ended = true;
        });
        pipe.write(octets_in_order(kChunk + 1));
        begun.wait(false);
        ended_before = ended;
        at_end = true;
        at_end.notify_all();
    }
    CHECK(ended);
    CHECK_FALSE(ended_before);
}

}  // namespace curlew::collector
