#include "dpdk_port/xdp_use.h"

#include <net/if.h>

#include <stdexcept>

#include "tests/support/cpputest.h"

namespace curlew::dpdk_port {

TEST_GROUP(XdpUse){};

TEST(XdpUse, knows_programs_that_serve_sockets) {
    CHECK(is_socket_program("xsk_def_prog"));
    CHECK(is_socket_program("xdp_dispatcher"));
    CHECK(!is_socket_program("my_firewall"));
    CHECK(!is_socket_program(""));
}

TEST(XdpUse, there_is_no_program_where_there_is_no_interface) {
    CHECK_EQUAL(0, xdp_program(0x7fff'ffff));
}

TEST(XdpUse, loopback_has_no_program) {
    CHECK_EQUAL(0, xdp_program(if_nametoindex("lo")));
}

TEST(XdpUse, one_interface_is_claimed_once) {
    const std::string sentence = "net_af_xdp1: another probe has 'lo'";
    const InterfaceClaim first("net_af_xdp0", "lo");
    try {
        const InterfaceClaim second("net_af_xdp1", "lo");
        FAIL("claimed twice");
    } catch (const std::runtime_error& error) {
        CHECK_EQUAL(sentence, error.what());
    }
}

TEST(XdpUse, a_claim_ends_with_its_object) {
    { const InterfaceClaim first("net_af_xdp0", "lo"); }
    const InterfaceClaim second("net_af_xdp0", "lo");
}

}  // namespace curlew::dpdk_port
