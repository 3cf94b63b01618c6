// curlew-collector: from many probes to an archive of sealed datasets.

#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <CLI/CLI.hpp>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>

#include "collector/config.h"
#include "collector/live_collector.h"
#include "proto/channel.h"
#include "proto/service_manager.h"
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

// Waits for signals in a thread of its own, so that nothing runs in a handler.
class SignalThread {
  public:
    SignalThread() {
        sigemptyset(&signals_);
        for (const int one : {SIGTERM, SIGINT, SIGHUP, SIGUSR2}) {
            sigaddset(&signals_, one);
        }
        pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
        signal(SIGPIPE, SIG_IGN);
    }
    ~SignalThread() { end(); }
    SignalThread(const SignalThread&) = delete;
    SignalThread& operator=(const SignalThread&) = delete;

    // Afterwards no signal reaches what is watched over, which may then go.
    void end() {
        if (thread_.joinable()) {
            over_.store(true);
            pthread_kill(thread_.native_handle(), SIGUSR2);
            thread_.join();
        }
    }

    void watch(collector::LiveCollector& service,
               const std::filesystem::path& config,
               std::stop_source& stop) {
        thread_ = std::thread([this, &service, config, &stop] {
            while (true) {
                int which = 0;
                sigwait(&signals_, &which);
                if (over_.load()) {
                    return;
                }
                if (which == SIGHUP) {
                    reload(service, config);
                } else if (which != SIGUSR2) {
                    say("ending: what has arrived is stored and acknowledged");
                    stop.request_stop();
                }
            }
        });
    }

  private:
    static void reload(collector::LiveCollector& service, const std::filesystem::path& file) {
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

    sigset_t signals_;
    std::atomic<bool> over_{false};
    std::thread thread_;
};

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
    SignalThread signals;
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
    signals.watch(service, file, stop);
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
    } catch (const collector::ConfigError& error) {
        fmt::print(stderr, "{}\n", error.what());
        return kWrongUsage;
    } catch (const std::exception& error) {
        say(error.what());
        return kFailed;
    }
}
