#include "probe/privileges.h"

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::probe {
namespace {

// The error of the call in a process of its own that is confined as a probe; -1: where a sanitizer
// needs other calls, nothing is refused.
int error_of(long (*call)()) {
    const pid_t child = fork();
    if (child == 0) {
        if (!proto::confine(confinement()).empty()) {
            _exit(255);
        }
        errno = 0;
        call();
        _exit(errno);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status) == 255 ? -1 : WEXITSTATUS(status);
}

long ask(unsigned long request) {
    ifreq about{};
    std::strcpy(about.ifr_name, "lo");
    return ioctl(socket(AF_INET, SOCK_DGRAM, 0), request, &about);
}

long with_map(int command) {
    bpf_attr nothing{};
    return syscall(SYS_bpf, command, &nothing, sizeof(nothing));
}

}  // namespace

TEST_GROUP(Privileges){};

TEST(Privileges, interfaces_can_be_asked_and_not_be_renamed) {
    const int asked = error_of([] { return ask(SIOCGIFFLAGS); });
    CHECK(asked == 0 || asked == -1);
    const int renamed = error_of([] { return ask(SIOCSIFNAME); });
    CHECK(renamed == EPERM || renamed == -1);
}

TEST(Privileges, a_map_loses_its_sockets_and_no_program_is_loaded) {
    // There is no such map, which the kernel itself says.
    const int deleted = error_of([] { return with_map(BPF_MAP_DELETE_ELEM); });
    CHECK(deleted != EPERM);
    const int loaded = error_of([] { return with_map(BPF_PROG_LOAD); });
    CHECK(loaded == EPERM || loaded == -1);
}

TEST(Privileges, the_first_thread_keeps_one_capability) {
    CHECK_EQUAL(uint64_t{1} << CAP_NET_ADMIN, confinement().first_thread_keeps);
}

}  // namespace curlew::probe
