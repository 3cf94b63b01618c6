#include "probe/hello_message.h"

#include "proto/body_limits.h"
#include "proto/flow.pb.h"
#include "proto/frame.h"
#include "tests/support/cpputest.h"

namespace curlew::probe {
namespace {

proto::Hello hello_of(const ProbeConfig& config, const std::vector<OpenPort>& ports) {
    const std::string body = hello_message(config, "1.2.3", "hash", ports);
    CHECK(body.size() <= proto::kMaximumFrameBodyOctets);
    proto::Hello hello;
    CHECK(hello.ParseFromString(body));
    return hello;
}

std::string setting(const proto::Hello& hello, const std::string& name) {
    for (const proto::Setting& one : hello.configuration()) {
        if (one.name() == name) {
            return one.value();
        }
    }
    return "none";
}

}  // namespace

TEST_GROUP(HelloMessage){};

TEST(HelloMessage, says_who_it_is_and_what_is_in_force) {
    ProbeConfig config;
    config.name = "gate-1";
    config.profile = "dataset";
    config.filter = "tcp or udp";
    config.timeouts.idle_tcp_ns = 1'500'000'000;
    const proto::Hello hello = hello_of(config, {{nullptr, "eth1", "net_pcap", "system", "tcp"}});
    STRCMP_EQUAL("gate-1", hello.probe_name().c_str());
    STRCMP_EQUAL("1.2.3", hello.program_version().c_str());
    STRCMP_EQUAL("hash", hello.signatures_hash().c_str());
    STRCMP_EQUAL("dataset", setting(hello, "profile").c_str());
    STRCMP_EQUAL("tcp or udp", setting(hello, "filter").c_str());
    STRCMP_EQUAL("1.500", setting(hello, "idle_timeout_tcp_s").c_str());
    STRCMP_EQUAL("none", setting(hello, "record_filter").c_str());
    CHECK_EQUAL(1, hello.ports_size());
    STRCMP_EQUAL("eth1", hello.ports(0).device().c_str());
    STRCMP_EQUAL("tcp", hello.ports(0).filter().c_str());
}

// A filter of many hosts, a capture far down in folders: a collector refuses what is too long.
TEST(HelloMessage, keeps_its_bounds_whatever_is_configured) {
    ProbeConfig config;
    config.name = std::string(32, 'n');
    config.filter = std::string(3000, 'f');
    config.record.folder = "/recordings";
    config.record.filter = std::string(100'000, 'r');
    config.record.protocols.assign(10'000, "dns");
    const OpenPort port{
        nullptr, std::string(5000, 'd'), "net_pcap", "file", std::string(100'000, 'p')};
    const proto::Hello hello = hello_of(config, std::vector<OpenPort>(64, port));
    CHECK(hello.configuration_size() <= proto::kMaximumSettings);
    CHECK(hello.ports_size() <= proto::kMaximumPorts);
    STRCMP_EQUAL(config.filter.c_str(), setting(hello, "filter").c_str());
    for (const proto::Setting& one : hello.configuration()) {
        CHECK(one.name().size() <= proto::kMaximumTextOctets);
        CHECK(one.value().size() <= proto::kMaximumSettingOctets);
    }
    for (const proto::PortFacts& one : hello.ports()) {
        CHECK_EQUAL(proto::kMaximumTextOctets, one.device().size());
        CHECK_EQUAL(proto::kMaximumTextOctets, one.filter().size());
    }
}

}  // namespace curlew::probe
