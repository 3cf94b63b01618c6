#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <stdexcept>

#include "tests/dpdk_port/test_eal.h"

namespace curlew::dpdk_port::test {

namespace {

std::unique_ptr<Eal> environment;

}  // namespace

Eal& eal() {
    return *environment;
}

}  // namespace curlew::dpdk_port::test

int main(int argument_count, char** arguments) {
    // What Meson takes for skipped.
    constexpr int kSkipped = 77;
    namespace test = curlew::dpdk_port::test;
    MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();
    try {
        test::environment = std::make_unique<curlew::dpdk_port::Eal>(
            curlew::dpdk_port::EalConfig{.file_prefix = "curlew-test-" + std::to_string(getpid()),
                                         .options = {"--no-huge", "-m", "192"}});
    } catch (const std::runtime_error& error) {
        std::printf("skipped: %s\n", error.what());
        return kSkipped;
    }
    const int failed = CommandLineTestRunner::RunAllTests(argument_count, arguments);
    test::environment.reset();
    return failed;
}
