#include "probe/table_memory.h"

#include <algorithm>

namespace curlew::probe {

WorkerConfig worker_config(const ProbeConfig& probe) {
    WorkerConfig worker;
    worker.meter.details = probe.profile == "dataset";
    worker.meter.list = probe.list;
    worker.meter.timeouts = probe.timeouts;
    worker.meter.copies = probe.copies;
    worker.flow_capacity = probe.flow_capacity;
    return worker;
}

std::unique_ptr<proto::MappedMemory> take_table_memory(const ProbeConfig& probe) {
    if (probe.memory_octets == 0) {
        return nullptr;
    }
    size_t workers = probe.workers;
    if (workers == 0) {
        for (const PortConfig& port : probe.ports) {
            workers += port.queues;
        }
    }
    return std::make_unique<proto::MappedMemory>(proto::MappedMemory::taken(
        table_octets(worker_config(probe), std::min(workers, kPartitions)), "[meter] memory"));
}

}  // namespace curlew::probe
