#include "collector/protocols/dns.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <span>
#include <utility>

#include "collector/protocols/cursor.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

// IANA's registry of resource record types.
constexpr std::pair<uint16_t, const char*> kRecordTypeNames[] = {
    {1, "A"},      {2, "NS"},      {5, "CNAME"},  {6, "SOA"},         {10, "NULL"},  {11, "WKS"},
    {12, "PTR"},   {13, "HINFO"},  {15, "MX"},    {16, "TXT"},        {17, "RP"},    {18, "AFSDB"},
    {24, "SIG"},   {25, "KEY"},    {28, "AAAA"},  {29, "LOC"},        {33, "SRV"},   {35, "NAPTR"},
    {37, "CERT"},  {39, "DNAME"},  {41, "OPT"},   {43, "DS"},         {44, "SSHFP"}, {46, "RRSIG"},
    {47, "NSEC"},  {48, "DNSKEY"}, {50, "NSEC3"}, {51, "NSEC3PARAM"}, {52, "TLSA"},  {64, "SVCB"},
    {65, "HTTPS"}, {99, "SPF"},    {249, "TKEY"}, {250, "TSIG"},      {251, "IXFR"}, {252, "AXFR"},
    {255, "ANY"},  {256, "URI"},   {257, "CAA"},
};

//  RFC 1035 section 4.1.1
//  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
//  |                      ID                       |
//  |QR|   Opcode  |AA|TC|RD|RA|   Z    |   RCODE   |
//  |                    QDCOUNT                    |
//  |                    ANCOUNT                    |
//  |                    NSCOUNT                    |
//  |                    ARCOUNT                    |
//  +--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+--+
class DnsDecoder {
  public:
    DnsDecoder(std::string_view octets, bool cut)
        : octets_(octets), cut_(cut), budget_(kDnsUnfolding * octets.size() + kLongestName) {}

    DnsMessage decode() {
        Cursor header(octets_);
        message_.id = header.u16();
        const uint16_t flags = header.u16();
        const size_t questions = header.u16();
        const size_t answers = header.u16();
        const size_t authorities = header.u16();
        const size_t additionals = header.u16();
        if (!header.ok()) {
            fail();
            return std::move(message_);
        }
        message_.response = (flags & 0x8000) != 0;
        message_.opcode = static_cast<uint8_t>(flags >> 11 & 15);
        message_.response_code = static_cast<uint8_t>(flags & 15);
        at_ = header.position();
        for (size_t i = 0; i < questions && !ended_; ++i) {
            read_question();
        }
        read_section(answers, message_.answers);
        read_section(authorities, message_.authorities);
        read_section(additionals, message_.additionals);
        return std::move(message_);
    }

  private:
    static constexpr size_t kLongestName = 255;  // RFC 1035 section 2.3.4
    static constexpr size_t kMaximumPointers = 64;

    // The end was reached too early, or a name or length lies.
    void fail() {
        ended_ = true;
        message_.malformed = message_.malformed || !cut_;
        message_.cut = cut_;
    }

    // Reads the name at `at`, follows compression (section 4.1.4), and moves `at` behind it.
    bool read_name(size_t& at, std::string& name) {
        size_t position = at;
        size_t run_begin = at;  // of the labels being read
        size_t pointers = 0;
        name_octets_ = 0;
        while (position < octets_.size()) {
            const auto length = static_cast<uint8_t>(octets_[position]);
            if (length == 0) {
                at = pointers == 0 ? position + 1 : at;
                return keep(name);
            }
            if ((length & 0xc0) == 0xc0) {
                if (position + 1 >= octets_.size()) {
                    return false;
                }
                ++pointers;
                const size_t target = static_cast<size_t>(length & 0x3f) << 8 |
                                      static_cast<uint8_t>(octets_[position + 1]);
                at = pointers == 1 ? position + 2 : at;
                // Before all that was read of the name: it cannot loop. What follows the first
                // pointer can be read.
                if (target >= run_begin || pointers > kMaximumPointers) {
                    message_.malformed = true;
                    return keep(name);
                }
                position = run_begin = target;
                continue;
            }
            if (length > 63 || length >= octets_.size() - position) {
                return false;
            }
            const bool has_room = append_label(octets_.substr(position + 1, length));
            if (!has_room && pointers != 0) {
                return keep(name);
            }
            position += length + size_t{1};
        }
        return false;
    }

    // False: what is more than a name can hold is left out; what follows the name can still be
    // read.
    bool append_label(std::string_view label) {
        if (name_octets_ + label.size() > kLongestName) {
            message_.malformed = true;
            return false;
        }
        if (name_octets_ != 0) {
            name_[name_octets_++] = '.';
        }
        std::memcpy(name_.data() + name_octets_, label.data(), label.size());
        name_octets_ += label.size();
        return true;
    }

