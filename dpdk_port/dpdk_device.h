#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "probe/port.h"

// A device that DPDK drives: opened, checked, started; one Port for each of its receive queues.

namespace curlew::dpdk_port {

class Eal;

struct DeviceConfig {
    std::string device;  // "0000:03:00.0", "net_af_xdp0,iface=eth1", "net_pcap0,rx_pcap=FILE", ...
    uint16_t queues = 1;
    probe::PortFilter filter;
    bool allow_uncounted_loss = false;
    uint32_t descriptors = 4096;  // of each queue, cut to what the device can
};

struct DeviceFacts {
    std::string driver;
    std::string clock;            // "kernel us", "capture us", "device ns", "probe ns"
    std::string filter;           // "": none; "libpcap": what runs it
    bool losses_counted = false;  // all that is lost is told
    bool keeps_flows = false;  // one queue, or a symmetric hash over the queues that was read back
    bool is_live = true;
    std::string damage;  // of the captures that it reads, one sentence for their manifests
    std::vector<std::string> warnings;  // one sentence each: link down, not promiscuous, ...
};

// What is asked of a device is what it cannot do, however often it is tried.
class DeviceConfigError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

class Device {
  public:
    // Throws DeviceConfigError, or else std::runtime_error, with one sentence that says what to do.
    Device(Eal& eal, const DeviceConfig& config);
    ~Device();
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    const DeviceFacts& facts() const noexcept;

    // False: the device says that its line is down. One that was taken out is asked no more: its
    // ports say so. Any thread.
    bool has_link() const noexcept;

    // One for each queue; each is used by one thread. Outlived by this.
    std::vector<probe::Port*> ports();

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::dpdk_port
