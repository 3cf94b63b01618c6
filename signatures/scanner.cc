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
#include <utility>
#include <vector>

#include "signatures/payload_fronts.h"

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

int on_match(unsigned, unsigned long long, unsigned long long to, unsigned, void* raw) noexcept {
    const auto& context = *static_cast<const ScanContext*>(raw);
    context.result->add(context.signature, static_cast<uint32_t>(to));
    return 1;  // the first match is enough
}

constexpr size_t kTransports = 3;

// A payload's first places are looked at for many patterns at once; a block is a cache line of
// bits.
constexpr size_t kSievePlaces = 12;
constexpr size_t kBlockWords = 8;
constexpr size_t kBlockSlots = kBlockWords * 64;
using Bits = std::array<uint64_t, kBlockWords>;

// Which slots of a block may have an octet at a place, and which are looked for where a payload was
// seen.
struct alignas(64) Block {
    std::array<std::array<Bits, 256>, kSievePlaces> octets{};
    std::array<Bits, kSievePlaces> any_octet{};          // of them, until all slots are there
    std::array<Bits, kMaximumScannedPackets> packets{};  // by ordinal, from 1
    Bits any_port{};                                     // those that name no port
    std::vector<Bits> port_rows;                         // by Sieve::row_of_port
};

// A pattern, alone in its database. Hyperscan makes one automaton of many patterns of binary
// protocols, which takes seconds, megabytes, and microseconds a payload; alone they are quick to
// compile and to scan, and their fronts leave few to scan.
struct Slot {
    PayloadFronts::Pattern fronts;  // behind the sieve
    unsigned signature = 0;         // index into the set
    LengthField length;
    Database database;
};

void add_bits(Bits& to, const Bits& from) noexcept {
    for (size_t word = 0; word < kBlockWords; ++word) {
        to[word] |= from[word];
    }
}

void keep_bits(Bits& to, const Bits& from) noexcept {
    for (size_t word = 0; word < kBlockWords; ++word) {
        to[word] &= from[word];
    }
}

bool has_none(const Bits& bits) noexcept {
    uint64_t all = 0;
    for (const uint64_t word : bits) {
        all |= word;
    }
    return all == 0;
}

// The slots that are looked for over one transport, in their order.
struct Sieve {
    std::vector<uint32_t> slots;
    std::vector<Block> blocks;
    std::vector<uint16_t> row_of_port = std::vector<uint16_t>(65536);  // 0: no slot names it
    size_t port_rows = 1;

    void add(uint32_t slot, const Signature& signature, const Front& any_front);
    // Once all are added.
    void finish();
    // Which slots of a block a payload seen there may hit. Requires: an ordinal of `packets`.
    Bits may_hit(const Block& block, const Scanner::Seen& seen) const noexcept;
};

void Sieve::add(uint32_t slot, const Signature& signature, const Front& any_front) {
    if (slots.size() % kBlockSlots == 0) {
        blocks.emplace_back();
    }
    const size_t word = slots.size() % kBlockSlots / 64;
    const uint64_t bit = uint64_t{1} << slots.size() % 64;
    Block& block = blocks.back();
    for (size_t place = 0; place < kSievePlaces; ++place) {
        const auto& octets = any_front.octets[place];
        if (octets.all()) {
            block.any_octet[place][word] |= bit;
            continue;
        }
        for (size_t octet = octets._Find_first(); octet < octets.size();
             octet = octets._Find_next(octet)) {
            block.octets[place][octet][word] |= bit;
        }
    }
    for (size_t packet = 0; packet < kMaximumScannedPackets; ++packet) {
        if (signature.packets == 0 || packet < signature.packets) {
            block.packets[packet][word] |= bit;
        }
    }
    if (signature.ports.empty()) {
        block.any_port[word] |= bit;
    }
    for (const uint16_t port : signature.ports) {
        uint16_t& row = row_of_port[port];
        if (row == 0) {
            row = static_cast<uint16_t>(port_rows++);
        }
        for (Block& each : blocks) {
            each.port_rows.resize(port_rows);
        }
        block.port_rows[row][word] |= bit;
    }
    slots.push_back(slot);
}

void Sieve::finish() {
    for (Block& block : blocks) {
        for (size_t place = 0; place < kSievePlaces; ++place) {
            for (Bits& slots_of_octet : block.octets[place]) {
                add_bits(slots_of_octet, block.any_octet[place]);
            }
        }
    }
}

Bits Sieve::may_hit(const Block& block, const Scanner::Seen& seen) const noexcept {
    Bits bits = block.packets[seen.ordinal - 1u];
    if (seen.ports) {
        Bits by_port = block.any_port;
        for (const uint16_t port : *seen.ports) {
            if (const uint16_t row = row_of_port[port]; row < block.port_rows.size()) {
                add_bits(by_port, block.port_rows[row]);
            }
        }
        keep_bits(bits, by_port);
    }
    return bits;
}

bool is_for(Transport signature, Transport transport) noexcept {
    return signature == Transport::any || transport == Transport::any || signature == transport;
}

}  // namespace

