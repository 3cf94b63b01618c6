#include "cli/run_delivery.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <stop_token>
#include <thread>
#include <utility>

#include "collector/collector.h"
#include "probe/exporter.h"
#include "proto/channel.h"

namespace curlew::cli {

namespace {

constexpr const char* kEndpoint = "inproc://curlew-run";
// The collector is a thread of this process: only a slow disk makes it silent.
constexpr std::chrono::minutes kChannelPatience{10};

class ProgressBar {
  public:
    explicit ProgressBar(std::string name) : name_(std::move(name)) {}
    ~ProgressBar() {
        if (drawn_) {
            std::fputs("\r\033[K", stderr);
        }
    }
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;

    void draw(double progress) {
        constexpr size_t kWidth = 40;
        if (name_.empty() || progress < 0) {
            return;
        }
        const auto filled = static_cast<size_t>(std::min(progress, 1.0) * kWidth);
        std::fprintf(stderr,
                     "\r%s%s %3.0f %% %s",
                     std::string(filled, '#').c_str(),
                     std::string(kWidth - filled, '.').c_str(),
                     progress * 100,
                     name_.c_str());
        drawn_ = true;
    }

  private:
    bool drawn_ = false;
    std::string name_;
};

// The collector's thread: stores until the ledger came, and keeps what went wrong.
class CollectorThread {
  public:
    CollectorThread(collector::Collector& collector,
                    proto::ChannelReceiver& receiver,
                    probe::Exporter& exporter)
        : thread_([this, &collector, &receiver, &exporter](std::stop_token stop) {
              try {
                  complete_ = collector.collect(receiver, stop);
              } catch (const std::exception& error) {
                  fault_ = error.what();
                  exporter.abandon();
              }
          }) {}

    // Asks the thread to stop when nothing waits any more, and joins. True when the ledger came.
    bool join() {
        thread_.request_stop();
        thread_.join();
        return complete_;
    }
    const std::string& fault() const { return fault_; }

  private:
    bool complete_ = false;
    std::string fault_;
    std::jthread thread_;
};

// The exporter's thread. Unless it was finished the exporter has nothing more to wait for.
class ExporterThread {
  public:
    ExporterThread(probe::Exporter& exporter, const RunMeter& meter)
        : exporter_(exporter), thread_([&exporter, &meter] { exporter.run(meter.rings); }) {}
    ~ExporterThread() {
        if (thread_.joinable()) {
            exporter_.abandon();
            finish({});
        }
    }
    ExporterThread(const ExporterThread&) = delete;
    ExporterThread& operator=(const ExporterThread&) = delete;

    void finish(const probe::MeterLedger& ledger) {
        exporter_.finish(ledger);
        thread_.join();
    }

  private:
    probe::Exporter& exporter_;
    std::thread thread_;
};

}  // namespace

collector::SealResult deliver(const RunMeter& meter, const Delivery& delivery) {
    const uint64_t probe_id = delivery.dataset.probe_id;
    const uint64_t epoch = delivery.dataset.epoch;
    proto::ChannelContext context;
    proto::ChannelReceiver receiver(context, kEndpoint);
    proto::ChannelSender sender(context,
                                {.endpoint = kEndpoint,
                                 .probe_id = probe_id,
                                 .epoch = epoch,
                                 .patience = kChannelPatience});
    probe::ExporterConfig exporter_config{.probe_id = probe_id, .epoch = epoch};
    exporter_config.serialized_records = meter.serialized_records;
    probe::Exporter exporter(exporter_config, delivery.signatures, sender);
    collector::Collector collector(delivery.dataset, delivery.rules);
    try {
        CollectorThread collecting(collector, receiver, exporter);
        ExporterThread exporting(exporter, meter);
        ProgressBar bar(delivery.shown_name);
        meter.run([&bar](double progress) { bar.draw(progress); });
        exporting.finish(meter.ledger());
        const bool complete = collecting.join();
        const std::string fault =
            collecting.fault().empty() ? exporter.fault() : collecting.fault();
        if (!fault.empty() || !complete) {
            throw std::runtime_error(fault.empty() ? "the collector stopped early" : fault);
        }
        collector.set_capture(meter.capture());
        meter.release();
        return collector.seal();
    } catch (...) {
        collector.discard();
        throw;
    }
}

}  // namespace curlew::cli
