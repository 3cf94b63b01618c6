#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

// DPDK's environment: one for the life of a process, since it cannot be made twice.

namespace curlew::dpdk_port {

struct EalConfig {
    std::string file_prefix;           // unique among DPDK processes of this machine
    std::vector<std::string> devices;  // those that will be opened; PCI addresses are allowed
    std::vector<std::string> options;  // more EAL options; they win
};

// What EAL is started with, and what people should know about it.
struct EalPlan {
    std::vector<std::string> arguments;  // program name first
    std::string notice;
};

// Pure, for the constructor and for tests: `free_huge_octets` is what this machine has to give,
// `cpu` one that this process may run on.
EalPlan plan_eal(const EalConfig& config, uint64_t free_huge_octets, int cpu);

// Of options that DPDK does not take, alone or together.
class EalOptionError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Eal {
  public:
    // Leaves the calling thread on the CPUs it was on. Throws EalOptionError, or else
    // std::runtime_error, with one sentence that says what to do.
    explicit Eal(const EalConfig& config);
    // Requires: every Device is gone, and every thread that received from one.
    ~Eal();
    Eal(const Eal&) = delete;
    Eal& operator=(const Eal&) = delete;

    // What people should know: "no huge pages: using ordinary memory, ...". Empty: nothing.
    const std::string& notice() const noexcept { return notice_; }

  private:
    std::string notice_;
};

}  // namespace curlew::dpdk_port
