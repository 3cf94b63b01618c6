#include "probe/thread_placement.h"

#include <sched.h>

#include <stdexcept>
#include <thread>

#include "tests/support/cpputest.h"

using namespace curlew::probe;

TEST_GROUP(ThreadPlacement){};

TEST(ThreadPlacement, a_core_that_is_not_there_is_refused_by_its_number) {
    try {
        require_cores({1000});
        FAIL("core 1000 was taken");
    } catch (const std::runtime_error& error) {
        STRCMP_EQUAL("core 1000: this process may not run on it", error.what());
    }
    CHECK_THROWS(std::runtime_error, require_cores({-1}));
    require_cores({});
}

TEST(ThreadPlacement, a_pinned_thread_runs_on_its_core_alone) {
    std::thread([] {
        const int here = sched_getcpu();
        require_cores({here});
        pin_this_thread(here);
        cpu_set_t allowed;
        sched_getaffinity(0, sizeof(allowed), &allowed);
        CHECK_EQUAL(1, CPU_COUNT(&allowed));
        CHECK_TRUE(CPU_ISSET(static_cast<size_t>(here), &allowed));
    }).join();
}
