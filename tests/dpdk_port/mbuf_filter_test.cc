#include "dpdk_port/mbuf_filter.h"

#include <pcap/pcap.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>
#include <sys/prctl.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <stdexcept>

#include "tests/dpdk_port/captures.h"
#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

namespace {

using probe::BpfInstruction;
using probe::PacketView;
using test::Octets;

using Instructions = std::vector<BpfInstruction>;

Instructions compile(const std::string& expression) {
    const std::unique_ptr<pcap_t, decltype(&pcap_close)> handle(pcap_open_dead(DLT_EN10MB, 262'144),
                                                                pcap_close);
    bpf_program program{};
    if (pcap_compile(handle.get(), &program, expression.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
        throw std::runtime_error(expression + ": " + pcap_geterr(handle.get()));
    }
    Instructions instructions;
    for (const bpf_insn& one : std::span(program.bf_insns, program.bf_len)) {
        instructions.push_back({one.code, one.jt, one.jf, one.k});
    }
    pcap_freecode(&program);
    return instructions;
}

bool exact(std::span<const BpfInstruction> instructions, const PacketView& packet) noexcept {
    const auto* program = reinterpret_cast<const bpf_insn*>(instructions.data());
    return bpf_filter(program, packet.data, packet.wire_octets, packet.captured_octets) != 0;
}

// Wants what libpcap does not, so that a test sees who judged.
bool inverse(std::span<const BpfInstruction> instructions, const PacketView& packet) noexcept {
    return !exact(instructions, packet);
}

// A packet in buffers of so many octets each.
class Buffers {
  public:
    Buffers(const Octets& octets, size_t piece) : octets_(octets) {
        // Goes with the environment.
        static rte_mempool* const pool = rte_pktmbuf_pool_create("filter_test", 255, 0, 0, 2176, 0);
        for (size_t start = 0; start == 0 || start < octets.size(); start += piece) {
            rte_mbuf* const part = rte_pktmbuf_alloc(pool);
            const auto length = static_cast<uint16_t>(std::min(piece, octets.size() - start));
            std::memcpy(rte_pktmbuf_append(part, length), octets.data() + start, length);
            if (first_ == nullptr) {
                first_ = part;
            } else {
                rte_pktmbuf_chain(first_, part);
            }
        }
    }
    ~Buffers() { rte_pktmbuf_free(first_); }
    Buffers(const Buffers&) = delete;
    Buffers& operator=(const Buffers&) = delete;

    const rte_mbuf& mbuf() const { return *first_; }
    PacketView view() const {
        PacketView view;
        view.data = octets_.data();
        view.captured_octets = static_cast<uint32_t>(octets_.size());
        view.wire_octets = view.captured_octets;
        return view;
    }

  private:
    Octets octets_;
    rte_mbuf* first_ = nullptr;
};

Octets big(uint64_t value, size_t octets) {
    return probe::test::big(value, octets);
}

Octets ipv4(uint8_t protocol,
            const Octets& payload,
            uint8_t header_words = 5,
            uint16_t fragment = 0) {
    using test::operator+;
    Octets header = Octets{static_cast<uint8_t>(0x40 | header_words), 0} +
                    big(header_words * 4U + payload.size(), 2) + big(7, 2) + big(fragment, 2) +
                    Octets{64, protocol, 0, 0, 10, 0, 0, 1, 192, 168, 1, 200};
    header.resize(size_t{header_words} * 4);
    return header + payload;
}

Octets ipv6(uint8_t next, const Octets& payload) {
    using test::operator+;
    return Octets{0x60, 0, 0, 0} + big(payload.size(), 2) + Octets{next, 64} +
           Octets{0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1} +
           Octets{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb} + payload;
}

Octets ethernet(uint16_t type, const Octets& payload) {
    using test::operator+;
    return Octets{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1} + big(type, 2) + payload;
}

Octets ports(uint16_t source, uint16_t destination, size_t rest) {
    using test::operator+;
    Octets payload = big(source, 2) + big(destination, 2);
    payload.resize(4 + rest, 0x50);
    return payload;
}

std::vector<Octets> packets() {
    using test::operator+;
    std::vector<Octets> all{
        {},
        {1},
        test::udp_frame(60),
        test::udp_frame(1514, 443),
        ethernet(0x0800, ipv4(6, ports(50000, 443, 40))),
        ethernet(0x0800, ipv4(6, ports(443, 50000, 1200))),
        ethernet(0x0800, ipv4(6, ports(50000, 80, 40), 15)),
        ethernet(0x0800, ipv4(17, ports(53, 53, 40), 5, 0x2000)),
        ethernet(0x0800, ipv4(17, ports(53, 53, 40), 5, 0x00b9)),
        ethernet(0x0800, ipv4(1, ports(0x0800, 0, 40))),
        ethernet(0x0800, ipv4(132, ports(9, 9, 40))),
        ethernet(0x0800, ipv4(6, ports(1, 2, 0))),
        ethernet(0x86dd, ipv6(17, ports(5353, 5353, 60))),
        ethernet(0x86dd, ipv6(6, ports(50000, 443, 60))),
        ethernet(0x86dd, ipv6(44, ports(0x1100, 0, 60))),
        ethernet(0x0806, Octets(46, 1)),
        ethernet(0x8100, big(0x0064, 2) + big(0x0800, 2) + ipv4(6, ports(50000, 443, 40))),
        ethernet(0x88a8,
                 big(5, 2) + big(0x8100, 2) + big(6, 2) + big(0x86dd, 2) +
                     ipv6(17, ports(53, 1024, 60))),
        ethernet(0x8847, big(0x00012140, 4) + ipv4(6, ports(50000, 443, 40))),
        ethernet(0x8864, Octets{0x11, 0, 0, 1, 0, 50, 0, 0x21} + ipv4(6, ports(50000, 443, 40))),
        Octets(9000, 0xff),
        Octets(2100, 0),
    };
    // Each of them cut, since a read past the end is a verdict of its own.
    const size_t whole = all.size();
    for (size_t i = 0; i < whole; ++i) {
        for (size_t length = 0; length < std::min<size_t>(all[i].size(), 90); length += 3) {
            all.push_back(probe::test::first(all[i], length));
        }
    }
    constexpr unsigned kSeed = 20'240'607;
    std::mt19937 random(kSeed);
    for (int i = 0; i < 1500; ++i) {
        Octets noise = all[random() % whole];
        for (size_t change = random() % 8; change > 0 && !noise.empty(); --change) {
            noise[random() % std::min<size_t>(noise.size(), 64)] = static_cast<uint8_t>(random());
        }
        all.push_back(std::move(noise));
    }
    return all;
}

constexpr const char* kFilters[] = {
    "ip",
    "ip6",
    "arp",
    "tcp",
    "udp port 53",
    "port 443",
    "tcp port 443 or udp port 443",
    "tcp dst port 80 and host 10.0.0.1",
    "not port 22",
    "host 192.168.1.200",
    "net 10.0.0.0/8",
    "net 192.168.0.0 mask 255.255.0.0 and not host 192.168.1.1",
    "ip6 host ff02::fb",
    "src host 2001:db8::1 or dst net 192.0.2.0/24",
    "ether broadcast",
    "ether host 02:00:00:00:00:01",
    "ether multicast and not arp",
    "vlan",
    "vlan 100 and tcp port 443",
    "vlan and vlan and udp",
    "mpls and tcp",
    "pppoes and ip",
    "icmp or icmp6",
    "sctp",
    "less 100",
    "greater 1000",
    "len > 64 and len < 1400",
    "portrange 5000-6000",
    "ip[6:2] & 0x1fff != 0",
    "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0",
    "tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420",
    "ip[2:2] - ((ip[0] & 0xf) << 2) > 100",
    "ether[0] & 1 = 1 and ip[8] > 5",
    "ether[ether[14]:4] = 7",
    "ether[4294967290:4] = 7",
    "ether[100:4] / ether[104] > 3",
    "ether[20] << ether[21] > 256",
    "ether[14:4] * 3 - 1 > 0x7fffffff",
    "ether[14:4] >= 0x80000000",
    "-ip[12:4] > 5",
    "ip6 protochain 17",
    "udp and (port 53 or port 5353) and not net 127.0.0.0/8",
    "host 1.1.1.1 or host 2.2.2.2 or host 10.0.0.1 or net 172.16.0.0/12 or host 2001:db8::1",
};

void compare(const Instructions& instructions, const std::string& what, size_t every = 1) {
    const MbufFilter compiled({.instructions = instructions, .matches = exact});
    static const std::vector<Octets> all = packets();
    for (size_t i = 0; i < all.size(); i += every) {
        // One piece where it fits, and pieces that part every header.
        for (const size_t piece : {size_t{2000}, size_t{37}}) {
            if (all[i].size() / piece > 200) {
                continue;
            }
            const Buffers packet(all[i], piece);
            const bool expected = exact(instructions, packet.view());
            if (expected != compiled.matches(packet.mbuf(), packet.view())) {
                FAIL((what + ": " + std::string(compiled.engine()) + " judges packet " +
                      std::to_string(i) + " otherwise")
                         .c_str());
            }
        }
    }
}

// Any program of the instructions that are left to DPDK: jumps lead forward, the end returns.
Instructions random_program(std::mt19937& random) {
    const size_t length = 3 + random() % 20;
    const auto number = [&random] {
        constexpr uint32_t kUsual[] = {0, 1, 6, 17, 0x1fff, 0x800, 0x86dd, 0x80000000, 0xffffffff};
        return random() % 3 == 0 ? static_cast<uint32_t>(random() >> random() % 32)
                                 : kUsual[random() % std::size(kUsual)];
    };
    Instructions program;
    while (program.size() + 2 < length) {
        const size_t rest = length - program.size() - 1;
        BpfInstruction one;
        constexpr uint16_t kLoads[] = {0x28, 0x20, 0x30, 0x48, 0xb1, 0x80};
        constexpr uint16_t kJumps[] = {0x15, 0x25, 0x35, 0x45};
        switch (random() % 8) {
            case 0:
                one = {.code = 0x54, .k = number()};
                break;
            case 1:
            case 2:
            case 3:
            case 4:
                one = {.code = kLoads[random() % std::size(kLoads)],
                       .k = static_cast<uint32_t>(random() % 70)};
                break;
            default:
                one = {.code = kJumps[random() % std::size(kJumps)],
                       .jump_true = static_cast<uint8_t>(random() % rest),
                       .k = number()};
                break;
        }
        // One of the ways leads to the next instruction, so that none is out of reach.
        if (random() % 2 == 0) {
            std::swap(one.jump_true, one.jump_false);
        }
        program.push_back(one);
    }
    program.push_back({.code = 0x06, .k = static_cast<uint32_t>(random() % 2) * 262'144});
    program.push_back({.code = 0x06, .k = 0xffffffff});
    return program;
}

void compare_random_programs() {
    const unsigned kSeed = getenv("SEED") ? atoi(getenv("SEED")) : 77;
    std::mt19937 random(kSeed);
    size_t loaded = 0;
    for (int i = 0; i < 200000; ++i) {
        const Instructions program = random_program(random);
        loaded += MbufFilter({.instructions = program, .matches = exact}).engine() != "libpcap";
        compare(program, "seed 77, program " + std::to_string(i), 173);
    }
    // Those with small masks and those that read what was never set are not for DPDK.
    std::printf("LOADED %zu\n", loaded);
    CHECK(loaded > 500);
}

}  // namespace

TEST_GROUP(MbufFilter){};

TEST(MbufFilter, wants_all_without_instructions) {
    const MbufFilter filter({});
    CHECK(filter.wants_all());
    CHECK(filter.engine().empty());
    const Buffers packet(test::udp_frame(60), 2000);
    CHECK(filter.matches(packet.mbuf(), packet.view()));
}

TEST(MbufFilter, judges_as_libpcap_does) {
    for (const char* filter : kFilters) {
        compare(compile(filter), filter);
    }
    compare_random_programs();
}

TEST(MbufFilter, what_dpdk_would_judge_otherwise_is_left_to_libpcap) {
    for (const char* filter : {"ether[ether[14]:4] = 7",        // a packet chooses the offset
                               "ether[4294967290:4] = 7",       // the offset wraps
                               "ether[20] << ether[21] > 256",  // shifts past the width
                               "tcp[13] & 3 != 0",              // one octet past X, a small mask
                               "ether[0] & 1 != 0",             // a small mask
                               "ip6 protochain 17"}) {          // does not convert
        const Instructions instructions = compile(filter);
        CHECK_EQUAL(
            std::string("libpcap"),
            std::string(MbufFilter({.instructions = instructions, .matches = exact}).engine()));
    }
}

TEST(MbufFilter, a_filter_of_many_paths_loads_at_once) {
    std::string filter = "host 2001:db8::1";
    for (int i = 2; i < 40; ++i) {
        filter += " or host 2001:db8::" + std::to_string(i);
    }
    CHECK(!suits_dpdk(compile(filter)));
    compare(compile(filter), filter);
}

TEST(MbufFilter, chains_are_judged_in_one_piece) {
    const Instructions instructions = compile("udp port 53");
    const MbufFilter filter({.instructions = instructions, .matches = inverse});
    const Buffers whole(test::udp_frame(300), 2000);
    CHECK(filter.matches(whole.mbuf(), whole.view()));
    const Buffers chain(test::udp_frame(300), 100);
    CHECK(!filter.matches(chain.mbuf(), chain.view()));
}

// In a process of its own: what is refused here stays refused.
TEST_GROUP(MbufFilterWithoutJit){};

TEST(MbufFilterWithoutJit, libpcap_judges_where_memory_may_not_become_code) {
    constexpr int kSetMemoryDenyWriteExecute = 65;
    constexpr unsigned long kRefuseExecutableGain = 1;
    if (prctl(kSetMemoryDenyWriteExecute, kRefuseExecutableGain, 0, 0, 0) != 0) {
        std::puts("skipped: this kernel cannot deny executable memory");
        return;
    }
    const Instructions instructions = compile("tcp port 443");
    CHECK_EQUAL(std::string("libpcap"),
                std::string(MbufFilter({.instructions = instructions, .matches = exact}).engine()));
    compare(instructions, "tcp port 443");
}

}  // namespace curlew::dpdk_port
