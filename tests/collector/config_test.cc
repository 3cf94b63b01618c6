#include "collector/config.h"

#include "proto/key_file.h"
#include "proto/probe_identity.h"
#include "signatures/config_file.h"
#include "tests/support/config_text.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::collector;

namespace {

CollectorConfig load(const std::string& text) {
    return curlew::tests::load_text(text, load_config);
}

const std::string kPublicKey = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";

std::string refusal(const std::string& text) {
    return curlew::tests::refusal_of(text, load_config);
}

}  // namespace

TEST_GROUP(CollectorConfig){};

TEST(CollectorConfig, reads_every_key) {
    const CollectorConfig config = load(
        "listen = [\"ipc:///run/c\", \"tcp://*:5700\"]\nsignatures = \"/s\"\nkey_file = \"/k\"\n"
        "metrics = \"[::1]:9464\"\n"
        "[[probe]]\nname = \"hall-2\"\npublic_key = \"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID\"\n"
        "[archive]\nfolder = \"/a\"\nscenario = \"lab\"\nfields = \"slim\"\ncompress = false\n"
        "default_group = \"normal-user\"\nrotate = { minutes = 5, octets = \"64 MiB\" }\n"
        "keep = { days = 30, octets = \"1 TiB\", min_free = 1000 }\n"
        "[[group]]\nname = \"ikea-app\"\ndevices = [\"10.0.0.1\"]\nroles = { phone = \"10.0.0.2\" "
        "}\n");
    CHECK_EQUAL(2u, config.listen.size());
    STRCMP_EQUAL("/k", config.key_file.c_str());
    STRCMP_EQUAL("[::1]:9464", config.metrics.c_str());
    STRCMP_EQUAL("hall-2", config.probes.front().name.c_str());
    CHECK(kPublicKey == config.probes.front().public_key);
    STRCMP_EQUAL("/a", config.archive.c_str());
    STRCMP_EQUAL("lab", config.scenario.c_str());
    CHECK(FieldSet::slim == config.fields);
    CHECK_FALSE(config.compress);
    CHECK_EQUAL(5u, config.rotate.minutes);
    CHECK_EQUAL(67'108'864u, config.rotate.octets);
    CHECK_EQUAL(30u, config.keep.days);
    CHECK_EQUAL(uint64_t{1} << 40, config.keep.octets);
    CHECK_EQUAL(1000u, config.keep.min_free);
    STRCMP_EQUAL("phone", config.groups.front().roles.front().first.c_str());
}

TEST(CollectorConfig, what_is_printed_reads_as_the_same) {
    const CollectorConfig config = load(
        "listen = \"ipc:///run/\\\"c\\\\\"\nkey_file = \"/k\"\n[[probe]]\nname = \"a\"\npublic_key "
        "= \"" +
        kPublicKey +
        "\"\n[archive]\nfolder = \"/a b\"\nkeep = { min_free = 7 }\n"
        "[[group]]\nname = \"ikea-app\"\ndevices = [\"10.0.0.1\"]\nroles = { phone = \"10.0.0.2\" "
        "}\n");
    const std::string printed = print_config(config);
    STRCMP_EQUAL(printed.c_str(), print_config(load(printed)).c_str());
    CHECK(printed.find("min_free = 7") != std::string::npos);
}

TEST(CollectorConfig, every_problem_is_told_at_its_place_with_the_mend) {
    const std::string told = refusal(
        "listen = \"udp://x\"\n[archive]\nfolder = \"/a\"\nfeilds = \"full\"\n"
        "rotate = { octets = \"many\" }\n");
    CHECK(told.find(":1:10: 'listen' wants tcp://") != std::string::npos);
    CHECK(told.find(":4:1: a table [archive] has no key 'feilds'; did you mean 'fields'?") !=
          std::string::npos);
    CHECK(told.find("'octets' is neither a number of octets") != std::string::npos);
    CHECK(refusal("listen = \"ipc://x\"\n").find("[archive]") != std::string::npos);
    CHECK(refusal("listen = \"ipc://\"\n").find(":1:10: 'listen' wants") != std::string::npos);
    CHECK(refusal("listen = \"ipc:///" + std::string(107, 'x') + "\"\n").find("of 107 octets") !=
          std::string::npos);
    CHECK(refusal("[archive]\nfolder = \"/a\"\nrotate = { octets = 0 }\n")
              .find("'octets' of 'rotate' is to be above 0") != std::string::npos);
    CHECK(refusal("listen = ").find("config.toml:1") != std::string::npos);
    for (const char* scenario : {"../../evil", "..", "a/b"}) {
        CHECK(
            refusal(std::string("listen = \"ipc://x\"\n[archive]\nfolder = \"/a\"\nscenario = \"") +
                    scenario + "\"\n")
                .find(":4:12: 'scenario' is no name of a folder") != std::string::npos);
    }
}

