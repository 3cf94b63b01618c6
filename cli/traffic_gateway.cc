#include <fmt/core.h>

#include <array>
#include <string>
#include <string_view>

#include "cli/traffic_frames.h"
#include "cli/traffic_names.h"
#include "cli/traffic_octets.h"
#include "cli/traffic_scenarios.h"
#include "cli/traffic_tcp.h"
#include "cli/traffic_tls.h"

namespace curlew::cli {
namespace {

// Labels of group ikea-app, spelt as published.
constexpr std::string_view kApplicationData = "Ikea Application Data";
constexpr std::string_view kPortTest = "Ikea Port Test";
constexpr std::string_view kPortUnreachable = "ICMP (Port Unreachable)";
constexpr std::string_view kMdns = "MDNS";
constexpr std::string_view kDhcp = "DHCP";
constexpr std::string_view kDnsInit = "DNS (GW Init)";
constexpr std::string_view kWebhook = "TLS (Webhook Ikea Cloud)";
constexpr std::string_view kFirmwareCheck = "FW Version Check";
constexpr std::string_view kUnknown = "Unknown";

constexpr std::string_view kHostName = "TRADFRI-Gateway-b8d7af2b32a9";
constexpr std::string_view kLocalName = "TRADFRI-Gateway-b8d7af2b32a9.local";
constexpr uint32_t kMdnsGroup = ipv4(224, 0, 0, 251);
constexpr Ipv6Address kMdnsGroup6 = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb};
constexpr Ipv6Address kAllRouters6 = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};
constexpr Ipv6Address kListenerReports6 = {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x16};
constexpr UdpPorts kMdnsPorts = {5353, 5353};
constexpr uint16_t kCoapsPort = 5684;
constexpr uint32_t kHostTtlSeconds = 120;  // RFC 6762 section 10
constexpr uint32_t kServiceTtlSeconds = 4500;
constexpr uint8_t kIgmpQuery = 0x11;
constexpr uint64_t kDurationNs = 330 * kSecondNs;

// A network of one gateway, one phone and one router behind a managed switch. The gateway's own
// stack sends UDP with a TTL of 255 and TCP with 128.
class GatewayBoot {
  public:
    explicit GatewayBoot(TrafficCapture& capture) : capture_(capture), random_(capture.random()) {}

    void play() {
        background();
        join_ipv6(at(0.1));
        get_address(at(3.2));
        announce_host(at(6.4));
        announce_service(at(20.0), "TRADFRI gateway._hap._tcp.local", "_hap._tcp.local", 80);
        announce_service(at(24.5), "gw-b8d7af2b32a9._coap._udp.local", "_coap._udp.local", 5684);
        check_firmware(at(23.0));
        browse_from_phone(at(40.0));
        call_webhook(at(147.0));
        for (const double second : {61.0, 96.0, 171.0, 239.0}) {
            phone_session(at(second));
        }
        tell_a_phone_that_left(at(262.0));
    }

  private:
    // A moment of the script, up to 400 ms later than it says.
    uint64_t at(double second) {
        return capture_.start_ns() + static_cast<uint64_t>(second * 1000) * kMillisecondNs +
               random_.between(0, 400 * kMillisecondNs);
    }

    uint64_t jitter(uint64_t around_ns) {
        return around_ns - around_ns / 16 + random_.between(0, around_ns / 8);
    }

    void background();
    void join_ipv6(uint64_t time_ns);
    void get_address(uint64_t time_ns);
    void multicast(uint64_t time_ns, const DnsMessage& message);
    void announce_host(uint64_t time_ns);
    void announce_service(uint64_t time_ns,
                          std::string_view instance,
                          std::string_view service,
                          uint16_t port);
    void browse_from_phone(uint64_t time_ns);
    uint64_t resolve(uint64_t time_ns, uint16_t port, const DnsMessage& query, DnsMessage& answer);
    void check_firmware(uint64_t time_ns);
    void call_webhook(uint64_t time_ns);
    void phone_session(uint64_t time_ns);
    void tell_a_phone_that_left(uint64_t time_ns);