struct Scanner::Implementation {
    std::vector<Slot> slots;
    std::array<Sieve, kTransports> sieves;  // by Transport
    PayloadFronts fronts;

    void lay_out(const std::vector<Signature>& signatures);
    void compile_all(const std::vector<Signature>& signatures);
    void load_all(std::string_view serialized);

    void look_for(const Slot& slot,
                  std::span<const uint8_t> payload,
                  hs_scratch_t* scratch,
                  Result& result) const noexcept;
};

// Which slots there are, and what their fronts are.
void Scanner::Implementation::lay_out(const std::vector<Signature>& signatures) {
    for (size_t index = 0; index < signatures.size(); ++index) {
        const Signature& signature = signatures[index];
        if (signature.kind != SignatureKind::payload) {
            continue;
        }
        std::vector<Front> found = pattern_fronts(signature.pattern);
        const auto is_shorter = [](const Front& left, const Front& right) {
            return left.least_octets < right.least_octets;
        };
        // They are large, and most are in order.
        if (!std::is_sorted(found.begin(), found.end(), is_shorter)) {
            std::stable_sort(found.begin(), found.end(), is_shorter);
        }
        const Front any_front = any_of(found);
        for (const Transport one : {Transport::any, Transport::tcp, Transport::udp}) {
            if (is_for(signature.transport, one)) {
                sieves[static_cast<size_t>(one)].add(
                    static_cast<uint32_t>(slots.size()), signature, any_front);
            }
        }
        Slot& slot = slots.emplace_back();
        slot.fronts = fronts.add(found, any_front, kSievePlaces);
        slot.signature = static_cast<unsigned>(index);
        slot.length = signature.length;
    }
    for (Sieve& sieve : sieves) {
        sieve.finish();
    }
}

// Behind the sieve.
void Scanner::Implementation::look_for(const Slot& slot,
                                       std::span<const uint8_t> payload,
                                       hs_scratch_t* scratch,
                                       Result& result) const noexcept {
    if (slot.fronts.suffice) {
        const uint32_t end = fronts.first_end(slot.fronts, payload);
        if (end != 0 && is_right(slot.length, payload)) {
            result.add(slot.signature, end);
        }
        return;
    }
    if (!fronts.has_front(slot.fronts, payload) || !is_right(slot.length, payload)) {
        return;
    }
    ScanContext context{&result, slot.signature};
    const hs_error_t code = hs_scan(slot.database.get(),
                                    reinterpret_cast<const char*>(payload.data()),
                                    static_cast<unsigned>(payload.size()),
                                    0,
                                    scratch,
                                    &on_match,
                                    &context);
    result.failed = result.failed || (code != HS_SUCCESS && code != HS_SCAN_TERMINATED);
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
void Scanner::Implementation::load_all(std::string_view serialized) {
    const auto take = [&](void* out, size_t size) {
        if (serialized.size() < size) {
            throw std::runtime_error("the compiled signatures are damaged");
        }
        std::memcpy(out, serialized.data(), size);
        serialized.remove_prefix(size);
    };
    std::string one;
    for (Slot& slot : slots) {
        uint64_t size = 0;
        take(&size, sizeof(size));
        one.resize(std::min<uint64_t>(size, serialized.size() + 1));
        take(one.data(), one.size());
        slot.database = loaded(one);
    }
    if (!serialized.empty()) {
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
                   const Seen& seen,
                   Scratch& scratch,
                   Result& result) const noexcept {
    assert(payload.size() <= std::numeric_limits<uint32_t>::max());
    assert(seen.ordinal != 0);
    result.count = 0;
    result.failed = false;
    result.cut = false;
    // No pattern may match nothing, and Hyperscan refuses a null pointer.
    if (payload.empty() || seen.ordinal > kMaximumScannedPackets) {
        return;
    }
    const Implementation& made = *implementation_;
    const size_t places = std::min(payload.size(), kSievePlaces);
    const Sieve& sieve = made.sieves[static_cast<size_t>(seen.transport)];
    for (size_t at = 0; at < sieve.blocks.size(); ++at) {
        const Block& block = sieve.blocks[at];
        Bits left = sieve.may_hit(block, seen);
        for (size_t place = 0; place < places; ++place) {
            keep_bits(left, block.octets[place][payload[place]]);
            // Of most blocks nothing is left soon.
            if (place % 4 == 3 && has_none(left)) {
                break;
            }
        }
        for (size_t word = 0; word < kBlockWords; ++word) {
            for (uint64_t bits = left[word]; bits != 0; bits &= bits - 1) {
                const size_t index =
                    at * kBlockSlots + word * 64 + static_cast<size_t>(std::countr_zero(bits));
                const Slot& slot = made.slots[sieve.slots[index]];
                if (made.fronts.may_pass(slot.fronts, payload)) {
                    made.look_for(
                        slot, payload, static_cast<hs_scratch_t*>(scratch.scratch_), result);
                }
            }
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
