// Hot path. Only Scanner::scan and what it calls: the rest is set-up.
#include "signatures/scanner.h"

#include <hs.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "signatures/first_octets.h"

namespace curlew::signatures {
namespace {

constexpr unsigned kFlags = HS_FLAG_DOTALL | HS_FLAG_SINGLEMATCH;

struct DatabaseDeleter {
    void operator()(hs_database_t* database) const noexcept { hs_free_database(database); }
};
using Database = std::unique_ptr<hs_database_t, DatabaseDeleter>;

// Built for AVX2 where the machine has it and for any machine otherwise, never for more: databases
// stay the same on all newer processors, and wider registers were measured to bring nothing.
hs_platform_info_t pinned_platform() noexcept {
    hs_platform_info_t here{};
    hs_platform_info_t pinned{};
    pinned.tune = HS_TUNE_FAMILY_GENERIC;
    if (hs_populate_platform(&here) == HS_SUCCESS) {
        pinned.cpu_features = here.cpu_features & HS_CPU_FEATURES_AVX2;
    }
    return pinned;
}

struct Compiled {
    Database database;  // null on an error
    std::string error;  // the engine's sentence; empty: no error
};

Compiled compile(const char* pattern) {
    const hs_platform_info_t platform = pinned_platform();
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    Compiled compiled;
    if (hs_compile(pattern, kFlags, HS_MODE_BLOCK, &platform, &database, &error) != HS_SUCCESS) {
        compiled.error = error != nullptr ? error->message : "Hyperscan gives no cause.";
        hs_free_compile_error(error);
    }
    compiled.database.reset(database);
    return compiled;
}

Database loaded(std::string_view octets) {
    hs_database_t* database = nullptr;
    if (hs_deserialize_database(octets.data(), octets.size(), &database) != HS_SUCCESS) {
        throw std::runtime_error("the compiled signatures are not of this engine and processor");
    }
    return Database(database);
}

struct ScanContext {
    Scanner::Result* result;
    unsigned signature;
};

// Slots are in the order of their signatures, and so are the hits.
int on_match(unsigned, unsigned long long, unsigned long long to, unsigned, void* raw) noexcept {
    const auto& context = *static_cast<const ScanContext*>(raw);
    Scanner::Result& result = *context.result;
    if (result.count == Scanner::kMaximumHits) {
        result.cut = true;
    } else {
        result.hits[result.count++] = {static_cast<uint16_t>(context.signature),
                                       static_cast<uint32_t>(to)};
    }
    return 1;  // the first match is enough
}

constexpr size_t kTransports = 3;

}  // namespace

// A slot is a pattern's place in the sieve; each has a database of its own. Hyperscan makes one
// automaton of many patterns of binary protocols, which takes seconds, megabytes, and microseconds
// a payload; alone they are quick to compile and to scan, and the sieve leaves few to scan.
struct Scanner::Implementation {
    struct Slot {
        unsigned signature;  // index into the set
        LengthField length;
        Database database;
    };

    std::vector<Slot> slots;
    size_t words = 0;                    // of 64 slots
    std::vector<uint64_t> sieve;         // by place, octet, word: the slots that may have it there
    std::vector<uint64_t> of_transport;  // by Transport, word: the slots that are for it

    const uint64_t* row(size_t place, uint8_t octet) const noexcept {
        return sieve.data() + (place * 256 + octet) * words;
    }

