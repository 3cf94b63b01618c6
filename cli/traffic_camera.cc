#include <fmt/core.h>

#include <array>
#include <bit>
#include <string>
#include <string_view>

#include "cli/traffic_frames.h"
#include "cli/traffic_names.h"
#include "cli/traffic_octets.h"
#include "cli/traffic_scenarios.h"
#include "cli/traffic_smb.h"
#include "cli/traffic_tcp.h"
#include "cli/traffic_tls.h"

namespace curlew::cli {
namespace {

// Labels of group ipcam, spelt as published.
constexpr std::string_view kNetBios = "NetBIOS";
constexpr std::string_view kSmb = "SMB (Local NAS Connection)";
constexpr std::string_view kSsdpSearch = "SSDP (m-search)";
constexpr std::string_view kSsdpNotify = "SSDP (notify)";
constexpr std::string_view kTls = "TLS (myedimax.com)";
constexpr std::string_view kInit = "UDP myedimax.com Init";
constexpr std::string_view kDns = "DNS (google.com/myedimax.com)";
constexpr std::string_view kHeartbeat = "UDP Heartbeat myedimax.com";
constexpr std::string_view kLocalInit = "Local Init Broadcast";
constexpr std::string_view kConnectionTest = "HTTP (Test Connection To google.com)";

constexpr std::string_view kCloudName = "www.myedimax.com";
constexpr uint32_t kSsdpGroup = ipv4(239, 255, 255, 250);
constexpr uint16_t kSsdpPort = 1900;
constexpr uint16_t kInitPort = 8760;
constexpr uint16_t kHeartbeatPort = 9765;
constexpr uint16_t kTlsPort = 55443;

// The vendor's scrambling: the first octet raised by a number of bits, all after it rotated right
// by as many.
std::string scramble(std::string_view text, int bits) {
    std::string out;
    put8(out, static_cast<uint8_t>(text.front()) + static_cast<unsigned>(bits));
    for (const char letter : text.substr(1)) {
        put8(out, std::rotr(static_cast<uint8_t>(letter), bits));
    }
    return out;
}

// A camera that is switched on in a network where its NAS and a name server already are.
class CameraMinutes {
  public:
    explicit CameraMinutes(TrafficCapture& capture)
        : capture_(capture), random_(capture.random()) {}

    void play() {
        find_router(at(0.2));
        notify(at(1.0));
        add_igmp(capture_,
                 at(1.4),
                 camera_,
                 group_host(kSsdpGroup),
                 kIgmpReport,
                 kSsdpGroup,
                 kMembershipReport);
        cloud_ = resolve(at(4.0), kCloudName, ipv4(122, 248, 252, 67));
        init(at(4.6), cloud_, kShortIdOctets);
        const TrafficHost other_cloud = behind_router(ipv4(122, 248, 234, 231), 233);
        init(at(7.5), other_cloud, kLongIdOctets);
        local_port_ = capture_.ephemeral_port();
        broadcast(at(8.6));
        heartbeats(at(10.0));
        for (const double second : {13.0, 74.0, 134.0, 194.0, 254.0}) {
            test_connection(at(second));
        }
        for (const double second : {18.0, 69.0, 210.0}) {
            call_cloud(at(second));
        }
        for (const double second : {23.0, 84.0, 144.0, 204.0, 265.0}) {
            notify(at(second));
        }
        for (const double second : {34.0, 105.0, 176.0, 247.0}) {
            search(at(second));
        }
        record_to_nas(at(28.0));
        record_to_missing_share(at(160.0));
        add_igmp(capture_,
                 at(125.0),
                 camera_,
                 group_host(kSsdpGroup),
                 kIgmpReport,
                 kSsdpGroup,
                 kMembershipReport);
    }

  private:
    static constexpr size_t kShortIdOctets = 36;
    static constexpr size_t kLongIdOctets = 1700;  // more than a frame holds

    // A moment of the script, up to 700 ms later than it says.
    uint64_t at(double second) {
        return capture_.start_ns() + static_cast<uint64_t>(second * 1000) * kMillisecondNs +
               random_.between(0, 700 * kMillisecondNs);
    }

    TrafficHost behind_router(uint32_t address, uint8_t ttl) {
        return {.mac = nas_.mac,
                .address = address,
                .ttl = ttl,
                .next_ip_id = static_cast<uint16_t>(random_.between(1, 0x7fff))};
    }

