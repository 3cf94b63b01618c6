#include "probe/config.h"

#include "proto/key_file.h"
#include "signatures/config_file.h"
#include "tests/support/config_text.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;

namespace {

ProbeConfig load(const std::string& text) {
    return curlew::tests::load_text(text, load_config);
}

std::string config_refusal(const std::string& text) {
    return curlew::tests::refusal_of(text, load_config);
}

}  // namespace

TEST_GROUP(ProbeConfig){};

TEST(ProbeConfig, memory_decides_how_many_flows_there_are) {
    const auto flows = [](const char* profile, const char* memory) {
        return load("name = \"a\"\n[[port]]\ndevice = \"d\"\n[meter]\nprofile = \"" +
                    std::string(profile) + "\"\nflow_capacity = 4096\nmemory = " + memory +
                    "\n[collector]\nendpoint = \"ipc:///a\"\n")
            .flow_capacity;
    };
    CHECK_EQUAL(4096u, flows("dataset", "0"));
    CHECK_EQUAL(1'138'595u, flows("line-rate", "\"1 GiB\""));
    CHECK_EQUAL(236'134u, flows("dataset", "\"1 GiB\""));
    CHECK_EQUAL(4096u, flows("dataset", "\"1 KiB\""));
}

TEST(ProbeConfig, reads_every_key) {
    const ProbeConfig config = load(
        "name = \"hall-2\"\nsignatures = \"/s\"\n"
        "[[port]]\ndevice = \"0000:03:00.0\"\nqueues = 2\n"
        "[capture]\nfilter = \"ip\"\nallow_uncounted_loss = true\n"
        "copies = \"remove\"\ncopy_window_us = 250\n"
        "[meter]\nprofile = \"line-rate\"\npackets = 512\npackets_of = \"all\"\nworkers = 2\ncores "
        "= [1, 2]\nflow_capacity = 65536\n"
        "decapsulate = false\nidle_sleep_us = 0\n[meter.timeouts]\nidle_tcp = 10\nidle_other = 0\n"
        "[collector]\nendpoint = \"tcp://10.0.0.1:5700\"\nkey_file = \"/k\"\n"
        "public_key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\nqueue = \"1 "
        "GiB\"\nledger_seconds = 7\n"
        "drain_seconds = 8\n[eal]\noptions = [\"--no-huge\"]\n");
    STRCMP_EQUAL("hall-2", config.name.c_str());
    CHECK_EQUAL(2u, config.ports.front().queues);
    STRCMP_EQUAL("ip", config.filter.c_str());
    CHECK_TRUE(config.allow_uncounted_loss);
    CHECK_TRUE(CopyAction::remove == config.copies.action);
    CHECK_EQUAL(250'000u, config.copies.window_ns);
    STRCMP_EQUAL("line-rate", config.profile.c_str());
    CHECK_EQUAL(512u, config.list.packets);
    CHECK_TRUE(config.list.all);
    CHECK_FALSE(config.decapsulate);
    CHECK_EQUAL(2u, config.workers);
    CHECK_EQUAL(2, config.cores.back());
    CHECK_EQUAL(65536u, config.flow_capacity);
    CHECK_EQUAL(0u, config.idle_sleep_us);
    CHECK_EQUAL(10'000'000'000u, config.timeouts.idle_tcp_ns);
    CHECK_EQUAL(0u, config.timeouts.idle_other_ns);
    CHECK_EQUAL(300'000'000'000u, config.timeouts.active_ns);
    STRCMP_EQUAL("/k", config.key_file.c_str());
    STRCMP_EQUAL("Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID", config.collector_key.c_str());
    CHECK_EQUAL(1'073'741'824u, config.queue_octets);
    CHECK_EQUAL(7u, config.ledger_seconds);
    CHECK_EQUAL(8u, config.drain_seconds);
    STRCMP_EQUAL("--no-huge", config.eal_options.front().c_str());
}

TEST(ProbeConfig, what_is_printed_reads_as_the_same) {
    const ProbeConfig config = load(
        "name = \"a\"\n[[port]]\ndevice = \"net_pcap0,rx_pcap=/tmp/\\\"x\\\"\"\n"
        "[capture]\ncopies = \"off\"\ncopy_window_us = 300\n"
        "[meter]\ncores = [3]\npackets = 7\npackets_of = \"all\"\n[collector]\nendpoint = "
        "\"ipc:///run/c\"\n");
    const std::string printed = print_config(config);
    STRCMP_EQUAL(printed.c_str(), print_config(load(printed)).c_str());
    CHECK(printed.find("cores = [3]") != std::string::npos);
    CHECK(printed.find("copies = \"off\"\ncopy_window_us = 300\n") != std::string::npos);
    CHECK(printed.find("packets = 7\npackets_of = \"all\"\n") != std::string::npos);
}

TEST(ProbeConfig, every_problem_is_told_at_its_place_with_the_mend) {
    const std::string told = config_refusal(
        "name = \"Hall 2\"\n[[port]]\ndevise = \"x\"\n[capture]\nfilter = \"ip proto\"\n"
        "[collector]\nendpoint = \"10.0.0.1\"\n");
    CHECK(told.find(":1:8: 'name' wants 1 to 32 lower-case letters") != std::string::npos);
    CHECK(told.find("'device' is missing") != std::string::npos);
    CHECK(told.find("has no key 'devise'; did you mean 'device'?") != std::string::npos);
    CHECK(told.find(":5:10: filter \"ip proto\"") != std::string::npos);
    CHECK(told.find("'endpoint' wants tcp://") != std::string::npos);
    CHECK(config_refusal("name = \"a\"\n").find("[[port]]") != std::string::npos);
}

TEST(ProbeConfig, packet_lists_have_a_bound_and_two_kinds) {
    const auto meter = [](const std::string& keys) {
        return "name = \"p\"\n[[port]]\ndevice = \"x\"\n[meter]\n" + keys +
               "\n[collector]\nendpoint = \"ipc:///c\"\n";
    };
    CHECK_EQUAL(50u, load(meter("")).list.packets);
    CHECK_FALSE(load(meter("packets_of = \"payload\"")).list.all);
    CHECK(config_refusal(meter("packets = 513")).find("'packets'") != std::string::npos);
    CHECK(config_refusal(meter("packets_of = \"some\""))
              .find(":5:14: 'packets_of' is neither \"payload\" nor \"all\"") != std::string::npos);
}

TEST(ProbeConfig, a_table_asks_for_a_recording) {
    const std::string probe =
        "name = \"p\"\n[[port]]\ndevice = \"x\"\n[collector]\nendpoint = \"ipc:///c\"\n";
    CHECK(load(probe).record.folder.empty());
    CHECK(print_config(load(probe)).find("[record]") == std::string::npos);
    const RecordConfig defaults = load(probe + "[record]\nfolder = \"/r\"\n").record;
    STRCMP_EQUAL("/r", defaults.folder.c_str());
    CHECK_EQUAL(10u, defaults.rotate.minutes);
    CHECK_EQUAL(1'073'741'824u, defaults.rotate.octets);
    CHECK_EQUAL(1'073'741'824u, defaults.keep.min_free);
    CHECK_EQUAL(67'108'864u, defaults.buffer_octets);
    const ProbeConfig all =
        load(probe +
             "[record]\nfolder = \"/r\"\nfilter = \"udp\"\nprotocols = [\"dns\", \"tls\"]\n"
             "octets_per_flow = \"1 MiB\"\nbuffer = \"4 MiB\"\nrotate = { minutes = 1, octets = "
             "16384 }\n"
             "keep = { days = 2, octets = 65536, min_free = 4 }\n");
    STRCMP_EQUAL("udp", all.record.filter.c_str());
    STRCMP_EQUAL("tls", all.record.protocols.back().c_str());
    CHECK_EQUAL(1'048'576u, all.record.octets_per_flow);
    CHECK_EQUAL(16'384u, all.record.rotate.octets);
    CHECK_EQUAL(2u, all.record.keep.days);
    CHECK_EQUAL(65'536u, all.record.keep.octets);
    STRCMP_EQUAL(print_config(all).c_str(), print_config(load(print_config(all))).c_str());
    const std::string told = config_refusal(
        probe + "[record]\nfilter = \"ip proto\"\nbuffer = 7\nrotate = { hours = 1 }\n");
    const std::string too_small = config_refusal(
        probe + "[record]\nfolder = \"/r\"\nrotate = { octets = 16383 }\nkeep = { octets = 1 }\n");
    CHECK(too_small.find("'octets' wants 0, or 16 KiB at least") != std::string::npos);
    CHECK(too_small.find("'octets' wants 0, or 64 KiB at least") != std::string::npos);
    CHECK(told.find("'folder' is missing") != std::string::npos);
    CHECK(told.find(":7:10: filter \"ip proto\"") != std::string::npos);
    CHECK(told.find(":8:10: 'buffer' wants 2 MiB to 64 GiB") != std::string::npos);
    CHECK(told.find("has no key 'hours'") != std::string::npos);
}

TEST(ProbeConfig, copies_are_counted_removed_or_not_looked_for) {
    const auto capture = [](const std::string& keys) {
        return "name = \"p\"\n[[port]]\ndevice = \"x\"\n[capture]\n" + keys +
               "\n[collector]\nendpoint = \"ipc:///c\"\n";
    };
    CHECK_TRUE(CopyAction::count == load(capture("")).copies.action);
    CHECK_EQUAL(1'000'000u, load(capture("")).copies.window_ns);
    CHECK(config_refusal(capture("copies = \"drop\""))
              .find(":5:10: 'copies' wants \"count\", \"remove\" or \"off\"") != std::string::npos);
    CHECK(config_refusal(capture("copy_window_us = 0")).find("'copy_window_us'") !=
          std::string::npos);
}

TEST(ProbeConfig, tcp_wants_keys_that_are_secret_or_to_be_asked_for) {
    curlew::tests::TemporaryFolder folder;
    ProbeConfig config;
    config.collector = "tcp://10.0.0.1:5700";
    CHECK_THROWS(curlew::signatures::ConfigError, sender_keys(config, false));
    CHECK_FALSE(sender_keys(config, true).has_value());
    config.key_file = folder.path() / "probe.key";
    const curlew::proto::KeyPair keys = curlew::proto::new_keys();
    curlew::proto::write_key_file(config.key_file, keys);
    config.collector_key = keys.public_key;
    CHECK(keys.public_key == sender_keys(config, false)->own.public_key);
    CHECK(keys.public_key == sender_keys(config, false)->collector);
    std::filesystem::permissions(
        config.key_file, std::filesystem::perms::others_read, std::filesystem::perm_options::add);
    CHECK_THROWS(curlew::signatures::ConfigError, sender_keys(config, true));
    // Nobody needs a key for a socket that the file system guards.
    config.collector = "ipc:///run/c";
    CHECK_FALSE(sender_keys(config, false).has_value());
}

TEST(ProbeConfig, both_keys_go_together) {
    const auto collector = [](const std::string& keys) {
        return "name = \"p\"\n[[port]]\ndevice = \"x\"\n[collector]\nendpoint = \"tcp://c:1\"\n" +
               keys;
    };
    CHECK(config_refusal(collector("key_file = \"/k\"\n")).find("go together") !=
          std::string::npos);
    CHECK(config_refusal(collector("public_key = \"short\"\n"))
              .find(":6:14: 'public_key' wants the 40 characters") != std::string::npos);
}

TEST(ProbeConfig, the_shipped_example_loads) {
    const ProbeConfig config = load_config(CURLEW_SOURCE_ROOT "/deploy/probe.toml");
    CHECK_EQUAL(1u, config.ports.size());
    CHECK_EQUAL(50u, config.list.packets);
}

TEST(ProbeConfig, what_two_ports_would_meter_is_refused) {
    const auto told = [](const std::string& one, const std::string& other) {
        return config_refusal("name = \"p\"\n[[port]]\ndevice = \"" + one +
                              "\"\n[[port]]\ndevice = \"" + other +
                              "\"\n[collector]\nendpoint = \"ipc:///c\"\n");
    };
    STRCMP_CONTAINS("what '0000:03:00.0' brings is of another [[port]], or of it, already",
                    told("0000:03:00.0", "0000:03:00.0").c_str());
    STRCMP_CONTAINS("what 'net_pcap1,iface=lo' brings is of another [[port]]",
                    told("net_af_xdp0,iface=lo,start_queue=1", "net_pcap1,iface=lo").c_str());
    STRCMP_CONTAINS("is of another", told("net_pcap0,iface=a", "net_pcap0,iface=b").c_str());
    STRCMP_CONTAINS("is of another", told("net_pcap0,iface=a", "net_pcap1,rx_iface=a").c_str());
    STRCMP_CONTAINS("is of another", told("net_pcap0,rx_iface=a,rx_iface=a", "x").c_str());
    STRCMP_CONTAINS("is of another",
                    told("net_pcap0,rx_iface_in=a", "net_af_xdp0,iface=a,start_queue=1").c_str());
    STRCMP_CONTAINS("is of another", told("net_af_xdp0,iface=a", "net_af_xdp1,iface=a").c_str());
    STRCMP_EQUAL("", told("net_af_xdp0,iface=a", "net_af_xdp1,iface=a,start_queue=1").c_str());
    STRCMP_EQUAL("", told("net_pcap0,iface=a", "net_pcap1,iface=aa").c_str());
}

TEST(ProbeConfig, a_folder_that_is_something_else_is_refused) {
    const auto told = [](const std::string& spool, const std::string& folder) {
        return config_refusal(
            "name = \"p\"\n[[port]]\ndevice = \"d\"\n[collector]\nendpoint = \"ipc:///c\"\n"
            "spool = \"" +
            spool + "\"\n[record]\nfolder = \"" + folder + "\"\n");
    };
    STRCMP_CONTAINS(":6:9: 'spool' is no folder", told("/dev/null", "/r").c_str());
    STRCMP_CONTAINS(":8:10: 'folder' is no folder", told("/s", "/dev/null").c_str());
    STRCMP_CONTAINS(":8:10: 'folder' is the spool's", told("/s", "/s").c_str());
    STRCMP_CONTAINS("'folder' is the spool's", told("/s", "/x/.././s/").c_str());
    STRCMP_EQUAL("", told("/s", "/s/recording").c_str());
}

TEST(ProbeConfig, captures_and_live_ports_do_not_mix) {
    const std::string told = config_refusal(
        "name = \"p\"\n[[port]]\ndevice = \"net_pcap0,rx_pcap=a.pcap\"\n"
        "[[port]]\ndevice = \"net_pcap1,iface=eth1\"\n[collector]\nendpoint = \"ipc:///c\"\n");
    CHECK(told.find("captures and live ports cannot be metered together") != std::string::npos);
}
