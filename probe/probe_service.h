#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "probe/config.h"
#include "probe/hello_message.h"
#include "probe/line_watch.h"
#include "probe/port.h"
#include "proto/mapped_memory.h"
#include "signatures/signature_set.h"

// The probe put together: ports, dispatcher, exporter and channel, and who watches over them.

namespace curlew::probe {

struct ServiceConfig {
    ProbeConfig probe;
    std::string program_version;
    std::optional<proto::SenderKeys> keys;  // of the channel, as sender_keys() gives them
    bool insecure = false;                  // tcp without keys was asked for
    bool ports_keep_flows = false;
    proto::MappedMemory* table_memory = nullptr;  // of table_memory.h, for the constructor
    std::chrono::milliseconds stop_when_idle{0};  // 0: goes on on a quiet line
    std::vector<LineWatch::Line> lines;           // of live devices; asked from run()'s threads
};

struct ServiceOutcome {
    bool done = true;
    std::string sentence;  // why not
};

class ProbeService {
  public:
    // Throws std::runtime_error with one sentence. Requires: the set has no problems; it and the
    // ports outlive this, which are all live or all captures; `say` takes one sentence for people
    // and is called from run()'s thread and from one other.
    ProbeService(const ServiceConfig& config,
                 const signatures::SignatureSet& set,
                 const std::vector<OpenPort>& ports,
                 std::function<void(const std::string&)> say);
    ~ProbeService();

    // Until stop(), the ports' end, or a line that was quiet for too long; then ends every flow and
    // delivers what is left.
    ServiceOutcome run();

    // Any thread, also a signal handler.
    void stop() noexcept;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::probe
