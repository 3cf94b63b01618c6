// How many records a collector takes, one after the other stage: as a service with journal, sync
// and acknowledgement, which seals meanwhile; then each stage of a seal alone; and the writer of
// JSON lines beside one of RapidJSON's that writes the same values.
//
// usage: collector_rate [RECORDS]     in a folder of its own where TMPDIR says; 400000 records
#include <fmt/core.h>
#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>
#include <sys/resource.h>

#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "collector/annotator.h"
#include "collector/batch_decoder.h"
#include "collector/dataset_builder.h"
#include "collector/dataset_file.h"
#include "collector/digest.h"
#include "collector/live_collector.h"
#include "collector/record_sorter.h"
#include "collector/record_writer.h"
#include "collector/wire_walk.h"
#include "proto/channel.h"
#include "signatures/compiled_set.h"
#include "signatures/content_rules.h"
#include "signatures/group_rules.h"
#include "signatures/signature_folder.h"
#include "tests/bench/record_images.h"
#include "tests/bench/stopwatch.h"
#include "tests/support/temporary_folder.h"

namespace {

using namespace curlew;
using tests::kEpoch;
using tests::kProbeId;
using tests::processor_seconds;
using tests::Stopwatch;

constexpr int kRounds = 5;
constexpr const char* kEndpoint = "inproc://collector-rate";

using Frames = std::vector<std::string>;

void print_line(const std::string& what, double ns, double records_per_s) {
    fmt::print("  {:<30}{:>8.0f} ns a record{:>10.0f} records/s\n", what, ns, records_per_s);
}

void print_stage(const std::string& what, const std::vector<double>& seconds, uint64_t records) {
    const double each = tests::median_of(seconds) / static_cast<double>(records);
    print_line(what, each * 1e9, 1 / each);
}

proto::FrameView view_of(const std::string& frame) {
    proto::FrameView view;
    if (proto::decode_frame({reinterpret_cast<const uint8_t*>(frame.data()), frame.size()}, view) !=
        proto::FrameError::none) {
        throw std::runtime_error("a frame is none");
    }
    return view;
}

std::string hello() {
    proto::Hello hello;
    hello.set_schema_version(proto::SCHEMA_VERSION_CURRENT);
    hello.set_probe_name(tests::kProbeName);
    hello.set_program_version("bench");
    hello.set_signatures_hash("2222222222222222");
    hello.set_started_ns(1'700'000'000'000'000'000);
    return hello.SerializeAsString();
}

// A probe that sends all frames and waits until they are acknowledged. Returns what its thread took
// of a processor.
double send_all(proto::ChannelContext& context, const Frames& frames) {
    proto::ChannelSender sender(context,
                                {.endpoint = kEndpoint,
                                 .probe_id = kProbeId,
                                 .epoch = kEpoch,
                                 .hello = hello(),
                                 .patience = std::chrono::minutes(10)});
    std::vector<std::shared_ptr<const std::string>> waiting;
    waiting.reserve(frames.size());
    for (const std::string& frame : frames) {
        waiting.push_back(std::make_shared<const std::string>(frame));
    }
    size_t next = 0;
    uint64_t last = 0;
    while (next < waiting.size() || sender.last_acknowledged() < last) {
        sender.turn(1, std::chrono::milliseconds(20));
        while (next < waiting.size() && sender.state() == proto::SenderState::welcomed &&
               sender.has_room()) {
            const proto::FrameHeader header = view_of(*waiting[next]).header;
            const uint64_t ends =
                header.first_sequence + std::max<uint64_t>(header.record_count, 1) - 1;
            if (!sender.send(waiting[next], ends)) {
                break;
            }
            last = ends;
            ++next;
        }
    }
    return processor_seconds();
}

double all_processor_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// Nothing but the channel.
double receive_alone(const Frames& frames) {
    proto::ChannelContext context;
    proto::ChannelReceiver receiver(context, kEndpoint);
    std::thread sending([&] { send_all(context, frames); });
    const double begin = processor_seconds();
    for (size_t taken = 0; taken < frames.size();) {
        const auto frame = receiver.receive(std::chrono::seconds(20));
        if (!frame) {
            throw std::runtime_error("no frame came");
        }
        const proto::FrameHeader& header = frame->header;
        if (header.kind == proto::FrameKind::hello) {
            receiver.welcome(*frame, 0);
            continue;
        }
        ++taken;
        receiver.acknowledge(
            frame->peer,
            header.probe_id,
            header.epoch,
            header.first_sequence + std::max<uint64_t>(header.record_count, 1) - 1);
    }
    const double taken = processor_seconds() - begin;
    sending.join();
    return taken;
}

struct ServiceTimes {
    double acknowledged = 0;       // seconds until all were
    double sealed = 0;             // and until the dataset was there
    double intake_processor = 0;   // of the thread that receives, in seconds
    double sealing_processor = 0;  // of all else but the sender
};

ServiceTimes serve(const Frames& frames, uint64_t records) {
    const tests::TemporaryFolder archive;
    collector::CollectorConfig config;
    config.listen = {kEndpoint};
    config.archive = archive.path();
    collector::LiveCollector service(config, signatures::default_signature_folder(), "bench");
    proto::ChannelContext context;
    proto::ChannelReceiver receiver(context, kEndpoint);
    std::stop_source stop;
    ServiceTimes times;
    double sender = 0;
    const double begin = all_processor_seconds();
    const double own = processor_seconds();
    const Stopwatch watch;
    std::thread sending([&] {
        sender = send_all(context, frames);
        times.acknowledged = watch.seconds();
        stop.request_stop();
    });
    collector::LiveStatus last;
    service.run(receiver, stop.get_token(), [&](const collector::LiveStatus& now) { last = now; });
    times.sealed = watch.seconds();
    sending.join();
    if (last.records_sealed != records) {
        throw std::runtime_error(fmt::format("sealed {} of {}", last.records_sealed, records));
    }
    times.intake_processor = processor_seconds() - own;
    times.sealing_processor = all_processor_seconds() - begin - sender - times.intake_processor;
    return times;
}

void print_service(const Frames& frames, uint64_t records) {
    std::vector<double> receive;
    std::vector<double> acknowledged;
    std::vector<double> sealed;
    std::vector<double> intake;
    std::vector<double> sealing;
    std::vector<double> both;
    for (int round = 0; round < kRounds; ++round) {
        receive.push_back(receive_alone(frames));
        const ServiceTimes times = serve(frames, records);
        acknowledged.push_back(times.acknowledged);
        sealed.push_back(times.sealed);
        intake.push_back(times.intake_processor);
        sealing.push_back(times.sealing_processor);
        both.push_back(times.intake_processor + times.sealing_processor);
    }
    print_stage("received alone, processor", receive, records);
    print_stage("acknowledged, wall", acknowledged, records);
    print_stage("and sealed, wall", sealed, records);
    print_stage("intake, processor", intake, records);
    print_stage("sealing, processor", sealing, records);
    print_stage("both: records per core", both, records);
}

// What labels are given by.
class Rules {
  public:
    explicit Rules(const signatures::SignatureSet& set)
        : group_(signatures::GroupRules::load(signatures::default_signature_folder() /
                                              "groups/any.toml")),
          content_(set),
          rules_{group_, content_, collector::MacVendors::installed()} {}

