#include "probe/privileges.h"

#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/sockios.h>

namespace curlew::probe {

proto::Confinement confinement() {
    constexpr uint64_t kWhole = 0xffffffff;
    // VFIO's requests are all of this type (linux/vfio.h).
    constexpr uint64_t kTypeOfRequest = 0xff00;
    constexpr uint64_t kVfio = ';' << 8;
    return {
        .calls =
            {
                // Whether the clock is synchronised; to set it takes a capability.
                {"adjtimex"},
                {"clock_adjtime"},
                // A damaged segment of the spool gets a second name.
                {"link"},
                {"linkat"},
                // A recording does not leave all of a file's writing to its end.
                {"sync_file_range"},
                // Whether interfaces are there, and as they were before us.
                {"ioctl", {{1, kWhole, SIOCETHTOOL}}},
                {"ioctl", {{1, kWhole, SIOCGIFFLAGS}}},
                {"ioctl", {{1, kWhole, SIOCGIFHWADDR}}},
                {"ioctl", {{1, kWhole, SIOCGIFINDEX}}},
                {"ioctl", {{1, kWhole, SIOCGIFNAME}}},
                {"ioctl", {{1, kWhole, SIOCSIFFLAGS}}},
                {"ioctl", {{1, kTypeOfRequest, kVfio}}},
                // net_af_xdp takes its sockets out of the map and counts who uses the program; it
                // loads nothing more.
                {"bpf", {{0, kWhole, BPF_MAP_DELETE_ELEM}}},
                {"bpf", {{0, kWhole, BPF_MAP_LOOKUP_ELEM}}},
                {"bpf", {{0, kWhole, BPF_MAP_UPDATE_ELEM}}},
                {"bpf", {{0, kWhole, BPF_OBJ_GET_INFO_BY_FD}}},
            },
        .first_thread_keeps = uint64_t{1} << CAP_NET_ADMIN,
    };
}

}  // namespace curlew::probe