    std::string scrambled(std::string_view text) {
        return scramble(text, static_cast<int>(random_.between(0, 7)));
    }

    void find_router(uint64_t time_ns);
    void notify(uint64_t time_ns);
    void search(uint64_t time_ns);
    TrafficHost resolve(uint64_t time_ns, std::string_view name, uint32_t address);
    void init(uint64_t time_ns, TrafficHost server, size_t id_octets);
    void broadcast(uint64_t time_ns);
    void heartbeats(uint64_t time_ns);
    void test_connection(uint64_t time_ns);
    void call_cloud(uint64_t time_ns);
    void set_up_session(TcpConversation& connection, SmbSession& session);
    void record_to_nas(uint64_t time_ns);
    void record_to_missing_share(uint64_t time_ns);

    TrafficCapture& capture_;
    TrafficRandom& random_;
    TrafficHost camera_ = {.mac = {0x74, 0xda, 0x38, 0x83, 0x81, 0x99},
                           .address = ipv4(192, 168, 5, 20),
                           .next_ip_id = 0x9c76};
    TrafficHost nas_ = {.mac = {0xd8, 0x58, 0xd7, 0x00, 0x5e, 0xb6},
                        .address = ipv4(192, 168, 5, 1),
                        .next_ip_id = 0xd552};
    TrafficHost cloud_;
    uint16_t local_port_ = 0;
};

void CameraMinutes::find_router(uint64_t time_ns) {
    add_arp(capture_, time_ns, camera_, camera_, true);
    time_ns += 300 * kMillisecondNs;
    add_arp(capture_, time_ns, camera_, nas_, true);
    add_arp(capture_, time_ns + random_.between(100'000, 400'000), nas_, camera_, false);
}

void CameraMinutes::notify(uint64_t time_ns) {
    TrafficHost camera = camera_;
    camera.ttl = 1;
    constexpr std::array<std::string_view, 3> kTypes = {
        "upnp:rootdevice", "urn:schemas-upnp-org:device:Basic:1", "BasicDevice1"};
    for (const std::string_view type : kTypes) {
        const std::string text = fmt::format(
            "NOTIFY * HTTP/1.1\r\n"
            "HOST: 239.255.255.250:1900\r\n"
            "CACHE-CONTROL: max-age=300\r\n"
            "LOCATION: http://192.168.5.20:80/IPCamDesc.xml\r\n"
            "SERVER: Embedded UPnP/1.0\r\n"
            "NT: {0}\r\n"
            "USN: uuid:upnp-BasicDevice-1_0-74DA38838199::{0}\r\n"
            "NTS: ssdp:alive\r\n\r\n",
            type);
        add_udp(capture_,
                time_ns,
                camera,
                group_host(kSsdpGroup),
                {kSsdpPort, kSsdpPort},
                text,
                kSsdpNotify);
        time_ns += random_.between(90'000, 220'000);
    }
    camera_.next_ip_id = camera.next_ip_id;
}

void CameraMinutes::search(uint64_t time_ns) {
    TrafficHost camera = camera_;
    camera.ttl = 1;
    const uint16_t port = capture_.ephemeral_port();
    constexpr std::array<std::string_view, 4> kTargets = {
        "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
        "urn:schemas-upnp-org:service:WANIPConnection:1",
        "urn:schemas-upnp-org:service:WANPPPConnection:1",
        "upnp:rootdevice"};
    for (const std::string_view target : kTargets) {
        const std::string text = fmt::format(
            "M-SEARCH * HTTP/1.1\r\n"
            "HOST: 239.255.255.250:1900\r\n"
            "ST: {}\r\n"
            "MAN: \"ssdp:discover\"\r\n"
            "MX: 2\r\n\r\n",
            target);
        add_udp(capture_,
                time_ns,
                camera,
                group_host(kSsdpGroup),
                {port, kSsdpPort},
                text,
                kSsdpSearch);
        time_ns += random_.between(1990 * kMillisecondNs, 2020 * kMillisecondNs);
    }
    camera_.next_ip_id = camera.next_ip_id;
}

TrafficHost CameraMinutes::resolve(uint64_t time_ns, std::string_view name, uint32_t address) {
    constexpr uint16_t kId = 2;  // the camera's resolver never uses another
    const uint16_t port = capture_.ephemeral_port();
    DnsMessage query(kId, kDnsQuery);
    query.ask(name, kDnsTypeA);
    add_udp(capture_, time_ns, camera_, nas_, {port, kDnsPort}, query.octets(), kDns);
    DnsMessage answer(kId, kDnsAnswer);
    answer.ask(name, kDnsTypeA);
    answer.add_address({DnsSection::answer, name, static_cast<uint32_t>(random_.between(20, 300))},
                       address);
    add_udp(capture_,
            time_ns + random_.between(300'000, 40 * kMillisecondNs),
            nas_,
            camera_,
            {kDnsPort, port},
            answer.octets(),
            kDns);
    return behind_router(address, 234);
}

void CameraMinutes::init(uint64_t time_ns, TrafficHost server, size_t id_octets) {
    const uint16_t port = capture_.ephemeral_port();
    const std::string text = fmt::format("<param><opcode value=\"1\" /><id value=\"{}\" /></param>",
                                         random_.hex_digits(id_octets));
    add_udp(capture_, time_ns, camera_, server, {port, kInitPort}, scrambled(text), kInit);
    const std::string answer = fmt::format(
        "<param><opcode value=\"2\" /><id value=\"{}\" /><server value=\"{}\" />"
        "<port value=\"{}\" /></param>",
        random_.hex_digits(kShortIdOctets),
        "122.248.252.67",
        kHeartbeatPort);
    time_ns += random_.between(210 * kMillisecondNs, 290 * kMillisecondNs);
    add_udp(capture_, time_ns, server, camera_, {kInitPort, port}, scrambled(answer), kInit);
}

void CameraMinutes::broadcast(uint64_t time_ns) {
    const std::string text =
        fmt::format("<param><code value=\"1300\" /><port value=\"{}\" /></param>", local_port_);
    for (int round = 0; round < 3; ++round) {
        add_udp(capture_,
                time_ns,
                camera_,
                group_host(ipv4(255, 255, 255, 255)),
                {local_port_, local_port_},
                text,
                kLocalInit);
        time_ns += random_.between(990 * kMillisecondNs, 1010 * kMillisecondNs);
    }
}

void CameraMinutes::heartbeats(uint64_t time_ns) {
    constexpr int kBeats = 13;
    const UdpPorts out = {local_port_, kHeartbeatPort};
    const UdpPorts back = {kHeartbeatPort, local_port_};
    const std::string id = random_.hex_digits(kShortIdOctets);
    for (int beat = 0; beat < kBeats; ++beat) {
        add_udp(capture_,
                time_ns,
                camera_,
                cloud_,
                out,
                scrambled("<param><code value=\"1000\" /></param>"),
                kHeartbeat);
        const std::string state = fmt::format(
            "<param><code value=\"1010\" /><id value=\"{}\" /><model value=\"IC-9110W\" />"
            "<uptime value=\"{}\" /><checksum value=\"{}\" /></param>",
            id,
            (time_ns - capture_.start_ns()) / kSecondNs,
            random_.hex_digits(480));
        const uint64_t state_ns = time_ns + random_.between(400'000, 2 * kMillisecondNs);
        add_udp(capture_, state_ns, camera_, cloud_, out, scrambled(state), kHeartbeat);
        const std::string answer = std::string("\x01\x40\x00\x00", 4) + random_.octets(224);
        add_udp(capture_,
                time_ns + random_.between(215 * kMillisecondNs, 260 * kMillisecondNs),
                cloud_,
                camera_,
                back,
                answer,
                kHeartbeat);
        time_ns += random_.between(19'900 * kMillisecondNs, 20'100 * kMillisecondNs);
    }
}

// Whether there is an Internet: a connection opened and closed without a word.
void CameraMinutes::test_connection(uint64_t time_ns) {
    TrafficHost server = resolve(time_ns, "www.google.com", ipv4(216, 58, 211, 100));
    server.ttl = 112;
    TcpConversation connection(
        capture_,
        camera_,
        capture_.ephemeral_port(),
        server,
        80,
        {.server_window = 60192, .timestamps = true, .round_trip_ns = 29 * kMillisecondNs},
        kConnectionTest);
    connection.open(time_ns + 45 * kMillisecondNs);
    connection.close();
}

void CameraMinutes::call_cloud(uint64_t time_ns) {
    TrafficHost server = resolve(time_ns, kCloudName, ipv4(13, 228, 108, 220));
    server.ttl = 236;
    TcpConversation connection(
        capture_,
        camera_,
        capture_.ephemeral_port(),
        server,
        kTlsPort,
        {.server_window = 26847, .timestamps = true, .round_trip_ns = 218 * kMillisecondNs},
        kTls);
    connection.open(time_ns + 50 * kMillisecondNs);
    connection.pause(120 * kMillisecondNs);
    connection.client_sends(tls_client_hello(random_, kSsl30, kCloudName));
    connection.server_sends(tls_server_hello(random_, kCloudName));
    connection.pause(2 * kSecondNs);
    connection.client_sends(tls_client_finish(random_));
    connection.server_sends(tls_server_finish(random_));
    connection.pause(800 * kMillisecondNs);
    connection.client_sends(tls_random_record(random_, kTlsApplicationData, 528));
    connection.server_sends(tls_random_record(random_, kTlsApplicationData, 304));
    connection.client_sends(tls_random_record(random_, kTlsAlert, 48));
    connection.close();
}

void CameraMinutes::set_up_session(TcpConversation& connection, SmbSession& session) {
    connection.client_sends(session.negotiate());
    connection.server_sends(session.negotiate_answer());
    connection.client_sends(session.set_up());
    connection.server_sends(session.set_up_answer());
}

// Over NetBIOS, to a share that is there: a piece of video, one segment of it sent twice.
void CameraMinutes::record_to_nas(uint64_t time_ns) {
    constexpr uint32_t kPieceOctets = 12'000;
    constexpr uint32_t kPieces = 6;
    TcpConversation connection(capture_,
                               camera_,
                               capture_.ephemeral_port(),
                               nas_,
                               139,
                               {.timestamps = true, .round_trip_ns = 300'000},
                               kNetBios);
    SmbSession session(random_);
    connection.open(time_ns);
    connection.client_sends(netbios_session_request("NAS", "IC-9110W"));
    connection.server_sends(netbios_session_accepted());
    set_up_session(connection, session);
    connection.client_sends(session.connect_tree("\\\\192.168.5.1\\nas"));
    connection.server_sends(session.connect_tree_answer());
    connection.client_sends_twice(session.create_file("\\cam\\first.avi"));
    connection.server_sends(session.create_file_answer());
    for (uint32_t piece = 0; piece < kPieces; ++piece) {
        connection.client_sends(
            session.write_file(piece * kPieceOctets, random_.octets(kPieceOctets)));
        connection.server_sends(session.write_file_answer(kPieceOctets));
        connection.pause(random_.between(900 * kMillisecondNs, 1500 * kMillisecondNs));
    }
    connection.client_sends(session.close_file());
    connection.server_sends(session.close_file_answer());
    connection.close();
}

// Directly over TCP, to a share that is not: asked for three times every ten seconds.
void CameraMinutes::record_to_missing_share(uint64_t time_ns) {
    for (int round = 0; round < 2; ++round) {
        TcpConversation connection(capture_,
                                   camera_,
                                   capture_.ephemeral_port(),
                                   nas_,
                                   445,
                                   {.timestamps = true, .round_trip_ns = 300'000},
                                   kSmb);
        SmbSession session(random_);
        connection.open(time_ns);
        connection.pause(random_.between(1500 * kMillisecondNs, 3000 * kMillisecondNs));
        set_up_session(connection, session);
        for (int visit = 0; visit < 4; ++visit) {
            for (int attempt = 0; attempt < 3; ++attempt) {
                connection.client_sends(session.connect_tree("\\\\192.168.5.1\\nas"));
                connection.server_sends(session.connect_tree_refused());
            }
            connection.pause(random_.between(10'200 * kMillisecondNs, 10'260 * kMillisecondNs));
        }
        connection.close();
        time_ns = connection.now_ns() + random_.between(200'000, 400'000);
    }
}

}  // namespace

void play_camera_minutes(TrafficCapture& capture) {
    CameraMinutes(capture).play();
}

}  // namespace curlew::cli
