#include "cli/bench_iot.h"

#include <fmt/format.h>

#include <array>
#include <string_view>

#include "cli/traffic_frames.h"
#include "cli/traffic_names.h"
#include "cli/traffic_octets.h"
#include "cli/traffic_tcp.h"
#include "cli/traffic_tls.h"
#include "cli/traffic_writer.h"

namespace curlew::cli {

namespace {

constexpr uint8_t kDevices = 16;
constexpr uint64_t kHomeNs = 60 * kSecondNs;
constexpr uint16_t kDnsPort = 53;
constexpr uint16_t kNtpPort = 123;
constexpr uint16_t kSsdpPort = 1900;
constexpr uint16_t kMdnsPort = 5353;
constexpr uint16_t kCoapPort = 5683;
constexpr Ipv6Address kMdnsGroup = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xfb};

constexpr std::array<std::string_view, 12> kNames{
    "diagnostics.meethue.com",
    "a1x3.iot.eu-west-1.amazonaws.com",
    "fw.ring.com",
    "logs.tuyaeu.com",
    "api.smartthings.com",
    "time.nest.com",
    "device-metrics-us.amazon.com",
    "mqtt-eu.meross.com",
    "clients3.google.com",
    "updates.ikea-tradfri.example.net",
    "webhook.logentries.com",
    "api.wink.com",
};

// One device of the home, with what it shares with the others.
class Device {
  public:
    Device(TrafficCapture& capture, uint8_t number)
        : capture_(capture),
          number_(number),
          host_{.mac = {2, 0, 0, 0, 1, number}, .address = ipv4(192, 168, 7, number)},
          router_{.mac = {2, 0, 0, 0, 0, 1}, .address = ipv4(192, 168, 7, 1)},
          address_{0xfd, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, number},
          router_address_{0xfd, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1} {}

    void speak() {
        for (int flow = 0; flow < 6; ++flow) {
            ask_name(flow >= 4);
        }
        for (int flow = 0; flow < 3; ++flow) {
            ask_time(flow >= 2);
        }
        announce(6, false);
        announce(18, true);
        report(5, false);
        report(15, true);
        notify(8);
        search();
        renew_address();
        talk_tls();
        talk_http();
        talk_mqtt();
    }

  private:
    TrafficRandom& random() { return capture_.random(); }
    uint64_t some_time() { return capture_.start_ns() + random().between(0, kHomeNs); }
    std::string_view some_name() { return kNames[random().between(0, kNames.size() - 1)]; }

    // By the way that the router would answer.
    void exchange(uint64_t time_ns,
                  bool is_ipv6,
                  UdpPorts ports,
                  std::string_view question,
                  std::string_view answer) {
        const UdpPorts back{ports.to, ports.from};
        const uint64_t answer_ns = time_ns + random().between(1, 40) * kMillisecondNs;
        if (is_ipv6) {
            add_ipv6_udp(capture_, time_ns, host_.mac, address_, router_address_, ports, question);
            add_ipv6_udp(capture_, answer_ns, router_.mac, router_address_, address_, back, answer);
        } else {
            add_udp(capture_, time_ns, host_, router_, ports, question, "");
            add_udp(capture_, answer_ns, router_, host_, back, answer, "");
        }
    }

    void ask_name(bool is_ipv6) {
        const auto id = static_cast<uint16_t>(random().next());
        const std::string_view name = some_name();
        DnsMessage question(id, kDnsQuery);
        question.ask(name, kDnsTypeA);
        DnsMessage answer(id, kDnsAnswer);
        answer.ask(name, kDnsTypeA);
        const std::string alias = fmt::format("edge{}.example.net", random().between(1, 99));
        answer.add_alias({.name = name, .ttl_seconds = 60}, alias);
        for (uint8_t host = 0; host < 3; ++host) {
            answer.add_address({.name = alias, .ttl_seconds = 60}, ipv4(198, 51, 100, host));
        }
        exchange(
            some_time(), is_ipv6, {next_port_++, kDnsPort}, question.octets(), answer.octets());
    }

    // RFC 4330: what a simple client sends is but its first octet zero.
    void ask_time(bool is_ipv6) {
        std::string question(48, '\0');
        question[0] = 0x23;
        std::string answer = question;
        answer.replace(0, 4, std::string_view("\x24\x02\x03\xe8", 4));
        answer.replace(12, 4, "\xc0\x00\x02\x07");
        answer.replace(16, 32, random().octets(32));
        exchange(some_time(), is_ipv6, {next_port_++, kNtpPort}, question, answer);
    }

