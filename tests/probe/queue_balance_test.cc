#include "probe/queue_balance.h"

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace std::chrono_literals;

TEST_GROUP(QueueBalance) {
    std::vector<PortCounters> queues = std::vector<PortCounters>(5);
    QueueBalance balance{{"eth1", "eth1", "eth1", "eth1", "eth2"}};
    QueueBalance::Clock::time_point now{};

    // What is said after an interval in which the queues received so many thousands.
    std::vector<std::string> after(const std::vector<uint64_t>& thousands) {
        if (now == QueueBalance::Clock::time_point{}) {
            CHECK(balance.look(queues, now).empty());
        }
        for (size_t i = 0; i < thousands.size(); ++i) {
            queues[i].packets_offered += thousands[i] * 1000;
        }
        now += 5s;
        return balance.look(queues, now);
    }
};

TEST(QueueBalance, a_queue_with_most_of_the_packets_is_told_once) {
    const std::vector<std::string> sentences = after({10, 20, 160, 10, 0});
    LONGS_EQUAL(1, sentences.size());
    STRCMP_EQUAL(
        "eth1: queue 2 of 4 received 80 % of the packets in 5 s: the device does not spread them, "
        "and one thread has the work of all",
        sentences[0].c_str());
    CHECK(after({10, 20, 160, 10, 0}).empty());
}

TEST(QueueBalance, even_shares_are_told_once_after_uneven_ones) {
    after({0, 0, 200, 0, 0});
    CHECK(after({40, 40, 110, 10, 0}).empty());  // in between
    const std::vector<std::string> sentences = after({50, 60, 50, 40, 0});
    LONGS_EQUAL(1, sentences.size());
    STRCMP_EQUAL("eth1: its 4 queues receive even shares again", sentences[0].c_str());
    CHECK(after({50, 60, 50, 40, 0}).empty());
}

TEST(QueueBalance, few_packets_and_single_queues_tell_nothing) {
    CHECK(after({0, 0, 99, 0, 500}).empty());
}

TEST(QueueBalance, nothing_is_compared_within_an_interval) {
    CHECK(after({50, 50, 50, 50, 0}).empty());
    queues[0].packets_offered += 1'000'000;
    CHECK(balance.look(queues, now + 4s).empty());
    LONGS_EQUAL(1, balance.look(queues, now + 5s).size());
}

TEST(QueueBalance, what_was_lost_was_not_received) {
    queues[0].packets_missed = 1'000'000;
    queues[0].packets_offered = 1'000'000;
    CHECK(after({50, 50, 50, 50, 0}).empty());
}