    void lay_out(const std::vector<Signature>& signatures);
    void compile_all(const std::vector<Signature>& signatures);
    void load_all(std::string_view octets);
};

// Which slots there are, and what passes the sieve to them.
void Scanner::Implementation::lay_out(const std::vector<Signature>& signatures) {
    for (size_t index = 0; index < signatures.size(); ++index) {
        if (signatures[index].kind == SignatureKind::payload) {
            slots.push_back({static_cast<unsigned>(index), signatures[index].length, nullptr});
        }
    }
    words = (slots.size() + 63) / 64;
    sieve.resize(kFirstPlaces * 256 * words);
    of_transport.resize(kTransports * words);
    for (size_t slot = 0; slot < slots.size(); ++slot) {
        const Signature& signature = signatures[slots[slot].signature];
        const FirstOctets first = first_octets(signature.pattern);
        const uint64_t bit = uint64_t{1} << slot % 64;
        for (size_t row = 0; row < kFirstPlaces * 256; ++row) {
            sieve[row * words + slot / 64] |= first[row / 256][row % 256] ? bit : 0;
        }
        for (const Transport transport : {Transport::any, Transport::tcp, Transport::udp}) {
            const bool is_for = signature.transport == Transport::any ||
                                transport == Transport::any || signature.transport == transport;
            of_transport[static_cast<size_t>(transport) * words + slot / 64] |= is_for ? bit : 0;
        }
    }
}

void Scanner::Implementation::compile_all(const std::vector<Signature>& signatures) {
    for (Slot& slot : slots) {
        const Signature& signature = signatures[slot.signature];
        Compiled compiled = compile(signature.pattern.c_str());
        if (!compiled.error.empty()) {
            throw std::runtime_error("the signature '" + signature.id +
                                     "' cannot be compiled: " + compiled.error);
        }
        slot.database = std::move(compiled.database);
    }
}

// Throws std::runtime_error when the octets are not what Scanner::serialized gave.
void Scanner::Implementation::load_all(std::string_view octets) {
    const auto take = [&](void* out, size_t size) {
        if (octets.size() < size) {
            throw std::runtime_error("the compiled signatures are damaged");
        }
        std::memcpy(out, octets.data(), size);
        octets.remove_prefix(size);
    };
    std::string one;
    for (Slot& slot : slots) {
        uint64_t size = 0;
        take(&size, sizeof(size));
        one.resize(std::min<uint64_t>(size, octets.size() + 1));
        take(one.data(), one.size());
        slot.database = loaded(one);
    }
    if (!octets.empty()) {
        throw std::runtime_error("the compiled signatures are damaged");
    }
}

Scanner::Scanner(const SignatureSet& set) : implementation_(std::make_unique<Implementation>()) {
    assert(set.signatures().size() <= kMaximumSignatures);
    implementation_->lay_out(set.signatures());
    if (implementation_->slots.empty()) {
        return;
    }
    if (hs_valid_platform() != HS_SUCCESS) {
        throw std::runtime_error("Hyperscan does not run on this processor: it needs SSSE3");
    }
    if (set.database().empty()) {
        implementation_->compile_all(set.signatures());
    } else {
        implementation_->load_all(set.database());
    }
}

Scanner::~Scanner() = default;

Scanner::Scratch::Scratch(const Scanner& scanner) {
    // One for all of them: it grows to what each needs.
    hs_scratch_t* scratch = nullptr;
    for (const auto& slot : scanner.implementation_->slots) {
        if (hs_alloc_scratch(slot.database.get(), &scratch) != HS_SUCCESS) {
            hs_free_scratch(scratch);
            throw std::runtime_error("Hyperscan gives no scratch space: out of memory");
        }
    }
    scratch_ = scratch;
}

Scanner::Scratch::~Scratch() {
    hs_free_scratch(static_cast<hs_scratch_t*>(scratch_));
}

void Scanner::scan(std::span<const uint8_t> payload,
                   Transport transport,
                   Scratch& scratch,
                   Result& result) const noexcept {
    assert(payload.size() <= std::numeric_limits<uint32_t>::max());
    result.count = 0;
    result.failed = false;
    result.cut = false;
    // No pattern may match nothing, and Hyperscan refuses a null pointer.
    if (payload.empty()) {
        return;
    }
    const Implementation& made = *implementation_;
    const size_t places = std::min(payload.size(), kFirstPlaces);
    for (size_t word = 0; word < made.words; ++word) {
        uint64_t left = made.of_transport[static_cast<size_t>(transport) * made.words + word];
        for (size_t place = 0; place < places; ++place) {
            left &= made.row(place, payload[place])[word];
        }
        for (; left != 0; left &= left - 1) {
            const auto& slot = made.slots[word * 64 + static_cast<size_t>(std::countr_zero(left))];
            if (!is_right(slot.length, payload)) {
                continue;
            }
            ScanContext context{&result, slot.signature};
            const hs_error_t code = hs_scan(slot.database.get(),
                                            reinterpret_cast<const char*>(payload.data()),
                                            static_cast<unsigned>(payload.size()),
                                            0,
                                            static_cast<hs_scratch_t*>(scratch.scratch_),
                                            &on_match,
                                            &context);
            result.failed = result.failed || (code != HS_SUCCESS && code != HS_SCAN_TERMINATED);
        }
    }
}

std::string Scanner::serialized() const {
    std::string all;
    for (const auto& slot : implementation_->slots) {
        char* octets = nullptr;
        size_t length = 0;
        if (hs_serialize_database(slot.database.get(), &octets, &length) != HS_SUCCESS) {
            return {};
        }
        const uint64_t size = length;
        all.append(reinterpret_cast<const char*>(&size), sizeof(size));
        all.append(octets, length);
        std::free(octets);
    }
    return all;
}

std::string Scanner::engine_version() {
    const hs_platform_info_t platform = pinned_platform();
    return std::string(hs_version()) + ' ' + std::to_string(platform.cpu_features);
}

namespace {

// What costs are measured on: letters as in text, zeros, and octets without order.
std::vector<uint8_t> costly_octets() {
    constexpr std::string_view kText = "GET /index.html HTTP/1.1 host: a.example ";
    std::vector<uint8_t> octets(6 * 1024);
    uint32_t state = 1;
    for (size_t i = 0; i < octets.size(); ++i) {
        state = state * 1664525 + 1013904223;
        octets[i] = i < 2048   ? static_cast<uint8_t>(kText[i % kText.size()])
                    : i < 3072 ? uint8_t{0}
                               : static_cast<uint8_t>(state >> 24);
    }
    return octets;
}

// Seconds, best of five.
double cost_of(const hs_database_t* database, const std::vector<uint8_t>& octets) {
    hs_scratch_t* scratch = nullptr;
    if (hs_alloc_scratch(database, &scratch) != HS_SUCCESS) {
        throw std::runtime_error("Hyperscan gives no scratch space: out of memory");
    }
    // From the first octet, and from later ones: what is anchored must not look cheap by chance.
    const auto scan_all = [&] {
        for (size_t begin = 0; begin < octets.size(); begin += 1024) {
            hs_scan(
                database,
                reinterpret_cast<const char*>(octets.data() + begin),
                static_cast<unsigned>(octets.size() - begin),
                0,
                scratch,
                [](unsigned, unsigned long long, unsigned long long, unsigned, void*) { return 0; },
                nullptr);
        }
    };
    double best = 0;
    for (int round = 0; round < 5; ++round) {
        const auto begin = std::chrono::steady_clock::now();
        scan_all();
        const std::chrono::duration<double> time = std::chrono::steady_clock::now() - begin;
        best = round == 0 ? time.count() : std::min(best, time.count());
    }
    hs_free_scratch(scratch);
    return best;
}

// A literal anywhere in a payload: the work that a matcher cannot do without.
constexpr const char* kCalibration = "SSH-2\\.0-OpenSSH";

}  // namespace

std::vector<float> Scanner::pattern_costs(const SignatureSet& set) const {
    std::vector<float> costs(set.signatures().size());
    const Compiled calibration = compile(kCalibration);
    if (calibration.database == nullptr) {
        throw std::runtime_error("the calibration pattern does not compile: " + calibration.error);
    }
    const std::vector<uint8_t> octets = costly_octets();
    const double unit = std::max(cost_of(calibration.database.get(), octets), 1e-9);
    for (const auto& slot : implementation_->slots) {
        costs[slot.signature] = static_cast<float>(cost_of(slot.database.get(), octets) / unit);
    }
    return costs;
}

std::string check_pattern(const Signature& signature) {
    return compile(signature.pattern.c_str()).error;
}

}  // namespace curlew::signatures