    TrafficCapture& capture_;
    TrafficRandom& random_;
    MacAddress bridge_ = {0x00, 0x12, 0x43, 0x0c, 0xad, 0xc1};
    TrafficHost gateway_ = {
        .mac = {0xb8, 0xd7, 0xaf, 0x2b, 0x32, 0xa9}, .address = ipv4(192, 168, 3, 213), .ttl = 255};
    TrafficHost gateway_tcp_ = {.mac = gateway_.mac, .address = gateway_.address, .ttl = 128};
    TrafficHost router_ = {.mac = {0xa4, 0x2b, 0xb0, 0xde, 0x05, 0x3e},
                           .address = ipv4(192, 168, 3, 1),
                           .dont_fragment = true,
                           .next_ip_id = 0x5ec2};
    TrafficHost phone_ = {.mac = {0xd0, 0x81, 0x7a, 0x91, 0x2c, 0x44},
                          .address = ipv4(192, 168, 3, 177),
                          .next_ip_id = 0x3a10};
    TrafficHost printer_ = {
        .mac = {0x00, 0x80, 0x92, 0x51, 0x0e, 0x6b}, .address = ipv4(192, 168, 3, 154), .ttl = 255};
};

void GatewayBoot::background() {
    for (uint64_t time = at(0.0); time < capture_.start_ns() + kDurationNs; time += 2 * kSecondNs) {
        add_spanning_tree(capture_, time, bridge_);
    }
    TrafficHost asked = {.address = ipv4(192, 168, 3, 2)};
    for (uint64_t time = at(5.0); time < capture_.start_ns() + kDurationNs;
         time += jitter(11 * kSecondNs)) {
        add_arp(capture_, time, router_, asked, true);
    }
    // The router asks for members without having an address itself, as snooping switches do.
    TrafficHost querier = {.mac = bridge_, .dont_fragment = true, .next_ip_id = 0};
    TrafficHost everyone = group_host(ipv4(224, 0, 0, 1));
    TrafficHost mdns = group_host(kMdnsGroup);
    add_igmp(capture_, at(8.2), gateway_tcp_, mdns, kIgmpReport, kMdnsGroup, kMembershipReport);
    for (const double second : {51.0, 176.0, 301.0}) {
        const uint64_t time = at(second);
        add_igmp(capture_, time, querier, everyone, kIgmpQuery, 0, kMembershipReport);
        const uint64_t answer = time + random_.between(kSecondNs, 9 * kSecondNs);
        add_igmp(capture_, answer, gateway_tcp_, mdns, kIgmpReport, kMdnsGroup, kMembershipReport);
    }
}

void GatewayBoot::join_ipv6(uint64_t time_ns) {
    const Ipv6Address own = link_local(gateway_.mac);
    // RFC 3810 section 5.2: one record, exclude nobody; router alert in the hop-by-hop header.
    const std::string hop_by_hop = {0x3a, 0x00, 0x05, 0x02, 0x00, 0x00, 0x01, 0x00};
    std::string report;
    put32(report, 0x8f000000);
    put32(report, 1);
    put32(report, 0x04000000);
    report.append(kMdnsGroup6.begin(), kMdnsGroup6.end());
    for (const uint64_t later_ns : {uint64_t{0}, jitter(900 * kMillisecondNs)}) {
        add_icmpv6(
            capture_, time_ns + later_ns, gateway_.mac, own, kListenerReports6, hop_by_hop, report);
    }
    // RFC 4861 section 4.1, with the source's Ethernet address.
    std::string solicitation;
    put64(solicitation, 0x8500000000000000);
    put16(solicitation, 0x0101);
    solicitation.append(gateway_.mac.begin(), gateway_.mac.end());
    for (uint64_t round = 1; round <= 3; ++round) {
        add_icmpv6(capture_,
                   time_ns + round * jitter(4 * kSecondNs),
                   gateway_.mac,
                   own,
                   kAllRouters6,
                   {},
                   solicitation);
    }
}

void GatewayBoot::get_address(uint64_t time_ns) {
    TrafficHost nobody = {.mac = gateway_.mac, .ttl = 128, .dont_fragment = true};
    TrafficHost everyone = group_host(ipv4(255, 255, 255, 255));
    const DhcpFacts facts = {.transaction = static_cast<uint32_t>(random_.next() >> 32),
                             .client_mac = gateway_.mac,
                             .client_address = gateway_.address,
                             .server_address = router_.address,
                             .host_name = kHostName};
    const auto client_says = [&](DhcpType type) {
        add_udp(capture_, time_ns, nobody, everyone, {68, 67}, dhcp_message(type, facts), kUnknown);
        time_ns += random_.between(1 * kMillisecondNs, 3 * kMillisecondNs);
    };
    const auto server_says = [&](DhcpType type) {
        add_udp(capture_, time_ns, router_, gateway_, {67, 68}, dhcp_message(type, facts), kDhcp);
        time_ns += random_.between(100'000, 400'000);
    };
    client_says(DhcpType::discover);
    server_says(DhcpType::offer);
    client_says(DhcpType::request);
    server_says(DhcpType::acknowledge);
    // RFC 5227: nobody else has it, so it is announced.
    for (uint64_t round = 1; round <= 2; ++round) {
        add_arp(capture_, time_ns + round * jitter(400 * kMillisecondNs), gateway_, gateway_, true);
    }
}

