#include "collector/protocols/igmp.h"

#include "collector/protocols/cursor.h"
#include "collector/wire_text.h"

namespace curlew::collector {
namespace {

constexpr uint8_t kQuery = 0x11;
constexpr uint8_t kReportVersion3 = 0x22;

void read_sources(Cursor& reader, size_t count, std::vector<std::string_view>& sources) {
    for (size_t i = 0; i < count && reader.ok(); ++i) {
        const std::string_view source = reader.take(4);
        if (reader.ok()) {
            sources.push_back(source);
        }
    }
}

// RFC 3376 section 4.2: type 1 | reserved 1 | checksum 2 | reserved 2 | number of records 2 |
// records of type 1, auxiliary words 1, number of sources 2, group 4, sources, auxiliary data.
void read_report(Cursor& reader, IgmpMessage& message) {
    reader.skip(2);
    const size_t count = reader.u16();
    for (size_t i = 0; i < count && reader.ok(); ++i) {
        IgmpRecord record;
        record.type = reader.u8();
        const size_t auxiliary_words = reader.u8();
        const size_t sources = reader.u16();
        record.group = reader.take(4);
        if (!reader.ok()) {
            return;
        }
        read_sources(reader, sources, record.sources);
        reader.skip(4 * auxiliary_words);
        message.records.push_back(std::move(record));
    }
}

void write_addresses(JsonLine& json,
                     const char* name,
                     const std::vector<std::string_view>& addresses) {
    json.key(name);
    json.start_array();
    for (const std::string_view address : addresses) {
        json.text(address_text(address));
    }
    json.end_array();
}

}  // namespace

//  type 1 | longest time to answer 1 | checksum 2 | group 4; a query of version 3 goes on (section
//  4.1): flags 1 | interval 1 | number of sources 2 | sources
IgmpMessage decode_igmp(std::string_view octets, bool cut) {
    IgmpMessage message;
    Cursor reader(octets);
    message.type = reader.u8();
    reader.skip(1 + 2);
    if (message.type == kReportVersion3) {
        read_report(reader, message);
    } else {
        message.group = reader.take(4);
        if (message.type == kQuery && reader.left() >= 4) {
            reader.skip(2);
            const size_t sources = reader.u16();
            read_sources(reader, sources, message.sources);
        }
    }
    message.malformed = !reader.ok() && !cut;
    return message;
}

void write_igmp(JsonLine& json, const IgmpMessage& message) {
    json.number("type", message.type);
    if (!message.group.empty()) {
        json.text("group", address_text(message.group));
    }
    if (!message.sources.empty()) {
        write_addresses(json, "sources", message.sources);
    }
    if (message.records.empty()) {
        return;
    }
    json.key("records");
    json.start_array();
    for (const IgmpRecord& record : message.records) {
        json.start_object();
        json.number("type", record.type);
        json.text("group", address_text(record.group));
        write_addresses(json, "sources", record.sources);
        json.end_object();
    }
    json.end_array();
}

}  // namespace curlew::collector