TEST(CollectorConfig, a_probe_has_a_name_and_a_key_of_its_own) {
    const auto with_probes = [](const std::string& probes) {
        return "listen = \"ipc://x\"\n[archive]\nfolder = \"/a\"\n" + probes;
    };
    const std::string good = "[[probe]]\nname = \"a\"\npublic_key = \"" + kPublicKey + "\"\n";
    CHECK_EQUAL(1u, load(with_probes(good)).probes.size());
    CHECK(refusal(with_probes("[[probe]]\nname = \"A\"\npublic_key = \"short\"\n"))
              .find(":6:14: 'public_key' wants the 40 characters") != std::string::npos);
    CHECK(refusal(with_probes("[[probe]]\nname = \"A\"\n")).find(":5:8: 'name' wants 1 to 32") !=
          std::string::npos);
    CHECK(refusal(with_probes(good + good)).find("another probe's already") != std::string::npos);
}

TEST(CollectorConfig, metrics_are_served_at_an_address_with_a_port) {
    const auto with_metrics = [](const std::string& address) {
        return "listen = \"ipc://x\"\nmetrics = \"" + address + "\"\n[archive]\nfolder = \"/a\"\n";
    };
    STRCMP_EQUAL("", load(with_metrics("")).metrics.c_str());
    STRCMP_EQUAL("0.0.0.0:1", load(with_metrics("0.0.0.0:1")).metrics.c_str());
    CHECK(refusal(with_metrics("localhost:9464")).find(":2:11: 'metrics' wants ADDRESS:PORT") !=
          std::string::npos);
}

TEST(CollectorConfig, tcp_wants_keys_that_are_secret_or_to_be_asked_for) {
    curlew::tests::TemporaryFolder folder;
    CollectorConfig config;
    config.listen = {"ipc:///run/c"};
    CHECK_FALSE(receiver_config(config, false).keys.has_value());
    config.listen.push_back("tcp://127.0.0.1:1");
    CHECK_THROWS(curlew::signatures::ConfigError, receiver_config(config, false));
    CHECK_TRUE(receiver_config(config, true).insecure);
    config.key_file = folder.path() / "collector.key";
    const curlew::proto::KeyPair keys = curlew::proto::new_keys();
    curlew::proto::write_key_file(config.key_file, keys);
    config.probes = {{"attic", kPublicKey}};
    const curlew::proto::ReceiverConfig door = receiver_config(config, false);
    CHECK(keys.public_key == door.keys->public_key);
    CHECK(kPublicKey == door.allowed.front().public_key);
    STRCMP_EQUAL("attic", door.allowed.front().owner.name.c_str());
    CHECK_EQUAL(curlew::proto::probe_id_of("attic"), door.allowed.front().owner.probe_id);
    std::filesystem::permissions(
        config.key_file, std::filesystem::perms::group_read, std::filesystem::perm_options::add);
    // Also with --insecure: who names a key wants it used.
    CHECK_THROWS(curlew::signatures::ConfigError, receiver_config(config, true));
}

TEST(CollectorConfig, the_shipped_example_loads) {
    const CollectorConfig config = load_config(CURLEW_SOURCE_ROOT "/deploy/collector.toml");
    STRCMP_EQUAL("/var/lib/curlew/archive", config.archive.c_str());
}