    const collector::LabelRules& operator*() const { return rules_; }

  private:
    signatures::GroupRules group_;
    signatures::ContentRules content_;
    collector::LabelRules rules_;
};

// Seconds of each stage, over all records; by the clock, since one thread works alone.
struct StageTimes {
    double decode = 0;
    double devices = 0;
    double sort = 0;
    double parse = 0;
    double annotate = 0;
    double json = 0;
    double hash = 0;
    double write = 0;
    double builder = 0;  // all from `parse` on as DatasetBuilder does it
};

class Stages {
  public:
    Stages(const Frames& frames, const collector::LabelRules& rules, collector::FieldSet fields)
        : frames_(frames), rules_(rules), fields_(fields), memory_(rules.content, rules.vendors) {}

    StageTimes run() {
        read();
        write_parts();
        write_whole();
        return times_;
    }

    const std::vector<std::string>& lines() const { return lines_; }

  private:
    // Adds what passes until its end.
    class Lap {
      public:
        explicit Lap(double& sum) : sum_(sum) {}
        ~Lap() { sum_ += watch_.seconds(); }
        Lap(const Lap&) = delete;
        Lap& operator=(const Lap&) = delete;

      private:
        double& sum_;
        Stopwatch watch_;
    };

    void read() {
        collector::RecordSorter sorter(folder_.path());
        collector::BatchDecoder decoder;
        proto::FlowBatch batch;
        for (const std::string& octets : frames_) {
            const proto::FrameView frame = view_of(octets);
            if (frame.header.kind != proto::FrameKind::batch) {
                continue;
            }
            {
                const Lap lap(times_.decode);
                if (decoder.decode(frame, batch) != collector::BatchError::none) {
                    throw std::runtime_error("a batch is none");
                }
            }
            {
                const Lap lap(times_.devices);
                for (const proto::FlowSummary& flow : batch.flows()) {
                    memory_.add(flow);
                }
            }
            const Lap lap(times_.sort);
            auto flow = batch.flows().begin();
            collector::walk_fields(frame.body, [&](uint32_t field, std::span<const uint8_t> part) {
                if (field == proto::FlowBatch::kFlowsFieldNumber) {
                    sorter.add(collector::record_order(*flow++),
                               {reinterpret_cast<const char*>(part.data()), part.size()});
                }
                return true;
            });
        }
        const Lap lap(times_.sort);
        sorter.finish();
        std::string_view record;
        while (sorter.next(record)) {
            records_.emplace_back(record);
        }
    }

