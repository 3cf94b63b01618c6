#pragma once

#include <cstddef>

// Most of what a program waits for in a run of seconds beside its own work is the kernel that gives
// its heap a page at a time, and more so in a virtual machine.

namespace curlew::proto {

// From now on the first `octets` that malloc() needs are in huge pages, one heap for all threads.
// They are reserved now, taken as they are touched, and kept until the process ends: for programs
// that end. What is needed beyond comes as before, as all does where the system has no huge pages
// or limits the address space, or where another allocator stands for malloc(). Requires: called
// once, before there are threads; at most 1 GiB.
void put_heap_in_huge_pages(size_t octets) noexcept;

}  // namespace curlew::proto
