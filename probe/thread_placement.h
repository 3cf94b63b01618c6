#pragma once

#include <cstdint>
#include <vector>

// Where threads run, and how they wait when there is nothing to do.

namespace curlew::probe {

// Throws std::runtime_error when this process may not run on one of the cores.
void require_cores(const std::vector<int>& cores);

// Keeps the calling thread on a core. Memory that it touches first is then near it.
// Requires: require_cores() took it.
void pin_this_thread(int core) noexcept;

// Many looks in vain in a row end in sleep; a find ends the row.
class IdlePause {
  public:
    // 0: never sleeps.
    explicit IdlePause(uint32_t sleep_us) noexcept : sleep_us_(sleep_us) {}

    void found() noexcept { in_vain_ = 0; }
    void wait() noexcept;

  private:
    uint32_t sleep_us_;
    uint32_t in_vain_ = 0;
};

}  // namespace curlew::probe
