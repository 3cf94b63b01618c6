#include "collector/joy_dns.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "collector/joy_text.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr size_t kHeaderOctets = 12;
constexpr int kQuestionOctets = 4;
constexpr int kRecordOctets = 10;
constexpr int kAddressOctets = 4;
constexpr size_t kNameOctets = 256;
constexpr int kMaximumJumps = 128;  // Joy has no limit
constexpr uint16_t kClassInternet = 1;

// Joy's numbers, printed in DEBUG.
enum class DnsError : uint8_t {
    none = 0,
    label_too_long = 2,
    offset_too_long = 3,
    malformed = 4,
    label_malformed = 5,
    bad_length = 6,
    too_many = 8,
    unterminated = 9,
    data_too_long = 10,
};

unsigned number_of(DnsError error) {
    return static_cast<unsigned>(error);
}

enum : uint16_t {
    kTypeA = 1,
    kTypeCname = 5,
    kTypeSoa = 6,
    kTypePtr = 12,
    kTypeTxt = 16,
};

// Walks one message. `left` is what Joy believes to be left: it does not count the end of a name,
// nor the data of records it has read.
//
//   header: id, flags, QDCOUNT, ANCOUNT, NSCOUNT, ARCOUNT, two octets each (RFC 1035 section 4.1.1)
class JoyDnsWriter {
  public:
    JoyDnsWriter(JsonLine& json, std::string_view message)
        : json_(json),
          octets_(message),
          at_(kHeaderOctets),
          left_(static_cast<int>(message.size()) - static_cast<int>(kHeaderOctets)) {}

    void write();

  private:
    bool write_question();
    bool write_answer(unsigned answers_behind);
    DnsError write_data(uint16_t type, uint16_t dns_class, uint16_t length, int& left);
    DnsError read_name(int& left, std::string& name);
    void malformed(const std::string& debug);

    JsonLine& json_;
    PaddedOctets octets_;
    size_t at_;
    int left_;
};

void JoyDnsWriter::write() {
    json_.start_object();
    const unsigned questions = octets_.two(4);
    if (questions > 1) {
        malformed(fmt::format("qdcount={}; err={}", questions, number_of(DnsError::too_many)));
    } else if (questions == 0 || write_question()) {
        json_.number("rc", octets_[3] & 0x0fU);
        json_.key("rr");
        json_.start_array();
        unsigned answers = octets_.two(6);
        bool good = true;
        while (good && answers > 0) {
            --answers;
            json_.start_object();
            good = write_answer(answers);
            json_.end_object();
        }
        json_.end_array();
    }
    json_.end_object();
}

void JoyDnsWriter::malformed(const std::string& debug) {
    json_.key("malformed");
    json_.raw(std::to_string(left_));
    if (!debug.empty()) {
        json_.text("DEBUG", debug);
    }
}

bool JoyDnsWriter::write_question() {
    std::string name;
    DnsError error = read_name(left_, name);
    if (error != DnsError::none) {
        malformed(fmt::format(
            "question name err={}; len={}", number_of(error), static_cast<unsigned>(left_)));
        return false;
    }
    if (left_ < kQuestionOctets) {
        malformed(fmt::format("question err={}; len={}",
                              number_of(DnsError::malformed),
                              static_cast<unsigned>(left_)));
        return false;
    }
    at_ += kQuestionOctets;
    left_ -= kQuestionOctets;
    json_.text((octets_[2] & 0x80) == 0 ? "qn" : "rn", name);
    return true;
}

bool JoyDnsWriter::write_answer(unsigned answers_behind) {
    std::string name;
    DnsError error = read_name(left_, name);
    if (error != DnsError::none) {
        std::string data;
        for (size_t i = 0; i < 4; ++i) {
            // Joy prints signed octets as integers.
            data +=
                fmt::format("{:02x}", static_cast<unsigned>(static_cast<int8_t>(octets_[at_ + i])));
        }
        malformed(fmt::format("rr name ancount={}; err={}; len={}; data=0x{}",
                              answers_behind,
                              number_of(error),
                              static_cast<unsigned>(left_),
                              data));
        return false;
    }
    const uint16_t length = octets_.two(at_ + 8);
    if (left_ < kRecordOctets || left_ < length) {
        error = left_ < kRecordOctets ? DnsError::malformed : DnsError::data_too_long;
        malformed(fmt::format("rr ancount={}; err={}; len={}",
                              answers_behind,
                              number_of(error),
                              static_cast<unsigned>(left_)));
        return false;
    }
    const uint16_t type = octets_.two(at_);
    const uint16_t dns_class = octets_.two(at_ + 2);
    const uint32_t ttl = octets_.four(at_ + 4);
    at_ += kRecordOctets;
    left_ -= kRecordOctets;
    int data_left = length;
    if (write_data(type, dns_class, length, data_left) != DnsError::none) {
        malformed("");
        return false;
    }
    left_ -= data_left;
    json_.number("ttl", ttl);
    return true;
}

