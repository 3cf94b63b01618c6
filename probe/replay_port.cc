#include "probe/replay_port.h"

#include <sanitizer/asan_interface.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "probe/link_types.h"

namespace curlew::probe {

namespace {

// Read from the stream at once: many bursts, and no more than a core's cache has room for.
constexpr size_t kReadOctets = size_t{256} << 10;
constexpr size_t kWindowOctets = kReadOctets + CaptureReader::kLongestRecord;
// Packets read in one receive(), so that a filter which wants none cannot hold up its caller.
constexpr size_t kMaximumReads = 16 * kMaximumBurst;
// Reads of the stream in one receive(), and before the first packet: blocks of no use may go on for
// ever.
constexpr size_t kMaximumFills = 64;
constexpr size_t kMaximumFirstFills = 4096;
// Longer than any timeout of a flow.
constexpr uint64_t kLongestSilence = 100'000'000'000'000;

// For the sentence that refuses a link type: name and number, or the number alone.
std::string describe_link(uint32_t number) {
    const std::string name = link_name(number);
    const std::string digits = std::to_string(number);
    return name == digits ? name : name + " (" + digits + ")";
}

std::unique_ptr<CaptureReader> reader_for(const std::filesystem::path& file,
                                          const CaptureStream& stream) {
    try {
        return make_capture_reader(stream.head());
    } catch (const std::runtime_error& error) {
        const std::string cause = stream.fault().empty()
                                      ? "not a capture (" + std::string(error.what()) + ")"
                                      : stream.fault();
        throw std::runtime_error(file.string() + ": " + cause);
    }
}

}  // namespace

ReplayPort::ReplayPort(const std::filesystem::path& file,
                       const std::string& filter_expression,
                       CaptureStream::Witness witness)
    : file_(file),
      filter_expression_(filter_expression),
      stream_(file, std::move(witness)),
      reader_(reader_for(file, stream_)),
      window_(std::make_unique_for_overwrite<uint8_t[]>(kWindowOctets)),
      unread_(window_.get(), 0) {
    begin();
}

ReplayPort::~ReplayPort() {
    ASAN_UNPOISON_MEMORY_REGION(window_.get(), kWindowOctets);
}

// Up to the first packet, for what stands before it says whether the rest can be read.
void ReplayPort::begin() {
    CapturedPacket packet;
    size_t fills = kMaximumFirstFills;
    if (read_packet(packet, fills)) {
        pending_ = packet;
    }
    const std::vector<CaptureLink>& links = reader_->links();
    if (links.empty()) {
        const std::string cause =
            reader_->fault().empty() ? "it describes no interface" : reader_->fault();
        throw std::runtime_error(
            file_.string() + ": " +
            (stream_.fault().empty() ? "not a capture (" + cause + ")" : stream_.fault()));
    }
    if (std::ranges::all_of(
            links, [](const CaptureLink& link) { return link.type == LinkType::unsupported; })) {
        throw std::runtime_error(file_.string() + ": link type " +
                                 describe_link(links.front().number) + " is not supported");
    }
    if (!filter_expression_.empty()) {
        const std::optional<FilterError> fault = make_filters();
        const auto is_made = [](const std::optional<PacketFilter>& filter) { return !!filter; };
        if (fault && std::ranges::none_of(filters_, is_made)) {
            throw *fault;
        }
    }
}

std::optional<FilterError> ReplayPort::make_filters() {
    std::optional<FilterError> fault;
    while (filters_.size() < reader_->links().size()) {
        const CaptureLink& link = reader_->links()[filters_.size()];
        std::optional<PacketFilter> filter;
        try {
            if (link.type == LinkType::raw_ip) {
                // libpcap knows of its numbers this one alone.
                filter.emplace(filter_expression_, link.type);
            } else if (link.type != LinkType::unsupported) {
                filter.emplace(filter_expression_, link.number, link.swapped);
            }
        } catch (const std::exception& error) {
            fault = fault ? fault : FilterError(error.what());
        }
        filters_.push_back(std::move(filter));
    }
    return fault;
}

std::string ReplayPort::link_names() const {
    std::vector<std::string> names;
    for (const CaptureLink& link : reader_->links()) {
        std::string name = link_name(link.number);
        if (std::ranges::find(names, name) == names.end()) {
            names.push_back(std::move(name));
        }
    }
    std::string joined;
    for (const std::string& name : names) {
        joined += (joined.empty() ? "" : ",") + name;
    }
    return joined;
}

uint64_t ReplayPort::read_rest_of_file() {
    if (!stream_.read_rest_of_file()) {
        throw std::runtime_error(file_.string() + ": " + stream_.fault());
    }
    return stream_.consumed_octets();
}

size_t ReplayPort::receive(std::span<PacketView, kMaximumBurst> burst) noexcept {
    size_t count = 0;
    size_t fills = kMaximumFills;
    const uint64_t offered = counters_.packets_offered;
    for (size_t reads = 0; reads < kMaximumReads && count < burst.size(); ++reads) {
        CapturedPacket packet;
        if (pending_) {
            packet = *std::exchange(pending_, std::nullopt);
        } else {
            size_t none = 0;
            // A burst's packets stay where they are.
            if (!read_packet(packet, count == 0 ? fills : none)) {
                break;
            }
        }
        read_ns_ = packet.view.time_ns;
        ++counters_.packets_offered;
        counters_.octets_offered += packet.view.wire_octets;
        octets_captured_ += packet.view.captured_octets;
        if (!filter_expression_.empty() && !is_wanted(packet)) {
            ++counters_.packets_filtered;
            continue;
        }
        now_ns_ = packet.view.time_ns;
        burst[count++] = packet.view;
    }
    caught_up_ = counters_.packets_offered == offered && state_ != PortState::running;
    // Whoever reads past a packet is found by a sanitizer.
    ASAN_POISON_MEMORY_REGION(window_.get(), unread_.data() + unread_.size() - window_.get());
    for ([[maybe_unused]] const PacketView& packet : burst.first(count)) {
        ASAN_UNPOISON_MEMORY_REGION(packet.data, packet.captured_octets);
    }
    return count;
}

void ReplayPort::release() noexcept {
    ASAN_UNPOISON_MEMORY_REGION(window_.get(), unread_.data() + unread_.size() - window_.get());
}

bool ReplayPort::is_wanted(const CapturedPacket& packet) noexcept {
    if (packet.link >= filters_.size()) {
        make_filters();
    }
    const std::optional<PacketFilter>& filter = filters_[packet.link];
    return filter && filter->matches(packet.view);
}

bool ReplayPort::read_packet(CapturedPacket& packet, size_t& fills) noexcept {
    for (;;) {
        if (state_ != PortState::running) {
            return false;
        }
        const CaptureReader::Step step = reader_->next(unread_, packet);
        if (step == CaptureReader::Step::packet) {
            return true;
        }
        if (step == CaptureReader::Step::damaged) {
            stop("capture cannot be read after packet " +
                 std::to_string(counters_.packets_offered) + " (" + reader_->fault() + ")");
        } else if (fills == 0) {
            return false;
        } else {
            --fills;
            if (!fill_window()) {
                stop_at_end();
            }
        }
    }
}

bool ReplayPort::fill_window() noexcept {
    assert(unread_.size() < CaptureReader::kLongestRecord);
    std::memmove(window_.get(), unread_.data(), unread_.size());
    uint8_t* const rest = window_.get() + unread_.size();
    const size_t got = stream_.read({rest, kReadOctets});
    unread_ = {window_.get(), unread_.size() + got};
    return got > 0;
}

void ReplayPort::stop_at_end() noexcept {
    const std::string last = std::to_string(counters_.packets_offered);
    const std::string next = std::to_string(counters_.packets_offered + 1);
    if (!stream_.fault().empty()) {
        stop(stream_.fault() + ", after packet " + last);
    } else if (!unread_.empty() || !reader_->is_between_records()) {
        stop("capture ends in the middle of packet " + next);
    } else {
        stop({});
    }
}

void ReplayPort::stop(std::string fault) noexcept {
    fault_ = std::move(fault);
    state_ = fault_.empty() ? PortState::ended : PortState::broken;
    const bool was_read = counters_.packets_offered != 0;
    if (state_ == PortState::ended && reader_->nanosecond() && was_read) {
        // More makes no difference to any flow, and may be noise.
        end_ns_ = std::min(reader_->end_ns(), read_ns_ + kLongestSilence);
    }
    counters_.packets_missed = reader_->packets_lost();
    counters_.packets_offered += counters_.packets_missed;
}

}  // namespace curlew::probe
