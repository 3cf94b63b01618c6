#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "collector/config.h"
#include "collector/intake.h"
#include "collector/seal.h"
#include "proto/channel.h"

// The collector as a service. The thread in run() receives from many probes, writes their journals
// and acknowledges what is durable (intake.h); a thread of its own seals (seal_windows.h) and keeps
// the archive within its bounds (retention.h).

namespace curlew::collector {

// What was not let in, since the start; each reason alone.
struct Refusals {
    proto::RefusedConnections connections;
    uint64_t frames_refused = 0;  // the rest: as the channel's receiver and the intake count them
    uint64_t frames_of_unknown_keys = 0;
    uint64_t frames_impersonating = 0;
    uint64_t frames_foreign = 0;
    uint64_t frames_unexpected = 0;
    uint64_t hellos_refused = 0;
    uint64_t complaints = 0;  // libprotobuf's, of batches that it could not read

    uint64_t total() const;
    std::vector<std::pair<const char*, uint64_t>> by_reason() const;
    // "keys_unknown 3, hellos_refused 2": those that are not 0.
    std::string sentence() const;
};

struct LiveStatus {
    size_t probes = 0;  // whose epoch goes on
    IntakeCounters intake;
    uint64_t octets_waiting = 0;  // received and not yet sealed
    uint64_t datasets_sealed = 0;
    uint64_t records_sealed = 0;
    Tally records_refused;                // by BatchError: received and in no dataset
    uint64_t datasets_removed = 0;        // by retention
    uint64_t octets_removed = 0;          // of those
    std::optional<uint64_t> octets_free;  // for the archive; nothing: the disk does not say
    Refusals refusals;
    std::vector<ProbeStatus> probe_status;
    std::vector<std::string> news;  // since the last status, one sentence each
    // One sentence each for what does not go as it should; empty: all does.
    std::string intake_trouble;
    std::string seal_trouble;
    std::string retention_trouble;

    std::string sentence() const;
};

class LiveCollector {
  public:
    // Makes the archive's folders, publishes and takes up what an earlier run left. Throws
    // signatures::ConfigError, or std::runtime_error with one sentence: an archive that cannot be
    // written, or that another collector serves. `signatures` is the folder with groups/.
    LiveCollector(CollectorConfig config,
                  const std::filesystem::path& signatures,
                  std::string program_version);
    ~LiveCollector();

    // What could not be taken up whole, one sentence each.
    const std::vector<std::string>& problems() const noexcept;

    // Until stop is requested: then stores and acknowledges what has arrived, seals what is
    // complete and leaves the rest for the next start. Never throws for what a probe sends or a
    // disk refuses. `on_turn` is called from this thread, at least every second.
    void run(proto::ChannelReceiver& receiver,
             std::stop_token stop,
             const std::function<void(const LiveStatus&)>& on_turn = {});

    // Any thread: groups, fields, rotation and retention as `config` has them, from the next seal
    // job on. Throws signatures::ConfigError, and then nothing has changed; so, too, when `archive`
    // differs.
    void reconfigure(CollectorConfig config, const std::filesystem::path& signatures);

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

}  // namespace curlew::collector
