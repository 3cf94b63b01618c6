#include "probe/recorder.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cassert>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <utility>

namespace curlew::probe {

namespace {

using std::chrono::milliseconds;

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kMinute = 60 * kSecond;
// Packets this much older than a file's window begin another one; others only came late.
constexpr uint64_t kLate = kMinute;
constexpr milliseconds kRecorderIdleTurn{1};
// Blocks are written when they are so many, or the line is quiet and they are so old.
constexpr size_t kWriteOctets = size_t{1} << 20;
constexpr milliseconds kWriteAge{100};
// A silent line's file is completed after this, or its minutes where they are more. The flows in it
// have ended by then.
constexpr std::chrono::minutes kQuiet{10};
// The folder is looked through again when so much was written, or all that there was room for; less
// where little is kept.
constexpr uint64_t kRoomOctets = uint64_t{64} << 20;
constexpr uint64_t kRoomShare = 16;
constexpr int kRetriesToTrust = 12;
constexpr size_t kMostRecorderNews = 64;
constexpr std::string_view kOpenSuffix = ".open";

std::string utc_stamp(uint64_t time_ns) {
    const auto seconds = static_cast<time_t>(time_ns / kSecond);
    tm parts{};
    ::gmtime_r(&seconds, &parts);
    return fmt::format("{:%Y%m%dT%H%M%SZ}", parts);
}

uint64_t wall_ns() {
    return static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::system_clock::now().time_since_epoch()).count());
}

RecordedPacket packet_at(std::span<const uint8_t> message) {
    RecordedPacket packet;
    std::memcpy(&packet, message.data(), sizeof(packet));
    return packet;
}

uint64_t lost_by(const PortCounters& port) {
    return port.packets_missed + port.packets_in_error + port.packets_without_buffer;
}

// A file that is not complete cannot go: it is to stay well below what is kept of all.
uint64_t most_octets(const RecordingRotation& rotate, const RecordingRetention& keep) {
    const uint64_t bound = keep.octets / 2;
    return rotate.octets == 0 || (bound != 0 && bound < rotate.octets) ? bound : rotate.octets;
}

std::span<const uint8_t> block_octets(const std::string& text) {
    return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

}  // namespace

Recorder::Recorder(const RecorderConfig& config,
                   const std::vector<RecordingLane*>& lanes,
                   std::function<std::vector<PortCounters>()> port_counters)
    : config_(config),
      port_counters_(std::move(port_counters)),
      folder_(config.folder, config.keep),
      lanes_(lanes),
      interfaces_(config.interfaces.size()),
      rotate_octets_(most_octets(config.rotate, config.keep)) {
    for (RecordingLane* lane : lanes) {
        inlets_.push_back({lane, {}, {}});
    }
    blocks_.reserve(kWriteOctets + kLongestBlock);
    for (std::string& sentence : folder_.recover()) {
        tell(std::move(sentence));
    }
}

bool Recorder::Inlet::look() {
    if (rest.empty()) {
        rest = lane->ring().front();
    }
    return !rest.empty();
}

uint64_t Recorder::Inlet::time_ns() const {
    return packet_at(rest).time_ns;
}

void Recorder::Inlet::pass(size_t octets) {
    rest = rest.subspan(octets);
    if (rest.empty()) {
        lane->ring().pop();
    }
}

void Recorder::run() {
    for (Inlet& inlet : inlets_) {
        inlet.shown_at = Clock::now();
    }
    while (true) {
        // Asked before looking: what was handed over before the end is then seen.
        const bool over = over_.load(std::memory_order_acquire);
        if (!take(over)) {
            if (over) {
                break;
            }
            watch_quiet_line();
            std::this_thread::sleep_for(kRecorderIdleTurn);
        }
    }
    end_file(end_ns_);
}

