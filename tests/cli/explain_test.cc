#include "cli/explain.h"

#include <cstdint>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::cli {
namespace {

namespace fs = std::filesystem;

const fs::path kSourceRoot = CURLEW_SOURCE_ROOT;

std::string explained(const fs::path& signatures,
                      const fs::path& capture = kSourceRoot /
                                                "tests/golden/cases/gateway-boot/input.pcap") {
    std::ostringstream out;
    std::ostringstream err;
    CHECK_EQUAL(0, run_explain(capture, signatures, out, err));
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

TEST(Explain, names_in_packets_do_not_drive_the_terminal) {
    // A question, by DNS, UDP, IPv4 and Ethernet, in a capture.
    const std::vector<uint8_t> octets = {
        0xd4, 0xc3, 0xb2, 0xa1, 0x02, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x04, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
        0x00, 0x00, 0x4d, 0x00, 0x00, 0x00, 0x4d, 0x00, 0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x00,
        0x02, 0x02, 0x00, 0x00, 0x00, 0x00, 0x01, 0x08, 0x00, 0x45, 0x00, 0x00, 0x3f, 0x00, 0x00,
        0x00, 0x00, 0x40, 0x11, 0x00, 0x00, 0x0a, 0x00, 0x00, 0x01, 0x0a, 0x00, 0x00, 0x02, 0x0b,
        0xb8, 0x00, 0x35, 0x00, 0x2b, 0x00, 0x00, 0x12, 0x34, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00,
        0x00, 0x00, 0x00, 0x00, 0x0d, 0x1b, 0x5d, 0x30, 0x3b, 0x6f, 0x77, 0x6e, 0x65, 0x64, 0x07,
        0xc2, 0x9b, 0x78, 0x03, 0x63, 0x6f, 0x6d, 0x00, 0x00, 0x01, 0x00, 0x01};
    const fs::path capture = folder.path() / "names.pcap";
    tests::put_content(capture, {octets.begin(), octets.end()});
    const std::string text = explained(kSourceRoot / "signatures", capture);
    STRCMP_CONTAINS("dns.question = ?]0;owned???x.com,", text.c_str());
    CHECK(text.find('\x1b') == std::string::npos);
    CHECK(text.find('\x9b') == std::string::npos);
}

}  // namespace curlew::cli
