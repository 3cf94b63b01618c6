#include "signatures/bounded_child.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <fstream>
#include <new>
#include <stdexcept>
#include <string_view>

// There in a build with a sanitizer alone.
extern "C" __attribute__((weak)) void __sanitizer_print_stack_trace();

namespace curlew::signatures {
namespace {

using Clock = std::chrono::steady_clock;

// Exit codes of the child.
constexpr int kDone = 0;
constexpr int kThrew = 3;  // the answer is what it said
constexpr int kOutOfMemory = 4;
constexpr int kNobodyListens = 5;

// Closed with the object.
struct Descriptor {
    explicit Descriptor(int opened) : number(opened) {}
    ~Descriptor() { shut(); }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;

    void shut() {
        if (number >= 0) {
            ::close(number);
        }
        number = -1;
    }

    int number;
};

void limit(__rlimit_resource which, rlim_t told, rlim_t enforced) {
    rlimit both{};
    ::getrlimit(which, &both);
    both.rlim_max = std::min(both.rlim_max, enforced);
    both.rlim_cur = std::min(both.rlim_max, told);
    ::setrlimit(which, &both);
}

uint64_t mapped_octets() {
    uint64_t pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    return pages * static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
}

void bind_itself(const ChildBounds& bounds) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    limit(RLIMIT_CORE, 0, 0);
    // At the first the signal says why, at the second the kernel kills.
    const auto seconds = static_cast<rlim_t>(bounds.processor.count());
    limit(RLIMIT_CPU, seconds, seconds + 1);
    if (__sanitizer_print_stack_trace == nullptr) {
        const rlim_t octets = mapped_octets() + bounds.memory_octets;
        limit(RLIMIT_AS, octets, octets);
    }
    // Whoever catches the exception, as Hyperscan does, would call it something else.
    std::set_new_handler([] { ::_exit(kOutOfMemory); });
}

void write_all(int file, std::string_view octets) {
    while (!octets.empty()) {
        const ssize_t written = ::write(file, octets.data(), octets.size());
        if (written <= 0) {
            ::_exit(kNobodyListens);
        }
        octets.remove_prefix(static_cast<size_t>(written));
    }
}

[[noreturn]] void be_the_child(const ChildBounds& bounds,
                               const std::function<std::string()>& work,
                               int file) {
    int code = kDone;
    try {
        bind_itself(bounds);
        write_all(file, work());
    } catch (const std::bad_alloc&) {
        code = kOutOfMemory;
    } catch (const std::exception& error) {
        write_all(file, error.what());
        code = kThrew;
    }
    // Nothing of the parent's is put in order twice.
    ::_exit(code);
}

enum class End { whole, too_long, too_late };

End read_answer(int file, const ChildBounds& bounds, std::string& answer) {
    const auto deadline = Clock::now() + bounds.patience;
    std::array<char, 65536> part;
    while (true) {
        const auto left =
            std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now());
        if (left.count() <= 0) {
            return End::too_late;
        }
        pollfd wanted{file, POLLIN, 0};
        if (::poll(&wanted, 1, static_cast<int>(left.count())) <= 0) {
            continue;
        }
        const ssize_t count = ::read(file, part.data(), part.size());
        if (count == 0) {
            return End::whole;
        }
        if (count > 0) {
            answer.append(part.data(), static_cast<size_t>(count));
        } else if (errno != EINTR) {
            return End::whole;
        }
        if (answer.size() > bounds.answer_octets) {
            return End::too_long;
        }
    }
}

std::string how_it_died(int signal, const ChildBounds& bounds) {
    return signal == SIGXCPU ? "it takes more than " + std::to_string(bounds.processor.count()) +
                                   " s of a processor"
                             : std::string("its process died: ") + ::strsignal(signal);
}

}  // namespace

std::string run_bounded(const ChildBounds& bounds, const std::function<std::string()>& work) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        throw std::runtime_error(std::string("no pipe to a child process: ") +
                                 std::strerror(errno));
    }
    Descriptor ours(ends[0]);
    Descriptor theirs(ends[1]);
    const pid_t child = ::fork();
    if (child < 0) {
        throw std::runtime_error(std::string("no child process: ") + std::strerror(errno));
    }
    if (child == 0) {
        be_the_child(bounds, work, theirs.number);
    }
    theirs.shut();
    std::string answer;
    const End end = read_answer(ours.number, bounds, answer);
    if (end != End::whole) {
        ::kill(child, SIGKILL);
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (end == End::too_late) {
        throw std::runtime_error("it takes longer than " + std::to_string(bounds.patience.count()) +
                                 " s");
    }
    if (end == End::too_long) {
        throw std::runtime_error("the result has more than " +
                                 std::to_string(bounds.answer_octets >> 20) + " MiB");
    }
    if (WIFSIGNALED(status)) {
        const int signal = WTERMSIG(status);
        const std::string sentence = how_it_died(signal, bounds);
        if (signal == SIGKILL || signal == SIGTERM || signal == SIGINT || signal == SIGHUP) {
            throw ChildKilled(sentence);
        }
        throw std::runtime_error(sentence);
    }
    switch (WEXITSTATUS(status)) {
        case kDone:
            return answer;
        case kThrew:
            throw std::runtime_error(answer);
        case kOutOfMemory:
            throw std::runtime_error("it needs more than " +
                                     std::to_string(bounds.memory_octets >> 20) + " MiB of memory");
        default:
            throw std::runtime_error("the child process failed with exit code " +
                                     std::to_string(WEXITSTATUS(status)));
    }
}

}  // namespace curlew::signatures
