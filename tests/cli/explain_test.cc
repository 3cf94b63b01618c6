#include "cli/explain.h"

#include <sstream>

#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kSourceRoot = CURLEW_SOURCE_ROOT;

std::string explained(const fs::path& signatures) {
    std::ostringstream out;
    std::ostringstream err;
    CHECK_EQUAL(
        0,
        run_explain(
            kSourceRoot / "tests/golden/cases/gateway-boot/input.pcap", signatures, out, err));
    return out.str();
}

}  // namespace

TEST_GROUP(Explain) {
    curlew::tests::TemporaryFolder folder;
};

TEST(Explain, tells_what_matched_where) {
    const std::string text = explained(kSourceRoot / "signatures");
    STRCMP_CONTAINS("matched payload dns-query payload, packet 0, up to octet", text.c_str());
    STRCMP_CONTAINS("matched name name-ikea-firmware dns.question = fw.ota.homesmart.ikea.net",
                    text.c_str());
}

TEST(Explain, tells_what_nearly_did) {
    fs::create_directories(folder.path() / "groups");
    curlew::tests::put_content(folder.path() / "groups/any.toml", "name = 'any'\ntitle = 'any'\n");
    const auto signature = [](const char* id, const char* keys) {
        return "[[signature]]\nid = '" + std::string(id) + "'\ntitle = 't'\nreference = 'r'\n" +
               keys + "examples.match = ['a']\nexamples.no_match = ['b']\n";
    };
    curlew::tests::put_content(
        folder.path() / "a.toml",
        signature("wrong-transport",
                  "kind = 'payload'\npattern = '^GET /feed'\ntransport = 'udp'\nlabel = 'x'\n") +
            signature("later", "kind = 'payload'\npattern = '^T /feed'\nlabel = 'x'\n") +
            signature("dns",
                      "kind = 'payload'\npattern = '^..[\\x01\\x81].\\x00\\x01'\n"
                      "protocol = 'dns'\n") +
            signature("beside", "kind = 'name'\npattern = 'www.ikea.net'\nservice = 'x'\n"));
    const std::string text = explained(folder.path());
    STRCMP_CONTAINS("nearly  wrong-transport asks for udp", text.c_str());
    STRCMP_CONTAINS("nearly  later begins 2 octets later", text.c_str());
    STRCMP_CONTAINS("nearly  beside lists www.ikea.net, not fw.ota.homesmart.ikea.net",
                    text.c_str());
}

}  // namespace curlew::cli
