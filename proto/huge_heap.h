#pragma once

#include <cstddef>

// Where a page fault is dear, as in a virtual machine, a program that runs for seconds spends up to
// a tenth of its processor's time on getting its heap page by page, and a short one half of it.

namespace curlew::proto {

// From now on the first `octets` that malloc() needs are one heap for all threads, the first 16 MiB
// of these in huge pages where such are not dear (MappedMemory::touch_is_dear()). They are reserved
// now, taken as they are touched, and kept until the process ends: for programs that end. What is
// needed beyond comes as before, as all does where the system has no huge pages or limits the
// address space, or where another allocator stands for malloc(). Requires: called once, before
// there are threads; at most 1 GiB.
void put_heap_in_huge_pages(size_t octets) noexcept;

}  // namespace curlew::proto
