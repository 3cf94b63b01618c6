#include "collector/selection.h"

#include <string>
#include <vector>

#include "tests/collector/flows.h"
#include "tests/support/cpputest.h"

namespace curlew::collector {
namespace {

bool holds(const std::string& expression) {
    return Selection(expression).holds_for(flow_between("192.168.5.20", 58387, "10.1.2.3", 80, 6));
}

std::string error_of(const std::string& expression) {
    try {
        const Selection selection(expression);
    } catch (const SelectionError& error) {
        return error.what();
    }
    return "no error";
}

}  // namespace

TEST_GROUP(Selection){};

TEST(Selection, nothing_selects_everything) {
    CHECK(holds(""));
    CHECK(holds("   "));
}

TEST(Selection, host_is_either_endpoint) {
    CHECK(holds("host 192.168.5.20"));
    CHECK(holds("host 10.1.2.3"));
    CHECK_FALSE(holds("host 10.1.2.4"));
    CHECK_FALSE(holds("host ::1"));
}

TEST(Selection, net_compares_the_prefix_alone) {
    CHECK(holds("net 10.1.0.0/16"));
    CHECK(holds("net 10.1.2.0/23"));
    CHECK_FALSE(holds("net 10.1.0.0/24"));
    CHECK(holds("net 0.0.0.0/0"));
    CHECK_FALSE(holds("net ::/0"));
    CHECK(Selection("net 2001:db8::/32")
              .holds_for(flow_between("2001:db8:1::1", 1, "fe80::1", 2, 17)));
}

TEST(Selection, port_is_either_endpoint_and_none_without_ports) {
    CHECK(holds("port 80"));
    CHECK(holds("port 58387"));
    CHECK_FALSE(holds("port 443"));
    CHECK_FALSE(Selection("port 0").holds_for(flow_between("10.0.0.1", 0, "10.0.0.2", 0, 1)));
    CHECK(Selection("port 38412").holds_for(flow_between("10.0.0.1", 5, "10.0.0.2", 38412, 132)));
}

TEST(Selection, proto_is_a_number_or_a_name) {
    CHECK(holds("proto tcp"));
    CHECK(holds("proto 6"));
    CHECK_FALSE(holds("proto udp"));
    CHECK(Selection("proto icmp").holds_for(flow_between("::1", 0, "::2", 0, 58)));
    CHECK(Selection("proto icmp").holds_for(flow_between("10.0.0.1", 0, "10.0.0.2", 0, 1)));
}

TEST(Selection, and_binds_stronger_than_or_and_not_than_both) {
    CHECK(holds("port 80 or port 1 and port 2"));
    CHECK_FALSE(holds("(port 80 or port 1) and port 2"));
    CHECK(holds("not port 1 and port 80"));
    CHECK_FALSE(holds("not (port 1 or port 80)"));
    CHECK(holds("not not port 80"));
}

TEST(Selection, tells_the_place_of_an_error) {
    STRCMP_EQUAL("selection expression \"host foo\", column 6: \"foo\" is no address",
                 error_of("host foo").c_str());
    STRCMP_EQUAL("selection expression \"port 80 or\", column 11: a condition is missing",
                 error_of("port 80 or").c_str());
    STRCMP_EQUAL(
        "selection expression \"port 65536\", column 6: \"65536\" is no number from 0 to "
        "65535",
        error_of("port 65536").c_str());
    STRCMP_EQUAL("selection expression \"(port 80\", column 9: a closing parenthesis is missing",
                 error_of("(port 80").c_str());
    STRCMP_EQUAL(
        "selection expression \"port 80 port 81\", column 9: \"port\" does not belong here",
        error_of("port 80 port 81").c_str());
    STRCMP_EQUAL(
        "selection expression \"tcp\", column 1: \"tcp\" is none of host, net, port, "
        "proto, not",
        error_of("tcp").c_str());
    STRCMP_EQUAL(
        "selection expression \"net 10.0.0.0/33\", column 5: \"33\" is no number from 0 "
        "to 32",
        error_of("net 10.0.0.0/33").c_str());
    STRCMP_EQUAL(
        "selection expression \"net 10.0.0.0\", column 5: \"10.0.0.0\" has no prefix "
        "length",
        error_of("net 10.0.0.0").c_str());
}

TEST(Selection, depth_and_length_are_bounded) {
    std::string deep(70, '(');
    CHECK(error_of(deep + "port 1").find("nested deeper than 64") != std::string::npos);
    STRCMP_EQUAL("the selection expression is longer than 4096 characters",
                 error_of(std::string(5000, ' ')).c_str());
}

}  // namespace curlew::collector
