#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signatures/length_field.h"
#include "signatures/problem.h"
#include "signatures/signature_files.h"
#include "signatures/vocabulary.h"

// What Curlew knows of contents: the *.toml files beside this header, read and checked once.
// signatures/README.md is their manual. No Hyperscan here: Scanner compiles the patterns.

namespace curlew::signatures {

enum class SignatureKind : uint8_t {
    payload,    // a regex over the payload of one packet
    name,       // a host name, exact or as suffix, wherever a name was found
    field,      // a regex over the whole of one decoded field, for example "ssdp.server"
    sequence,   // a regex over directions and lengths of the first packets with payload
    behaviour,  // how a TCP connection without payload went
    port,       // the responder's port, where nothing was seen
};
inline constexpr size_t kSignatureKinds = 6;

// Transport on which a payload signature is looked for.
enum class Transport : uint8_t { any, tcp, udp };

// Who sent what matched.
enum class Sender : uint8_t { any, initiator, responder };

// The words of the files.
std::string_view name_of(SignatureKind kind) noexcept;
std::string_view name_of(Transport transport) noexcept;
std::string_view name_of(Sender sender) noexcept;

// What a signature of kind field may look at, what one of kind behaviour may say. In order.
std::span<const std::string_view> known_fields() noexcept;
std::span<const std::string_view> known_behaviours() noexcept;

struct Example {
    std::string octets;  // raw payload (payload kind) or a name (name kind)
    bool must_match = true;
    uint32_t line = 0;  // where it stands in the signature's file
    uint32_t column = 0;
};

// What a signature was seen to do over captures whose contents another program names.
struct Measured {
    uint32_t flows = 0;   // that it hit
    uint32_t judged = 0;  // of these, where the other program names something
    uint32_t right = 0;   // and agrees
};

struct Signature {
    std::string id;  // unique over all files, for example "ssdp-notify"
    std::string title;
    std::string reference;  // RFC section or where the bytes were seen
    SignatureKind kind = SignatureKind::payload;
    std::string pattern;  // regex, lower case host name, behaviour or number of a port
    bool suffix = false;  // name: subdomains match too
    Transport transport = Transport::any;
    std::vector<uint16_t> ports;  // payload: one end has one of these; empty: any
    LengthField length;           // payload: a number in it that tells how long it is
    Sender sender = Sender::any;
    uint8_t packets = 0;   // payload: among the first so many of a side; 0: any looked at
    std::string field;     // field: which
    std::string protocol;  // what a hit says; empty: nothing
    std::string service;
    std::string label;  // label type; empty: the protocol's word
    std::string activity;
    std::string device;                // of whoever sent it
    std::optional<Measured> measured;  // nothing: unmeasured
    std::vector<Example> examples;
    std::string file;   // where it stands, for messages
    uint32_t line = 0;  // of the table
    uint32_t column = 0;
    uint32_t pattern_line = 0;  // of the pattern
    uint32_t pattern_column = 0;
};

// Bounds on what is read. A set is indexed by uint16_t, and 0xffff means none.
inline constexpr size_t kMaximumSignatureFiles = 256;
inline constexpr size_t kMaximumSetOctets = 64 << 20;  // of all files together
inline constexpr size_t kMaximumSignatures = 60'000;
inline constexpr size_t kMaximumPatternOctets = 1024;
inline constexpr size_t kMaximumExamples = 64;         // of one signature
inline constexpr size_t kMaximumExampleOctets = 4096;  // of one example
inline constexpr size_t kMaximumHostNameOctets = 255;  // RFC 1035 section 2.3.4
inline constexpr size_t kMaximumLabelOctets = 63;
inline constexpr size_t kMaximumWordOctets = 64;  // id, protocol, service, label, ...
inline constexpr size_t kMaximumPorts = 16;
// No more packets of a side are looked at by payload signatures.
inline constexpr uint8_t kMaximumScannedPackets = 3;

class SignatureSet {
  public:
    // Reads every *.toml directly in `folder`, in order of name; vocabulary.toml as what it is.
    // Never throws for what the files say: everything wrong is in problems(). A signature is kept
    // when its id, kind and pattern can be used, so that the check goes on; whoever classifies
    // refuses a set with problems.
    static SignatureSet load(const std::filesystem::path& folder);
    static SignatureSet parse(std::string_view toml, const std::string& file_name);

    // The installed set and one file more, whose signatures replace those of the same id, in their
    // place, and those that speak of the same name, port or behaviour.
    static SignatureSet load_with(const std::filesystem::path& folder,
                                  const std::filesystem::path& file);

    // A set of signatures already checked, for example a part of another set.
    // Requires: at most kMaximumSignatures.
    static SignatureSet of(std::vector<Signature> signatures, Vocabulary vocabulary = {});

    static SignatureSet of_files(const SignatureFiles& files);

    const std::vector<Signature>& signatures() const noexcept { return signatures_; }
    const std::vector<Problem>& problems() const noexcept { return problems_; }
    // The payload patterns as Scanner::serialized() gave them; empty: not compiled yet.
    const std::string& database() const noexcept { return database_; }
    void set_database(std::string database) { database_ = std::move(database); }
    void add_problems(std::vector<Problem> problems);
    const Vocabulary& vocabulary() const noexcept { return vocabulary_; }

    // Names the content: 64-bit FNV-1a over everything that changes a result, 16 hex digits. Not a
    // protection against anybody; the manifest's SHA-256 sums are.
    std::string content_hash() const;

  private:
    void check_words();

    std::vector<Signature> signatures_;
    std::vector<Problem> problems_;
    Vocabulary vocabulary_;
    std::string database_;
};

}  // namespace curlew::signatures
