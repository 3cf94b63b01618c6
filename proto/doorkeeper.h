#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>
#include <zmq.hpp>

#include "proto/channel.h"
#include "proto/channel_socket.h"
#include "proto/file_handle.h"

// Who stands at the collector's doors: answers ZeroMQ's question whose key may come in over tcp
// (ZAP, RFC 27), counts who may not, and bounds how many are in over tcp and how many over ipc. A
// thread of its own, because handshakes do not wait for a disk. ZeroMQ without an answerer lets
// every key in, so this stands before a socket is bound.

namespace curlew::proto {

class Doorkeeper {
  public:
    // Watches the connections of `router` over tcp and ipc, each bounded by itself. Throws
    // std::runtime_error with one sentence. Requires: the router is not bound yet.
    Doorkeeper(std::shared_ptr<zmq::context_t> zmq,
               zmq::socket_t& router,
               size_t maximum_connections);
    ~Doorkeeper();
    Doorkeeper(const Doorkeeper&) = delete;
    Doorkeeper& operator=(const Doorkeeper&) = delete;

    // Any thread. From now on these keys and no others; what a key sends that is no longer among
    // them has no owner.
    void allow(const std::vector<AllowedKey>& keys);

    // Any thread: so many octets, as they were on the wire, came out of this connection.
    void taken(int connection, uint64_t octets);

    // Any thread.
    std::optional<KeyOwner> owner_of(std::string_view public_key) const;
    RefusedConnections refused() const;

  private:
    struct Connection {
        ChannelClock::time_point since;
        bool over_tcp = false;
        uint64_t taken = 0;  // octets that came out of ZeroMQ again
    };

    void run();
    void answer_question();
    void take_events();
    void take_accepted(int connection, bool over_tcp);
    void cut_who_fills_memory();

    std::shared_ptr<zmq::context_t> zmq_;
    zmq::socket_t questions_;
    zmq::socket_t events_;
    FileHandle end_;
    const size_t maximum_connections_;
    mutable std::mutex mutex_;  // guards all down to the thread
    std::unordered_map<std::string, KeyOwner> owners_;
    std::unordered_map<int, Connection> connections_;  // by descriptor
    uint64_t accepted_ = 0;
    uint64_t handshakes_done_ = 0;
    uint64_t keys_unknown_ = 0;
    uint64_t over_bound_ = 0;
    uint64_t without_measure_ = 0;
    mutable uint64_t failed_told_ = 0;
    std::thread thread_;
};

}  // namespace curlew::proto
