#include "probe/table_memory.h"

#include <stdexcept>

#include "tests/support/cpputest.h"

using namespace curlew::probe;

TEST_GROUP(TableMemory) {
    ProbeConfig config;

    void setup() override {
        config.ports.resize(1);
        config.flow_capacity = 4096;
    }
};

TEST(TableMemory, is_none_unless_it_is_given) {
    POINTERS_EQUAL(nullptr, take_table_memory(config).get());
}

TEST(TableMemory, is_what_the_workers_need) {
    config.memory_octets = uint64_t{64} << 20;
    for (const char* profile : {"dataset", "line-rate"}) {
        config.profile = profile;
        config.workers = 0;
        config.ports[0].queues = 3;
        CHECK_EQUAL(table_octets(worker_config(config), 3), take_table_memory(config)->octets());
        config.workers = 2;
        CHECK_EQUAL(table_octets(worker_config(config), 2), take_table_memory(config)->octets());
        config.ports[0].queues = 1000;
        config.workers = 0;
        CHECK_EQUAL(table_octets(worker_config(config), kPartitions),
                    take_table_memory(config)->octets());
    }
}

TEST(TableMemory, that_the_machine_has_not_is_an_error) {
    config.memory_octets = uint64_t{1} << 46;
    config.flow_capacity = uint64_t{1} << 33;
    CHECK_THROWS(std::runtime_error, take_table_memory(config));
}
