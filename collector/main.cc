// curlew-collector: from many probes to an archive of sealed datasets.

#include <fmt/format.h>
#include <sys/stat.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <utility>

#include "collector/config.h"
#include "collector/listen_address.h"
#include "collector/live_collector.h"
#include "collector/metrics_server.h"
#include "collector/privileges.h"
#include "proto/channel.h"
#include "proto/confinement.h"
#include "proto/descriptor_limit.h"
#include "proto/service_manager.h"
#include "proto/service_signals.h"
#include "signatures/config_file.h"
#include "signatures/signature_folder.h"

namespace {

using namespace curlew;

constexpr int kDone = 0;
constexpr int kFailed = 1;
constexpr int kWrongUsage = 2;

void say(const std::string& sentence) {
    static std::mutex mutex;
    const std::lock_guard lock(mutex);
    std::fputs(fmt::format("curlew-collector: {}\n", sentence).c_str(), stderr);
}

std::filesystem::path signatures_folder(const collector::CollectorConfig& config) {
    return config.signatures.empty() ? signatures::default_signature_folder() : config.signatures;
}

void reload(collector::LiveCollector& service,
            proto::ChannelReceiver& receiver,
            const std::filesystem::path& file,
            bool insecure) {
    proto::notify_reloading();
    try {
        const collector::CollectorConfig config = collector::load_config(file);
        const proto::ReceiverConfig door = collector::receiver_config(config, insecure);
        service.reconfigure(config, signatures_folder(config));
        receiver.allow(door.allowed);
        say("the configuration was read again; endpoints, key_file and metrics change at a restart "
            "only");
    } catch (const std::exception& error) {
        say(fmt::format("the configuration stays as it was: {}", error.what()));
    }
    proto::notify_ready();
}

// Tells what is wrong once, when it begins, and the manager once a second how things are.
class Status {
  public:
    void turn(const collector::LiveStatus& status) {
        for (const std::string& sentence : status.news) {
            say(sentence);
        }
        tell(status.intake_trouble, intake_told_);
        tell(status.seal_trouble, seal_told_);
        tell(status.retention_trouble, retention_told_);
        const auto now = std::chrono::steady_clock::now();
        // Who is refused must not be able to fill a log.
        if (status.refusals.total() > refusals_told_ && now >= refusals_next_) {
            refusals_told_ = status.refusals.total();
            refusals_next_ = now + std::chrono::minutes(1);
            say("refused so far: " + status.refusals.sentence());
        }
        tell_unreadable(status.records_refused);
        if (status.datasets_removed > removals_told_ && now >= removals_next_) {
            say(fmt::format("removed to keep the archive within its bounds: {} datasets, {} octets",
                            status.datasets_removed - removals_told_,
                            status.octets_removed - octets_told_));
            removals_told_ = status.datasets_removed;
            octets_told_ = status.octets_removed;
            removals_next_ = now + std::chrono::hours(1);
        }
        if (now - last_ >= std::chrono::seconds(1)) {
            last_ = now;
            proto::notify_status(status.sentence());
            if (proto::watchdog_interval().count() != 0) {
                proto::notify_alive();
            }
        }
    }

  private:
    // What was told of one kind of trouble last; empty: that there is none.
    struct Told {
        std::string trouble;
        std::chrono::steady_clock::time_point next;
    };

    // What a probe sent and its collector could not read: it is lost, and counted in a manifest.
    void tell_unreadable(const collector::Tally& refused) {
        uint64_t records = 0;
        std::string reasons;
        for (const auto& [reason, count] : refused) {
            records += count;
            reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", count, reason);
        }
        const auto now = std::chrono::steady_clock::now();
        if (records > unreadable_told_ && now >= unreadable_next_) {
            unreadable_told_ = records;
            unreadable_next_ = now + std::chrono::minutes(1);
            say(fmt::format(
                "records that cannot be read are lost, the manifests count them, so far: {}",
                reasons));
        }
    }

    // Trouble that comes and goes, or is told in turns of different words, as of several probes,
    // may not fill a log.
    static void tell(const std::string& trouble, Told& told) {
        const auto now = std::chrono::steady_clock::now();
        if (trouble == told.trouble || (!trouble.empty() && now < told.next)) {
            return;
        }
        say(trouble.empty() ? "it is over: " + told.trouble : trouble);
        told = {trouble, now + std::chrono::minutes(1)};
    }

    Told intake_told_;
    Told seal_told_;
    Told retention_told_;
    std::chrono::steady_clock::time_point last_;
    uint64_t unreadable_told_ = 0;
    std::chrono::steady_clock::time_point unreadable_next_;
    uint64_t refusals_told_ = 0;
    std::chrono::steady_clock::time_point refusals_next_;
    uint64_t removals_told_ = 0;
    uint64_t octets_told_ = 0;
    std::chrono::steady_clock::time_point removals_next_;
};

// Records are taken whether or not they can be served: an address may come up later.
class Metrics {
  public:
    explicit Metrics(const std::string& address)
        : address_(collector::parse_listen_address(address)) {
        serve();
    }