    bool keep(std::string& name) {
        if (name_octets_ > budget_) {
            cut_ = true;  // legal, and more than anyone needs
            return false;
        }
        budget_ -= name_octets_;
        name.assign(name_.data(), name_octets_);
        return true;
    }

    void read_question() {
        DnsQuestion question;
        if (!read_name(at_, question.name) || octets_.size() - at_ < 4) {
            fail();
            return;
        }
        question.type = Cursor(octets_.substr(at_)).u16();
        at_ += 4;  // QTYPE, QCLASS
        message_.questions.push_back(std::move(question));
    }

    void read_section(size_t count, std::vector<DnsRecord>& records) {
        for (size_t i = 0; i < count && !ended_; ++i) {
            read_record(records);
        }
    }

    // Section 4.1.3: name, TYPE 2, CLASS 2, TTL 4, RDLENGTH 2, RDATA.
    void read_record(std::vector<DnsRecord>& records) {
        DnsRecord record;
        if (!read_name(at_, record.name)) {
            fail();
            return;
        }
        Cursor reader(octets_.substr(at_));
        record.type = reader.u16();
        reader.u16();
        record.ttl = reader.u32();
        const size_t length = reader.u16();
        if (!reader.ok() || length > reader.left()) {
            fail();
            return;
        }
        const size_t data_at = at_ + reader.position();
        record.data = octets_.substr(data_at, length);
        at_ = data_at + length;
        record.decoded = read_data(data_at, record);
        if (!record.decoded && length != 0 && is_known(record.type)) {
            message_.malformed = true;
        }
        records.push_back(std::move(record));
    }

    static bool is_known(uint16_t type) {
        return type == kDnsA || type == kDnsAaaa || type == kDnsCname || type == kDnsPtr ||
               type == kDnsNs || type == kDnsSrv || type == kDnsMx || type == kDnsSoa ||
               type == kDnsTxt || type == kDnsDname || type == kDnsNsec;
    }

    bool read_numbers(size_t& at, size_t octets_each, size_t count, DnsRecord& record) {
        Cursor reader(octets_.substr(at));
        for (size_t i = 0; i < count; ++i) {
            record.numbers.push_back(octets_each == 2 ? reader.u16() : reader.u32());
        }
        at += reader.position();
        return reader.ok();
    }

    bool read_texts(DnsRecord& record) const {
        Cursor reader(record.data);
        while (reader.left() != 0 && reader.ok()) {
            record.texts.push_back(reader.take_counted(1));
        }
        return reader.ok() && !record.texts.empty();
    }

    // RFC 4034 section 4.1.2: blocks of number 1, length 1, bits for 256 types from the highest on.
    bool read_types(size_t at, size_t end, DnsRecord& record) const {
        Cursor reader(octets_.substr(at, end - at));
        while (reader.left() != 0 && reader.ok()) {
            const size_t block = reader.u8();
            const std::string_view bits = reader.take_counted(1);
            for (size_t bit = 0; bit < 8 * bits.size(); ++bit) {
                if ((static_cast<uint8_t>(bits[bit / 8]) << (bit % 8) & 0x80) != 0) {
                    record.types.push_back(static_cast<uint16_t>(256 * block + bit));
                }
            }
        }
        return reader.ok();
    }

    // RFC 1035 section 3.3, RFC 3596 section 2.2, RFC 2782, RFC 6672.
    bool read_data(size_t at, DnsRecord& record) {
        const size_t end = at + record.data.size();
        switch (record.type) {
            case kDnsA:
                return record.data.size() == 4;
            case kDnsAaaa:
                return record.data.size() == 16;
            case kDnsCname:
            case kDnsPtr:
            case kDnsNs:
            case kDnsDname:
                return read_name(at, record.text) && at == end;
            case kDnsMx:
                return read_numbers(at, 2, 1, record) && read_name(at, record.text) && at == end;
            case kDnsSrv:
                return read_numbers(at, 2, 3, record) && read_name(at, record.text) && at == end;
            case kDnsSoa:
                return read_name(at, record.text) && read_name(at, record.mailbox) &&
                       read_numbers(at, 4, 5, record) && at == end;
            case kDnsTxt:
                return read_texts(record);
            case kDnsNsec:
                return read_name(at, record.text) && at <= end && read_types(at, end, record);
            default:
                return false;
        }
    }

    std::string_view octets_;
    bool cut_;
    size_t budget_;  // octets that names may still unfold to
    size_t at_ = 0;
    std::array<char, kLongestName + 1> name_;  // the one that is being read
    size_t name_octets_ = 0;
    bool ended_ = false;
    DnsMessage message_;
};

