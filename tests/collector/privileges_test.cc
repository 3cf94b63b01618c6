#include "collector/privileges.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(Privileges){};

TEST(Privileges, probes_are_let_in_and_shown_out_and_packets_are_not_read) {
    CHECK_EQUAL(0, confinement().first_thread_keeps);
    const pid_t child = fork();
    if (child == 0) {
        const bool is_filtered = proto::confine(confinement()).empty();
        const bool lets_in = listen(socket(AF_INET, SOCK_STREAM, 0), 1) == 0;
        std::array<int, 2> line{};
        const bool shows_out = socketpair(AF_UNIX, SOCK_STREAM, 0, line.data()) == 0 &&
                               shutdown(line[0], SHUT_RDWR) == 0;
        const bool reads = socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM;
        _exit(lets_in && shows_out && (!is_filtered || !reads) ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK_EQUAL(0, status);
}

}  // namespace curlew::collector
