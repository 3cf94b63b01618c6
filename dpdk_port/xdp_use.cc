#include "dpdk_port/xdp_use.h"

#include <linux/bpf.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <span>
#include <stdexcept>

namespace curlew::dpdk_port {

namespace {

// An answer about one interface, with all of its statistics, has some kilobytes.
constexpr size_t kAnswerOctets = 32 * 1024;

// Closed with the object.
struct File {
    explicit File(int opened) : number(opened) {}
    ~File() {
        if (number >= 0) {
            close(number);
        }
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    int number;
};

// The payload of the first attribute of this type:
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |            length             |             type              |
//   |     payload, filled up to a multiple of four octets ...       |
std::span<const std::byte> attribute(std::span<const std::byte> all, uint16_t type) {
    while (all.size() >= sizeof(rtattr)) {
        rtattr header;
        std::memcpy(&header, all.data(), sizeof(header));
        if (header.rta_len < sizeof(header) || header.rta_len > all.size()) {
            break;
        }
        if ((header.rta_type & NLA_TYPE_MASK) == type) {
            return all.subspan(sizeof(header), header.rta_len - sizeof(header));
        }
        all = all.subspan(std::min<size_t>(RTA_ALIGN(header.rta_len), all.size()));
    }
    return {};
}

}  // namespace

uint32_t xdp_program(uint32_t interface_index) noexcept {
    struct {
        nlmsghdr header;
        ifinfomsg about;
    } question{};
    question.header.nlmsg_len = sizeof(question);
    question.header.nlmsg_type = RTM_GETLINK;
    question.header.nlmsg_flags = NLM_F_REQUEST;
    question.about.ifi_family = AF_UNSPEC;
    question.about.ifi_index = static_cast<int>(interface_index);

    const File netlink(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
    if (netlink.number < 0 ||
        send(netlink.number, &question, sizeof(question), 0) != ssize_t{sizeof(question)}) {
        return 0;
    }
    std::array<std::byte, kAnswerOctets> answer;
    const ssize_t received = recv(netlink.number, answer.data(), answer.size(), 0);
    constexpr size_t kFixed = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(ifinfomsg));
    if (received < ssize_t{kFixed}) {
        return 0;
    }
    const std::span attributes(answer.data() + kFixed, static_cast<size_t>(received) - kFixed);
    const std::span number = attribute(attribute(attributes, IFLA_XDP), IFLA_XDP_PROG_ID);
    uint32_t program = 0;
    if (number.size() == sizeof(program)) {
        std::memcpy(&program, number.data(), sizeof(program));
    }
    return program;
}

std::string xdp_program_name(uint32_t program) noexcept {
    bpf_attr which{};
    which.prog_id = program;
    const File file(
        static_cast<int>(syscall(SYS_bpf, BPF_PROG_GET_FD_BY_ID, &which, sizeof(which))));
    if (file.number < 0) {
        return {};
    }
    bpf_prog_info info{};
    bpf_attr question{};
    question.info.bpf_fd = static_cast<uint32_t>(file.number);
    question.info.info_len = sizeof(info);
    question.info.info = reinterpret_cast<uint64_t>(&info);
    if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &question, sizeof(question)) != 0) {
        return {};
    }
    return {info.name, strnlen(info.name, sizeof(info.name))};
}

bool is_socket_program(const std::string& name) noexcept {
    return name == "xsk_def_prog" || name == "xdp_dispatcher";
}

InterfaceClaim::InterfaceClaim(const std::string& device, const std::string& interface)
    : socket_(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const uint32_t index = if_nametoindex(interface.c_str());
    // A name without a file, that the kernel knows in this network namespace only and forgets with
    // the process.
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::string name = "curlew-xdp-" + std::to_string(index);
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    std::string problem;
    if (bind(socket_, reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        problem = errno == EADDRINUSE ? "another probe has '" + interface + "'"
                                      : "cannot claim '" + interface + "': " + std::strerror(errno);
    } else if (const uint32_t program = xdp_program(index); program != 0) {
        const std::string program_name = xdp_program_name(program);
        if (!program_name.empty() && !is_socket_program(program_name)) {
            problem = "the XDP program " + program_name + " is on '" + interface +
                      "'; 'ip link set " + interface + " xdp off' takes it off, if nobody needs it";
        }
    }
    if (!problem.empty()) {
        close(socket_);
        throw std::runtime_error(device + ": " + problem);
    }
}

InterfaceClaim::~InterfaceClaim() {
    close(socket_);
}

}  // namespace curlew::dpdk_port