// The earliest packets of one lane, up to the earliest of the others; false when there are none.
bool Recorder::take(bool over) {
    const auto now = Clock::now();
    Inlet* first = nullptr;
    uint64_t others_ns = ~uint64_t{0};
    bool is_awaited = false;
    for (Inlet& inlet : inlets_) {
        if (!inlet.look()) {
            is_awaited = is_awaited || (!over && now < inlet.shown_at + kPatience);
            continue;
        }
        inlet.shown_at = now;
        if (first == nullptr || inlet.time_ns() < first->time_ns()) {
            others_ns = first == nullptr ? others_ns : std::min(others_ns, first->time_ns());
            first = &inlet;
        } else {
            others_ns = std::min(others_ns, inlet.time_ns());
        }
    }
    if (first == nullptr || is_awaited) {
        return false;
    }
    packet_at_ = now;
    do {
        const RecordedPacket packet = packet_at(first->rest);
        record(packet, first->rest.subspan(sizeof(packet), packet.captured_octets));
        first->pass(packet.message_octets());
    } while (!first->rest.empty() && first->time_ns() <= others_ns);
    return true;
}

void Recorder::record(const RecordedPacket& packet, std::span<const uint8_t> octets) {
    const RecorderConfig::Queue queue = config_.queues[packet.queue];
    InterfaceState& interface = interfaces_[queue.interface];
    interface.lost_untold += packet.lost_before;
    if (file_ && is_past(packet.time_ns)) {
        end_file(last_ns_);
    }
    if (!file_ && !begin_file(packet.time_ns)) {
        ++interface.lost_untold;
        packets_lost_.fetch_add(1, std::memory_order_relaxed);
        return;
    }
    append_packet(
        {.time_ns = packet.time_ns,
         .lost_before = interface.lost_untold,
         .interface = queue.interface,
         .queue = queue.number,
         .flags = epb_flags(config_.interfaces[queue.interface].link, octets, config_.is_live),
         .wire_octets = packet.wire_octets,
         .octets = octets},
        blocks_);
    ++interface.waiting;
    interface.lost_in_waiting += std::exchange(interface.lost_untold, 0);
    first_ns_ = std::min(first_ns_, packet.time_ns);
    last_ns_ = std::max(last_ns_, packet.time_ns);
    ++packets_waiting_;
    octets_waiting_ += packet.captured_octets;
    if (blocks_.size() >= kWriteOctets) {
        write_out();
    }
}

bool Recorder::is_past(uint64_t time_ns) const {
    const bool is_full = rotate_octets_ != 0 && file_->octets() + blocks_.size() >= rotate_octets_;
    return is_full || time_ns >= window_to_ns_ ||
           (time_ns < window_from_ns_ && window_from_ns_ - time_ns > kLate);
}

bool Recorder::begin_file(uint64_t time_ns) {
    if (Clock::now() < retry_at_) {
        return false;
    }
    // Names keep the order of recording where time goes back.
    const uint64_t named_ns = std::max(named_ns_, time_ns);
    const std::string name = fmt::format("{}-{}-{:016x}-{:06}.pcapng",
                                         config_.probe,
                                         utc_stamp(named_ns),
                                         config_.epoch,
                                         file_number_ + 1);
    try {
        if (folder_.restore()) {
            tell(fmt::format("the recording's folder {} had gone, or its lock; it is made again",
                             folder_.path().string()));
        }
        make_room();
        file_.emplace(folder_.path() / (name + std::string(kOpenSuffix)));
    } catch (const std::runtime_error& error) {
        give_up(error.what());
        return false;
    }
    file_name_ = name;
    named_ns_ = named_ns;
    ++file_number_;
    const uint64_t window = config_.rotate.minutes * kMinute;
    window_from_ns_ = window == 0 ? 0 : time_ns - time_ns % window;
    window_to_ns_ = window == 0 || window_from_ns_ > ~uint64_t{0} - window
                        ? ~uint64_t{0}
                        : window_from_ns_ + window;
    first_ns_ = time_ns;
    last_ns_ = time_ns;
    is_told_ = false;
    begin_interfaces();
    return true;
}