// Writes nothing when it fails. Of a name's record only the name is passed over, of TXT nothing.
DnsError JoyDnsWriter::write_data(uint16_t type, uint16_t dns_class, uint16_t length, int& left) {
    const bool internet = dns_class == kClassInternet;
    if (internet && type == kTypeA) {
        if (left < kAddressOctets) {
            return DnsError::malformed;
        }
        if (length != kAddressOctets) {
            return DnsError::bad_length;
        }
        json_.text("a", address_text(octets_.copy(at_, kAddressOctets)));
        at_ += kAddressOctets;
        left -= kAddressOctets;
    } else if (internet && (type == kTypeSoa || type == kTypePtr || type == kTypeCname)) {
        std::string name;
        const DnsError error = read_name(left, name);
        if (error != DnsError::none) {
            return error;
        }
        json_.text(type == kTypeSoa ? "soa" : type == kTypePtr ? "ptr" : "cname", name);
    } else if (internet && type == kTypeTxt) {
        json_.text("txt", "NYI");
    } else {
        at_ += length;
        left -= length;
        json_.text("type", fmt::format("{:x}", type));
        json_.text("class", fmt::format("{:x}", dns_class));
        // As it lies in a little-endian machine's memory.
        json_.number("rdlength", static_cast<uint16_t>(length << 8 | length >> 8));
    }
    return DnsError::none;
}

// Labels, each with its length before it, up to an empty one, or a pointer to more of them (RFC
// 1035 section 4.1.4). Moves on to behind the name, or to where it failed.
DnsError JoyDnsWriter::read_name(int& left, std::string& name) {
    std::string text;  // with a full stop before each label
    size_t place = at_;
    int rest = left;
    for (int jumps = 0; jumps <= kMaximumJumps; ++jumps) {
        const int readable = static_cast<int>(place) + rest;
        if (text.size() + 2 > kNameOctets) {
            return DnsError::unterminated;
        }
        while (rest > 0 && text.size() < kNameOctets && octets_[place] < 0x40) {
            const uint8_t length = octets_[place];
            if (rest <= length) {
                return DnsError::label_too_long;
            }
            if (length == 0) {
                at_ = jumps == 0 ? place + 1 : at_;
                name = text.empty() ? text : text.substr(1);
                return DnsError::none;
            }
            text += '.';
            for (size_t i = 1; i <= length; ++i) {
                const auto octet = static_cast<char>(octets_[place + i]);
                text += octet >= ' ' && octet <= '~' ? octet : '*';
            }
            place += length + size_t{1};
            rest -= length + 1;
            if (jumps == 0) {
                at_ = place;
                left = rest;
            }
        }
        if (rest <= 0 || text.size() >= kNameOctets) {
            return DnsError::unterminated;
        }
        if (octets_[place] < 0xc0) {
            return DnsError::label_malformed;
        }
        if (rest < 2) {
            return DnsError::offset_too_long;
        }
        if (jumps == 0) {
            at_ = place + 2;
            left = rest - 2;
        }
        place = octets_.two(place) & size_t{0x3fff};
        rest = readable - static_cast<int>(place);
    }
    return DnsError::unterminated;
}

}  // namespace

void write_joy_dns(JsonLine& json, const proto::JoyDns& record, const proto::JoyDns* twin) {
    if (record.messages_size() == 0 && (twin == nullptr || twin->messages_size() == 0)) {
        return;
    }
    json.key("dns");
    json.start_array();
    for (const std::string& message : twin != nullptr ? twin->messages() : record.messages()) {
        JoyDnsWriter(json, message).write();
    }
    json.end_array();
}

}  // namespace curlew::collector
