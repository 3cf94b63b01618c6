#include "proto/confinement.h"

#include <asm/ioctls.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <stdexcept>
#include <thread>

// There in a build with a sanitizer alone.
extern "C" __attribute__((weak)) void __sanitizer_print_stack_trace();

namespace curlew::proto {

namespace {

namespace fs = std::filesystem;

// The upper half of what is no pointer may be anything.
constexpr uint64_t kWhole = 0xffffffff;
constexpr uint64_t kPointer = ~uint64_t{0};
constexpr uint64_t kSocketType = 0xf;  // without SOCK_CLOEXEC and SOCK_NONBLOCK
constexpr const char* kThreads = "/proc/self/task";
constexpr std::chrono::seconds kPatience{5};

// No path of ours leads here.
constexpr std::array kOnlyIntrudersCall{
    "chroot",     "delete_module", "execve",          "execveat",         "finit_module",
    "fsmount",    "init_module",   "kexec_file_load", "kexec_load",       "mount",
    "move_mount", "open_tree",     "pivot_root",      "process_vm_readv", "process_vm_writev",
    "ptrace",     "setns",         "umount2",         "unshare",
};

// What needs no look at its arguments. Beside what was seen: what an assert or glibc's own abort
// takes, what a name server is asked by, what reads the clock where it cannot be read without a
// call, and other names of the same calls, of other processors and newer C libraries.
constexpr std::array kProcessCalls{
    "brk",
    "clock_gettime",
    "clock_nanosleep",
    "exit",
    "exit_group",
    "futex",
    "getegid",
    "geteuid",
    "getgid",
    "getpid",
    "getrandom",
    "gettid",
    "gettimeofday",
    "getuid",
    "madvise",
    "mlock",  // secret keys, as far as the limit lets it
    "mremap",
    "munlock",
    "munmap",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "sched_getaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "sched_setaffinity",
    "sched_yield",
    "set_robust_list",
    "sysinfo",
    "uname",
};
// As far as the user's own rights and the unit's reach.
constexpr std::array kFileCalls{
    "access",     "close",      "faccessat", "fallocate", "fcntl",      "fdatasync", "flock",
    "fstat",      "fsync",      "ftruncate", "getcwd",    "getdents64", "lseek",     "mkdir",
    "mkdirat",    "newfstatat", "openat",    "pread64",   "pwrite64",   "read",      "readlink",
    "readlinkat", "rename",     "renameat",  "renameat2", "rmdir",      "statfs",    "umask",
    "unlink",     "unlinkat",   "write",     "writev",
};
// The channel, systemd's socket, and the kernel and name servers on addresses.
constexpr std::array kChannelCalls{
    "bind",
    "connect",
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_wait",
    "eventfd2",
    "getpeername",
    "getsockname",
    "getsockopt",
    "poll",
    "ppoll",
    "recvfrom",
    "recvmsg",
    "sendmmsg",
    "sendmsg",
    "sendto",
    "setsockopt",
};

struct ThreadFacts {
    uint64_t permitted = 0;
    uint64_t effective = 0;
    uint64_t inheritable = 0;
    bool no_new_privileges = false;

    bool has_at_most(uint64_t kept) const {
        return no_new_privileges && ((permitted | effective | inheritable) & ~kept) == 0;
    }
};

// False: the thread is gone.
bool read_facts(const fs::path& thread, ThreadFacts& facts) {
    std::ifstream status(thread / "status");
    std::string name;
    std::string value;
    bool is_whole = false;
    while (status >> name && std::getline(status, value)) {
        if (name == "CapInh:") {
            facts.inheritable = std::stoull(value, nullptr, 16);
        } else if (name == "CapPrm:") {
            facts.permitted = std::stoull(value, nullptr, 16);
        } else if (name == "CapEff:") {
            facts.effective = std::stoull(value, nullptr, 16);
        } else if (name == "NoNewPrivs:") {
            facts.no_new_privileges = std::stoi(value) == 1;
            is_whole = true;
        }
    }
    return is_whole;
}

bool is_sanitized() {
    return __sanitizer_print_stack_trace != nullptr;
}

// What the signal below gives to its threads.
std::atomic<uint64_t> kept_by_first{0};
static_assert(std::atomic<uint64_t>::is_always_lock_free);

// The kernel knows privileges of threads alone. Allocates nothing: it runs in a signal's handler.
bool drop_own() noexcept {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> sets{};
    if (syscall(SYS_capget, &header, sets.data()) != 0) {
        return false;
    }
    const uint64_t kept = gettid() == getpid() ? kept_by_first.load() : 0;
    // Who has none need not ask: a unit may forbid that too.
    uint32_t had = 0;
    for (size_t i = 0; i < sets.size(); ++i) {
        had |= sets[i].permitted | sets[i].inheritable;
        sets[i].permitted &= static_cast<uint32_t>(kept >> (32 * i));
        sets[i].effective = sets[i].permitted;
        sets[i].inheritable = 0;
    }
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           (had == 0 || syscall(SYS_capset, &header, sets.data()) == 0);
}

void on_signal(int) {
    const int before = errno;
    drop_own();
    errno = before;
}

// SIGUSR1 means something else again at the end.
class SignalMeaning {
  public:
    explicit SignalMeaning(void (*handler)(int)) {
        struct sigaction action {};
        action.sa_handler = handler;
        action.sa_flags = SA_RESTART;
        sigaction(SIGUSR1, &action, &before_);
    }
    ~SignalMeaning() {
        // One that was on its way is to find no default action.
        if (before_.sa_handler == SIG_DFL) {
            before_.sa_handler = SIG_IGN;
        }
        sigaction(SIGUSR1, &before_, nullptr);
    }
    SignalMeaning(const SignalMeaning&) = delete;
    SignalMeaning& operator=(const SignalMeaning&) = delete;

