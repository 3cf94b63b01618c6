#pragma once

#include <cstdint>
#include <string>

// Who has XDP on an interface of the kernel. net_af_xdp does not look: where it fails to start, it
// takes off whatever program it finds, and whoever captures with that goes blind without notice.

namespace curlew::dpdk_port {

// The number of the program on the interface. 0: there is none, or the kernel does not tell.
uint32_t xdp_program(uint32_t interface_index) noexcept;

// Its name. Empty where this process may not ask.
std::string xdp_program_name(uint32_t program) noexcept;

// A program that redirects to AF_XDP sockets, as the driver loads it and a killed process leaves
// it.
bool is_socket_program(const std::string& name) noexcept;

// One interface for net_af_xdp: held by one object of this network namespace until its end.
class InterfaceClaim {
  public:
    // Throws std::runtime_error with one sentence that begins with the device's name: somebody else
    // has XDP there.
    InterfaceClaim(const std::string& device, const std::string& interface);
    ~InterfaceClaim();
    InterfaceClaim(const InterfaceClaim&) = delete;
    InterfaceClaim& operator=(const InterfaceClaim&) = delete;

  private:
    int socket_;
};

}  // namespace curlew::dpdk_port