void Recorder::begin_interfaces() {
    assert(blocks_.empty());
    append_section(config_.program,
                   fmt::format("recording of probe {}, epoch {:016x}, file {}",
                               config_.probe,
                               config_.epoch,
                               file_number_),
                   blocks_);
    for (size_t i = 0; i < interfaces_.size(); ++i) {
        append_interface(config_.interfaces[i], blocks_);
        interfaces_[i].delivered = 0;
        interfaces_[i].lost = 0;
    }
}

// For what is written next. Throws std::runtime_error when nothing more may be written.
void Recorder::make_room() {
    const std::string open = file_ ? file_name_ + std::string(kOpenSuffix) : std::string();
    const uint64_t open_octets = file_ ? file_->octets() : 0;
    uint64_t most = kRoomOctets;
    for (const uint64_t bound : {config_.keep.octets / kRoomShare, rotate_octets_}) {
        most = bound == 0 ? most : std::min(most, bound);
    }
    most = std::max<uint64_t>(most, blocks_.size());
    // No file goes for more than the next write: there may be few, and others fill the disk too.
    const uint64_t least =
        std::max<uint64_t>(std::min(most, uint64_t{kWriteOctets + kLongestBlock}), blocks_.size());
    const uint64_t now_ns =
        clock_.is_settled(Clock::now(), std::chrono::system_clock::now()) ? wall_ns() : 0;
    const std::optional<uint64_t> room =
        folder_.keep_bounds(open, open_octets, least, most, now_ns);
    if (!room) {
        throw std::runtime_error(fmt::format(
            "less than {} octets are free at {}", config_.keep.min_free, folder_.path().string()));
    }
    room_until_ = open_octets + *room;
}

void Recorder::write_out() {
    if (blocks_.empty()) {
        return;
    }
    if (!file_->is_there()) {
        give_up(fmt::format("{} was removed or moved while it was open", file_name_));
        retry_at_ = Clock::now();
        return;
    }
    try {
        if (file_->octets() + blocks_.size() > room_until_) {
            make_room();
        }
        file_->append(block_octets(blocks_));
        blocks_.clear();
        note_written();
    } catch (const std::runtime_error& error) {
        give_up(error.what());
    }
}

void Recorder::note_written() {
    written_at_ = Clock::now();
    for (InterfaceState& interface : interfaces_) {
        interface.delivered += std::exchange(interface.waiting, 0);
        interface.lost += std::exchange(interface.lost_in_waiting, 0);
    }
    packets_recorded_.fetch_add(std::exchange(packets_waiting_, 0), std::memory_order_relaxed);
    octets_recorded_.fetch_add(std::exchange(octets_waiting_, 0), std::memory_order_relaxed);
    // Not before it has lasted: a disk that is full takes a little now and then.
    if (is_failing_ && written_at_ - failed_at_ >= kRetriesToTrust * config_.retry) {
        is_failing_ = false;
        tell(fmt::format("recording goes on with {}", file_name_));
    }
    const std::lock_guard lock(mutex_);
    if (!std::exchange(is_told_, true)) {
        files_.push_back({file_name_, 0, 0});
        if (files_.size() > kMostFiles) {
            files_.pop_front();
        }
    }
    files_.back().from_ns = first_ns_;
    files_.back().to_ns = last_ns_;
}

// The file is complete, or was given up.
void Recorder::end_file(uint64_t end_ns) {
    if (!file_) {
        return;
    }
    append_all_statistics(std::max(last_ns_, end_ns));
    write_out();
    if (file_) {
        for (InterfaceState& interface : interfaces_) {
            interface.told = interface.at_end;
        }
    }
    complete_file();
}

