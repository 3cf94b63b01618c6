#include "dpdk_port/device_access.h"

#include <linux/capability.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <rte_errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace curlew::dpdk_port {

namespace {

// Kernel drivers that hand a card to DPDK, or share it with DPDK.
constexpr std::array<std::string_view, 6> kSharingDrivers{
    "vfio-pci", "uio_pci_generic", "igb_uio", "mlx4_core", "mlx5_core", "uio_hv_generic"};

// Closed with the object.
class Socket {
  public:
    Socket() : number_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
    ~Socket() {
        if (number_ >= 0) {
            close(number_);
        }
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    bool ask(unsigned long request, ifreq& about) const noexcept {
        return number_ >= 0 && ioctl(number_, request, &about) == 0;
    }

  private:
    int number_;
};

bool is_capable(unsigned capability) {
    std::ifstream status("/proc/self/status");
    std::string word;
    while (status >> word) {
        if (word == "CapEff:" && status >> word) {
            return (std::strtoull(word.c_str(), nullptr, 16) >> capability & 1) != 0;
        }
    }
    return false;
}

std::string missing_capabilities(const DeviceArguments& device) {
    const bool is_xdp = device.name.starts_with("net_af_xdp");
    std::string missing;
    const auto want = [&](bool is_there, const char* name) {
        missing += is_there ? "" : (missing.empty() ? "" : ", ") + std::string(name);
    };
    want(is_capable(CAP_NET_RAW), "CAP_NET_RAW");
    if (is_xdp) {
        want(is_capable(CAP_NET_ADMIN), "CAP_NET_ADMIN");
        // CAP_BPF loads the program; libxdp finds it again by its number, which only this one may.
        want(is_capable(CAP_SYS_ADMIN), "CAP_SYS_ADMIN");
    }
    return missing;
}

std::string full_address(const std::string& address) {
    return std::ranges::count(address, ':') == 1 ? "0000:" + address : address;
}

void check_pci(const DeviceArguments& device) {
    const std::string address = full_address(device.name);
    const std::filesystem::path folder = "/sys/bus/pci/devices/" + address;
    std::error_code error;
    if (!std::filesystem::exists(folder, error)) {
        throw std::runtime_error(device.name +
                                 ": no such PCI device; 'dpdk-devbind.py --status' lists them");
    }
    const std::filesystem::path driver = std::filesystem::read_symlink(folder / "driver", error);
    const std::string name = error ? "" : driver.filename().string();
    if (std::ranges::find(kSharingDrivers, name) == kSharingDrivers.end()) {
        throw std::runtime_error(device.name + ": " +
                                 (name.empty() ? "no kernel driver holds it"
                                               : "the kernel driver " + name + " holds it") +
                                 "; 'dpdk-devbind.py --bind=vfio-pci " + address +
                                 "' hands it to DPDK");
    }
}

int mtu_of(const std::string& interface) noexcept {
    const Socket socket;
    ifreq about{};
    interface.copy(about.ifr_name, IF_NAMESIZE - 1);
    return socket.ask(SIOCGIFMTU, about) ? about.ifr_mtu : 0;
}

}  // namespace

Interface find_interface(const std::string& name) noexcept {
    Interface found;
    if (name.empty() || name.size() >= IF_NAMESIZE) {
        return found;
    }
    found.index = if_nametoindex(name.c_str());
    const Socket socket;
    ifreq about{};
    std::memcpy(about.ifr_name, name.data(), name.size());
    if (socket.ask(SIOCGIFFLAGS, about)) {
        found.is_up = (about.ifr_flags & IFF_UP) != 0;
        found.is_running = found.is_up && (about.ifr_flags & IFF_RUNNING) != 0;
        found.is_promiscuous = (about.ifr_flags & IFF_PROMISC) != 0;
    }
    if (socket.ask(SIOCGIFHWADDR, about)) {
        const auto type = about.ifr_hwaddr.sa_family;
        found.is_ethernet = type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
    }
    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    about.ifr_data = reinterpret_cast<char*>(&channels);
    if (socket.ask(SIOCETHTOOL, about)) {
        found.queues = std::max(channels.combined_count + channels.rx_count, 1U);
        found.receiving_queues = channels.rx_count;
    }
    return found;
}

Interface find_interface(const std::string& name, uint32_t index) noexcept {
    std::array<char, IF_NAMESIZE> now{};
    return find_interface(if_indextoname(index, now.data()) != nullptr ? now.data() : name);
}

bool strips_vlan_tags(const std::string& interface) noexcept {
    const Socket socket;
    ifreq about{};
    interface.copy(about.ifr_name, IF_NAMESIZE - 1);
    ethtool_value flags{};
    flags.cmd = ETHTOOL_GFLAGS;
    about.ifr_data = reinterpret_cast<char*>(&flags);
    return socket.ask(SIOCETHTOOL, about) && (flags.data & ETH_FLAG_RXVLAN) != 0;
}

void check_access(const DeviceArguments& device) {
    if (device.is_pci()) {
        check_pci(device);
        return;
    }
    const std::vector<std::string> interfaces = device.interfaces();
    for (const std::string& name : interfaces) {
        const Interface interface = find_interface(name);
        if (interface.index == 0) {
            throw std::runtime_error(device.name + ": no network interface '" + name +
                                     "'; 'ip link' lists them");
        }
        if (!interface.is_ethernet) {
            throw std::runtime_error(device.name + ": the interface '" + name +
                                     "' is not Ethernet, and nothing else can be read live");
        }
    }
    for (const std::string& file : device.captures()) {
        std::error_code error;
        if (!std::filesystem::exists(file, error)) {
            throw std::runtime_error(device.name + ": no capture '" + file + "'");
        }
        if (access(file.c_str(), R_OK) != 0) {
            throw std::runtime_error(device.name + ": no permission to read '" + file + "'");
        }
    }
    const std::string missing = interfaces.empty() ? "" : missing_capabilities(device);
    if (!missing.empty()) {
        throw std::runtime_error(device.name + ": no permission to capture from '" +
                                 interfaces.front() + "'; it needs " + missing);
    }
}

std::string explain_failed_probe(const DeviceArguments& device, int error) {
    if (device.is_pci()) {
        return device.name +
               ": DPDK cannot drive it; its messages above say why (no driver for this card, no "
               "access to /dev/vfio, or another process uses it)";
    }
    const std::string driver =
        device.name.substr(0, device.name.find_last_not_of("0123456789") + 1);
    // DPDK's answer where no driver takes the name for its own.
    if (error == EFAULT) {
        return device.name + ": DPDK has no driver '" + driver +
               "'; a device is named as in 'net_af_xdp0,iface=eth1', 'net_pcap0,rx_iface=eth1' or "
               "'0000:03:00.0'";
    }
    for (const std::string& name : device.interfaces()) {
        if (!find_interface(name).is_up) {
            return device.name + ": the interface '" + name + "' is down; 'ip link set " + name +
                   " up' starts it";
        }
    }
    return device.name + ": the driver " + driver +
           " does not take it; an argument is misspelt, or its messages above say why";
}

std::string explain_failed_start(const DeviceArguments& device, int error) {
    const std::string start =
        device.name + ": cannot be started (" + std::string(rte_strerror(error)) + ")";
    if (device.name.starts_with("net_af_xdp")) {
        // A page, less what XDP and the kernel put around a packet.
        constexpr int kLongestOverXdp = 3'498;
        const std::string name = device.interfaces().front();
        if (const int mtu = mtu_of(name); mtu > kLongestOverXdp) {
            return start + "; XDP takes packets of some 3,500 octets, and the MTU of '" + name +
                   "' is " + std::to_string(mtu);
        }
        return start + "; another program has XDP on '" + device.interfaces().front() +
               "' or this queue of it ('ip link' shows it as xdp), or too little memory may be "
               "locked ('ulimit -l')";
    }
    return start + "; DPDK's messages above say why";
}

}  // namespace curlew::dpdk_port
