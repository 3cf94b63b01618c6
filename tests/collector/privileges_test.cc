#include "collector/privileges.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(Privileges){};

TEST(Privileges, it_can_do_what_it_needs_and_packets_are_not_read) {
    CHECK_EQUAL(0, confinement().first_thread_keeps);
    std::array<int, 2> line{};
    CHECK_EQUAL(0, socketpair(AF_UNIX, SOCK_STREAM, 0, line.data()));
    const pid_t child = fork();
    if (child == 0) {
        const bool is_filtered = proto::confine(confinement()).empty();
        const bool lets_in = listen(socket(AF_INET, SOCK_STREAM, 0), 1) == 0;
        const bool shows_out = shutdown(line[0], SHUT_RDWR) == 0;
        const int file = open("/tmp", O_TMPFILE | O_RDWR, 0600);
        const bool keeps_times = file < 0 || futimens(file, nullptr) == 0;
        const bool reads = socket(AF_PACKET, SOCK_RAW, 0) >= 0 || errno != EPERM;
        _exit(lets_in && shows_out && keeps_times && (!is_filtered || !reads) ? 0 : 1);
    }
    int status = 0;
    waitpid(child, &status, 0);
    close(line[0]);
    close(line[1]);
    CHECK_EQUAL(0, status);
}

}  // namespace curlew::collector
