#pragma once

#include <string>

#include "dpdk_port/eal.h"

// The one environment of a test process, without huge pages, cards or root.

namespace curlew::dpdk_port::test {

// Made by main() before the first test.
Eal& eal();

}  // namespace curlew::dpdk_port::test
