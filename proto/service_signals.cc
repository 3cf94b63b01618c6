#include "proto/service_signals.h"

#include <utility>

namespace curlew::proto {

namespace {

// Wakes the thread when nothing is left to wait for.
constexpr int kOver = SIGUSR2;

}  // namespace

void ServiceSignals::pass_over_reloads() noexcept {
    signal(SIGHUP, SIG_IGN);
}

ServiceSignals::ServiceSignals() {
    sigemptyset(&signals_);
    for (const int one : {SIGTERM, SIGINT, SIGHUP, kOver}) {
        sigaddset(&signals_, one);
    }
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
}

void ServiceSignals::watch(std::function<void()> on_end, std::function<void()> on_reload) {
    thread_ = std::thread([this, on_end = std::move(on_end), on_reload = std::move(on_reload)] {
        while (true) {
            int which = 0;
            sigwait(&signals_, &which);
            if (over_.load()) {
                return;
            }
            if (which == SIGHUP) {
                on_reload();
            } else if (which != kOver) {
                on_end();
            }
        }
    });
}

void ServiceSignals::end() {
    if (thread_.joinable()) {
        over_.store(true);
        pthread_kill(thread_.native_handle(), kOver);
        thread_.join();
        // Another's kOver may wait for the process still: it would end it once it is let through.
        sigset_t over;
        sigemptyset(&over);
        sigaddset(&over, kOver);
        constexpr timespec kAtOnce{};
        while (sigtimedwait(&over, nullptr, &kAtOnce) > 0) {
        }
    }
}

}  // namespace curlew::proto