    // RFC 6763 section 6, of an accessory.
    std::string properties() {
        std::string text;
        for (const std::string& property : {fmt::format("c#={}", random().between(1, 9)),
                                            std::string("ff=0"),
                                            fmt::format("id=A4:C1:38:00:00:{:02X}", number_),
                                            std::string("md=Lamp of many colours LWB010"),
                                            std::string("pv=1.1"),
                                            std::string("s#=1"),
                                            std::string("sf=1"),
                                            std::string("ci=5"),
                                            fmt::format("sh={}", random().hex_digits(8))}) {
            text += counted8(property);
        }
        return text;
    }

    void announce(int packets, bool is_ipv6) {
        const std::string instance = fmt::format("lamp-{}._hap._tcp.local", number_);
        const std::string target = fmt::format("lamp-{}.local", number_);
        uint64_t time_ns = some_time();
        for (int i = 0; i < packets; ++i) {
            const bool asks = i % 3 == 0;
            DnsMessage message(0, asks ? kMulticastDnsQuery : kMulticastDnsAnswer);
            if (asks) {
                message.ask("_hap._tcp.local", kDnsTypePtr);
            } else {
                message.add_pointer({.name = "_hap._tcp.local", .ttl_seconds = 4500}, instance);
                message.add_service({.name = instance, .ttl_seconds = 120}, 80, target);
                message.add_text({.name = instance, .ttl_seconds = 4500}, properties());
            }
            if (is_ipv6) {
                add_ipv6_udp(capture_,
                             time_ns,
                             host_.mac,
                             address_,
                             kMdnsGroup,
                             {kMdnsPort, kMdnsPort},
                             message.octets());
            } else {
                TrafficHost group = group_host(ipv4(224, 0, 0, 251));
                add_udp(
                    capture_, time_ns, host_, group, {kMdnsPort, kMdnsPort}, message.octets(), "");
            }
            time_ns += random().between(20, 1500) * kMillisecondNs;
        }
    }

    // CoAP (RFC 7252): a confirmable GET of a sensor and what it says.
    void report(int exchanges, bool is_ipv6) {
        const UdpPorts ports{next_port_++, kCoapPort};
        uint64_t time_ns = some_time();
        for (int i = 0; i < exchanges; ++i) {
            const uint64_t id = random().between(0, 0xffff);
            std::string question;
            put32(question, 0x42010000 | id);
            put16(question, id);
            question += "\xb7sensors\x04temp";
            std::string answer;
            put32(answer, 0x62450000 | id);
            put16(answer, id);
            answer += "\xc1\x32\xff";
            answer += fmt::format(
                "[{{\"n\":\"urn:dev:lamp-{:02}:temperature\",\"v\":{},\"u\":\"Cel\",\"t\":{}}},"
                "{{\"n\":\"brightness\",\"v\":{}}}]",
                number_,
                random().between(100, 300),
                1'700'000'000 + i,
                random().between(0, 254));
            exchange(time_ns, is_ipv6, ports, question, answer);
            time_ns += random().between(100, 2000) * kMillisecondNs;
        }
    }

    void notify(int packets) {
        TrafficHost group = group_host(ipv4(239, 255, 255, 250));
        const UdpPorts ports{next_port_++, kSsdpPort};
        uint64_t time_ns = some_time();
        for (int i = 0; i < packets; ++i) {
            const std::string text = fmt::format(
                "NOTIFY * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nCACHE-CONTROL: "
                "max-age=100\r\nLOCATION: http://192.168.7.{0}:80/description.xml\r\nSERVER: "
                "Linux/3.14.0 UPnP/1.0 IpBridge/1.{1}.0\r\nNTS: ssdp:alive\r\nNT: "
                "upnp:rootdevice\r\nUSN: uuid:2f402f80-da50-11e1-9b23-0017880{0:05}\r\n\r\n",
                number_,
                i);
            add_udp(capture_, time_ns, host_, group, ports, text, "");
            time_ns += 50 * kMillisecondNs;
        }
    }

