#include "signatures/bounded_child.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

// There in a build with a sanitizer alone.
extern "C" __attribute__((weak)) void __sanitizer_print_stack_trace();

namespace curlew::signatures {
namespace {

std::string failure_of(const std::function<std::string()>& work, const ChildBounds& bounds = {}) {
    try {
        run_bounded(bounds, work);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return {};
}

}  // namespace

TEST_GROUP(BoundedChild){};

TEST(BoundedChild, what_the_work_returns_comes_back_and_nothing_else_of_it) {
    int here = 1;
    const std::string long_answer(3 << 20, 'x');
    const std::string answer = run_bounded({}, [&] {
        here = 2;
        return long_answer;
    });
    CHECK(answer == long_answer);
    CHECK_EQUAL(1, here);
    CHECK(run_bounded({}, [] { return std::string(); }).empty());
}

TEST(BoundedChild, what_the_work_throws_is_thrown) {
    STRCMP_EQUAL("no", failure_of([]() -> std::string { throw std::runtime_error("no"); }).c_str());
}

TEST(BoundedChild, memory_has_a_bound) {
    if (__sanitizer_print_stack_trace != nullptr) {
        return;
    }
    const auto swallow = []() -> std::string {
        std::vector<std::string> more;
        while (true) {
            more.emplace_back(1 << 20, 'x');
        }
    };
    STRCMP_EQUAL("it needs more than 64 MiB of memory",
                 failure_of(swallow, {.memory_octets = 64 << 20}).c_str());
}

TEST(BoundedChild, the_processor_has_a_bound) {
    const auto turn = []() -> std::string {
        for (std::atomic<uint64_t> turns = 0;; ++turns) {
        }
    };
    STRCMP_EQUAL("it takes more than 1 s of a processor",
                 failure_of(turn, {.processor = std::chrono::seconds(1)}).c_str());
}

TEST(BoundedChild, patience_has_a_bound) {
    const auto sleep = []() -> std::string {
        while (true) {
            ::pause();
        }
    };
    STRCMP_EQUAL("it takes longer than 1 s",
                 failure_of(sleep, {.patience = std::chrono::seconds(1)}).c_str());
}

TEST(BoundedChild, the_answer_has_a_bound) {
    STRCMP_EQUAL(
        "the result has more than 1 MiB",
        failure_of([] { return std::string(8 << 20, 'x'); }, {.answer_octets = 1 << 20}).c_str());
}

TEST(BoundedChild, a_death_is_told) {
    const auto die_of = [](int signal) {
        return [signal]() -> std::string {
            ::raise(signal);
            return {};
        };
    };
    STRCMP_CONTAINS("its process died: ", failure_of(die_of(SIGKILL)).c_str());
    // Who is told to end is not at fault, who falls is.
    CHECK_THROWS(ChildKilled, run_bounded({}, die_of(SIGKILL)));
    try {
        run_bounded({}, die_of(SIGSYS));
        FAIL("it fell");
    } catch (const ChildKilled&) {
        FAIL("nobody killed it");
    } catch (const std::runtime_error& error) {
        STRCMP_CONTAINS("its process died: ", error.what());
    }
    STRCMP_CONTAINS("exit code 7", failure_of([]() -> std::string { ::_exit(7); }).c_str());
}

}  // namespace curlew::signatures
