#include <CppUTest/CommandLineTestRunner.h>
#include <CppUTest/MemoryLeakWarningPlugin.h>

// For the sources after it, when several are compiled as one.
#include "tests/support/cpputest.h"

// CppUTest's own new and delete hide heap overflows from the sanitizers, so they are always off;
// leaks are found by the sanitizer suites.
int main(int argument_count, char** arguments) {
    MemoryLeakWarningPlugin::turnOffNewDeleteOverloads();
    return CommandLineTestRunner::RunAllTests(argument_count, arguments);
}