void Recorder::append_all_statistics(uint64_t end_ns) {
    const std::vector<PortCounters> counters = counters_of_interfaces();
    for (size_t i = 0; i < interfaces_.size(); ++i) {
        InterfaceState& interface = interfaces_[i];
        interface.at_end = counters[i];
        const uint64_t received = counters[i].packets_offered - interface.told.packets_offered;
        const uint64_t dropped = lost_by(counters[i]) - lost_by(interface.told);
        const uint64_t filtered = counters[i].packets_filtered - interface.told.packets_filtered;
        append_statistics(static_cast<uint32_t>(i),
                          {.from_ns = first_ns_,
                           .to_ns = end_ns,
                           .received = received,
                           .dropped = dropped,
                           .filter_accepted = received - dropped - filtered,
                           .dropped_later = interface.lost + interface.lost_in_waiting,
                           .delivered = interface.delivered + interface.waiting},
                          blocks_);
    }
}

// What waited is lost, and what the file has is kept.
void Recorder::give_up(const std::string& why) {
    failed_at_ = Clock::now();
    if (!std::exchange(is_failing_, true)) {
        tell(
            fmt::format("{}; packets are metered, but not recorded, until a file takes them", why));
    }
    for (InterfaceState& interface : interfaces_) {
        interface.lost_untold +=
            std::exchange(interface.waiting, 0) + std::exchange(interface.lost_in_waiting, 0);
    }
    packets_lost_.fetch_add(std::exchange(packets_waiting_, 0), std::memory_order_relaxed);
    octets_waiting_ = 0;
    blocks_.clear();
    complete_file();
    retry_at_ = Clock::now() + config_.retry;
}

void Recorder::complete_file() {
    if (!file_) {
        return;
    }
    try {
        // A file that has gone was told of; wherever it is, it ends with a whole block.
        const bool is_there = file_->is_there();
        if (is_there && is_told_) {
            file_->complete();
        } else if (is_there) {
            file_->discard();
        }
        is_left_open_ = false;
    } catch (const std::runtime_error& error) {
        // Once, however many follow.
        if (!std::exchange(is_left_open_, true)) {
            tell(fmt::format("{}; it is left for the next start to complete", error.what()));
        }
    }
    file_.reset();
}

void Recorder::watch_quiet_line() {
    if (!file_) {
        return;
    }
    const auto now = Clock::now();
    if (now - written_at_ >= kWriteAge) {
        write_out();
    }
    const std::chrono::minutes window(config_.rotate.minutes);
    const auto silence = now - packet_at_;
    if (config_.is_live && window.count() != 0 && silence >= std::max(window, kQuiet)) {
        end_file(last_ns_ + static_cast<uint64_t>(std::chrono::nanoseconds(silence).count()));
    }
}

std::vector<PortCounters> Recorder::counters_of_interfaces() const {
    std::vector<PortCounters> sums(config_.interfaces.size());
    const std::vector<PortCounters> ports = port_counters_();
    for (size_t queue = 0; queue < ports.size(); ++queue) {
        sums[config_.queues[queue].interface].add(ports[queue]);
    }
    return sums;
}

void Recorder::tell(std::string sentence) {
    const std::lock_guard lock(mutex_);
    if (news_.size() < kMostRecorderNews) {
        news_.push_back(std::move(sentence));
    }
}

RecordingLedger Recorder::ledger() const {
    RecordingLedger ledger;
    ledger.packets_recorded = packets_recorded_.load(std::memory_order_relaxed);
    ledger.octets_recorded = octets_recorded_.load(std::memory_order_relaxed);
    ledger.packets_lost_at_disk = packets_lost_.load(std::memory_order_relaxed);
    for (const RecordingLane* lane : lanes_) {
        ledger.packets_not_chosen += lane->packets_not_chosen();
        ledger.packets_lost_in_ring += lane->packets_lost();
    }
    const std::lock_guard lock(mutex_);
    ledger.files.assign(files_.begin(), files_.end());
    return ledger;
}

std::vector<std::string> Recorder::news() {
    const std::lock_guard lock(mutex_);
    return std::exchange(news_, {});
}

}  // namespace curlew::probe