    void search() {
        TrafficHost group = group_host(ipv4(239, 255, 255, 250));
        const UdpPorts ports{next_port_++, kSsdpPort};
        uint64_t time_ns = some_time();
        for (int i = 0; i < 3; ++i) {
            add_udp(capture_,
                    time_ns,
                    host_,
                    group,
                    ports,
                    "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: "
                    "\"ssdp:discover\"\r\nMX: 3\r\nST: ssdp:all\r\n\r\n",
                    "");
            time_ns += 500 * kMillisecondNs;
        }
        for (int i = 0; i < 2; ++i) {
            add_udp(capture_,
                    time_ns + static_cast<uint64_t>(i) * kMillisecondNs,
                    router_,
                    host_,
                    {ports.to, ports.from},
                    "HTTP/1.1 200 OK\r\nCACHE-CONTROL: max-age=100\r\nEXT:\r\nLOCATION: "
                    "http://192.168.7.1:49152/igd.xml\r\nST: upnp:rootdevice\r\nUSN: "
                    "uuid:8f4ac210::upnp:rootdevice\r\n\r\n",
                    "");
        }
    }

    void renew_address() {
        const std::string name = fmt::format("lamp-{}", number_);
        const DhcpFacts facts{.transaction = static_cast<uint32_t>(random().next()),
                              .client_mac = host_.mac,
                              .client_address = host_.address,
                              .server_address = router_.address,
                              .host_name = name};
        exchange(some_time(),
                 false,
                 {68, 67},
                 dhcp_message(DhcpType::request, facts),
                 dhcp_message(DhcpType::acknowledge, facts));
    }

    TcpConversation connect(TrafficHost& server, uint16_t port) {
        TcpConversation connection(capture_,
                                   host_,
                                   next_port_++,
                                   server,
                                   port,
                                   {.round_trip_ns = 20 * kMillisecondNs},
                                   "");
        connection.open(some_time());
        return connection;
    }

    TrafficHost cloud() const {
        return {.mac = router_.mac, .address = ipv4(198, 51, 100, number_), .ttl = 50};
    }

    void talk_tls() {
        TrafficHost server = cloud();
        TcpConversation connection = connect(server, 443);
        const std::string_view name = some_name();
        connection.client_sends(tls_client_hello(random(), kTls12, name));
        connection.server_sends(tls_server_hello(random(), name));
        connection.client_sends(tls_client_finish(random()));
        connection.server_sends(tls_server_finish(random()));
        for (int i = 0; i < 3; ++i) {
            const size_t octets = random().between(400, 1400);
            connection.client_sends(tls_random_record(random(), kTlsApplicationData, octets));
            connection.server_sends(tls_random_record(random(), kTlsApplicationData, 120));
        }
        connection.close();
    }

    void talk_http() {
        TrafficHost server = cloud();
        TcpConversation connection = connect(server, 80);
        connection.client_sends(fmt::format(
            "GET /api/v1/lamps/{}/state HTTP/1.1\r\nHost: {}\r\nUser-Agent: lamp/1.2\r\n\r\n",
            number_,
            some_name()));
        connection.server_sends(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 600\r\n\r\n" +
            random().hex_digits(600));
        connection.close();
    }

    // MQTT 3.1.1: CONNECT, its answer, and messages of a few words.
    void talk_mqtt() {
        TrafficHost server = cloud();
        TcpConversation connection = connect(server, 1883);
        connection.client_sends(std::string("\x10\x13\x00\x04MQTT\x04\x02\x00\x3c\x00\x07", 14) +
                                "lamp-07");
        connection.server_sends(std::string("\x20\x02\x00\x00", 4));
        for (int i = 0; i < 6; ++i) {
            const std::string topic = fmt::format("home/lamp{:02}/state", number_);
            const std::string body =
                counted16(topic) + fmt::format("{{\"on\":{},\"brightness\":{},\"colour\":\"#{}\"}}",
                                               i % 2,
                                               100 + i,
                                               random().hex_digits(6));
            connection.client_sends("\x30" + counted8(body));
            connection.pause(random().between(100, 3000) * kMillisecondNs);
        }
        connection.close();
    }

    TrafficCapture& capture_;
    uint8_t number_;
    uint16_t next_port_ = 49152;
    TrafficHost host_;
    TrafficHost router_;
    Ipv6Address address_;
    Ipv6Address router_address_;
};

}  // namespace

std::vector<std::string> iot_frames(uint64_t seed) {
    TrafficCapture capture(seed);
    for (uint8_t number = 0; number < kDevices; ++number) {
        Device(capture, static_cast<uint8_t>(20 + number)).speak();
    }
    return capture.take_frames();
}

}  // namespace curlew::cli
