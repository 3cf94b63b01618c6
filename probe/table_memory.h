#pragma once

#include <memory>

#include "probe/config.h"
#include "probe/worker.h"
#include "proto/mapped_memory.h"

// From the configuration's table [meter] to what workers take, and the memory that it gives them.

namespace curlew::probe {

// Of every worker: without the memory, and what the kind of port decides.
WorkerConfig worker_config(const ProbeConfig& probe);

// The memory that the configuration gives the flow tables, all of it at once; null when it gives
// none. To be called before devices are opened: whoever waits for huge pages while packets come
// loses some, and not every device counts what it drops. Throws std::runtime_error with one
// sentence.
std::unique_ptr<proto::MappedMemory> take_table_memory(const ProbeConfig& probe);

}  // namespace curlew::probe
