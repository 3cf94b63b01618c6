#include "proto/huge_heap.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::proto;

namespace {

struct Mapping {
    std::string header;
    std::string flags;
};

// As the kernel tells it (proc_pid_smaps(5)); empty where there is none.
Mapping mapping_of(const void* octet) {
    std::ifstream file("/proc/self/smaps");
    Mapping mapping;
    for (std::string line; std::getline(file, line);) {
        char* dash = nullptr;
        const uint64_t begin = std::strtoull(line.c_str(), &dash, 16);
        if (*dash == '-') {
            const uint64_t end = std::strtoull(dash + 1, nullptr, 16);
            const auto at = reinterpret_cast<uintptr_t>(octet);
            mapping.header = at >= begin && at < end ? line : std::string();
        } else if (!mapping.header.empty() && line.starts_with("VmFlags:")) {
            mapping.flags = line + ' ';
            return mapping;
        }
    }
    return {};
}

bool is_heap(const Mapping& mapping) {
    return mapping.header.ends_with("[heap]");
}

// What a process of its own exits with: the heap stays as it was made.
template <typename Deed>
int code_of(Deed&& deed) {
    const pid_t child = fork();
    if (child == 0) {
        _exit(deed());
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

constexpr size_t kTestHeap = size_t{64} << 20;

bool has_huge_pages() {
    return std::filesystem::exists("/sys/kernel/mm/transparent_hugepage/enabled");
}

}  // namespace

TEST_GROUP(HugeHeap){};

TEST(HugeHeap, what_is_allocated_comes_of_huge_pages) {
    const int code = code_of([] {
        // Where another allocator stands for malloc(), as a sanitizer's, nothing changes.
        if (!is_heap(mapping_of(std::vector<char>(100).data()))) {
            return 0;
        }
        put_heap_in_huge_pages(kTestHeap);
        for (int i = 0; i < 4; ++i) {
            const std::vector<char> octets(size_t{12} << 20);
            const Mapping mapping = mapping_of(octets.data() + octets.size() / 2);
            if (!is_heap(mapping)) {
                return 1;
            }
            // Without, where the first of them was dear.
            if (has_huge_pages() && mapping.flags.find(" hg ") == std::string::npos &&
                mapping.flags.find(" nh ") == std::string::npos) {
                return 2;
            }
        }
        return 0;
    });
    CHECK_EQUAL(0, code);
}

TEST(HugeHeap, more_than_was_asked_for_is_there) {
    const int code = code_of([] {
        put_heap_in_huge_pages(kTestHeap);
        std::vector<std::vector<char>> pieces;
        for (size_t octets = 0; octets < 2 * kTestHeap; octets += size_t{1} << 20) {
            pieces.emplace_back(size_t{1} << 20, 'x');
        }
        return pieces.front().back() == 'x' && pieces.back().front() == 'x' ? 0 : 1;
    });
    CHECK_EQUAL(0, code);
}
