#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

// The signals of a service, taken by a thread of its own, so that nothing runs in a handler.

namespace curlew::proto {

class ServiceSignals {
  public:
    // A service begins: until one of these is made, which takes as long as signatures take to be
    // compiled, SIGHUP asks for nothing, and ends neither this process nor its children.
    static void pass_over_reloads() noexcept;

    // From now on SIGTERM, SIGINT and SIGHUP wait, in this thread and in those that it starts, and
    // SIGPIPE and SIGXFSZ are ignored: what they tell comes as an error, too. One in a process,
    // made before any other thread.
    ServiceSignals();
    ~ServiceSignals() { end(); }
    ServiceSignals(const ServiceSignals&) = delete;
    ServiceSignals& operator=(const ServiceSignals&) = delete;

    // Calls `on_end` for SIGTERM and SIGINT, `on_reload` for SIGHUP, in the thread that waits for
    // them. Call once.
    void watch(std::function<void()> on_end, std::function<void()> on_reload);

    // Afterwards nothing is called any more, and what it called upon may go.
    void end();

  private:
    sigset_t signals_;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

}  // namespace curlew::proto
