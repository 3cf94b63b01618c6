#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "collector/durable_file.h"
#include "collector/listen_address.h"
#include "collector/live_collector.h"
#include "collector/metrics_pages.h"

// Serves /metrics and /healthz to whoever can reach the address, in a thread of its own. The
// collector's thread hands it a status and waits for nothing; the text is made here, once for each
// status, however often it is asked for.
//
// One thread waits for all connections, so that a slow one occupies nothing but its place. All has
// a bound: connections (the oldest gives way), a request's octets, the time from the first to the
// last octet of an exchange, one request for each connection.

namespace curlew::collector {

class MetricsServer : private MetricsPages::Source {
  public:
    static constexpr size_t kMaximumConnections = 16;
    static constexpr size_t kMaximumRequestOctets = 8192;
    static constexpr std::chrono::seconds kPatience{5};
    // A status older than this is that of a collector that hangs.
    static constexpr std::chrono::seconds kFresh{10};

    // Listens. Throws std::runtime_error with one sentence.
    MetricsServer(const ListenAddress& address, std::string version);
    ~MetricsServer();
    MetricsServer(const MetricsServer&) = delete;
    MetricsServer& operator=(const MetricsServer&) = delete;

    // Any thread.
    void publish(const LiveStatus& status);

  private:
    using Clock = std::chrono::steady_clock;
    struct Published {
        LiveStatus status;
        Clock::time_point at;
    };
    struct Connection {
        FileDescriptor socket;
        Clock::time_point deadline;
        std::string request;
        std::string answer;  // empty: the request is not whole
        size_t sent = 0;
    };

    Page metrics() override;
    Page health() override;

    void run();
    void accept_some();
    bool serve(Connection& connection);
    bool receive(Connection& connection);
    bool send(Connection& connection);
    int milliseconds_to_wait() const;
    std::shared_ptr<const Published> published() const;

    const std::string version_;
    FileDescriptor listener_;
    FileDescriptor end_;
    mutable std::mutex mutex_;  // guards published_
    std::shared_ptr<const Published> published_;
    // The thread's own.
    MetricsPages pages_;
    std::list<Connection> connections_;  // the oldest first
    Clock::time_point accepts_from_;
    std::shared_ptr<const Published> rendered_;  // what text_ tells
    std::string text_;
    std::thread thread_;
};

}  // namespace curlew::collector
