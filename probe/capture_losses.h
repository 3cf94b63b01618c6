#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

// What a capture says itself that it lost (draft-ietf-opsawg-pcapng, sections 4.3, 4.5, 4.6), which
// libpcap does not hand on: the drop counts of packets, and at the end the statistics of each
// interface. Where both are told the larger one counts, for statistics hold all.

namespace curlew::probe {

// One thread calls everything.
class CaptureLosses {
  public:
    // The next octets of a pcapng file, from its first on, in pieces of any length. What does not
    // follow the format ends it: what was told before stays.
    void add(std::span<const uint8_t> octets) noexcept;

    // Packets lost, as told so far.
    uint64_t packets() const noexcept;

  private:
    struct Interface {
        uint64_t by_packets = 0;
        uint64_t by_statistics = 0;
    };
    enum class Step : uint8_t { front, fixed, options, over };

    // What was wanted of the block is there.
    void take() noexcept;
    void take_front() noexcept;
    void take_section() noexcept;
    void take_packet() noexcept;
    void take_options() noexcept;
    // The next octets are wanted; of what is left of the block where it has so many.
    void want(Step step, uint64_t octets) noexcept;
    void want_options() noexcept;
    void skip_rest() noexcept;
    void add_lost(uint32_t interface, uint64_t packets) noexcept;
    template <typename Integer>
    Integer load(size_t offset) const noexcept;

    // Longer ones are comments.
    static constexpr size_t kMostOptions = 4096;
    // Those behind are not told apart, and not counted.
    static constexpr size_t kMostInterfaces = 256;

    std::array<uint8_t, kMostOptions> part_;  // what is wanted of a block
    size_t have_ = 0;
    size_t wanted_ = 8;
    Step step_ = Step::front;
    bool swapped_ = false;
    uint32_t type_ = 0;
    uint32_t section_length_ = 0;  // as it stands there
    uint32_t interface_ = 0;       // of the packet or the statistics
    uint64_t left_ = 0;            // octets of the block behind what is wanted
    uint64_t skip_ = 0;            // octets before what is wanted
    std::array<Interface, kMostInterfaces> interfaces_{};
    size_t interface_count_ = 0;
    uint64_t of_sections_ = 0;  // packets, of the sections before
};

}  // namespace curlew::probe