// What a host says to everyone on the link, it says over both versions of IP.
void GatewayBoot::multicast(uint64_t time_ns, const DnsMessage& message) {
    add_ipv6_udp(capture_,
                 time_ns,
                 gateway_.mac,
                 link_local(gateway_.mac),
                 kMdnsGroup6,
                 kMdnsPorts,
                 message.octets());
    add_udp(capture_,
            time_ns + random_.between(50'000, 120'000),
            gateway_,
            group_host(kMdnsGroup),
            kMdnsPorts,
            message.octets(),
            kMdns);
}

// RFC 6762 section 8: probe three times, then announce twice.
void GatewayBoot::announce_host(uint64_t time_ns) {
    DnsMessage probe(0, kMulticastDnsQuery);
    probe.ask(kLocalName, kDnsTypeAny);
    probe.add_address({DnsSection::authority, kLocalName, kHostTtlSeconds}, gateway_.address);
    for (int round = 0; round < 3; ++round) {
        multicast(time_ns, probe);
        time_ns += jitter(500 * kMillisecondNs);
    }
    DnsMessage announcement(0, kMulticastDnsAnswer);
    announcement.add_address({DnsSection::answer, kLocalName, kHostTtlSeconds, true},
                             gateway_.address);
    announcement.add_ipv6_address({DnsSection::answer, kLocalName, kHostTtlSeconds, true},
                                  link_local(gateway_.mac));
    for (int round = 0; round < 2; ++round) {
        multicast(time_ns, announcement);
        time_ns += jitter(kSecondNs);
    }
}

void GatewayBoot::announce_service(uint64_t time_ns,
                                   std::string_view instance,
                                   std::string_view service,
                                   uint16_t port) {
    DnsMessage probe(0, kMulticastDnsQuery);
    probe.ask(instance, kDnsTypeAny);
    probe.add_service({DnsSection::authority, instance, kHostTtlSeconds}, port, kLocalName);
    for (int round = 0; round < 3; ++round) {
        multicast(time_ns, probe);
        time_ns += jitter(500 * kMillisecondNs);
    }
    const std::string text = counted8("version=1.4.0015") + counted8("id=b8d7af2b32a9");
    DnsMessage announcement(0, kMulticastDnsAnswer);
    announcement.add_pointer({DnsSection::answer, service, kServiceTtlSeconds}, instance);
    announcement.add_text({DnsSection::answer, instance, kServiceTtlSeconds, true}, text);
    announcement.add_service(
        {DnsSection::answer, instance, kHostTtlSeconds, true}, port, kLocalName);
    announcement.add_address({DnsSection::additional, kLocalName, kHostTtlSeconds, true},
                             gateway_.address);
    for (int round = 0; round < 2; ++round) {
        multicast(time_ns, announcement);
        time_ns += jitter(kSecondNs);
    }
}

// The phone looks for services; a printer has so much to say that its answer comes in fragments.
void GatewayBoot::browse_from_phone(uint64_t time_ns) {
    const TrafficHost group = group_host(kMdnsGroup);
    DnsMessage query(0, kMulticastDnsQuery);
    query.ask("_coap._udp.local", kDnsTypePtr);
    query.ask("_ipp._tcp.local", kDnsTypePtr);
    TrafficHost phone = phone_;
    phone.ttl = 255;
    add_udp(capture_, time_ns, phone, group, kMdnsPorts, query.octets(), kMdns);

    constexpr std::string_view kInstance = "Office printer._ipp._tcp.local";
    std::string text;
    for (int tray = 1; tray <= 24; ++tray) {
        const uint64_t level = random_.between(0, 100);
        text += counted8(fmt::format("tray-{}=media:iso_a4_210x297mm;type:stationery;level:{};{}",
                                     tray,
                                     level,
                                     random_.hex_digits(24)));
    }
    DnsMessage answer(0, kMulticastDnsAnswer);
    answer.add_pointer({DnsSection::answer, "_ipp._tcp.local", kServiceTtlSeconds}, kInstance);
    answer.add_text({DnsSection::answer, kInstance, kServiceTtlSeconds, true}, text);
    answer.add_service(
        {DnsSection::answer, kInstance, kHostTtlSeconds, true}, 631, "printer.local");
    add_udp(capture_,
            time_ns + random_.between(20 * kMillisecondNs, 120 * kMillisecondNs),
            printer_,
            group,
            kMdnsPorts,
            answer.octets(),
            kMdns);
}

