// curlew-collector: from many probes to an archive of sealed datasets.

#include <fmt/format.h>
#include <sys/stat.h>
#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <mutex>
#include <stop_token>

#include "collector/config.h"
#include "collector/live_collector.h"
#include "proto/channel.h"
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
    fmt::print(stderr, "curlew-collector: {}\n", sentence);
}

std::filesystem::path signatures_folder(const collector::CollectorConfig& config) {
    return config.signatures.empty() ? signatures::default_signature_folder() : config.signatures;
}

void reload(collector::LiveCollector& service, const std::filesystem::path& file) {
    proto::notify_reloading();
    try {
        const collector::CollectorConfig config = collector::load_config(file);
        service.reconfigure(config, signatures_folder(config));
        say("the configuration was read again; endpoints change at a restart only");
    } catch (const std::exception& error) {
        say(fmt::format("the configuration stays as it was: {}", error.what()));
    }
    proto::notify_ready();
}

// Tells what is wrong once, when it begins, and the manager once a second how things are.
class Status {
  public:
    void turn(const collector::LiveStatus& status) {
        tell(status.intake_trouble, intake_told_);
        tell(status.seal_trouble, seal_told_);
        tell(status.retention_trouble, retention_told_);
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ >= std::chrono::seconds(1)) {
            last_ = now;
            proto::notify_status(status.sentence());
            if (proto::watchdog_interval().count() != 0) {
                proto::notify_alive();
            }
        }
    }

  private:
    static void tell(const std::string& trouble, std::string& told) {
        if (trouble != told) {
            told = trouble;
            say(trouble.empty() ? "the trouble is over" : trouble);
        }
    }

    std::string intake_told_;
    std::string seal_told_;
    std::string retention_told_;
    std::chrono::steady_clock::time_point last_;
};

int collect(const collector::CollectorConfig& config, const std::filesystem::path& file) {
    proto::ServiceSignals signals;
    collector::LiveCollector service(config, signatures_folder(config), CURLEW_VERSION);
    for (const std::string& problem : service.problems()) {
        say(problem);
    }
    // Probes may be other users of this machine: the socket is for the group.
    ::umask(0007);
    proto::ChannelContext context;
    proto::ChannelReceiver receiver(context, config.listen.front());
    for (size_t i = 1; i < config.listen.size(); ++i) {
        receiver.bind(config.listen[i]);
    }
    for (const std::string& endpoint : config.listen) {
        say(fmt::format("listens at {}{}",
                        endpoint,
                        endpoint.starts_with("tcp://")
                            ? "; whoever reaches it may send: trusted networks only"
                            : ""));
    }
    std::stop_source stop;
    signals.watch(
        [&stop] {
            say("ending: what has arrived is stored and acknowledged");
            stop.request_stop();
        },
        [&service, &file] { reload(service, file); });
    proto::notify_ready();
    say("ready");
    Status status;
    service.run(
        receiver, stop.get_token(), [&](const collector::LiveStatus& now) { status.turn(now); });
    proto::notify_stopping();
    signals.end();
    return kDone;
}

}  // namespace

int main(int argc, char** argv) {
    std::filesystem::path file;
    bool check = false;
    bool print = false;
    CLI::App app{"Receives flow records from probes and seals them as datasets."};
    app.set_version_flag("--version", CURLEW_VERSION);
    app.add_option("--config", file, "configuration file; deploy/collector.toml explains it")
        ->required();
    auto* check_flag = app.add_flag("--check", check, "check the configuration and end");
    app.add_flag("--print-config", print, "print the configuration in force and end")
        ->excludes(check_flag);
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
        return check ? kDone : collect(config, file);
    } catch (const signatures::ConfigError& error) {
        fmt::print(stderr, "{}\n", error.what());
        return kWrongUsage;
    } catch (const std::exception& error) {
        say(error.what());
        return kFailed;
    }
}
