#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

// What a service can still ask of the kernel once it reads what strangers sent: whoever takes it
// over by a packet or a frame gets no further than this.
//
// - No new privileges, in any thread.
// - No capability, in any thread; but those of `first_thread_keeps` in the first one.
// - Of the system calls those listed, in any thread, those there are and those to come. Another one
//   fails with EPERM: an oversight costs what asked for it, and not the months that a probe runs. A
//   call that only an intruder makes (another program, another process's memory, kernel modules,
//   mounts, namespaces) ends the process, so that it is seen. Memory never becomes code.
//
// How the lists were found, and are found anew: with the filter in force, run the end-to-end tests
// with the service under
//
//     strace -f -o FILE curlew-probe ...
//
// in each of the ways it is used, and read what follows the call `seccomp(` in FILE; what the list
// lacks there ends with EPERM.

namespace curlew::proto {

// An argument of a call: (argument & mask) == value.
struct CallArgument {
    unsigned index;
    uint64_t mask;
    uint64_t value;
};

struct AllowedCall {
    const char* name;
    // All must hold; none: whatever they are. A call that is listed twice may be either.
    std::vector<CallArgument> arguments = {};
};

struct Confinement {
    std::vector<AllowedCall> calls;   // besides service_calls()
    uint64_t first_thread_keeps = 0;  // of the capabilities that it has: 1 << CAP_...
};

// What every service needs: memory, threads, time, files, the channel, a word for systemd, and to
// end, well or by an assert.
std::vector<AllowedCall> service_calls();

// Confines this process, for good. Returns what is not possible here and why, a sentence each: a
// kernel without system call filters, a build with a sanitizer. Throws std::runtime_error with one
// sentence where it should have worked: then nothing may be received.
// Requires: every other thread takes SIGUSR1, for which nobody else waits.
std::vector<std::string> confine(const Confinement& confinement);

}  // namespace curlew::proto
