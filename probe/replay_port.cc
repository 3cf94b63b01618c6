#include "probe/replay_port.h"

#include <pcap/pcap.h>
#include <sanitizer/asan_interface.h>
#include <stdio_ext.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <new>
#include <stdexcept>

namespace curlew::probe {

namespace {

constexpr size_t kFileBufferOctets = 64 * 1024;
// A burst ends once it holds this many octets, so the arena takes any packet that follows them.
constexpr size_t kFullBurstOctets = 1024 * 1024;
// Between two packets at least, so that a sanitizer sees a read past the first one's end.
constexpr size_t kGuardOctets = 16;
constexpr size_t kPacketAlignment = 16;
constexpr size_t kArenaOctets = kFullBurstOctets + kMaximumPacketOctets + kGuardOctets;
static_assert(kArenaOctets % kPacketAlignment == 0);
// Packets read in one receive(), so that a filter which wants none cannot hold up its caller.
constexpr size_t kMaximumReads = 16 * kMaximumBurst;
// Longer than any timeout of a flow.
constexpr uint64_t kLongestSilence = 100'000'000'000'000;

std::optional<LinkType> link_type(int pcap_link_type) {
    // Raw IP in files of BSD/OS and OpenBSD; libpcap knows the local number only.
    constexpr int kOtherRaw = 14;
    constexpr int kFileRaw = 101;
    switch (pcap_link_type) {
        case DLT_EN10MB:
            return LinkType::ethernet;
        case DLT_RAW:
        case kOtherRaw:
        case kFileRaw:
        case DLT_IPV4:
        case DLT_IPV6:
            return LinkType::raw_ip;
        case DLT_NULL:
        case DLT_LOOP:
            return LinkType::null_loopback;
        case DLT_LINUX_SLL:
            return LinkType::linux_sll;
        case DLT_LINUX_SLL2:
            return LinkType::linux_sll2;
        case DLT_PPP:
        case DLT_PPP_SERIAL:
            return LinkType::ppp;
        case DLT_PPP_ETHER:
            return LinkType::pppoe;
        case DLT_C_HDLC:
            return LinkType::cisco_hdlc;
        case DLT_FRELAY:
            return LinkType::frame_relay;
        case DLT_NFLOG:
            return LinkType::netfilter_log;
        case DLT_IPNET:
            return LinkType::solaris_ipnet;
        case DLT_FDDI:
            return LinkType::fddi;
        case DLT_ATM_RFC1483:
            return LinkType::llc;
        case DLT_IEEE802_11:
            return LinkType::wifi;
        case DLT_IEEE802_11_RADIO:
            return LinkType::wifi_radiotap;
        case DLT_PRISM_HEADER:
            return LinkType::wifi_prism;
        case DLT_IEEE802_11_RADIO_AVS:
            return LinkType::wifi_avs;
        default:
            return std::nullopt;
    }
}

// For the sentence that refuses a link type: name and number, or the number alone.
std::string describe_link(int pcap_link_type) {
    const char* name = pcap_datalink_val_to_name(pcap_link_type);
    const std::string number = std::to_string(pcap_link_type);
    return name != nullptr ? std::string(name) + " (" + number + ")" : number;
}

template <typename Integer>
Integer load(std::span<const uint8_t> octets, size_t offset, bool swapped) {
    Integer value{};
    std::memcpy(&value, octets.data() + offset, sizeof(value));
    if (!swapped) {
        return value;
    }
    if constexpr (sizeof(Integer) == 2) {
        return __builtin_bswap16(value);
    } else {
        return __builtin_bswap32(value);
    }
}

// What an interface description's options say (draft-ietf-opsawg-pcapng, section 4.2):
//
//    0                   1                   2                   3
//    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//   |      Option Code              |         Option Length (1)     |
//   |B|  exponent   |                  padding                      |
//
// Of if_tsresol (9) the unit is 10^-exponent seconds, or 2^-exponent where B is set; without the
// option 10^-6. if_fcslen (13) has the octets of the check sequence behind each packet.
struct InterfaceOptions {
    bool finer = false;  // than microseconds
    uint8_t fcs_octets = 0;
};

InterfaceOptions read_options(std::span<const uint8_t> options, bool swapped) {
    constexpr uint16_t kEndOfOptions = 0;
    constexpr uint16_t kResolution = 9;
    constexpr uint16_t kFcsLength = 13;
    InterfaceOptions told;
    while (options.size() >= 4) {
        const auto code = load<uint16_t>(options, 0, swapped);
        const size_t length = load<uint16_t>(options, 2, swapped);
        const size_t padded = (length + 3) / 4 * 4;
        options = options.subspan(4);
        if (code == kEndOfOptions || padded > options.size()) {
            break;
        }
        if (code == kResolution && length == 1) {
            const uint8_t exponent = options[0] & 0x7f;
            told.finer = (options[0] & 0x80) != 0 ? exponent >= 20 : exponent > 6;
        } else if (code == kFcsLength && length == 1) {
            told.fcs_octets = options[0];
        }
        options = options.subspan(padded);
    }
    return told;
}

// What libpcap does not tell: it gives nanoseconds whatever the file has, and reads no further when
// an interface of another link type than the first comes, in front of the first packet maybe. pcap
// says its resolution in its magic number, pcapng in each interface description:
//
//    block type, total length, byte-order magic, ...                section header, the first block
//    block type, total length, link type, reserved, snap length, options, total length
struct HeadFacts {
    bool is_pcapng = false;
    bool nanosecond = false;  // finer than microseconds
    uint8_t fcs_octets = 0;   // behind each packet; pcap says that to libpcap
    std::optional<uint16_t> link_type;
    std::optional<uint16_t> other_link_type;  // in front of the first packet
};

HeadFacts facts_of_head(std::span<const uint8_t> head) {
    constexpr uint32_t kNanosecondPcap = 0xa1b23c4d;
    constexpr uint32_t kSection = 0x0a0d0d0a;
    constexpr uint32_t kByteOrder = 0x1a2b3c4d;
    constexpr uint32_t kInterface = 1;
    constexpr std::array<uint32_t, 3> kPackets = {2, 3, 6};
    constexpr size_t kSmallestBlock = 12;
    constexpr size_t kInterfaceFixed = 16;
    HeadFacts facts;
    if (head.size() < kSmallestBlock) {
        return facts;
    }
    const auto magic = load<uint32_t>(head, 0, false);
    if (magic != kSection) {
        facts.nanosecond = magic == kNanosecondPcap || magic == __builtin_bswap32(kNanosecondPcap);
        return facts;
    }
    facts.is_pcapng = true;
    const bool swapped = load<uint32_t>(head, 8, false) != kByteOrder;
    for (bool is_first = true; head.size() >= kSmallestBlock; is_first = false) {
        const auto type = load<uint32_t>(head, 0, swapped);
        const size_t length = load<uint32_t>(head, 4, swapped);
        if (length < kSmallestBlock || length > head.size() || (type == kSection && !is_first) ||
            std::find(kPackets.begin(), kPackets.end(), type) != kPackets.end()) {
            break;
        }
        if (type == kInterface) {
            if (length < kInterfaceFixed + 4) {
                break;
            }
            const auto link = load<uint16_t>(head, 8, swapped);
            const InterfaceOptions told =
                read_options(head.subspan(kInterfaceFixed, length - kInterfaceFixed - 4), swapped);
            if (!facts.link_type) {
                facts.link_type = link;
                facts.nanosecond = told.finer;
                facts.fcs_octets = told.fcs_octets;
            } else if (told.fcs_octets != facts.fcs_octets) {
                facts.fcs_octets = 0;  // libpcap does not tell which one a packet is of
            }
            if (link != *facts.link_type) {
                facts.other_link_type = link;
                break;
            }
        }
        head = head.subspan(length);
    }
    return facts;
}

// When a capture of nanoseconds ended, by the Interface Statistics Block that it ends with (section
// 4.6): isb_endtime, option 3, in two halves, the upper first. 0: there is none.
//
//    block type (5), total length, interface, time (2 halves), options, total length
uint64_t end_by_statistics(std::span<const uint8_t> tail) {
    constexpr uint32_t kStatistics = 5;
    constexpr size_t kFixed = 20;
    constexpr uint16_t kEndTime = 3;
    if (tail.size() < kFixed + 4) {
        return 0;
    }
    const size_t length = load<uint32_t>(tail, tail.size() - 4, false);
    if (length < kFixed + 4 || length > tail.size()) {
        return 0;
    }
    const std::span block = tail.last(length);
    if (load<uint32_t>(block, 0, false) != kStatistics ||
        load<uint32_t>(block, 4, false) != length) {
        return 0;
    }
    std::span options = block.subspan(kFixed, length - kFixed - 4);
    while (options.size() >= 4) {
        const auto code = load<uint16_t>(options, 0, false);
        const size_t octets = load<uint16_t>(options, 2, false);
        const size_t padded = (octets + 3) / 4 * 4;
        if (padded > options.size() - 4) {
            return 0;
        }
        if (code == kEndTime && octets == 8) {
            return uint64_t{load<uint32_t>(options, 4, false)} << 32 |
                   load<uint32_t>(options, 8, false);
        }
        options = options.subspan(4 + padded);
    }
    return 0;
}

// The fraction may be more than a second: files say what they like. `unit_ns` is what the file
// counts it in.
uint64_t nanoseconds(const timeval& time, int64_t unit_ns) {
    constexpr int64_t kPerSecond = 1'000'000'000;
    constexpr auto kBound = int64_t{ReplayPort::kMaximumTimeNs};
    // The file's seconds and fractions are 32 bits without a sign; libpcap takes them for signed.
    constexpr int64_t kWrap = int64_t{1} << 32;
    const int64_t seconds =
        time.tv_sec < 0 && time.tv_sec >= INT32_MIN ? time.tv_sec + kWrap : time.tv_sec;
    if (seconds < 0) {
        return 0;
    }
    if (seconds > kBound / kPerSecond) {
        return ReplayPort::kMaximumTimeNs;
    }
    const int64_t whole = seconds * kPerSecond;
    const int64_t fraction = time.tv_usec < 0 ? time.tv_usec + kWrap * unit_ns : time.tv_usec;
    return static_cast<uint64_t>(std::clamp(whole + fraction, int64_t{0}, kBound));
}

void require_one_link_type(const std::filesystem::path& file, const HeadFacts& facts) {
    if (facts.other_link_type) {
        throw std::runtime_error(
            file.string() + ": its interfaces have link types " + std::to_string(*facts.link_type) +
            " and " + std::to_string(*facts.other_link_type) +
            ", which cannot be read together: take out one's packets first, as with tshark -Y "
            "frame.interface_id==0 -w");
    }
}

}  // namespace

ssize_t ReplayPort::read_stream(void* port, char* out, size_t size) noexcept {
    // An empty span is not for CaptureStream, and nothing is all that can be read into one.
    if (size == 0) {
        return 0;
    }
    auto& self = *static_cast<ReplayPort*>(port);
    const std::span octets(reinterpret_cast<uint8_t*>(out), size);
    const size_t read = self.stream_.read(octets);
    if (self.is_pcapng_) {
        self.losses_.add(octets.first(read));
    }
    return static_cast<ssize_t>(read);
}

void ReplayPort::CloseFile::operator()(std::FILE* file) const noexcept {
    std::fclose(file);
}

void ReplayPort::CloseCapture::operator()(pcap* capture) const noexcept {
    pcap_close(capture);
}

ReplayPort::ReplayPort(const std::filesystem::path& file,
                       const std::string& filter_expression,
                       CaptureStream::Witness witness)
    : file_(file),
      stream_(file, std::move(witness)),
      file_buffer_(std::make_unique_for_overwrite<char[]>(kFileBufferOctets)),
      fcs_octets_(facts_of_head(stream_.head()).fcs_octets),
      is_pcapng_(facts_of_head(stream_.head()).is_pcapng),
      nanosecond_(facts_of_head(stream_.head()).nanosecond) {
    require_one_link_type(file, facts_of_head(stream_.head()));
    open_capture(file);
    find_link(file);
    if (!filter_expression.empty()) {
        filter_.emplace(filter_expression, capture_.get());
    }
    arena_ = std::make_unique_for_overwrite<uint8_t[]>(kArenaOctets);
    ASAN_POISON_MEMORY_REGION(arena_.get(), kArenaOctets);
}

uint64_t ReplayPort::read_rest_of_file() {
    if (!stream_.read_rest_of_file()) {
        throw std::runtime_error(file_.string() + ": " + stream_.fault());
    }
    return stream_.consumed_octets();
}

ReplayPort::~ReplayPort() {
    ASAN_UNPOISON_MEMORY_REGION(arena_.get(), kArenaOctets);
}

void ReplayPort::open_capture(const std::filesystem::path& file) {
    const cookie_io_functions_t functions{
        .read = read_stream, .write = nullptr, .seek = nullptr, .close = nullptr};
    std::unique_ptr<std::FILE, CloseFile> stream(fopencookie(this, "r", functions));
    if (!stream) {
        throw std::bad_alloc();
    }
    std::setvbuf(stream.get(), file_buffer_.get(), _IOFBF, kFileBufferOctets);
    // One thread reads; without this every small read takes a lock.
    __fsetlocking(stream.get(), FSETLOCKING_BYCALLER);
    char cause[PCAP_ERRBUF_SIZE] = "";
    capture_.reset(
        pcap_fopen_offline_with_tstamp_precision(stream.get(), PCAP_TSTAMP_PRECISION_NANO, cause));
    if (!capture_) {
        throw std::runtime_error(file.string() + ": " +
                                 (stream_.fault().empty()
                                      ? "not a capture (" + std::string(cause) + ")"
                                      : stream_.fault()));
    }
    // pcap_close closes it from now on.
    static_cast<void>(stream.release());
}

void ReplayPort::find_link(const std::filesystem::path& file) {
    const int number = pcap_datalink(capture_.get());
    const std::optional<LinkType> link = link_type(number);
    if (!link) {
        throw std::runtime_error(file.string() + ": link type " + describe_link(number) +
                                 " is not supported");
    }
    link_ = *link;
    const char* name = pcap_datalink_val_to_name(number);
    link_name_ = name != nullptr ? name : std::to_string(number);
    // Counted in 16-bit words.
    const auto extension = std::bit_cast<uint32_t>(pcap_datalink_ext(capture_.get()));
    if (LT_FCS_LENGTH_PRESENT(extension) != 0) {
        fcs_octets_ = 2 * LT_FCS_LENGTH(extension);
    }
}

size_t ReplayPort::receive(std::span<PacketView, kMaximumBurst> burst) noexcept {
    assert(arena_used_ == 0);
    size_t count = 0;
    const uint64_t offered = counters_.packets_offered;
    for (size_t reads = 0; reads < kMaximumReads; ++reads) {
        PacketView packet;
        if (count == burst.size() || arena_used_ > kFullBurstOctets || !read_packet(packet)) {
            break;
        }
        if (filter_ && !filter_->matches(packet)) {
            ++counters_.packets_filtered;
            continue;
        }
        uint8_t* copy = arena_.get() + arena_used_;
        ASAN_UNPOISON_MEMORY_REGION(copy, packet.captured_octets);
        std::memcpy(copy, packet.data, packet.captured_octets);
        packet.data = copy;
        const size_t end = arena_used_ + packet.captured_octets + kGuardOctets;
        arena_used_ = (end + kPacketAlignment - 1) / kPacketAlignment * kPacketAlignment;
        now_ns_ = packet.time_ns;
        burst[count++] = packet;
    }
    caught_up_ = counters_.packets_offered == offered;
    return count;
}

void ReplayPort::release() noexcept {
    ASAN_POISON_MEMORY_REGION(arena_.get(), arena_used_);
    arena_used_ = 0;
}

// Octets at packet.data live until the next call.
bool ReplayPort::read_packet(PacketView& packet) noexcept {
    if (state_ != PortState::running) {
        return false;
    }
    pcap_pkthdr* header = nullptr;
    const u_char* octets = nullptr;
    const int result = pcap_next_ex(capture_.get(), &header, &octets);
    if (result != 1) {
        stop(result);
        return false;
    }
    // No frame is longer than what can be captured of one: such a length is noise.
    const uint32_t wire_octets =
        header->len > kMaximumPacketOctets ? header->caplen : std::max(header->len, header->caplen);
    packet.wire_octets = wire_octets - std::min(wire_octets, fcs_octets_);
    packet.captured_octets = std::min({header->caplen, packet.wire_octets, kMaximumPacketOctets});
    packet.data = octets;
    packet.time_ns = nanoseconds(header->ts, nanosecond_ ? 1 : 1000);
    if (packet.time_ns == 0 && is_pcapng_) {
        packet.time_ns = read_ns_;  // a Simple Packet Block has no time (section 4.4)
    }
    read_ns_ = packet.time_ns;
    packet.link = link_;
    ++counters_.packets_offered;
    counters_.octets_offered += packet.wire_octets;
    octets_captured_ += packet.captured_octets;
    return true;
}

void ReplayPort::stop(int result) noexcept {
    const std::string last = std::to_string(counters_.packets_offered);
    const std::string next = std::to_string(counters_.packets_offered + 1);
    if (!stream_.fault().empty()) {
        fault_ = stream_.fault() + ", after packet " + last;
    } else if (result != PCAP_ERROR_BREAK) {
        const bool cut = std::feof(pcap_file(capture_.get())) != 0;
        fault_ = (cut ? "capture ends in the middle of packet " + next
                      : "capture cannot be read after packet " + last) +
                 " (" + pcap_geterr(capture_.get()) + ")";
    }
    state_ = fault_.empty() ? PortState::ended : PortState::broken;
    if (state_ == PortState::ended && nanosecond_) {
        // More makes no difference to any flow, and may be noise.
        end_ns_ = std::min(end_by_statistics(stream_.tail()), now_ns_ + kLongestSilence);
    }
    // When they were lost is not told, only between which packets at best.
    counters_.packets_missed = losses_.packets();
    counters_.packets_offered += counters_.packets_missed;
}

}  // namespace curlew::probe
