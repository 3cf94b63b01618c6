#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/flow.pb.h"
#include "proto/frame.h"
#include "proto/key_file.h"

// The channel between probe and collector: ZeroMQ DEALER and ROUTER, frames as messages,
// acknowledgement after the collector made a frame durable. The only place for ZeroMQ.
//
// On tcp both ends know each other by their keys (CURVE), and who has no listed key never gets a
// frame in. Other endpoints are as safe as the file system's permissions.

namespace curlew::proto {

// More frames than this are never on their way to a collector unacknowledged.
inline constexpr uint32_t kMaximumWindowFrames = 1024;
inline constexpr std::chrono::seconds kLongestPatience{60};

// Shared by both ends of an inproc channel; one per process. Closing it waits for nothing: ends
// that outlive it time out at once and may be destroyed later.
class ChannelContext {
  public:
    // Throws std::runtime_error with one sentence when so few files may be open that ZeroMQ fails.
    ChannelContext();
    ~ChannelContext();
    ChannelContext(const ChannelContext&) = delete;
    ChannelContext& operator=(const ChannelContext&) = delete;

    struct Implementation;
    Implementation& implementation() noexcept { return *implementation_; }

  private:
    std::unique_ptr<Implementation> implementation_;
};

// What a probe needs to speak over tcp.
struct SenderKeys {
    KeyPair own;
    std::string collector;  // public key
};

struct SenderConfig {
    std::string endpoint;  // "inproc://...", "ipc://PATH", "tcp://ADDRESS:PORT"
    uint64_t probe_id = 0;
    uint64_t epoch = 0;
    std::string hello;            // body of every hello: a serialized Hello, or empty
    uint32_t window_frames = 64;  // sent and not yet acknowledged: 1 .. kMaximumWindowFrames
    // With frames in flight and no acknowledgement for this long, the connection is made anew; each
    // time that nothing came of it for twice as long, up to kLongestPatience: lines are slow.
    std::chrono::milliseconds patience{2000};
    // After a refusal, before the collector is asked again.
    std::chrono::milliseconds refused_pause{5000};
    std::optional<SenderKeys> keys;
    bool insecure = false;  // tcp without keys is an error otherwise
};

// Written by the sending thread only.
struct SenderCounters {
    uint64_t frames_sent = 0;      // those sent again included
    uint64_t connections = 0;      // hellos that were welcomed
    uint64_t answers_refused = 0;  // not decodable, for someone else, or of frames never sent
};

enum class SenderState : uint8_t {
    connecting,  // no welcome yet, or again
    welcomed,    // frames may be sent
    refused,     // the collector does not want this probe or its key, or is not the one with the
                 // key that was told, or none at all; asked again every few seconds
};

// The probe's end; never blocks longer than told. One thread calls everything. Either end may be
// made first, and may go and come back. What is not acknowledged is the caller's to keep: after a
// new welcome, last_sent() has gone back to where the collector stands.
class ChannelSender {
  public:
    // Throws std::runtime_error with one sentence.
    ChannelSender(ChannelContext& context, const SenderConfig& config);
    ~ChannelSender();

    // Says hello when one is due, takes answers, connects anew when nothing comes. Returns when
    // something changed, at the latest after `timeout`. `first_held` is the first sequence that the
    // caller still holds or will give next: hellos tell it. When that leaves out some that were
    // never sent, the connection is made anew, so that one is due. `last_made` is the last sequence
    // that there is: a collector that says to have more is none, and refused.
    SenderState turn(uint64_t first_held,
                     std::chrono::milliseconds timeout,
                     uint64_t last_made = UINT64_MAX);

    // True when the window has room for a frame.
    bool has_room() const noexcept;

    // Sends the frame made by append_frame that follows last_sent(). False when it could not go
    // now. Requires: state welcomed, has_room(); last_sequence, the last one that the frame takes,
    // is above last_sent().
    bool send(std::shared_ptr<const std::string> frame, uint64_t last_sequence);

