#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "probe/port.h"
#include "proto/mapped_memory.h"

// Packets for `curlew bench`: frames in memory that no cache holds, and the order in which they
// come, round and round. Checksums are those that the frames were made with; the meter reads none.

namespace curlew::cli {

// What happens to a frame each time it comes.
enum class FrameVariation : uint8_t {
    none,
    new_sender,  // another IPv4 source address, so that each frame begins a flow
};

// A workload, without its packets.
struct BenchWorkload {
    std::string name;
    uint64_t flows = 0;      // that are kept at once; 0: not said
    uint64_t step_ns = 100;  // from one packet's time to the next one's
    FrameVariation variation = FrameVariation::none;
    // Each time all frames have come, clients are those of the next of so many sets, so that the
    // same frames are other flows.
    uint64_t client_sets = 1;
};

// There is always another set.
inline constexpr uint64_t kEndlessClients = ~uint64_t{0};

class BenchPackets {
  public:
    struct Frame {
        uint32_t line = 0;  // where it begins, in lines of 64 octets
        uint32_t octets = 0;
        probe::LinkType link = probe::LinkType::ethernet;
        bool is_ahead = false;  // it belongs to what comes the next time
        // Four octets of each address that is a client's; 0: there is none.
        std::array<uint16_t, 2> clients_at{};
    };

    // More than the last cache of a processor holds for one core.
    static constexpr size_t kPoolOctets = size_t{192} << 20;
    static constexpr size_t kAnyNumber = ~size_t{0};

    // That a frame of UDP takes in a pool.
    static size_t octets_of(uint32_t frame_octets);

    // One frame a flow and more, in both directions; random addresses. Throws std::runtime_error
    // when there is no memory, as all of these do.
    static BenchPackets of_udp(uint64_t flows,
                               uint32_t frame_octets,
                               size_t pool_octets = kPoolOctets);
    // The same with addresses whose CRC32C is one and the same.
    static BenchPackets of_colliding_keys(uint64_t flows);
    static BenchPackets of_syns(size_t frames);
    // Datagrams in two fragments each, the second right behind the first.
    static BenchPackets of_fragments(uint64_t flows);
    // TCP with TLS and HTTP: three sizes of frames, as many of each as the simple IMIX has.
    static BenchPackets of_imix(size_t pool_octets = kPoolOctets, size_t most_frames = kAnyNumber);
    // Homes with devices (bench_iot.h), as of_capture has copies.
    static BenchPackets of_iot_mix(size_t pool_octets = kPoolOctets,
                                   size_t most_frames = kAnyNumber);
    // As many copies of a capture as no cache holds, each with clients of its own, each in its own
    // order; which one is next is random. Throws also as ReplayPort does.
    static BenchPackets of_capture(const std::filesystem::path& capture,
                                   size_t pool_octets = kPoolOctets,
                                   size_t most_frames = kAnyNumber);

    const std::vector<Frame>& frames() const noexcept { return frames_; }
    const std::vector<uint32_t>& order() const noexcept { return order_; }  // indices of frames()
    uint8_t* octets(const Frame& frame) const noexcept {
        return memory_.data() + size_t{frame.line} * kLineOctets;
    }
    // Different flows, direction-free, as the parser tells them.
    uint64_t count_flows() const;
    uint32_t mean_frame_octets() const;  // with the frame check sequence
    size_t memory_octets() const noexcept { return memory_.octets(); }
    // As a capture, in their order. Throws std::runtime_error, also for what is not Ethernet.
    void write(const std::filesystem::path& capture) const;

    static constexpr size_t kLineOctets = 64;

    struct CapturedPacket {
        std::string octets;
        probe::LinkType link;
    };

  private:
    explicit BenchPackets(size_t memory_octets);
    static BenchPackets of_copies(const std::vector<CapturedPacket>& originals,
                                  size_t pool_octets,
                                  size_t most_frames);

    // Room for one more frame, in zeros. Requires: it fits.
    uint8_t* add(size_t octets, probe::LinkType link = probe::LinkType::ethernet);
    uint8_t* add_ipv4(size_t octets);
    bool has_room(size_t octets) const noexcept;
    void shuffle(size_t group);

    proto::MappedMemory memory_;
    size_t lines_used_ = 0;
    std::vector<Frame> frames_;
    std::vector<uint32_t> order_;
};

}  // namespace curlew::cli
