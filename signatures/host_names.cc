#include "signatures/host_names.h"

#include <bit>

namespace curlew::signatures {
namespace {

// FNV-1a over a name from its last octet to its first, so that one walk gives the hash of every
// suffix. Not keyed: the table holds names of trusted files only, so its chains cannot be crafted.
constexpr uint64_t kHashStart = 0xcbf29ce484222325;

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

uint64_t extend(uint64_t hash, char lower_case) noexcept {
    const uint64_t mixed = (hash ^ static_cast<uint8_t>(lower_case)) * 0x100000001b3;
    return mixed ^ (mixed >> 32);
}

bool equals_lower_case(std::string_view name, std::string_view lower_case) noexcept {
    if (name.size() != lower_case.size()) {
        return false;
    }
    for (size_t at = 0; at < name.size(); ++at) {
        if (lower(name[at]) != lower_case[at]) {
            return false;
        }
    }
    return true;
}

}  // namespace

HostNames::HostNames(const SignatureSet& set) : set_(&set) {
    const std::vector<Signature>& signatures = set.signatures();
    table_.resize(std::bit_ceil(2 * signatures.size() + 2));
    for (size_t index = 0; index < signatures.size(); ++index) {
        if (signatures[index].kind != SignatureKind::name) {
            continue;
        }
        const std::string& name = signatures[index].pattern;
        uint64_t hash = kHashStart;
        for (size_t at = name.size(); at > 0; --at) {
            hash = extend(hash, name[at - 1]);
        }
        size_t slot = hash & (table_.size() - 1);
        while (table_[slot].signature != kNone) {
            slot = (slot + 1) & (table_.size() - 1);
        }
        table_[slot] = {hash, static_cast<uint16_t>(index)};
    }
}

uint16_t HostNames::find(uint64_t hash, std::string_view tail, bool whole_name) const noexcept {
    const std::vector<Signature>& signatures = set_->signatures();
    uint16_t found = kNone;
    size_t slot = hash & (table_.size() - 1);
    // Ends at a free slot, and at least half of them are free.
    for (; table_[slot].signature != kNone; slot = (slot + 1) & (table_.size() - 1)) {
        const Entry& entry = table_[slot];
        const Signature& signature = signatures[entry.signature];
        if (entry.hash != hash || !equals_lower_case(tail, signature.pattern)) {
            continue;
        }
        if (whole_name && !signature.suffix) {
            return entry.signature;
        }
        if (signature.suffix) {
            found = entry.signature;
        }
    }
    return found;
}

uint16_t HostNames::match(std::string_view name) const noexcept {
    if (!name.empty() && name.back() == '.') {
        name.remove_suffix(1);
    }
    if (name.empty() || name.size() > kMaximumHostNameOctets) {
        return kNone;
    }
    uint16_t best = kNone;
    uint64_t hash = kHashStart;
    size_t label_end = name.size();
    // No label is empty, so a name of 255 octets has at most 128 labels and as many look-ups.
    for (size_t at = name.size(); at > 0; --at) {
        if (name[at - 1] == '.') {
            if (at == label_end) {
                return kNone;
            }
            const uint16_t found = find(hash, name.substr(at), false);
            best = found != kNone ? found : best;
            label_end = at - 1;
        }
        hash = extend(hash, lower(name[at - 1]));
    }
    if (label_end == 0) {
        return kNone;
    }
    const uint16_t found = find(hash, name, true);
    return found != kNone ? found : best;
}

bool is_lower_case_host_name(std::string_view name) noexcept {
    if (name.empty() || name.size() > kMaximumHostNameOctets) {
        return false;
    }
    size_t label_begin = 0;
    for (size_t at = 0; at <= name.size(); ++at) {
        if (at < name.size() && name[at] != '.') {
            const char c = name[at];
            if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) {
                return false;
            }
            continue;
        }
        const std::string_view label = name.substr(label_begin, at - label_begin);
        if (label.empty() || label.size() > kMaximumLabelOctets || label.front() == '-' ||
            label.back() == '-') {
            return false;
        }
        label_begin = at + 1;
    }
    return true;
}

}  // namespace curlew::signatures
