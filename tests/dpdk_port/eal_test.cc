#include "dpdk_port/eal.h"

#include <algorithm>

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

constexpr uint64_t kPlenty = 1ULL << 30;

bool has(const EalPlan& plan, const std::string& argument) {
    return std::ranges::find(plan.arguments, argument) != plan.arguments.end();
}

bool begins_one(const EalPlan& plan, const std::string& start) {
    return std::ranges::any_of(plan.arguments,
                               [&](const std::string& one) { return one.starts_with(start); });
}

}  // namespace

TEST_GROUP(EalPlan){};

TEST(EalPlan, huge_pages_are_used_where_they_are) {
    const EalPlan plan = plan_eal({}, kPlenty, 0);
    CHECK(has(plan, "--in-memory"));
    CHECK(!has(plan, "--no-huge"));
    CHECK_EQUAL(std::string(), plan.notice);
}

TEST(EalPlan, goes_without_huge_pages_and_says_so) {
    const EalPlan plan = plan_eal({}, 0, 0);
    CHECK(has(plan, "--no-huge"));
    CHECK(has(plan, "-m"));
    CHECK(has(plan, "512"));
    CHECK(!has(plan, "--in-memory"));
    CHECK(plan.notice.find("512 MiB of ordinary memory") != std::string::npos);
    CHECK(plan.notice.find("vm.nr_hugepages") != std::string::npos);
}

TEST(EalPlan, a_few_huge_pages_are_none) {
    CHECK(has(plan_eal({}, 8 << 20, 0), "--no-huge"));
}

TEST(EalPlan, the_users_memory_options_win) {
    for (const char* option : {"--in-memory", "--huge-dir=/mnt", "--socket-mem=64"}) {
        const EalPlan plan = plan_eal({.options = {option}}, 0, 0);
        CHECK(!has(plan, "--no-huge"));
        CHECK(!has(plan, "-m"));
        CHECK_EQUAL(std::string(), plan.notice);
    }
    const EalPlan ordinary = plan_eal({.options = {"--no-huge"}}, kPlenty, 0);
    CHECK(!has(ordinary, "--in-memory"));
    CHECK(has(ordinary, "512"));
    const EalPlan amount = plan_eal({.options = {"-m", "64"}}, 0, 0);
    CHECK(has(amount, "--no-huge"));
    CHECK(!has(amount, "512"));
    CHECK_EQUAL(1, std::ranges::count(amount.arguments, "-m"));
}

TEST(EalPlan, the_users_options_stand_last) {
    const EalPlan plan = plan_eal({.options = {"--log-level=debug"}}, 0, 0);
    CHECK_EQUAL(std::string("--log-level=debug"), plan.arguments.back());
    CHECK(has(plan, "--log-level=warning"));
}

TEST(EalPlan, cards_are_let_in_by_address_only) {
    const EalPlan none = plan_eal({.devices = {"net_pcap0,rx_pcap=/a"}}, 0, 0);
    CHECK(has(none, "--no-pci"));
    CHECK(!has(none, "-a"));
    const EalPlan one = plan_eal({.devices = {"0000:03:00.0,key=1", "net_null0"}}, 0, 0);
    CHECK(!has(one, "--no-pci"));
    CHECK(has(one, "-a"));
    CHECK(has(one, "0000:03:00.0,key=1"));
    CHECK(!has(plan_eal({.options = {"-a", "0000:04:00.0"}}, 0, 0), "--no-pci"));
}

TEST(EalPlan, telemetry_is_off_unless_asked_for) {
    CHECK(has(plan_eal({}, 0, 0), "--no-telemetry"));
    CHECK(!has(plan_eal({.options = {"--telemetry"}}, 0, 0), "--no-telemetry"));
}

TEST(EalPlan, has_one_lcore_on_a_cpu_of_ours) {
    CHECK(has(plan_eal({}, 0, 5), "--lcores=0@5"));
    CHECK(!begins_one(plan_eal({.options = {"-l", "3"}}, 0, 5), "--lcores"));
}

TEST(EalPlan, carries_the_file_prefix) {
    CHECK(has(plan_eal({.file_prefix = "probe-a"}, 0, 0), "--file-prefix=probe-a"));
    CHECK(!begins_one(plan_eal({}, 0, 0), "--file-prefix"));
    const EalPlan own = plan_eal({.file_prefix = "a", .options = {"--file-prefix=b"}}, 0, 0);
    CHECK(!has(own, "--file-prefix=a"));
}

}  // namespace curlew::dpdk_port
