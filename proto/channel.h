#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "proto/frame.h"

// The channel between probe and collector: ZeroMQ DEALER and ROUTER, frames as messages,
// acknowledgement after the collector made a frame durable. The only place for ZeroMQ.

namespace curlew::proto {

// More frames than this are never on their way to a collector unacknowledged.
inline constexpr uint32_t kMaximumWindowFrames = 1024;

// Shared by both ends of an inproc channel; one per process. Closing it waits for nothing: ends
// that outlive it time out at once and may be destroyed later.
class ChannelContext {
  public:
    ChannelContext();
    ~ChannelContext();
    ChannelContext(const ChannelContext&) = delete;
    ChannelContext& operator=(const ChannelContext&) = delete;

    struct Implementation;
    Implementation& implementation() noexcept { return *implementation_; }

  private:
    std::unique_ptr<Implementation> implementation_;
};

struct SenderConfig {
    std::string endpoint;  // "inproc://..." here; tcp and ipc come with the services
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    uint32_t window_frames = 64;  // sent and not yet acknowledged: 1 .. kMaximumWindowFrames
};

// Written by the sending thread only.
struct SenderCounters {
    uint64_t frames_sent = 0;
    uint64_t answers_refused = 0;  // not decodable, for someone else, or of frames never sent
};

// The probe's end. One thread calls everything. Either end may be made first.
class ChannelSender {
  public:
    // Throws std::runtime_error with one sentence.
    ChannelSender(ChannelContext& context, const SenderConfig& config);
    ~ChannelSender();

    // Says hello and waits for the collector's welcome. False when none came in time. After a
    // connection was lost, connects anew: last_acknowledged() then is where the collector stands,
    // and the caller sends again what lies above it.
    bool connect(std::chrono::milliseconds timeout);

    // Sends one frame made by append_frame, waiting while the window is full. False when the
    // collector acknowledged nothing for `timeout`: the frame was not sent, and not moved from.
    // Requires: connect() returned true; last_sequence, the last one that the frame takes, grows
    // from frame to frame.
    bool send(std::string&& frame, uint64_t last_sequence, std::chrono::milliseconds timeout);

    // Waits until every frame sent is acknowledged. False when nothing moved for `timeout`.
    bool drain(std::chrono::milliseconds timeout);

    uint64_t last_acknowledged() const noexcept;
    const SenderCounters& counters() const noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

// A frame as it came from a peer; `frame` was decoded and its checksum holds.
struct ReceivedFrame {
    std::string peer;    // opaque: hand it back to acknowledge() or welcome()
    std::string octets;  // the whole frame
    FrameHeader header;
};

// Written by the receiving thread only.
struct ReceiverCounters {
    uint64_t frames_received = 0;
    uint64_t frames_refused = 0;  // not decodable, or of a kind that no probe sends
    uint64_t answers_lost = 0;    // the peer is gone or does not read
};

// The collector's end. One thread calls everything.
class ChannelReceiver {
  public:
    // Binds. Throws std::runtime_error with one sentence.
    ChannelReceiver(ChannelContext& context, const std::string& endpoint);
    ~ChannelReceiver();

    // The next frame, or nothing when none came in time. A message that is no frame is counted and
    // passed over.
    std::optional<ReceivedFrame> receive(std::chrono::milliseconds timeout);

    void welcome(const ReceivedFrame& hello, uint64_t last_durable_sequence);
    void acknowledge(const std::string& peer,
                     uint64_t probe_id,
                     uint64_t epoch,
                     uint64_t last_durable_sequence);

    const ReceiverCounters& counters() const noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::proto