// Returns when the answer is there.
uint64_t GatewayBoot::resolve(uint64_t time_ns,
                              uint16_t port,
                              const DnsMessage& query,
                              DnsMessage& answer) {
    add_arp(capture_, time_ns, gateway_, router_, true);
    add_arp(capture_, time_ns + random_.between(200'000, 500'000), router_, gateway_, false);
    time_ns += kMillisecondNs;
    add_udp(capture_, time_ns, gateway_, router_, {port, kDnsPort}, query.octets(), kDnsInit);
    time_ns += random_.between(2 * kMillisecondNs, 190 * kMillisecondNs);
    add_udp(capture_, time_ns, router_, gateway_, {kDnsPort, port}, answer.octets(), kDnsInit);
    return time_ns + random_.between(100'000, 900'000);
}

void GatewayBoot::check_firmware(uint64_t time_ns) {
    constexpr std::string_view kName = "fw.ota.homesmart.ikea.net";
    constexpr std::string_view kAlias = "d262cmbxmzphsu.cloudfront.net";
    const auto id = static_cast<uint16_t>(random_.between(1, 0xffff));
    TrafficHost server = {
        .mac = router_.mac,
        .address = ipv4(13, 32, 98, static_cast<uint8_t>(random_.between(10, 250))),
        .ttl = 246,
        .dont_fragment = true,
        .next_ip_id = 0x466c};
    DnsMessage query(id, kDnsQuery);
    query.ask(kName, kDnsTypeA);
    DnsMessage answer(id, kDnsAnswer);
    answer.ask(kName, kDnsTypeA);
    answer.add_alias({DnsSection::answer, kName, 300}, kAlias);
    answer.add_address({DnsSection::answer, kAlias, 60}, server.address);
    answer.add_address({DnsSection::answer, kAlias, 60}, server.address ^ 1);
    time_ns = resolve(time_ns, 30003, query, answer);

    const std::string id_digits = random_.hex_digits(30);
    const std::string_view digits = id_digits;
    const std::string request = fmt::format(
        "GET /feed/version_info.json HTTP/1.0\r\n"
        "User-Agent: HertzClient/1.0 (GW (1).(4).(15); Id {}-{}-4{}-a{}-{})\r\n"
        "Host: {}\r\n"
        "If-Modified-Since: Mon, 02 Jul 2018 11:32:25 GMT\r\n"
        "Connection: close\r\n\r\n",
        digits.substr(0, 8),
        digits.substr(8, 4),
        digits.substr(12, 3),
        digits.substr(15, 3),
        digits.substr(18),
        kName);
    const std::string tag = random_.hex_digits(32);
    const std::string cache_id = random_.hex_digits(56);
    const std::string response = fmt::format(
        "HTTP/1.1 304 Not Modified\r\n"
        "Connection: close\r\n"
        "Last-Modified: Mon, 02 Jul 2018 11:32:25 GMT\r\n"
        "ETag: \"{}\"\r\n"
        "Server: AmazonS3\r\n"
        "X-Cache: Hit from cloudfront\r\n"
        "X-Amz-Cf-Id: {}\r\n\r\n",
        tag,
        cache_id);
    TcpConversation connection(capture_,
                               gateway_tcp_,
                               capture_.ephemeral_port(),
                               server,
                               80,
                               {.client_window = 7168, .round_trip_ns = kMillisecondNs},
                               kFirmwareCheck);
    connection.open(time_ns);
    connection.client_sends(request);
    connection.pause(jitter(400 * kMillisecondNs));
    connection.server_sends(response);
    connection.close();
}