void write_numbers(JsonLine& json,
                   std::span<const char* const> names,
                   const std::vector<uint32_t>& numbers) {
    for (size_t i = 0; i < names.size(); ++i) {
        json.number(names[i], numbers[i]);
    }
}

void write_next_name(JsonLine& json, const DnsRecord& record) {
    json.start_object();
    json.text("next", wire_text(record.text));
    json.key("types");
    json.start_array();
    for (const uint16_t type : record.types) {
        json.text(dns_type_name(type));
    }
    json.end_array();
    json.end_object();
}

void write_data(JsonLine& json, const DnsRecord& record) {
    static constexpr const char* kServiceNumbers[] = {"priority", "weight", "port"};
    static constexpr const char* kMailNumbers[] = {"preference"};
    static constexpr const char* kZoneNumbers[] = {
        "serial", "refresh", "retry", "expire", "minimum"};
    if (!record.decoded) {
        json.hex("data", record.data);
        return;
    }
    switch (record.type) {
        case kDnsA:
            json.text("a", address_text(record.data));
            return;
        case kDnsAaaa:
            json.text("aaaa", address_text(record.data));
            return;
        case kDnsCname:
            json.text("cname", wire_text(record.text));
            return;
        case kDnsPtr:
            json.text("ptr", wire_text(record.text));
            return;
        case kDnsNs:
            json.text("ns", wire_text(record.text));
            return;
        case kDnsDname:
            json.text("dname", wire_text(record.text));
            return;
        case kDnsSrv:
            json.key("srv");
            json.start_object();
            write_numbers(json, kServiceNumbers, record.numbers);
            json.text("target", wire_text(record.text));
            json.end_object();
            return;
        case kDnsMx:
            json.key("mx");
            json.start_object();
            write_numbers(json, kMailNumbers, record.numbers);
            json.text("exchange", wire_text(record.text));
            json.end_object();
            return;
        case kDnsSoa:
            json.key("soa");
            json.start_object();
            json.text("mname", wire_text(record.text));
            json.text("rname", wire_text(record.mailbox));
            write_numbers(json, kZoneNumbers, record.numbers);
            json.end_object();
            return;
        case kDnsNsec:
            json.key("nsec");
            write_next_name(json, record);
            return;
        default:
            json.key("txt");
            json.start_array();
            for (const std::string_view text : record.texts) {
                json.text(wire_text(text));
            }
            json.end_array();
    }
}

constexpr uint16_t kOptType = 41;

// With the upper eight bits that an OPT record has in place of a lifetime (RFC 6891 section 6.1.3).
uint16_t whole_response_code(const DnsMessage& message) {
    for (const DnsRecord& record : message.additionals) {
        if (record.type == kOptType) {
            return static_cast<uint16_t>((record.ttl >> 24) << 4 | message.response_code);
        }
    }
    return message.response_code;
}

void write_section(JsonLine& json, const char* name, const std::vector<DnsRecord>& records) {
    if (records.empty()) {
        return;
    }
    json.key(name);
    json.start_array();
    for (const DnsRecord& record : records) {
        json.start_object();
        json.text("name", wire_text(record.name));
        json.text("type", dns_type_name(record.type));
        json.number("ttl", record.ttl);
        write_data(json, record);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

DnsMessage decode_dns(std::string_view octets, bool cut) {
    return DnsDecoder(octets, cut).decode();
}

std::string dns_type_name(uint16_t type) {
    for (const auto& [number, name] : kRecordTypeNames) {
        if (number == type) {
            return name;
        }
    }
    return fmt::format("{}", type);
}

void write_dns(JsonLine& json, const DnsMessage& message) {
    json.number("id", message.id);
    json.key("qr");
    json.raw(message.response ? "true" : "false");
    json.number("opcode", message.opcode);
    if (!message.questions.empty()) {
        const DnsQuestion& first = message.questions.front();
        json.text(message.response ? "rn" : "qn", wire_text(first.name));
        json.text("qt", dns_type_name(first.type));
    }
    if (message.questions.size() > 1) {
        json.key("questions");
        json.start_array();
        for (const DnsQuestion& question : message.questions) {
            json.start_object();
            json.text("name", wire_text(question.name));
            json.text("type", dns_type_name(question.type));
            json.end_object();
        }
        json.end_array();
    }
    json.number("rc", whole_response_code(message));
    write_section(json, "rr", message.answers);
    write_section(json, "ns", message.authorities);
    write_section(json, "ar", message.additionals);
}

}  // namespace curlew::collector
