#include "probe/link_types.h"

#include <pcap/pcap.h>

#include <string>

// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::probe;

TEST_GROUP(LinkTypes){};

TEST(LinkTypes, of_the_numbers_in_files) {
    CHECK(link_type_of(1) == LinkType::ethernet);
    for (const uint32_t raw : {12, 14, 101, 228, 229}) {
        CHECK(link_type_of(raw) == LinkType::raw_ip);
    }
    CHECK(link_type_of(0) == LinkType::null_loopback);
    CHECK(link_type_of(108) == LinkType::null_loopback);
    CHECK(link_type_of(113) == LinkType::linux_sll);
    CHECK(link_type_of(276) == LinkType::linux_sll2);
    CHECK(link_type_of(9) == LinkType::ppp);
    CHECK(link_type_of(50) == LinkType::ppp);
    CHECK(link_type_of(51) == LinkType::pppoe);
    CHECK(link_type_of(104) == LinkType::cisco_hdlc);
    CHECK(link_type_of(107) == LinkType::frame_relay);
    CHECK(link_type_of(239) == LinkType::netfilter_log);
    CHECK(link_type_of(226) == LinkType::solaris_ipnet);
    CHECK(link_type_of(10) == LinkType::fddi);
    CHECK(link_type_of(100) == LinkType::llc);
    CHECK(link_type_of(11) == LinkType::llc);
    CHECK(link_type_of(105) == LinkType::wifi);
    CHECK(link_type_of(127) == LinkType::wifi_radiotap);
    CHECK(link_type_of(119) == LinkType::wifi_prism);
    CHECK(link_type_of(163) == LinkType::wifi_avs);
    CHECK(link_type_of(8) == LinkType::unsupported);
    CHECK(link_type_of(9999) == LinkType::unsupported);
}

TEST(LinkTypes, what_is_written_is_read_again) {
    for (int type = 0; type < kLinkTypes; ++type) {
        const auto link = static_cast<LinkType>(type);
        CHECK(link_type_of(link_number(link)) == link);
    }
    CHECK_EQUAL(101, link_number(LinkType::raw_ip));
}

TEST(LinkTypes, names_are_libpcaps) {
    CHECK_EQUAL(std::string("EN10MB"), link_name(1));
    CHECK_EQUAL(std::string("RAW"), link_name(101));
    CHECK_EQUAL(std::string("LINUX_SLL2"), link_name(276));
    CHECK_EQUAL(std::string("9999"), link_name(9999));
}

TEST(LinkTypes, an_empty_capture_has_the_order_it_is_asked_for) {
    for (const bool swapped : {false, true}) {
        const auto capture = empty_capture(113, swapped);
        CHECK_EQUAL(DLT_LINUX_SLL, pcap_datalink(capture.get()));
        CHECK_EQUAL(swapped ? 1 : 0, pcap_is_swapped(capture.get()));
        CHECK_EQUAL(262'144, pcap_snapshot(capture.get()));
        pcap_pkthdr* header = nullptr;
        const u_char* octets = nullptr;
        CHECK_EQUAL(PCAP_ERROR_BREAK, pcap_next_ex(capture.get(), &header, &octets));
    }
}