    void write_parts() {
        collector::Annotator annotator(rules_, memory_);
        collector::RecordWriter writer(fields_);
        proto::FlowSummary flow;
        for (const std::string& record : records_) {
            {
                const Lap lap(times_.parse);
                flow.ParseFromString(record);
            }
            const collector::RecordWriter::Begun begun = [&] {
                const Lap lap(times_.json);
                return writer.begin(flow);
            }();
            const collector::Annotation annotation = [&] {
                const Lap lap(times_.annotate);
                return annotator.annotate(flow, begun.messages, begun.flow_id);
            }();
            const Lap lap(times_.json);
            lines_.emplace_back(writer.finish(annotation));
        }
        {
            const Lap lap(times_.hash);
            collector::Sha256 digest;
            for (const std::string& line : lines_) {
                digest.update(line);
            }
            digest.finish();
        }
        const Lap lap(times_.write);
        collector::DatasetWriter file(folder_.path() / "lines", collector::Encoding::json_zstd);
        for (const std::string& line : lines_) {
            file.write(line);
        }
        file.finish();
    }

    void write_whole() {
        collector::DatasetConfig config;
        config.fields = fields_;
        config.compress = true;
        const Lap lap(times_.builder);
        collector::DatasetBuilder builder(config, rules_, memory_, folder_.path() / "dataset");
        for (const std::string& record : records_) {
            builder.write(record);
        }
        collector::SealResult result;
        builder.finish(result);
    }

    const tests::TemporaryFolder folder_;
    const Frames& frames_;
    const collector::LabelRules& rules_;
    collector::FieldSet fields_;
    collector::LineMemory memory_;
    std::vector<std::string> records_;
    std::vector<std::string> lines_;
    StageTimes times_;
};

// RapidJSON's writer with the same values: seconds.
double write_barely(const std::vector<std::string>& lines) {
    rapidjson::StringBuffer buffer;
    double seconds = 0;
    for (const std::string& line : lines) {
        rapidjson::Document document;
        document.Parse(line.data(), line.size());
        const Stopwatch watch;
        buffer.Clear();
        rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
        document.Accept(writer);
        seconds += watch.seconds();
    }
    return seconds;
}

void print_stages(const Frames& frames,
                  uint64_t records,
                  const collector::LabelRules& rules,
                  collector::FieldSet fields) {
    const std::pair<const char*, double StageTimes::*> stages[] = {
        {"decode", &StageTimes::decode},
        {"devices", &StageTimes::devices},
        {"sort", &StageTimes::sort},
        {"parse again", &StageTimes::parse},
        {"annotate", &StageTimes::annotate},
        {"JSON", &StageTimes::json},
        {"hash", &StageTimes::hash},
        {"compress, hash, write, sync", &StageTimes::write},
        {"parse to sync as one", &StageTimes::builder},
    };
    std::vector<StageTimes> rounds;
    std::vector<double> barely;
    size_t octets = 0;
    for (int round = 0; round < kRounds; ++round) {
        Stages all(frames, rules, fields);
        rounds.push_back(all.run());
        barely.push_back(write_barely(all.lines()));
        octets = 0;
        for (const std::string& line : all.lines()) {
            octets += line.size();
        }
    }
    double json = 0;
    double builder = 0;
    for (const auto& [name, stage] : stages) {
        std::vector<double> seconds;
        for (const StageTimes& times : rounds) {
            seconds.push_back(times.*stage);
        }
        print_stage(name, seconds, records);
        json = stage == &StageTimes::json ? tests::median_of(seconds) : json;
        builder = stage == &StageTimes::builder ? tests::median_of(seconds) : builder;
    }
    const double bare = tests::median_of(barely);
    print_stage("RapidJSON, the same values", barely, records);
    fmt::print("  {:.0f} octets a line; of RapidJSON's rate: JSON {:.2f}, parse to sync {:.2f}\n",
               static_cast<double>(octets) / static_cast<double>(records),
               bare / json,
               bare / builder);
}

void measure(const char* what,
             const signatures::SignatureSet& set,
             const collector::LabelRules& rules,
             tests::RecordKind kind,
             uint64_t records) {
    const bool is_dataset = kind == tests::RecordKind::iot_dataset;
    const Frames frames = tests::record_frames(set, tests::record_images(set, kind), records);
    size_t octets = 0;
    for (const std::string& frame : frames) {
        octets += frame.size();
    }
    fmt::print("{}: {} records of {} octets\n", what, records, octets / records);
    if (!is_dataset) {
        print_service(frames, records);
    }
    print_stages(frames,
                 records,
                 rules,
                 is_dataset ? collector::FieldSet::full : collector::FieldSet::standard);
}

}  // namespace

int main(int argument_count, char** arguments) {
    const uint64_t records = argument_count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 400000;
    const signatures::SignatureSet set =
        signatures::load_compiled(signatures::default_signature_folder(),
                                  signatures::default_cache_folder())
            .set;
    const Rules rules(set);
    measure("flows of one packet, line-rate", set, *rules, tests::RecordKind::one_packet, records);
    measure("IoT, line-rate", set, *rules, tests::RecordKind::iot, records);
    measure("IoT, dataset, all fields", set, *rules, tests::RecordKind::iot_dataset, records / 4);
}
