#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/signature_set.h"

// Hyperscan, block mode: the only place for hs.h. Each pattern is a database, and a payload is
// scanned for those alone that its first octets neither rule out nor decide (pattern_fronts.h), of
// the signatures that may hit where it was seen. Shared and const; one Scratch per worker. Facts
// that shaped this: Debian's literal API loses matches, so everything is compiled as a regex, and
// every return code of a scan is checked.

namespace curlew::signatures {

class Scanner {
  public:
    // Compiles all payload signatures of the set, or takes its database. Throws std::runtime_error
    // with one sentence that names the signature. Requires: the set outlives the scanner.
    explicit Scanner(const SignatureSet& set);
    ~Scanner();
    Scanner(const Scanner&) = delete;
    Scanner& operator=(const Scanner&) = delete;

    struct Hit {
        uint16_t signature;   // index into SignatureSet::signatures()
        uint32_t end_offset;  // one past the last octet of the earliest match
    };
    static constexpr size_t kMaximumHits = 16;

    // What one worker needs to scan. Not shared between threads, nor between scanners.
    class Scratch {
      public:
        // Throws std::runtime_error with one sentence.
        explicit Scratch(const Scanner& scanner);
        ~Scratch();
        Scratch(const Scratch&) = delete;
        Scratch& operator=(const Scratch&) = delete;

      private:
        friend class Scanner;
        void* scratch_ = nullptr;
    };

    struct Result {
        Hit hits[kMaximumHits];
        uint32_t count = 0;
        bool failed = false;  // the engine returned an error: the result is incomplete
        bool cut = false;     // more than kMaximumHits signatures matched: the first ones are kept

        void add(unsigned signature, uint32_t end_offset) noexcept {
            if (count == kMaximumHits) {
                cut = true;
            } else {
                hits[count++] = {static_cast<uint16_t>(signature), end_offset};
            }
        }
    };

    // Where a payload was seen, which restricts to the signatures that may hit there. What is not
    // told restricts to nothing.
    struct Seen {
        Transport transport = Transport::any;
        uint8_t ordinal = 1;  // among its side's payloads; past kMaximumScannedPackets nothing hits
        std::optional<std::array<uint16_t, 2>> ports = std::nullopt;  // of both ends
    };

    // Overwrites `result`. Each signature at most once, in order of signature index. Allocates
    // nothing. Requires: a scratch made for this scanner, a payload below 4 GiB, an ordinal not 0.
    void scan(std::span<const uint8_t> payload,
              const Seen& seen,
              Scratch& scratch,
              Result& result) const noexcept;

    // The compiled patterns as octets; empty when there are none. Of this engine and processor.
    std::string serialized() const;
    static std::string engine_version();

    // By signature: how long its pattern alone scans fixed octets, best of five, as a ratio to a
    // calibration pattern; 0 for other kinds. Requires: the set that the scanner was made of.
    // Throws std::runtime_error with one sentence.
    std::vector<float> pattern_costs(const SignatureSet& set) const;

  private:
    struct Implementation;
    std::unique_ptr<Implementation> implementation_;
};

// Compiles the pattern of one payload signature. Empty when Hyperscan takes it, else one sentence.
std::string check_pattern(const Signature& signature);

}  // namespace curlew::signatures