// A ClientHello that does not say where it goes, and one segment of it all lost and sent again.
void GatewayBoot::call_webhook(uint64_t time_ns) {
    constexpr std::string_view kName = "webhook.logentries.com";
    const auto id = static_cast<uint16_t>(random_.between(1, 0xffff));
    TrafficHost server = {
        .mac = router_.mac,
        .address = ipv4(52, 212, 58, static_cast<uint8_t>(random_.between(10, 250))),
        .ttl = 236,
        .dont_fragment = true,
        .next_ip_id = 0xa7f0};
    DnsMessage query(id, kDnsQuery);
    query.ask(kName, kDnsTypeA);
    DnsMessage answer(id, kDnsAnswer);
    answer.ask(kName, kDnsTypeA);
    answer.add_address({DnsSection::answer, kName, 60}, server.address);
    answer.add_address({DnsSection::answer, kName, 60}, ipv4(34, 242, 75, 164));
    time_ns = resolve(time_ns, 30004, query, answer);

    TcpConversation connection(
        capture_,
        gateway_tcp_,
        capture_.ephemeral_port(),
        server,
        443,
        {.client_window = 7168, .server_window = 26883, .round_trip_ns = 30 * kMillisecondNs},
        kWebhook);
    connection.open(time_ns);
    connection.client_sends(tls_client_hello(random_, kTls12, {}));
    connection.server_sends(tls_server_hello(random_, kName));
    connection.pause(jitter(50 * kMillisecondNs));
    connection.client_sends(tls_client_finish(random_));
    connection.server_sends(tls_server_finish(random_));
    constexpr int kReports = 5;
    for (int report = 0; report < kReports; ++report) {
        const std::string sent =
            tls_random_record(random_, kTlsApplicationData, 16 * random_.between(20, 60));
        if (report == 2) {
            connection.client_sends_twice(sent);
        } else {
            connection.client_sends(sent);
        }
        connection.pause(jitter(25 * kMillisecondNs));
        connection.server_sends(tls_random_record(random_, kTlsApplicationData, 16 * 20));
    }
    connection.client_sends(tls_random_record(random_, kTlsAlert, 64));
    connection.close();
}

void GatewayBoot::phone_session(uint64_t time_ns) {
    DtlsEnd client(random_);
    DtlsEnd server(random_);
    const uint16_t port = capture_.ephemeral_port();
    const auto phone_says = [&](const std::string& datagram) {
        time_ns += random_.between(2 * kMillisecondNs, 15 * kMillisecondNs);
        add_udp(
            capture_, time_ns, phone_, gateway_, {port, kCoapsPort}, datagram, kApplicationData);
    };
    const auto gateway_says = [&](const std::string& datagram) {
        time_ns += random_.between(10'000, 900'000);
        add_udp(
            capture_, time_ns, gateway_, phone_, {kCoapsPort, port}, datagram, kApplicationData);
    };
    const std::string cookie = random_.octets(32);
    phone_says(client.client_hello({}));
    gateway_says(server.hello_verify_request(cookie));
    phone_says(client.client_hello(cookie));
    gateway_says(server.server_hello());
    gateway_says(server.server_hello_done());
    phone_says(client.client_key_exchange(random_.hex_digits(32)));
    phone_says(client.change_cipher_spec());
    phone_says(client.finished());
    gateway_says(server.change_cipher_spec());
    gateway_says(server.finished());
    const uint64_t exchanges = random_.between(6, 14);
    for (uint64_t exchange = 0; exchange < exchanges; ++exchange) {
        phone_says(client.application_data(random_.between(8, 80)));
        gateway_says(server.application_data(random_.between(8, 420)));
        time_ns += random_.between(5 * kMillisecondNs, 900 * kMillisecondNs);
    }
    phone_says(client.close_notify());
}

// News of a lamp for sessions that the phone has forgotten: it says that nobody listens there.
void GatewayBoot::tell_a_phone_that_left(uint64_t time_ns) {
    constexpr size_t kNewsOctets = 421;
    for (int session = 0; session < 2; ++session) {
        DtlsEnd server(random_);
        const uint16_t port = capture_.ephemeral_port();
        static_cast<void>(server.change_cipher_spec());
        for (int attempt = 0; attempt < 2; ++attempt) {
            const std::string news = server.application_data(kNewsOctets);
            const UdpPorts ports = {kCoapsPort, port};
            add_udp(capture_, time_ns, gateway_, phone_, ports, news, kPortTest);
            time_ns += random_.between(2 * kMillisecondNs, 4 * kMillisecondNs);
            add_port_unreachable(
                capture_, time_ns, phone_, gateway_, ports, news.size(), kPortUnreachable);
            time_ns += jitter(2 * kSecondNs);
        }
    }
}

}  // namespace

void play_gateway_boot(TrafficCapture& capture) {
    GatewayBoot(capture).play();
}

}  // namespace curlew::cli
