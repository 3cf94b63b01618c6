#include "cli/traffic_smb.h"

#include <cassert>

#include "cli/traffic_octets.h"

namespace curlew::cli {
namespace {

constexpr uint8_t kClose = 0x04;
constexpr uint8_t kWriteAndX = 0x2f;
constexpr uint8_t kNegotiate = 0x72;
constexpr uint8_t kSessionSetUpAndX = 0x73;
constexpr uint8_t kTreeConnectAndX = 0x75;
constexpr uint8_t kCreateAndX = 0xa2;
constexpr uint32_t kBadNetworkName = 0xc00000cc;
constexpr size_t kSmbHeaderOctets = 32;
constexpr uint32_t kNoFurtherCommand = 0xff;             // AndX: command, reserved, offset
constexpr uint64_t kFileTime = 131'917'248'000'000'000;  // 2019-01-13, in 100 ns since 1601

// Text of the protocol is UTF-16, little-endian; ours is ASCII.
std::string wide(std::string_view text) {
    std::string out;
    for (const char letter : text) {
        put16_little(out, static_cast<uint8_t>(letter));
    }
    put16_little(out, 0);
    return out;
}

void put64_little(std::string& out, uint64_t number) {
    put32_little(out, number & 0xffffffff);
    put32_little(out, number >> 32);
}

// RFC 1001 section 14.1: sixteen letters, each as two of A to P.
std::string netbios_name(std::string_view name, uint8_t suffix) {
    std::string padded(name);
    assert(padded.size() <= 15);
    padded.resize(15, ' ');
    put8(padded, suffix);
    std::string encoded;
    for (const char letter : padded) {
        const auto octet = static_cast<uint8_t>(letter);
        encoded += static_cast<char>('A' + octet / 16);
        encoded += static_cast<char>('A' + octet % 16);
    }
    return counted8(encoded) + '\0';
}

}  // namespace

SmbSession::SmbSession(TrafficRandom& random)
    : random_(random),
      process_id_(static_cast<uint16_t>(random.between(1000, 32000))),
      multiplex_id_(static_cast<uint16_t>(random.between(100, 9000))) {}

// [MS-CIFS] section 2.2.3.1.
std::string SmbSession::message(uint8_t command,
                                uint32_t status,
                                bool is_answer,
                                std::string_view words,
                                std::string_view octets) {
    assert(words.size() % 2 == 0);
    std::string smb = "\xffSMB";
    put8(smb, command);
    put32_little(smb, status);
    put8(smb, is_answer ? 0x80 : 0x00);
    put16_little(smb, is_answer ? 0xc003 : 0xc001);  // Unicode, NT status codes, long names
    smb.append(12, '\0');                            // high process id, signature, reserved
    put16_little(smb, tree_id_);
    put16_little(smb, process_id_);
    put16_little(smb, user_id_);
    put16_little(smb, multiplex_id_);
    assert(smb.size() == kSmbHeaderOctets);
    put8(smb, words.size() / 2);
    smb += words;
    put16_little(smb, octets.size());
    smb += octets;
    std::string out;
    put8(out, 0);
    return out + counted24(smb);
}

std::string SmbSession::request(uint8_t command, std::string_view words, std::string_view octets) {
    ++multiplex_id_;
    return message(command, 0, false, words, octets);
}

std::string SmbSession::answer(uint8_t command,
                               uint32_t status,
                               std::string_view words,
                               std::string_view octets) {
    return message(command, status, true, words, octets);
}

std::string SmbSession::negotiate() {
    return request(kNegotiate, {}, std::string("\x02NT LM 0.12") + '\0');
}

std::string SmbSession::negotiate_answer() {
    std::string words;
    put16_little(words, 0);       // the dialect
    put8(words, 3);               // users, encrypted passwords
    put16_little(words, 50);      // requests under way
    put16_little(words, 1);       // virtual circuits
    put32_little(words, 16'644);  // buffer
    put32_little(words, 65'536);
    put32_little(words, random_.between(1, 0xffff));
    put32_little(words, 0x0000f3dd);
    put64_little(words, kFileTime);
    put16_little(words, 0);
    put8(words, 8);
    return answer(kNegotiate, 0, words, random_.octets(8) + wide("WORKGROUP"));
}

std::string SmbSession::set_up() {
    const std::string hash = random_.octets(24);
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put16_little(words, 16'472);
    put16_little(words, 50);
    put16_little(words, 0);
    put32_little(words, 0);
    put16_little(words, hash.size());
    put16_little(words, hash.size());
    put32_little(words, 0);
    put32_little(words, 0x000050dc);
    // Two passwords, a pad to an even offset, account and domain empty.
    std::string octets = hash + hash + '\0' + wide("") + wide("");
    octets += wide("Linux version 2.6.36") + wide("CIFS VFS Client for Linux");
    return request(kSessionSetUpAndX, words, octets);
}

std::string SmbSession::set_up_answer() {
    user_id_ = 100;
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put16_little(words, 1);  // as guest
    return answer(kSessionSetUpAndX,
                  0,
                  words,
                  '\0' + wide("Unix") + wide("Samba 3.6.25") + wide("WORKGROUP"));
}

std::string SmbSession::connect_tree(std::string_view path) {
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put16_little(words, 8);
    put16_little(words, 1);
    return request(kTreeConnectAndX, words, '\0' + wide(path) + "?????" + '\0');
}

std::string SmbSession::connect_tree_answer() {
    tree_id_ = 1;
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put16_little(words, 1);
    return answer(kTreeConnectAndX, 0, words, std::string("A:") + '\0' + wide("NTFS"));
}

std::string SmbSession::connect_tree_refused() {
    return answer(kTreeConnectAndX, kBadNetworkName, {}, {});
}

std::string SmbSession::create_file(std::string_view name) {
    const std::string wide_name = wide(name);
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put8(words, 0);
    put16_little(words, wide_name.size());
    put32_little(words, 0);           // flags
    put32_little(words, 0);           // folder
    put32_little(words, 0x40000000);  // to write
    put64_little(words, 0);
    put32_little(words, 0x80);  // a normal file
    put32_little(words, 7);     // others may read, write and delete
    put32_little(words, 5);     // made, or emptied
    put32_little(words, 0x40);
    put32_little(words, 2);
    put8(words, 0);
    return request(kCreateAndX, words, '\0' + wide_name);
}

std::string SmbSession::create_file_answer() {
    file_id_ = static_cast<uint16_t>(random_.between(0x1000, 0x7fff));
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put8(words, 0);
    put16_little(words, file_id_);
    put32_little(words, 2);  // made
    for (int time = 0; time < 4; ++time) {
        put64_little(words, kFileTime);
    }
    put32_little(words, 0x80);
    put64_little(words, 0);
    put64_little(words, 0);
    put16_little(words, 0);
    put16_little(words, 0);
    put8(words, 0);
    return answer(kCreateAndX, 0, words, {});
}

std::string SmbSession::write_file(uint32_t offset, std::string_view content) {
    constexpr size_t kWordCount = 14;
    constexpr size_t kContentAt = kSmbHeaderOctets + 1 + 2 * kWordCount + 2 + 1;
    assert(content.size() <= 60'000);
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put16_little(words, file_id_);
    put32_little(words, offset);
    put32_little(words, 0);
    put16_little(words, 0);
    put16_little(words, 0);
    put16_little(words, 0);
    put16_little(words, content.size());
    put16_little(words, kContentAt);
    put32_little(words, 0);
    assert(words.size() == 2 * kWordCount);
    return request(kWriteAndX, words, std::string(1, '\0').append(content));
}

std::string SmbSession::write_file_answer(uint32_t content_octets) {
    std::string words;
    put32_little(words, kNoFurtherCommand);
    put16_little(words, content_octets);
    put16_little(words, 0xffff);
    put32_little(words, 0);
    return answer(kWriteAndX, 0, words, {});
}

std::string SmbSession::close_file() {
    std::string words;
    put16_little(words, file_id_);
    put32_little(words, 0xffffffff);
    return request(kClose, words, {});
}

std::string SmbSession::close_file_answer() {
    return answer(kClose, 0, {}, {});
}

std::string netbios_session_request(std::string_view called, std::string_view calling) {
    constexpr uint8_t kServer = 0x20;
    constexpr uint8_t kWorkstation = 0x00;
    std::string out;
    put16(out, 0x8100);
    return out + counted16(netbios_name(called, kServer) + netbios_name(calling, kWorkstation));
}

std::string netbios_session_accepted() {
    std::string out;
    put32(out, 0x82000000);
    return out;
}

}  // namespace curlew::cli