  private:
    struct sigaction before_ {};
};

// A thread that keeps what it should not, as a number; 0: there is none.
pid_t thread_with_too_much() {
    for (const auto& entry : fs::directory_iterator(kThreads)) {
        const pid_t thread = std::stoi(entry.path().filename().string());
        const uint64_t kept = thread == getpid() ? kept_by_first.load() : 0;
        ThreadFacts facts;
        if (read_facts(entry.path(), facts) && !facts.has_at_most(kept)) {
            return thread;
        }
    }
    return 0;
}

// Others' privileges only they themselves can drop: the signal has them do it.
void drop_privileges(uint64_t first_thread_keeps) {
    kept_by_first.store(first_thread_keeps);
    if (!drop_own()) {
        throw std::runtime_error(
            fmt::format("privileges cannot be dropped: {}", std::strerror(errno)));
    }
    if (is_sanitized()) {
        return;
    }
    const SignalMeaning meaning(on_signal);
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    pid_t asked = 0;
    while (const pid_t thread = thread_with_too_much()) {
        if (std::chrono::steady_clock::now() > deadline) {
            throw std::runtime_error(
                fmt::format("thread {} of {} does not drop its privileges", thread, getpid()));
        }
        if (thread != asked) {
            syscall(SYS_tgkill, getpid(), thread, SIGUSR1);
            asked = thread;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
}

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

void must(int result, const char* what) {
    if (result < 0) {
        throw std::runtime_error(
            fmt::format("system calls cannot be filtered ({}): {}", what, std::strerror(-result)));
    }
}

int number_of(const char* call) {
    const int number = seccomp_syscall_resolve_name(call);
    if (number == __NR_SCMP_ERROR) {
        throw std::runtime_error(
            fmt::format("system calls cannot be filtered: libseccomp knows no call '{}'", call));
    }
    return number;
}

void add(const Filter& filter, uint32_t action, const AllowedCall& call) {
    std::vector<scmp_arg_cmp> wanted;
    for (const CallArgument& argument : call.arguments) {
        wanted.push_back({argument.index, SCMP_CMP_MASKED_EQ, argument.mask, argument.value});
    }
    must(seccomp_rule_add_array(filter.get(),
                                action,
                                number_of(call.name),
                                static_cast<unsigned>(wanted.size()),
                                wanted.data()),
         call.name);
}

void filter_calls(const std::vector<AllowedCall>& more) {
    const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), seccomp_release);
    if (!filter) {
        throw std::runtime_error("system calls cannot be filtered: out of memory");
    }
    // All threads at once.
    must(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1), "all threads");
    // A search instead of a list: most calls are asked for all the time.
    must(seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2), "order");
    for (const char* name : kOnlyIntrudersCall) {
        add(filter, SCMP_ACT_KILL_PROCESS, {name});
    }
    // Its flags are in memory, where no filter sees them: glibc takes clone() instead.
    add(filter, SCMP_ACT_ERRNO(ENOSYS), {"clone3"});
    for (const std::vector<AllowedCall>& calls : {service_calls(), more}) {
        for (const AllowedCall& call : calls) {
            add(filter, SCMP_ACT_ALLOW, call);
        }
    }
    must(seccomp_load(filter.get()), "seccomp");
}

bool kernel_filters_calls() {
    // Without arguments it is refused in any case: how, tells whether it is there.
    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, nullptr, 0, 0) != 0 && errno == EFAULT;
}

}  // namespace

std::vector<AllowedCall> service_calls() {
    std::vector<AllowedCall> calls = {
        // Memory, which is never made into code.
        {"mmap", {{2, PROT_EXEC, 0}}},
        {"mprotect", {{2, PROT_EXEC, 0}}},
        // Threads, but no process of its own.
        {"clone", {{0, CLONE_THREAD, CLONE_THREAD}}},
        {"prctl", {{0, kWhole, PR_SET_NAME}}},
        {"prlimit64", {{2, kPointer, 0}}},
        {"sched_setscheduler", {{1, kWhole, SCHED_OTHER}}},
        // A signal, to itself alone.
        {"tgkill", {{0, kWhole, static_cast<uint64_t>(getpid())}}},
        {"ioctl", {{1, kWhole, FIONREAD}}},
        {"ioctl", {{1, kWhole, TCGETS}}},
        {"socket", {{0, kWhole, AF_UNIX}}},
        {"socket", {{0, kWhole, AF_INET}, {1, kSocketType, SOCK_STREAM}}},
        {"socket", {{0, kWhole, AF_INET}, {1, kSocketType, SOCK_DGRAM}}},
        {"socket", {{0, kWhole, AF_INET6}, {1, kSocketType, SOCK_STREAM}}},
        {"socket", {{0, kWhole, AF_INET6}, {1, kSocketType, SOCK_DGRAM}}},
        {"socket", {{0, kWhole, AF_NETLINK}, {2, kWhole, NETLINK_ROUTE}}},
    };
    for (const std::span<const char* const> names : {std::span<const char* const>(kProcessCalls),
                                                     std::span<const char* const>(kFileCalls),
                                                     std::span<const char* const>(kChannelCalls)}) {
        for (const char* name : names) {
            calls.push_back({name});
        }
    }
    return calls;
}

std::vector<std::string> confine(const Confinement& confinement) {
    drop_privileges(confinement.first_thread_keeps);
    if (is_sanitized()) {
        return {
            "a build with a sanitizer, whose own threads take no signals and which needs other "
            "system calls: older threads keep their privileges, and no call is refused"};
    }
    if (!kernel_filters_calls()) {
        return {"this kernel filters no system calls: all stay allowed"};
    }
    filter_calls(confinement.calls);
    return {};
}

}  // namespace curlew::proto
