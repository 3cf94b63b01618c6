#include "proto/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::proto;

TEST_GROUP(ServiceManager) {
    curlew::tests::TemporaryFolder folder;
    int manager = -1;

    void setup() override {
        const std::string path = (folder.path() / "notify").string();
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        manager = socket(AF_UNIX, SOCK_DGRAM, 0);
        CHECK_EQUAL(0, bind(manager, reinterpret_cast<const sockaddr*>(&address), sizeof(address)));
        setenv("NOTIFY_SOCKET", path.c_str(), 1);
    }
    void teardown() override {
        unsetenv("NOTIFY_SOCKET");
        unsetenv("WATCHDOG_USEC");
        close(manager);
    }
    std::string told() const {
        char text[256];
        const ssize_t octets = recv(manager, text, sizeof(text), MSG_DONTWAIT);
        return octets < 0 ? "nothing" : std::string(text, static_cast<size_t>(octets));
    }
};

TEST(ServiceManager, is_told_what_a_service_does) {
    notify_ready();
    STRCMP_EQUAL("READY=1", told().c_str());
    notify_status("all is well\nREADY=1");
    STRCMP_EQUAL("STATUS=all is well", told().c_str());
    notify_alive();
    STRCMP_EQUAL("WATCHDOG=1", told().c_str());
    notify_stopping();
    STRCMP_EQUAL("STOPPING=1", told().c_str());
    notify_reloading();
    CHECK(told().starts_with("RELOADING=1\nMONOTONIC_USEC="));
}

TEST(ServiceManager, may_live_in_the_abstract_name_space) {
    const std::string name = "curlew-manager-" + std::to_string(getpid());
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name.copy(address.sun_path + 1, sizeof(address.sun_path) - 1);
    const auto octets = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    close(manager);
    manager = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQUAL(0, bind(manager, reinterpret_cast<const sockaddr*>(&address), octets));
    setenv("NOTIFY_SOCKET", ("@" + name).c_str(), 1);
    notify_ready();
    STRCMP_EQUAL("READY=1", told().c_str());
}

// A container runtime may hand on its own socket.
TEST(ServiceManager, one_that_does_not_read_holds_up_nobody) {
    const auto begin = std::chrono::steady_clock::now();
    for (int second = 0; second < 5000; ++second) {
        notify_status("all is well");
        notify_alive();
    }
    notify_stopping();
    CHECK(std::chrono::steady_clock::now() - begin < std::chrono::minutes(1));
    STRCMP_EQUAL("STATUS=all is well", told().c_str());
}

TEST(ServiceManager, a_place_that_cannot_be_one_is_none) {
    for (const std::string& place : {std::string("vsock:2:1234"), "/" + std::string(200, 'x')}) {
        setenv("NOTIFY_SOCKET", place.c_str(), 1);
        notify_ready();
    }
    STRCMP_EQUAL("nothing", told().c_str());
}

TEST(ServiceManager, says_how_often_it_wants_to_hear) {
    CHECK_EQUAL(0, watchdog_interval().count());
    setenv("WATCHDOG_USEC", "30000000", 1);
    CHECK_EQUAL(15'000'000, watchdog_interval().count());
}

TEST(ServiceManager, without_one_nothing_happens) {
    unsetenv("NOTIFY_SOCKET");
    notify_ready();
    STRCMP_EQUAL("nothing", told().c_str());
}