    void turn(const collector::LiveStatus& status) {
        if (!server_ && address_ && std::chrono::steady_clock::now() >= again_) {
            serve();
        }
        if (server_) {
            server_->publish(status);
        }
    }

  private:
    void serve() {
        if (!address_) {
            return;
        }
        again_ = std::chrono::steady_clock::now() + std::chrono::seconds(5);
        try {
            server_.emplace(*address_, CURLEW_VERSION);
            say(fmt::format("serves metrics at http://{}/metrics", address_->text));
        } catch (const std::runtime_error& error) {
            if (!std::exchange(is_told_, true)) {
                say(fmt::format("{}; it is tried again every 5 seconds", error.what()));
            }
        }
    }

    std::optional<collector::ListenAddress> address_;
    std::optional<collector::MetricsServer> server_;
    std::chrono::steady_clock::time_point again_;
    bool is_told_ = false;
};

// Each connection has a descriptor, and files are to be opened besides.
constexpr uint64_t kCollectorDescriptors = 8192;

std::string told_of(const std::string& endpoint, const proto::ReceiverConfig& door) {
    if (!endpoint.starts_with("tcp://")) {
        return "";
    }
    if (!door.keys) {
        return "; without keys: whoever reaches it may send";
    }
    return fmt::format(
        "; its public key is {}, {} may send",
        door.keys->public_key,
        door.allowed.size() == 1 ? "1 key" : fmt::format("{} keys", door.allowed.size()));
}

int collect(const collector::CollectorConfig& config,
            const proto::ReceiverConfig& door,
            const std::filesystem::path& file) {
    proto::ServiceSignals::pass_over_reloads();
    proto::raise_descriptor_limit(kCollectorDescriptors);
    for (const std::string& sentence : proto::confine(collector::confinement())) {
        say(sentence);
    }
    proto::ServiceSignals signals;
    collector::LiveCollector service(config, signatures_folder(config), CURLEW_VERSION);
    for (const std::string& problem : service.problems()) {
        say(problem);
    }
    // Probes may be other users of this machine: the socket is for the group, and all else is the
    // owner's to write and nobody else's to read.
    const mode_t mask = ::umask(0007);
    proto::ChannelContext context;
    proto::ChannelReceiver receiver(context, config.listen.front(), door);
    for (size_t i = 1; i < config.listen.size(); ++i) {
        receiver.bind(config.listen[i]);
    }
    ::umask(mask | 0027);
    for (const std::string& endpoint : config.listen) {
        say(fmt::format("listens at {}{}", endpoint, told_of(endpoint, door)));
    }
    Metrics metrics(config.metrics);
    std::stop_source stop;
    signals.watch(
        [&stop] {
            say("ending: what has arrived is stored, as far as the disk takes it, and "
                "acknowledged");
            stop.request_stop();
        },
        [&] { reload(service, receiver, file, door.insecure); });
    proto::notify_ready();
    say("ready");
    Status status;
    service.run(receiver, stop.get_token(), [&](const collector::LiveStatus& now) {
        status.turn(now);
        metrics.turn(now);
    });
    proto::notify_stopping();
    signals.end();
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    std::filesystem::path file;
    bool check = false;
    bool print = false;
    bool insecure = false;
    CLI::App app{"Receives flow records from probes and seals them as datasets.",
                 "curlew-collector"};
    app.set_version_flag("--version", CURLEW_VERSION);
    app.add_option("--config", file, "configuration file; deploy/collector.toml explains it")
        ->required();
    auto* check_flag = app.add_flag("--check", check, "check the configuration and end");
    app.add_flag("--print-config", print, "print the configuration in force and end")
        ->excludes(check_flag);
    app.add_flag("--insecure", insecure, "listen on tcp without keys: anybody may send records");
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& success) {
        return app.exit(success);
    } catch (const CLI::ParseError& error) {
        say(error.what());
        return kWrongUsage;
    }
    try {
        const collector::CollectorConfig config = collector::load_config(file);
        if (print) {
            fmt::print("{}", collector::print_config(config));
            return std::fflush(stdout) == 0 ? kDone : kFailed;
        }
        const collector::DeviceGroups groups(config, signatures_folder(config));
        const proto::ReceiverConfig door = collector::receiver_config(config, insecure);
        return check ? kDone : collect(config, door, file);
    } catch (const signatures::ConfigError& error) {
        std::fputs(fmt::format("{}\n", error.what()).c_str(), stderr);
        return kWrongUsage;
    } catch (const std::exception& error) {
        say(error.what());
        return kFailed;
    }
}
