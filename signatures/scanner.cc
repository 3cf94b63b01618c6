// Hot path. Only Scanner::scan and what it calls: the rest is set-up.
#include "signatures/scanner.h"

#include <hs.h>

#include <algorithm>
#include <cassert>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <stdexcept>
#include <utility>
#include <vector>

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
    Database database;    // null when there is nothing to compile, or on an error
    std::string error;    // the engine's sentence; empty: no error
    int expression = -1;  // index of the expression in error; -1: none in particular
};

Compiled compile(const std::vector<const char*>& expressions, const std::vector<unsigned>& ids) {
    Compiled compiled;
    if (expressions.empty()) {
        return compiled;
    }
    const std::vector<unsigned> flags(expressions.size(), kFlags);
    const hs_platform_info_t platform = pinned_platform();
    hs_database_t* database = nullptr;
    hs_compile_error_t* error = nullptr;
    const hs_error_t result = hs_compile_multi(expressions.data(),
                                               flags.data(),
                                               ids.data(),
                                               static_cast<unsigned>(expressions.size()),
                                               HS_MODE_BLOCK,
                                               &platform,
                                               &database,
                                               &error);
    compiled.database.reset(database);
    if (result != HS_SUCCESS) {
        compiled.error = error != nullptr ? error->message : "Hyperscan gives no cause.";
        compiled.expression = error != nullptr ? error->expression : -1;
        hs_free_compile_error(error);
    }
    return compiled;
}

Database loaded(const std::string& octets) {
    hs_database_t* database = nullptr;
    if (hs_deserialize_database(octets.data(), octets.size(), &database) != HS_SUCCESS) {
        throw std::runtime_error("the compiled signatures are not of this engine and processor");
    }
    return Database(database);
}

struct ScanContext {
    Scanner::Result* result;
    const Transport* transports;  // by signature index
    Transport transport;
};

// Keeps the hits in order of index and, when there are too many, the lowest: what is kept does not
// depend on the order in which the engine reports.
int on_match(unsigned id, unsigned long long, unsigned long long to, unsigned, void* raw) noexcept {
    const auto& context = *static_cast<const ScanContext*>(raw);
    const Transport wanted = context.transports[id];
    if (wanted != Transport::any && context.transport != Transport::any &&
        wanted != context.transport) {
        return 0;
    }
    Scanner::Result& result = *context.result;
    uint32_t at = result.count;
    while (at > 0 && result.hits[at - 1].signature > id) {
        --at;
    }
    if (at > 0 && result.hits[at - 1].signature == id) {
        return 0;
    }
    if (result.count == Scanner::kMaximumHits) {
        result.cut = true;
    } else {
        ++result.count;
    }
    for (uint32_t move = result.count; move > at + 1; --move) {
        result.hits[move - 1] = result.hits[move - 2];
    }
    if (at < result.count) {
        result.hits[at] = {static_cast<uint16_t>(id), static_cast<uint32_t>(to)};
    }
    return 0;
}

}  // namespace

struct Scanner::Implementation {
    Database database;
    std::vector<Transport> transports;  // by signature index
};

Scanner::Scanner(const SignatureSet& set) : implementation_(std::make_unique<Implementation>()) {
    const std::vector<Signature>& signatures = set.signatures();
    assert(signatures.size() <= kMaximumSignatures);
    std::vector<const char*> expressions;
    std::vector<unsigned> ids;
    for (size_t index = 0; index < signatures.size(); ++index) {
        implementation_->transports.push_back(signatures[index].transport);
        if (signatures[index].kind == SignatureKind::payload) {
            expressions.push_back(signatures[index].pattern.c_str());
            ids.push_back(static_cast<unsigned>(index));
        }
    }
    if (!expressions.empty() && hs_valid_platform() != HS_SUCCESS) {
        throw std::runtime_error("Hyperscan does not run on this processor: it needs SSSE3");
    }
    if (!set.database().empty()) {
        implementation_->database = loaded(set.database());
        return;
    }
    Compiled compiled = compile(expressions, ids);
    if (!compiled.error.empty()) {
        const std::string which =
            compiled.expression < 0
                ? "the signatures"
                : "the signature '" + signatures[ids[static_cast<size_t>(compiled.expression)]].id +
                      "'";
        throw std::runtime_error(which + " cannot be compiled: " + compiled.error);
    }
    implementation_->database = std::move(compiled.database);
}

Scanner::~Scanner() = default;

Scanner::Scratch::Scratch(const Scanner& scanner) {
    hs_scratch_t* scratch = nullptr;
    const hs_database_t* database = scanner.implementation_->database.get();
    if (database != nullptr && hs_alloc_scratch(database, &scratch) != HS_SUCCESS) {
        throw std::runtime_error("Hyperscan gives no scratch space: out of memory");
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
    if (payload.empty() || implementation_->database == nullptr) {
        return;
    }
    ScanContext context{&result, implementation_->transports.data(), transport};
    const hs_error_t code = hs_scan(implementation_->database.get(),
                                    reinterpret_cast<const char*>(payload.data()),
                                    static_cast<unsigned>(payload.size()),
                                    0,
                                    static_cast<hs_scratch_t*>(scratch.scratch_),
                                    &on_match,
                                    &context);
    result.failed = code != HS_SUCCESS;
}

std::string Scanner::serialized() const {
    char* octets = nullptr;
    size_t length = 0;
    if (implementation_->database == nullptr ||
        hs_serialize_database(implementation_->database.get(), &octets, &length) != HS_SUCCESS) {
        return {};
    }
    std::string copy(octets, length);
    std::free(octets);
    return copy;
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

// Best of five, in clock ticks of the machine; large when it does not compile.
double cost_of(const char* expression, const std::vector<uint8_t>& octets) {
    const Compiled compiled = compile({expression}, {0});
    hs_scratch_t* scratch = nullptr;
    if (compiled.database == nullptr ||
        hs_alloc_scratch(compiled.database.get(), &scratch) != HS_SUCCESS) {
        return 0;
    }
    // From the first octet, and from later ones: what is anchored must not look cheap by chance.
    const auto scan_all = [&] {
        for (size_t begin = 0; begin < octets.size(); begin += 1024) {
            hs_scan(
                compiled.database.get(),
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

std::vector<float> pattern_costs(const SignatureSet& set) {
    const std::vector<uint8_t> octets = costly_octets();
    const double calibration = std::max(cost_of(kCalibration, octets), 1e-9);
    std::vector<float> costs;
    for (const Signature& signature : set.signatures()) {
        costs.push_back(
            signature.kind == SignatureKind::payload
                ? static_cast<float>(cost_of(signature.pattern.c_str(), octets) / calibration)
                : 0.0f);
    }
    return costs;
}

std::string check_pattern(const Signature& signature) {
    return compile({signature.pattern.c_str()}, {0}).error;
}

}  // namespace curlew::signatures
