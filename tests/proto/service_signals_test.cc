#include "proto/service_signals.h"

#include <unistd.h>

#include <atomic>
#include <chrono>
#include <thread>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using curlew::proto::ServiceSignals;

namespace {

bool reaches(const std::atomic<int>& count, int wanted) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (count.load() != wanted && std::chrono::steady_clock::now() < deadline) {
        std::this_thread::yield();
    }
    return count.load() == wanted;
}

}  // namespace

TEST_GROUP(ServiceSignals) {
    sigset_t before;
    std::atomic<int> ends{0};
    std::atomic<int> reloads{0};

    void setup() override {
        pthread_sigmask(SIG_SETMASK, nullptr, &before);
    }
    void teardown() override {
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
};

TEST(ServiceSignals, each_has_its_meaning_until_the_end) {
    ServiceSignals signals;
    signals.watch([this] { ++ends; }, [this] { ++reloads; });
    kill(getpid(), SIGHUP);
    CHECK_TRUE(reaches(reloads, 1));
    kill(getpid(), SIGTERM);
    CHECK_TRUE(reaches(ends, 1));
    kill(getpid(), SIGINT);
    CHECK_TRUE(reaches(ends, 2));
    kill(getpid(), SIGUSR2);
    signals.end();
    CHECK_EQUAL(1, reloads.load());
    CHECK_EQUAL(2, ends.load());
}

TEST(ServiceSignals, one_that_came_early_is_not_forgotten) {
    ServiceSignals signals;
    kill(getpid(), SIGTERM);
    signals.watch([this] { ++ends; }, [this] { ++reloads; });
    CHECK_TRUE(reaches(ends, 1));
}

TEST(ServiceSignals, a_reload_before_there_are_any_asks_for_nothing) {
    ServiceSignals::pass_over_reloads();
    kill(getpid(), SIGHUP);
    ServiceSignals signals;
    kill(getpid(), SIGHUP);
    signals.watch([this] { ++ends; }, [this] { ++reloads; });
    CHECK_TRUE(reaches(reloads, 1));
    signals.end();
    CHECK_EQUAL(1, reloads.load());
    CHECK_EQUAL(0, ends.load());
}

TEST(ServiceSignals, a_file_that_grows_too_long_is_an_error_and_no_end) {
    const ServiceSignals signals;
    kill(getpid(), SIGXFSZ);
    kill(getpid(), SIGPIPE);
    struct sigaction now {};
    sigaction(SIGXFSZ, nullptr, &now);
    CHECK_TRUE(now.sa_handler == SIG_IGN);
}

TEST(ServiceSignals, a_stranger_who_sends_what_wakes_the_thread_ends_nobody) {
    // Both may wait when the thread looks; it takes one and is over.
    for (int round = 0; round < 200; ++round) {
        ServiceSignals signals;
        signals.watch([this] { ++ends; }, [this] { ++reloads; });
        kill(getpid(), SIGUSR2);
        signals.end();
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    CHECK_EQUAL(0, ends.load());
    CHECK_EQUAL(0, reloads.load());
}
