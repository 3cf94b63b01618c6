#include "collector/protocols/ssh.h"

#include <algorithm>
#include <array>
#include <string>

#include "collector/digest.h"
#include "collector/protocols/cursor.h"
#include "collector/protocols/wire_member.h"

namespace curlew::collector {
namespace {

constexpr size_t kMaximumLinesBefore = 32;  // of a server, before its banner
constexpr size_t kMaximumPackets = 8;       // looked at for the key exchange
constexpr size_t kMaximumAlgorithms = 64;   // of one list
constexpr size_t kMaximumPacketOctets = 262'144;
constexpr uint8_t kKeyExchangeInit = 20;
constexpr size_t kCookieOctets = 16;

// Names of the lists in the order in which they stand. Joy's names.
constexpr std::array<const char*, 8> kListNames = {
    "kex_algos",
    "s_host_key_algos",
    "c_encryption_algos",
    "s_encryption_algos",
    "c_mac_algos",
    "s_mac_algos",
    "c_comp_algos",
    "s_comp_algos",
};
constexpr size_t kLanguageLists = 2;

struct SshStream {
    std::string_view banner;
    std::array<std::string_view, kListNames.size()> lists;
    bool has_lists = false;
    bool malformed = false;
};

// The octets up to a line feed, without it and a carriage return before it. False when there is no
// whole line.
bool take_line(std::string_view& stream, std::string_view& line) {
    const size_t end = stream.find('\n');
    if (end == std::string_view::npos) {
        return false;
    }
    line = stream.substr(0, end);
    stream.remove_prefix(end + 1);
    if (line.ends_with('\r')) {
        line.remove_suffix(1);
    }
    return true;
}

// RFC 4253 section 4.2: lines of text may come before the one that begins with "SSH-". Shortens
// `stream` to what is behind it.
std::string_view take_banner(std::string_view& stream) {
    std::string_view line;
    for (size_t i = 0; i < kMaximumLinesBefore && take_line(stream, line); ++i) {
        if (line.starts_with("SSH-")) {
            // Some devices pad it.
            return line.substr(0, line.find('\0'));
        }
    }
    return {};
}

// RFC 4253 section 7.1
//
//  type 20: 1 | cookie 16 | ten lists of names, each behind its length 4
//  | first packet follows 1 | reserved 4
void read_key_exchange(std::string_view payload, bool whole, SshStream& ssh) {
    Cursor cursor(payload);
    cursor.skip(1 + kCookieOctets);
    std::array<std::string_view, kListNames.size()> lists;
    for (std::string_view& list : lists) {
        list = cursor.take_counted(4);
    }
    const bool all = cursor.ok();
    for (size_t i = 0; i < kLanguageLists; ++i) {
        cursor.take_counted(4);
    }
    cursor.skip(1 + 4);
    ssh.malformed = ssh.malformed || (whole && (!cursor.ok() || cursor.left() > 0));
    if (all) {
        ssh.lists = lists;
        ssh.has_lists = true;
    }
}

// RFC 4253 section 6
//
//  length 4 | octets of padding 1 | payload | padding
//
// The length counts what comes after it. A server that refuses says so in text.
void read_packets(std::string_view stream, SshStream& ssh) {
    constexpr char kLowestText = ' ';
    if (!stream.empty() && stream.front() >= kLowestText) {
        return;
    }
    Cursor cursor(stream);
    for (size_t i = 0; i < kMaximumPackets && cursor.left() > 4; ++i) {
        const size_t length = cursor.u32();
        const bool whole = length <= cursor.left();
        std::string_view packet = cursor.take(std::min(length, cursor.left()));
        const size_t padding = packet.empty() ? 0 : static_cast<uint8_t>(packet.front());
        if (length < 2 || length > kMaximumPacketOctets || padding + 2 > length) {
            ssh.malformed = true;
            return;
        }
        packet = packet.substr(1, length - 1 - padding);
        if (!packet.empty() && static_cast<uint8_t>(packet.front()) == kKeyExchangeInit) {
            read_key_exchange(packet, whole, ssh);
            return;
        }
    }
}

SshStream read_stream(std::string_view stream) {
    SshStream ssh;
    ssh.banner = take_banner(stream);
    // Version 1 has packets of another form; "1.99" speaks version 2 as well.
    const bool version2 = ssh.banner.starts_with("SSH-2.") || ssh.banner.starts_with("SSH-1.99-");
    if (version2) {
        read_packets(stream, ssh);
    }
    return ssh;
}

void write_lists(JsonLine& json, std::string_view name, const SshStream& ssh) {
    if (!ssh.has_lists) {
        return;
    }
    json.key(name);
    json.start_object();
    for (size_t i = 0; i < kListNames.size(); ++i) {
        json.key(kListNames[i]);
        json.start_array();
        std::string_view rest = ssh.lists[i];
        for (size_t count = 0; count < kMaximumAlgorithms && !rest.empty(); ++count) {
            const size_t end = std::min(rest.find(','), rest.size());
            write_wire_text(json, rest.substr(0, end));
            rest.remove_prefix(std::min(end + 1, rest.size()));
        }
        json.end_array();
    }
    json.end_object();
}

// MD5 of the lists for key exchange, encryption, authentication and compression of what this end
// sends, with semicolons between.
void write_fingerprint(JsonLine& json, std::string_view name, const SshStream& ssh, bool server) {
    if (!ssh.has_lists) {
        return;
    }
    const size_t side = server ? 1 : 0;
    std::string text(ssh.lists[0]);
    for (const size_t list : {2 + side, 4 + side, 6 + side}) {
        text.push_back(';');
        text.append(ssh.lists[list]);
    }
    json.text(name, md5_of(text));
}

}  // namespace

bool write_ssh(JsonLine& json, std::string_view client, std::string_view server) {
    const SshStream from_client = read_stream(client);
    const SshStream from_server = read_stream(server);
    if (from_client.banner.empty() && from_server.banner.empty()) {
        return true;
    }
    json.key("ssh");
    json.start_object();
    if (!from_client.banner.empty()) {
        write_wire_text(json, "client", from_client.banner);
    }
    if (!from_server.banner.empty()) {
        write_wire_text(json, "server", from_server.banner);
    }
    write_lists(json, "client_kex", from_client);
    write_lists(json, "server_kex", from_server);
    write_fingerprint(json, "hassh", from_client, false);
    write_fingerprint(json, "hassh_server", from_server, true);
    const bool right = !from_client.malformed && !from_server.malformed;
    if (!right) {
        write_mark(json, "malformed");
    }
    json.end_object();
    return right;
}

}  // namespace curlew::collector
