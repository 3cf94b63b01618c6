#include "collector/config.h"

#include "tests/support/config_text.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::collector;

namespace {

CollectorConfig load(const std::string& text) {
    return curlew::tests::load_text(text, load_config);
}

std::string refusal(const std::string& text) {
    return curlew::tests::refusal_of(text, load_config);
}

}  // namespace

TEST_GROUP(CollectorConfig){};

TEST(CollectorConfig, reads_every_key) {
    const CollectorConfig config = load(
        "listen = [\"ipc:///run/c\", \"tcp://*:5700\"]\nsignatures = \"/s\"\n"
        "[archive]\nfolder = \"/a\"\nscenario = \"lab\"\nfields = \"slim\"\ncompress = false\n"
        "default_group = \"normal-user\"\nrotate = { minutes = 5, octets = \"64 MiB\" }\n"
        "keep = { days = 30, octets = \"1 TiB\", min_free = 1000 }\n"
        "[[group]]\nname = \"ikea-app\"\ndevices = [\"10.0.0.1\"]\nroles = { phone = \"10.0.0.2\" "
        "}\n");
    CHECK_EQUAL(2u, config.listen.size());
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
        "listen = \"ipc:///run/\\\"c\\\\\"\n[archive]\nfolder = \"/a b\"\nkeep = { min_free = 7 }\n"
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
    CHECK(refusal("listen = ").find("config.toml:1") != std::string::npos);
}

TEST(CollectorConfig, the_shipped_example_loads) {
    const CollectorConfig config = load_config(CURLEW_SOURCE_ROOT "/deploy/collector.toml");
    STRCMP_EQUAL("/var/lib/curlew/archive", config.archive.c_str());
}
