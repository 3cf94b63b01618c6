#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "collector/joy_certificate.h"
#include "collector/joy_dhcp.h"
#include "collector/joy_dns.h"
#include "collector/joy_http.h"
#include "collector/joy_tls.h"
#include "collector/wire_text.h"

// Input: one octet that chooses the protocol, then what both sides keep of it, as it comes over the
// channel; of DNS, DHCP, TLS and certificates alternatively the octets of one message. Whatever
// they are, one line comes out, whose strings and brackets close.

namespace {

using namespace curlew;

template <typename Side, typename Write>
void write_parsed(collector::JsonLine& json, const std::string& octets, Write write) {
    Side record;
    Side twin;
    const size_t half = octets.size() / 2;
    if (record.ParseFromString(octets.substr(0, half)) &&
        twin.ParseFromString(octets.substr(half))) {
        write(json, record, &twin);
        json.key("other");
        json.start_object();
        write(json, twin, nullptr);
        json.end_object();
    }
}

void write_one(collector::JsonLine& json, int kind, const std::string& octets) {
    if (kind == 0) {
        proto::JoyDns dns;
        dns.add_messages(octets);
        collector::write_joy_dns(json, dns, nullptr);
    } else if (kind == 1) {
        proto::JoyDhcp dhcp;
        dhcp.add_messages(octets);
        collector::write_joy_dhcp(json, dhcp);
    } else if (kind == 2) {
        proto::JoyTls tls;
        tls.set_handshake(octets);
        tls.set_ending_version(0x0303);
        collector::write_joy_tls(json, tls, nullptr);
    } else {
        json.key("certificate");
        collector::write_joy_certificate(json, octets);
    }
}

// RapidJSON does not pass the sanitizers itself.
bool is_closed(std::string_view line) {
    std::string open;
    bool in_string = false;
    for (size_t i = 0; i + 1 < line.size(); ++i) {
        const char octet = line[i];
        if (octet >= 0 && octet < ' ') {
            return false;
        }
        if (octet == '"') {
            in_string = !in_string;
        } else if (in_string) {
            i += octet == '\\' ? 1 : 0;
        } else if (octet == '{' || octet == '[') {
            open += octet == '{' ? '}' : ']';
        } else if (octet == '}' || octet == ']') {
            if (open.empty() || open.back() != octet) {
                return false;
            }
            open.pop_back();
        }
    }
    return open.empty() && !in_string && line.ends_with('\n') && collector::is_utf8(line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    if (size == 0) {
        return 0;
    }
    const std::string octets(reinterpret_cast<const char*>(data) + 1, size - 1);
    static collector::JsonLine json;
    json.clear();
    json.start_object();
    switch (data[0] % 7) {
        case 0:
        case 1:
        case 2:
        case 3:
            write_one(json, data[0] % 7, octets);
            break;
        case 4:
            write_parsed<proto::JoyDns>(json, octets, collector::write_joy_dns);
            break;
        case 5:
            write_parsed<proto::JoyHttp>(json, octets, collector::write_joy_http);
            break;
        default:
            write_parsed<proto::JoyTls>(json, octets, collector::write_joy_tls);
            break;
    }
    json.end_object();
    if (!is_closed(json.finish())) {
        std::abort();
    }
    return 0;
}
