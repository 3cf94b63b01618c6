#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdlib>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>

namespace curlew::collector {

inline constexpr size_t kChunkOctets = size_t{1} << 20;
// Of chunks in memory, and so in a file: no block device asks for more past the page cache.
inline constexpr size_t kChunkAlignment = 4096;

struct FreeChunk {
    void operator()(char* memory) const noexcept { std::free(memory); }
};
using Chunk = std::unique_ptr<char[], FreeChunk>;

// Throws std::bad_alloc.
Chunk new_chunk();

// Octets from one thread, which calls everything, to work that another one does, chunk by chunk in
// their order: one is filled while the one before is worked on. As long as all fits into one chunk
// there is no other thread.
class ChunkPipe {
  public:
    // Gets whole chunks, in the other thread. What it throws, write() or finish() throw.
    using Work = std::function<void(std::string_view chunk)>;

    // Throws std::bad_alloc.
    explicit ChunkPipe(Work work);
    // Waits for the chunk that is being worked on; what comes behind it is dropped.
    ~ChunkPipe();
    ChunkPipe(const ChunkPipe&) = delete;
    ChunkPipe& operator=(const ChunkPipe&) = delete;

    // Requires: neither has thrown before. May throw std::system_error for want of a thread.
    void write(std::string_view octets);

    // All whole chunks are worked on when it returns: the rest, which is left to who asks, and good
    // until the next write().
    std::string_view finish();

  private:
    void hand_over();
    void wait_until_idle();
    void work_until_over();

    Work work_;
    Chunk filled_;
    Chunk worked_on_;
    size_t used_ = 0;  // of filled_

    std::mutex mutex_;
    std::condition_variable changed_;
    bool is_waiting_ = false;  // worked_on_ for its work, or in it
    bool over_ = false;
    std::exception_ptr fault_;
    std::thread thread_;  // last: it uses all the others
};

}  // namespace curlew::collector