    uint64_t last_sent() const noexcept;
    uint64_t last_acknowledged() const noexcept;
    SenderState state() const noexcept;
    // Why the collector refused, in its words made printable, or why no keys could be exchanged; of
    // one that is connecting, what stands in the way, if that is known. Empty when welcomed.
    const std::string& refusal() const noexcept;
    const SenderCounters& counters() const noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

// A public key that may come in over tcp, and whom it stands for.
struct KeyOwner {
    std::string name;
    uint64_t probe_id = 0;
};

struct AllowedKey {
    std::string public_key;
    KeyOwner owner;
};

// A frame as it came from a peer; `frame` was decoded and its checksum holds.
struct ReceivedFrame {
    std::string peer;    // opaque: hand it back to acknowledge() or welcome()
    std::string octets;  // the whole frame
    FrameHeader header;
    // Whose key the peer has, whatever the frame says. None: it came by a way without keys.
    std::optional<KeyOwner> owner = std::nullopt;

    // Into the octets.
    FrameView view() const noexcept;
};

// Of tcp alone: what did not come in.
struct RefusedConnections {
    uint64_t keys_unknown = 0;            // a key that is not allowed
    uint64_t handshakes_failed = 0;       // no key, a wrong key for the collector, silence, noise
    uint64_t connections_over_bound = 0;  // more at once than are let in
    uint64_t connections_without_measure = 0;  // sent on where a probe waits; were cut
};

// Written by the receiving thread only, but for `connections`.
struct ReceiverCounters {
    uint64_t frames_received = 0;
    uint64_t frames_refused = 0;          // not decodable, or of a kind that no probe sends
    uint64_t frames_of_unknown_keys = 0;  // of a key that was allowed once
    uint64_t answers_lost = 0;            // the peer is gone or does not read
    RefusedConnections connections;
};

// What a collector needs to listen on tcp.
struct ReceiverConfig {
    std::optional<KeyPair> keys;
    std::vector<AllowedKey> allowed;
    bool insecure = false;  // tcp without keys is an error otherwise
    // Over tcp at once, and as many over ipc, those that never say a word included; fewer where the
    // system allows this process fewer than four times as many descriptors.
    size_t maximum_connections = 1024;
};

// The collector's end. One thread calls everything.
class ChannelReceiver {
  public:
    // Binds: "inproc://...", "ipc://PATH" (whose folder exists; a dead owner's socket is replaced,
    // a living one's is an error, and so is any other file), "tcp://ADDRESS:PORT". Throws
    // std::runtime_error with one sentence, also for tcp without keys.
    ChannelReceiver(ChannelContext& context,
                    const std::string& endpoint,
                    const ReceiverConfig& config = {});
    ~ChannelReceiver();

    // The next frame, or nothing when none came in time. A message that is no frame is counted and
    // passed over.
    std::optional<ReceivedFrame> receive(std::chrono::milliseconds timeout);

    // Listens at one more endpoint. Throws as the constructor does.
    void bind(const std::string& endpoint);
    // An ipc endpoint whose socket is not the file any more that it was, so that nobody can
    // connect; empty: there is none.
    std::string lost_endpoint() const;
    // Where the last bind listens, with the port that the system chose for "tcp://ADDRESS:*".
    std::string last_endpoint() const;

    // Any thread: these keys may come in from now on and no others; what others send, also on
    // connections that stand, is counted and passed over.
    void allow(const std::vector<AllowedKey>& keys);

    // These three: false when the peer is gone, or does not read. A welcome says the last sequence
    // that is durable: before the gap, where the hello leaves one.
    bool welcome(const ReceivedFrame& hello, uint64_t last_durable_sequence);
    bool refuse(const ReceivedFrame& hello, RefusalReason reason, const std::string& sentence);
    // Also asks whether a peer is still there: an acknowledgement said twice changes nothing.
    bool acknowledge(const std::string& peer,
                     uint64_t probe_id,
                     uint64_t epoch,
                     uint64_t last_durable_sequence);

    ReceiverCounters counters() const;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::proto
