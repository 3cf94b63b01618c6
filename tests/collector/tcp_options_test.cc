#include "collector/tcp_options.h"

#include <string>

#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

using std::string_literals::operator""s;

// "kind:octets of data", "!" behind a malformed one.
std::string read_all(const std::string& octets) {
    std::string text;
    TcpOptionReader reader(octets);
    while (const auto option = reader.next()) {
        text += std::to_string(option->kind) + ":" + std::to_string(option->data.size()) +
                (option->malformed ? "! " : " ");
    }
    return text;
}

}  // namespace

TEST_GROUP(TcpOptionReader){};

TEST(TcpOptionReader, reads_the_options_of_a_common_syn) {
    STRCMP_EQUAL(
        "2:2 4:0 8:8 1:0 3:1 ",
        read_all("\2\4\5\xb4"s + "\4\2" + "\10\12" + "ABCDEFGH" + "\1" + "\3\3\2").c_str());
}

TEST(TcpOptionReader, ends_at_the_end_option) {
    STRCMP_EQUAL("1:0 ", read_all("\1\0\2\4\5\xb4"s).c_str());
}

TEST(TcpOptionReader, stops_at_a_length_that_contradicts_the_octets) {
    STRCMP_EQUAL("1:0 99:3! ", read_all("\1\x63\4z"s).c_str());
    STRCMP_EQUAL("99:2! ", read_all("\x63\0"s).c_str());
    STRCMP_EQUAL("99:2! ", read_all("\x63\1"s).c_str());
    STRCMP_EQUAL("99:1! ", read_all("\x63"s).c_str());
}

TEST(TcpOptionReader, stops_at_a_known_kind_of_wrong_length) {
    STRCMP_EQUAL("2:3! ", read_all("\2\3\5"s).c_str());
    STRCMP_EQUAL("8:4! ", read_all("\10\4AB"s).c_str());
}

TEST(TcpOptionReader, passes_an_unknown_kind_on) {
    STRCMP_EQUAL("30:2 1:0 ", read_all("\36\4ab\1"s).c_str());
}

}  // namespace curlew::collector
