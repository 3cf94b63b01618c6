#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "signatures/signature_set.h"

// Host names against the name signatures of a set: exact, or any subdomain of a suffix. A table
// keyed by the whole name, asked once for each label of the name, from the last label towards the
// full name; allocates nothing while matching.

namespace curlew::signatures {

class HostNames {
  public:
    // Requires: the set outlives this.
    explicit HostNames(const SignatureSet& set);

    // Index of the most specific signature that matches, or kNone: the longest name wins, and of
    // one name the exact one before the suffix. Case does not matter, one dot at the end is passed
    // over. `name` is text from the wire: any octets; longer than 255 or with an empty label it is
    // no name and matches nothing.
    static constexpr uint16_t kNone = 0xffff;
    uint16_t match(std::string_view name) const noexcept;

  private:
    struct Entry {
        uint64_t hash = 0;
        uint16_t signature = kNone;  // kNone: the slot is free
    };
    // The signature for exactly the text `tail`, a whole name or not.
    uint16_t find(uint64_t hash, std::string_view tail, bool whole_name) const noexcept;

    std::vector<Entry> table_;  // open addressing, a power of two, at most half full
    const SignatureSet* set_;
};

// True for labels of 1 to 63 letters, digits, hyphens and underscores with dots between, 255 octets
// at most, all in lower case, no hyphen at an end of a label (RFC 1123 section 2.1; names of
// services begin with an underscore).
bool is_lower_case_host_name(std::string_view name) noexcept;

}  // namespace curlew::signatures
