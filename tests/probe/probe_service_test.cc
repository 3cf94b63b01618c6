#include "probe/probe_service.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "probe/scripted_port.h"
#include "proto/channel.h"
#include "proto/flow.pb.h"
#include "tests/support/metering.h"
#include "tests/support/packet_builder.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;
using namespace curlew::tests;
namespace proto = curlew::proto;
using curlew::signatures::SignatureSet;

namespace {

using std::chrono::milliseconds;

constexpr const char* kSignature = R"([[signature]]
id = "http-request"
title = "HTTP request"
reference = "RFC 9112"
kind = "payload"
pattern = '^GET '
protocol = "http"
label = "http"
examples.match = ['GET /']
examples.no_match = ['PUT /']
)";

// One packet each, so far apart in time.
std::vector<Packet> flows(uint16_t count, uint64_t apart_ns = 1) {
    std::vector<Packet> packets;
    for (uint16_t i = 0; i < count; ++i) {
        packets.push_back(PacketBuilder{}
                              .ethernet()
                              .ipv4("10.0.0.1", "10.0.0.2")
                              .udp(static_cast<uint16_t>(1000 + i), 53)
                              .payload("hello")
                              .time_ns(1'000'000'000 + i * apart_ns)
                              .build());
    }
    return packets;
}

// A live line on which nothing but losses grow.
class LosingPort final : public Port {
  public:
    size_t receive(std::span<PacketView, kMaximumBurst>) noexcept override { return 0; }
    void release() noexcept override {}
    PortState state() const noexcept override { return PortState::running; }
    bool caught_up() const noexcept override { return true; }
    bool is_live() const noexcept override { return true; }
    uint64_t now_ns() const noexcept override { return 1; }
    PortCounters counters() const noexcept override {
        ++lost_;
        return {.packets_offered = lost_, .packets_missed = lost_};
    }
    const std::string& fault() const noexcept override { return fault_; }
    double progress() const noexcept override { return -1; }

  private:
    mutable uint64_t lost_ = 0;
    std::string fault_;
};

enum class Manner { welcomes, refuses, hesitates };

// The collector's end of the channel: takes all frames until it was told to end.
class Receiving {
  public:
    Receiving(const std::string& endpoint, Manner manner)
        : receiver_(context_, endpoint), thread_([this, manner] { receive(manner); }) {}
    ~Receiving() { end(); }
    void end() {
        over_.store(true);
        if (thread_.joinable()) {
            thread_.join();
        }
    }

    proto::Hello hello;
    proto::ProbeLedger ledger;  // the newest
    uint64_t records = 0;
    std::atomic<int> hellos{0};

  private:
    void receive(Manner manner) {
        while (!over_.load()) {
            if (const auto frame = receiver_.receive(milliseconds(10))) {
                take(*frame, manner);
            }
        }
    }
    void take(const proto::ReceivedFrame& frame, Manner manner) {
        constexpr int kHellosInVain = 6;
        const proto::FrameHeader& header = frame.header;
        const std::string body = frame.octets.substr(proto::kFrameHeaderOctets);
        if (header.kind == proto::FrameKind::hello) {
            hello.ParseFromString(body);
            ++hellos;
            if (manner == Manner::refuses) {
                receiver_.refuse(frame, proto::REFUSAL_REASON_PROBE_ID, "this name is taken");
            } else if (manner == Manner::welcomes || hellos > kHellosInVain) {
                receiver_.welcome(frame, durable_);
            }
            return;
        }
        if (header.kind == proto::FrameKind::ledger) {
            ledger.ParseFromString(body);
        }
        records += header.record_count;
        durable_ = header.first_sequence + std::max<uint64_t>(header.record_count, 1) - 1;
        receiver_.acknowledge(frame.peer, header.probe_id, header.epoch, durable_);
    }

    proto::ChannelContext context_;
    proto::ChannelReceiver receiver_;
    std::atomic<bool> over_{false};
    uint64_t durable_ = 0;
    std::thread thread_;  // last: it uses what stands above
};

}  // namespace

