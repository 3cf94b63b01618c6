#include "proto/confinement.h"

#include <linux/capability.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::proto {
namespace {

constexpr int kUnfiltered = 77;

// How a process of its own ends that is confined and then does this: it cannot be undone.
int status_of(const std::function<int()>& deed, const Confinement& confinement = {}) {
    const pid_t child = fork();
    if (child == 0) {
        int code = 99;
        try {
            code = confine(confinement).empty() ? deed() : kUnfiltered;
        } catch (const std::exception&) {
            code = 98;
        }
        _exit(code);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
}

bool is_unfiltered(int status) {
    return WIFEXITED(status) && WEXITSTATUS(status) == kUnfiltered;
}

// Where nothing is filtered, for a sanitizer, there is nothing to be refused.
void check_refused(const std::function<long()>& call) {
    const int status = status_of([&call] { return call() == -1 && errno == EPERM ? 0 : 1; });
    CHECK(is_unfiltered(status) || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
}

void check_killed(const std::function<void()>& call) {
    const int status = status_of([&call] {
        call();
        return 1;
    });
    CHECK(is_unfiltered(status) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS));
}

std::string of_thread(pid_t thread, const std::string& name) {
    std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/status");
    std::string word;
    while (file >> word) {
        if (word == name + ":" && file >> word) {
            return word;
        }
    }
    return {};
}

// In every thread.
bool all_have(const std::string& name, const std::string& value) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
        if (of_thread(std::stoi(entry.path().filename().string()), name) != value) {
            return false;
        }
    }
    return true;
}

const std::string kNothing = "0000000000000000";

}  // namespace

TEST_GROUP(Confinement){};

TEST(Confinement, what_a_service_does_goes_on) {
    const int status = status_of([] {
        std::atomic<bool> has_run{false};
        std::thread([&has_run] { has_run = true; }).join();
        std::ofstream("/dev/null") << std::string(1 << 20, 'x');
        const int channel = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        return has_run && channel >= 0 ? 0 : 1;
    });
    CHECK(is_unfiltered(status) || status == 0);
}

TEST(Confinement, other_sockets_are_refused) {
    check_refused([] { return socket(AF_PACKET, SOCK_RAW, 0); });
    check_refused([] { return socket(AF_INET, SOCK_RAW, IPPROTO_TCP); });
    check_refused([] { return socket(AF_VSOCK, SOCK_STREAM, 0); });
    check_refused([] { return socket(AF_NETLINK, SOCK_RAW, 12); });  // netfilter's
}

TEST(Confinement, nobody_is_let_in_unless_it_is_listed) {
    const auto listens = [] { return listen(socket(AF_INET, SOCK_STREAM, 0), 1) == 0 ? 0 : 1; };
    const int without = status_of(listens);
    CHECK(is_unfiltered(without) || WEXITSTATUS(without) == 1);
    const int with = status_of(listens, {.calls = {{"listen"}}});
    CHECK(is_unfiltered(with) || with == 0);
}

TEST(Confinement, memory_never_becomes_code) {
    check_refused([] {
        return mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                       MAP_FAILED
                   ? -1
                   : 0;
    });
    check_refused([] {
        void* page = mmap(nullptr, 4096, PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        return mprotect(page, 4096, PROT_READ | PROT_EXEC);
    });
}

TEST(Confinement, no_process_is_made_no_program_loaded_no_other_touched) {
    check_refused([] { return fork(); });
    check_refused([] { return kill(getppid(), 0); });
    check_refused([] { return syscall(SYS_bpf, 0, nullptr, 0); });
    check_refused([] { return syscall(SYS_io_uring_setup, 1, nullptr); });
    check_refused([] { return syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0); });
    check_refused([] { return prctl(PR_SET_DUMPABLE, 0); });
}

TEST(Confinement, a_bug_aborts_as_ever) {
    const int status = status_of([]() -> int { std::abort(); });
    CHECK(is_unfiltered(status) || (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT));
}

TEST(Confinement, what_only_an_intruder_calls_ends_the_process) {
    check_killed([] { execl("/bin/true", "true", nullptr); });
    check_killed([] { syscall(SYS_ptrace, 0, 0, 0, 0); });
    check_killed([] { syscall(SYS_mount, "none", "/", "tmpfs", 0, nullptr); });
    check_killed([] { syscall(SYS_finit_module, -1, "", 0); });
    check_killed([] { syscall(SYS_unshare, 0); });
}

// A thread that was there before, as those of DPDK's environment are, the one that asks, one that
// comes later: none may keep anything. As another user there is nothing to lose.
TEST(Confinement, holds_in_every_thread) {
    const pid_t child = fork();
    if (child == 0) {
        std::atomic<bool> is_over{false};
        std::atomic<bool> is_there{false};
        std::thread before([&] {
            is_there = true;
            while (!is_over) {
                std::this_thread::yield();
            }
        });
        while (!is_there) {
            std::this_thread::yield();
        }
        bool is_filtered = false;
        bool holds = false;
        std::thread([&] {
            is_filtered = confine({}).empty();
            std::thread([&] {
                holds = all_have("NoNewPrivs", "1") && all_have("CapEff", kNothing) &&
                        all_have("CapPrm", kNothing) && all_have("CapInh", kNothing) &&
                        all_have("Seccomp", "2");
            }).join();
        }).join();
        is_over = true;
        before.join();
        _exit(holds || !is_filtered ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_EQUAL(0, status);
}

TEST(Confinement, the_first_thread_keeps_what_is_listed_and_it_has) {
    const std::string before = of_thread(getpid(), "CapPrm");
    const uint64_t wanted = uint64_t{1} << CAP_NET_ADMIN;
    const uint64_t had = std::stoull(before, nullptr, 16) & wanted;
    const pid_t child = fork();
    if (child == 0) {
        bool is_filtered = false;
        bool holds = false;
        std::thread([&] {
            is_filtered = confine({.first_thread_keeps = wanted}).empty();
            holds = of_thread(gettid(), "CapEff") == kNothing;
        }).join();
        const uint64_t kept = std::stoull(of_thread(getpid(), "CapEff"), nullptr, 16);
        _exit(holds && (kept == had || !is_filtered) ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_EQUAL(0, status);
}

TEST(Confinement, a_call_that_there_is_not_is_a_bug_that_is_told) {
    const int status = status_of([] { return 0; }, {.calls = {{"no_such_call"}}});
    CHECK(is_unfiltered(status) || WEXITSTATUS(status) == 98);
}

}  // namespace curlew::proto
