#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>

// Work whose cost nobody knows beforehand, done by a child process: whatever becomes of it, this
// process goes on, after a bounded time.

namespace curlew::signatures {

struct ChildBounds {
    uint64_t memory_octets = uint64_t{1} << 30;  // more than this process has mapped
    std::chrono::seconds processor{60};
    std::chrono::seconds patience{120};  // on the clock, whatever the child waits for
    uint64_t answer_octets = uint64_t{512} << 20;
};

// Somebody else ended the child: the next one may well get through.
class ChildKilled : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

// What `work` returns, in the child. Throws std::runtime_error with one sentence: what the work
// itself threw, which bound it came to, or how it died; ChildKilled where it died of a signal that
// people and systems send. In a build with a sanitizer, which maps terabytes, memory has no bound.
// Requires: no other thread of this process is needed by the work.
std::string run_bounded(const ChildBounds& bounds, const std::function<std::string()>& work);

}  // namespace curlew::signatures