TEST_GROUP(ProbeService) {
    TemporaryFolder folder;
    ServiceConfig config;
    std::unique_ptr<SignatureSet> set;
    std::mutex mutex;
    std::vector<std::string> said;

    void setup() override {
        const auto signatures = folder.path() / "signatures";
        std::filesystem::create_directory(signatures);
        put_content(signatures / "http.toml", kSignature);
        config.probe.name = "hall-2";
        config.probe.collector = "ipc://" + (folder.path() / "c").string();
        config.probe.filter = "udp";
        config.probe.flow_capacity = 65'536;
        config.probe.profile = "line-rate";
        set = std::make_unique<SignatureSet>(SignatureSet::load(signatures));
        config.program_version = "1.2.3";
    }
    OpenPort open(ScriptedPort & port, bool losses_counted = true) {
        return {&port, "net_x0", "net_x", "probe ns", "jit", losses_counted};
    }
    std::unique_ptr<ProbeService> service(const std::vector<OpenPort>& ports) {
        return std::make_unique<ProbeService>(
            config, *set, ports, [this](const std::string& sentence) {
                const std::lock_guard lock(mutex);
                said.push_back(sentence);
            });
    }
    // Of the sentences so far, those that hold the words.
    size_t times_said(const std::string& words) {
        const std::lock_guard lock(mutex);
        size_t count = 0;
        for (const std::string& sentence : said) {
            count += sentence.find(words) != std::string::npos ? 1 : 0;
        }
        return count;
    }
};

TEST(ProbeService, delivers_every_record_and_a_final_ledger) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    const auto port = port_of(flows(500));
    const ServiceOutcome outcome = service({open(*port)})->run();
    collector.end();
    STRCMP_EQUAL("", outcome.sentence.c_str());
    CHECK_TRUE(outcome.done);
    CHECK_EQUAL(500u, collector.records);
    CHECK_TRUE(collector.ledger.final());
    CHECK_EQUAL(500u, collector.ledger.packets_metered());
    CHECK_FALSE(collector.ledger.packets_lost_unknown());
}

TEST(ProbeService, hello_says_who_meters_and_how) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    const auto port = port_of(flows(1));
    service({open(*port, false)})->run();
    collector.end();
    STRCMP_EQUAL("hall-2", collector.hello.probe_name().c_str());
    STRCMP_EQUAL("1.2.3", collector.hello.program_version().c_str());
    STRCMP_EQUAL("packets", collector.hello.configuration(1).name().c_str());
    STRCMP_EQUAL("50", collector.hello.configuration(1).value().c_str());
    STRCMP_EQUAL("packets_of", collector.hello.configuration(2).name().c_str());
    STRCMP_EQUAL("payload", collector.hello.configuration(2).value().c_str());
    STRCMP_EQUAL("filter", collector.hello.configuration(3).name().c_str());
    STRCMP_EQUAL("udp", collector.hello.configuration(3).value().c_str());
    STRCMP_EQUAL("decapsulation", collector.hello.configuration(4).name().c_str());
    STRCMP_EQUAL("true", collector.hello.configuration(4).value().c_str());
    STRCMP_EQUAL("idle_timeout_tcp_s", collector.hello.configuration(6).name().c_str());
    STRCMP_EQUAL("300.000", collector.hello.configuration(6).value().c_str());
    STRCMP_EQUAL("net_x0", collector.hello.ports(0).device().c_str());
    CHECK_FALSE(collector.hello.ports(0).losses_counted());
    CHECK_TRUE(collector.ledger.packets_lost_unknown());
}

TEST(ProbeService, a_live_line_goes_on_until_it_was_quiet_for_long_enough) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    const auto port = port_of(flows(10), kMaximumBurst, PortState::running);
    port->make_live();
    config.stop_when_idle = milliseconds(300);
    CHECK_TRUE(service({open(*port)})->run().done);
    collector.end();
    CHECK_EQUAL(10u, collector.records);
}

TEST(ProbeService, stop_ends_a_quiet_line_and_delivers_what_is_left) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    const auto port = port_of(flows(10), kMaximumBurst, PortState::running);
    port->make_live();
    const auto probe = service({open(*port)});
    std::thread stopping([&] {
        while (times_said("takes records") == 0) {
            std::this_thread::yield();
        }
        probe->stop();
    });
    CHECK_TRUE(probe->run().done);
    stopping.join();
    collector.end();
    CHECK_EQUAL(10u, collector.records);
    CHECK_TRUE(collector.ledger.final());
}

TEST(ProbeService, a_capture_that_waits_for_the_collector_is_not_quiet) {
    // Flows that end on the way, more than ring and queue hold, and a collector that answers after
    // many times the quiet.
    constexpr uint16_t kFlows = 60'000;
    constexpr uint64_t kApartNs = 20'000'000;
    Receiving collector(config.probe.collector, Manner::hesitates);
    const auto port = port_of(flows(kFlows, kApartNs), kMaximumBurst, PortState::running);
    config.probe.queue_octets = 128 * 1024;
    config.stop_when_idle = milliseconds(200);
    const ServiceOutcome outcome = service({open(*port)})->run();
    collector.end();
    STRCMP_EQUAL("", outcome.sentence.c_str());
    CHECK_EQUAL(kFlows, collector.ledger.packets_metered());
    CHECK_EQUAL(kFlows, collector.records);
}

