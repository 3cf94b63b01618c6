#include "collector/protocols/smb.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/protocols/cursor.h"
#include "collector/protocols/smb_commands.h"
#include "collector/protocols/wire_member.h"

namespace curlew::collector {
namespace {

constexpr size_t kMaximumSmbMessages = 32;  // of one record
constexpr size_t kMaximumChained = 8;       // in one message
constexpr size_t kMaximumDialects = 32;
constexpr std::string_view kMagic1("\xffSMB");
constexpr std::string_view kMagic2("\xfeSMB");
constexpr size_t kHeaderOctets2 = 64;
constexpr uint8_t kNegotiate1 = 0x72;
constexpr uint16_t kNegotiate2 = 0;
constexpr uint8_t kAnswer1 = 0x80;  // bit of the flags
constexpr uint32_t kAnswer2 = 1;

// All numbers of SMB are little-endian.
uint32_t little(std::string_view octets) {
    uint32_t value = 0;
    for (size_t i = octets.size(); i > 0; --i) {
        value = value << 8 | static_cast<uint8_t>(octets[i - 1]);
    }
    return value;
}

struct Message {
    bool reverse = false;
    int version = 0;
    bool answer = false;
    // What is not there was not kept.
    std::optional<uint32_t> command;
    std::optional<uint32_t> status;
    std::optional<uint32_t> flags;
    std::vector<std::string> dialects;   // offered
    std::optional<std::string> dialect;  // chosen
    bool malformed = false;
    bool cut = false;
};

std::optional<uint32_t> take_little(Cursor& cursor, size_t octets) {
    const uint32_t value = little(cursor.take(octets));
    return cursor.ok() ? std::optional(value) : std::nullopt;
}

// MS-CIFS section 2.2.4.52
//
//  request: word count 1 | octet count 2 | dialects, each of octet 2, text and octet 0
//  answer:  word count 1 | index of the dialect 2 | ...
//
// An answer names its dialect by the last offer.
void read_negotiation1(Cursor& cursor,
                       bool cut,
                       const std::vector<std::string>& offered,
                       Message& message) {
    const uint8_t words = cursor.u8();
    if (message.answer) {
        const uint32_t index = little(cursor.take(2));
        if (cursor.ok() && words > 0) {
            message.dialect = index < offered.size() ? offered[index] : std::to_string(index);
        }
        return;
    }
    const size_t octets = little(cursor.take(2));
    message.malformed = !cut && (!cursor.ok() || octets > cursor.left());
    std::string_view rest = cursor.rest().substr(0, octets);
    while (!rest.empty() && message.dialects.size() < kMaximumDialects) {
        const size_t end = rest.find('\0');
        if (rest.front() != 2 || end == std::string_view::npos) {
            message.malformed = message.malformed || !cut;
            return;
        }
        message.dialects.emplace_back(rest.substr(1, end - 1));
        rest.remove_prefix(end + 1);
    }
}

// MS-SMB2 sections 2.2.3 and 2.2.4
//
//  request: size 2 | number of dialects 2 | security mode 2 | reserved 2 | capabilities 4
//           | client 16 | contexts 8 | dialects, 2 each
//  answer:  size 2 | security mode 2 | dialect 2 | ...
void read_negotiation2(Cursor& cursor, bool cut, Message& message) {
    cursor.skip(2);
    if (message.answer) {
        cursor.skip(2);
        const uint32_t dialect = little(cursor.take(2));
        if (cursor.ok()) {
            message.dialect = smb2_dialect_name(static_cast<uint16_t>(dialect));
        }
        return;
    }
    const size_t count = little(cursor.take(2));
    cursor.skip(2 + 2 + 4 + 16 + 8);
    for (size_t i = 0; i < std::min(count, kMaximumDialects) && cursor.ok(); ++i) {
        const uint32_t dialect = little(cursor.take(2));
        if (cursor.ok()) {
            message.dialects.push_back(smb2_dialect_name(static_cast<uint16_t>(dialect)));
        }
    }
    message.malformed = !cursor.ok() && !cut;
}

// MS-CIFS section 2.2.3.1
//
//  ff 'SMB' 4 | command 1 | status 4 | flags 1 | flags2 2 | process high 2 | signature 8
//  | reserved 2 | tree 2 | process 2 | user 2 | multiplex 2
Message read_header1(std::string_view octets, bool cut, const std::vector<std::string>& offered) {
    Message message;
    message.version = 1;
    Cursor cursor(octets);
    cursor.skip(kMagic1.size());
    message.command = take_little(cursor, 1);
    message.status = take_little(cursor, 4);
    message.flags = take_little(cursor, 1);
    message.answer = (message.flags.value_or(0) & kAnswer1) != 0;
    cursor.skip(2 + 2 + 8 + 2 + 2 + 2 + 2 + 2);
    if (!cursor.ok()) {
        message.malformed = !cut;
    } else if (message.command == kNegotiate1) {
        read_negotiation1(cursor, cut, offered, message);
    }
    return message;
}

// MS-SMB2 section 2.2.1
//
//  fe 'SMB' 4 | size 2: 64 | credit charge 2 | status 4 | command 2 | credits 2 | flags 4
//  | offset of the next header 4 | message 8 | process and tree 8 | session 8 | signature 16
//
// `next` is the offset, 0 for the last of a chain.
Message read_header2(std::string_view octets, bool cut, size_t& next) {
    Message message;
    message.version = 2;
    Cursor cursor(octets);
    cursor.skip(kMagic2.size());
    const std::optional<uint32_t> size = take_little(cursor, 2);
    cursor.skip(2);
    message.status = take_little(cursor, 4);
    message.command = take_little(cursor, 2);
    cursor.skip(2);
    message.flags = take_little(cursor, 4);
    next = little(cursor.take(4));
    message.answer = (message.flags.value_or(0) & kAnswer2) != 0;
    cursor.skip(8 + 8 + 8 + 16);
    const bool is_other = size && *size != kHeaderOctets2;
    if (!cursor.ok() || is_other) {
        message.malformed = !cut || is_other;
        next = 0;
    } else if (message.command == kNegotiate2) {
        read_negotiation2(cursor, cut, message);
    }
    if (next != 0 && (next < kHeaderOctets2 || (next >= octets.size() && !cut))) {
        message.malformed = true;
        next = 0;
    }
    return message;
}

void write_dialects(JsonLine& json, const Message& message) {
    if (!message.dialects.empty()) {
        json.key("dialects");
        json.start_array();
        for (const std::string& dialect : message.dialects) {
            write_wire_text(json, dialect);
        }
        json.end_array();
    }
    if (message.dialect) {
        write_wire_text(json, "dialect", *message.dialect);
    }
}

void write_message(JsonLine& json, const Message& message) {
    json.start_object();
    json.text("dir", message.reverse ? "<" : ">");
    json.number("version", static_cast<uint64_t>(message.version));
    if (message.command) {
        json.number("command", *message.command);
        json.text("command_name",
                  message.version == 1
                      ? smb1_command_name(static_cast<uint8_t>(*message.command))
                      : smb2_command_name(static_cast<uint16_t>(*message.command)));
    }
    if (message.status) {
        json.number("status", *message.status);
    }
    if (message.flags) {
        json.number("flags", *message.flags);
    }
    write_dialects(json, message);
    if (message.malformed) {
        write_mark(json, "malformed");
    }
    if (message.cut) {
        write_mark(json, "cut");
    }
    json.end_object();
}

// The headers of one message; SMB 2 chains several in one.
std::vector<Message> read_message(const proto::ProtocolMessage& front,
                                  const std::vector<std::string>& offered) {
    std::vector<Message> messages;
    std::string_view octets = front.octets();
    if (octets.starts_with(kMagic1)) {
        messages.push_back(read_header1(octets, front.cut(), offered));
    }
    while (octets.starts_with(kMagic2) && messages.size() < kMaximumChained) {
        size_t next = 0;
        messages.push_back(read_header2(octets, front.cut(), next));
        octets.remove_prefix(next == 0 ? octets.size() : std::min(next, octets.size()));
    }
    for (Message& message : messages) {
        message.reverse = front.reverse();
    }
    if (!messages.empty()) {
        messages.back().cut = front.cut();
    }
    return messages;
}

}  // namespace

bool write_smb(JsonLine& json,
               const google::protobuf::RepeatedPtrField<proto::ProtocolMessage>& messages) {
    bool right = true;
    size_t written = 0;
    std::vector<std::string> offered;
    for (const proto::ProtocolMessage& front : messages) {
        if (front.protocol() != proto::MESSAGE_PROTOCOL_SMB) {
            continue;
        }
        std::vector<Message> found = read_message(front, offered);
        right = right && !found.empty();
        for (Message& message : found) {
            if (written == kMaximumSmbMessages) {
                break;
            }
            if (written == 0) {
                json.key("smb");
                json.start_array();
            }
            write_message(json, message);
            ++written;
            right = right && !message.malformed;
            if (message.version == 1 && !message.dialects.empty()) {
                offered = std::move(message.dialects);
            }
        }
    }
    if (written > 0) {
        json.end_array();
    }
    return right;
}

}  // namespace curlew::collector
