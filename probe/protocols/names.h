#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

// Names that a packet tells, as they stood on the wire: any octets, at most 255. One parser a file
// beside this one; each reads one payload, believes no length in it, and allocates nothing.

namespace curlew::probe {

// Where a name was found. Values are stored with flows: never renumber.
enum class NameField : uint8_t {
    dns_question = 1,
    mdns_question = 2,
    mdns_answer = 3,
    tls_server_name = 4,
    http_host = 5,
    dhcp_host_name = 6,
    quic_server_name = 7,
};

// As it stands in records, for example "dns.question".
const char* name_of(NameField field) noexcept;

inline constexpr size_t kMaximumNameOctets = 255;

// Not set by itself: a list of them is made for each packet.
struct FoundName {
    NameField field;
    uint8_t octets;
    std::array<uint8_t, kMaximumNameOctets> text;
};

// The names of one packet, in order of appearance.
class FoundNames {
  public:
    static constexpr size_t kMaximum = 16;

    // Drops the name when the list is full; it is then cut(). An empty name is not added, a longer
    // one than can be is shortened.
    void add(NameField field, std::span<const uint8_t> text) noexcept {
        if (text.empty()) {
            return;
        }
        if (count_ == kMaximum) {
            cut_ = true;
            return;
        }
        FoundName& name = names_[count_++];
        name.field = field;
        name.octets = static_cast<uint8_t>(std::min(text.size(), kMaximumNameOctets));
        std::memcpy(name.text.data(), text.data(), name.octets);
    }

    size_t count() const noexcept { return count_; }
    bool cut() const noexcept { return cut_; }
    const FoundName& operator[](size_t index) const noexcept { return names_[index]; }

  private:
    std::array<FoundName, kMaximum> names_;
    size_t count_ = 0;
    bool cut_ = false;
};

// Each returns false when the payload contradicts itself; names found before that stay.
// DNS message, RFC 1035 section 4.1. Questions always; owner names of answers only when multicast
// (RFC 6762), where announcements come without a question.
bool find_dns_names(std::span<const uint8_t> message, bool multicast, FoundNames& names) noexcept;
// The server name of a ClientHello (RFC 6066 section 3) that begins in this payload.
bool find_tls_server_name(std::span<const uint8_t> payload, FoundNames& names) noexcept;
// The same of one over DTLS (RFC 6347), or of its first fragment.
bool find_dtls_server_name(std::span<const uint8_t> payload, FoundNames& names) noexcept;
// The same of a ClientHello without a record around it, told as `field`.
bool find_hello_server_name(std::span<const uint8_t> handshake,
                            NameField field,
                            FoundNames& names) noexcept;
// What comes behind the header that a proxy puts in front (HAProxy's PROXY protocol), where there
// is one; else the payload.
std::span<const uint8_t> behind_proxy_header(std::span<const uint8_t> payload) noexcept;
// Likewise behind a few empty lines, which a server passes over before a request (RFC 9112 section
// 2.2).
std::span<const uint8_t> behind_empty_lines(std::span<const uint8_t> payload) noexcept;
// The first digit of the code of an answer that begins in this payload (RFC 9112 section 4), '1' to
// '9'; 0: none does.
char http_answer_class(std::span<const uint8_t> payload) noexcept;
// Whether a request begins in this payload whose head goes on behind it, or whose content does (RFC
// 9112 section 6): what the sender says next is no request, whatever it looks like.
bool http_request_goes_on(std::span<const uint8_t> payload) noexcept;
// The host of a request that begins in this payload: in its target (RFC 9112 section 3.2.2), else
// in its Host field (RFC 9110 section 7.2).
bool find_http_host(std::span<const uint8_t> payload, FoundNames& names) noexcept;
// Option 12 of a client's message (RFC 2132 section 3.14).
bool find_dhcp_host_name(std::span<const uint8_t> payload, FoundNames& names) noexcept;

}  // namespace curlew::probe