TEST(ProbeService, a_recording_is_in_the_last_ledger_and_in_the_hello) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    config.probe.record.folder = folder.path() / "recording";
    config.probe.record.filter = "udp port 53";
    config.probe.record.keep.min_free = 0;
    config.probe.record.octets_per_flow = 7;
    const auto port = port_of(flows(20));
    CHECK_TRUE(service({open(*port)})->run().done);
    collector.end();
    const proto::Recording& recording = collector.ledger.recording();
    CHECK_EQUAL(20u, recording.packets_recorded());
    CHECK_EQUAL(0u, recording.packets_not_chosen());
    CHECK_EQUAL(1, recording.files_size());
    CHECK(std::filesystem::exists(config.probe.record.folder / recording.files(0).name()));
    const int settings = collector.hello.configuration_size();
    STRCMP_EQUAL("record_octets_per_flow",
                 collector.hello.configuration(settings - 1).name().c_str());
    STRCMP_EQUAL("7", collector.hello.configuration(settings - 1).value().c_str());
}

TEST(ProbeService, a_recording_without_a_place_is_refused) {
    config.probe.record.folder = "/proc/none";
    const auto port = port_of(flows(1));
    CHECK_THROWS(std::runtime_error, service({open(*port)}));
}

TEST(ProbeService, a_broken_port_is_named_and_the_others_go_on) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    const auto good = port_of(flows(20));
    const auto bad = port_of(flows(5), kMaximumBurst, PortState::broken, "the cable burnt");
    CHECK_TRUE(service({open(*bad), open(*good)})->run().done);
    collector.end();
    CHECK_EQUAL(1u, times_said("net_x0: the cable burnt"));
    CHECK_EQUAL(25u, collector.ledger.packets_metered());
}

TEST(ProbeService, fails_when_every_port_broke_and_delivers_all_the_same) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    const auto port = port_of(flows(5), kMaximumBurst, PortState::broken, "the cable burnt");
    const ServiceOutcome outcome = service({open(*port)})->run();
    collector.end();
    CHECK_FALSE(outcome.done);
    STRCMP_EQUAL("the port broke", outcome.sentence.c_str());
    CHECK_EQUAL(1u, times_said("net_x0: the cable burnt"));
    CHECK_EQUAL(5u, collector.records);
}

TEST(ProbeService, fails_without_a_collector_and_says_for_whom_it_waits) {
    const auto port = port_of(flows(5), kMaximumBurst, PortState::running);
    port->make_live();
    config.stop_when_idle = milliseconds(300);
    config.probe.drain_seconds = 0;
    const ServiceOutcome outcome = service({open(*port)})->run();
    CHECK_FALSE(outcome.done);
    STRCMP_EQUAL("the collector did not acknowledge 5 records in time", outcome.sentence.c_str());
    CHECK_EQUAL(1u, times_said("waiting for the collector at ipc://"));
    CHECK_EQUAL(1u, times_said("5 records lost so far"));
}

TEST(ProbeService, a_refusal_is_told_in_the_words_of_the_collector) {
    Receiving collector(config.probe.collector, Manner::refuses);
    const auto port = port_of(flows(5), kMaximumBurst, PortState::running);
    port->make_live();
    config.probe.drain_seconds = 0;
    const auto probe = service({open(*port)});
    std::thread stopping([&] {
        while (times_said("refuses: this name is taken") == 0) {
            std::this_thread::yield();
        }
        probe->stop();
    });
    CHECK_FALSE(probe->run().done);
    stopping.join();
    CHECK_EQUAL(1u, times_said("refuses"));
}

TEST(ProbeService, losses_that_go_on_are_told_once_a_minute_and_at_the_end) {
    Receiving collector(config.probe.collector, Manner::welcomes);
    LosingPort port;
    config.stop_when_idle = milliseconds(1000);
    const OpenPort open{&port, "net_x0", "net_x", "probe ns", "", true};
    CHECK_TRUE(service({open})->run().done);
    collector.end();
    const uint64_t lost = collector.ledger.packets_lost(0).packets();
    CHECK(lost > 3);
    // And how many it were, at the end.
    CHECK_EQUAL(2u, times_said("packets lost so far"));
    CHECK_EQUAL(1u, times_said(std::to_string(lost) + " packets lost so far"));
}
