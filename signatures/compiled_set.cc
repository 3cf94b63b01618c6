#include "signatures/compiled_set.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

#include "signatures/scanner.h"
#include "signatures/signature_check.h"
#include "signatures/signature_files.h"

namespace curlew::signatures {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSetSuffix = ".signatures";
// Raised when the form below changes.
constexpr uint32_t kForm = 4;
constexpr size_t kKeyOctets = 32;
constexpr size_t kSumOctets = 32;
constexpr uint64_t kLongestCache = uint64_t{512} << 20;

std::string sha256(std::string_view octets) {
    std::string sum(kSumOctets, '\0');
    EVP_Digest(octets.data(),
               octets.size(),
               reinterpret_cast<unsigned char*>(sum.data()),
               nullptr,
               EVP_sha256(),
               nullptr);
    return sum;
}

std::string hmac(std::string_view key, std::string_view octets) {
    std::string sum(kSumOctets, '\0');
    HMAC(EVP_sha256(),
         key.data(),
         static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(octets.data()),
         octets.size(),
         reinterpret_cast<unsigned char*>(sum.data()),
         nullptr);
    return sum;
}

std::string hex(std::string_view octets) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string text;
    for (const char octet : octets) {
        text += kDigits[static_cast<uint8_t>(octet) >> 4];
        text += kDigits[static_cast<uint8_t>(octet) & 15];
    }
    return text;
}

// Numbers and texts one after the other, in this machine's own representation: the cache never
// leaves it.
class Packer {
  public:
    template <typename Number>
    void number(Number value) {
        octets_.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    void text(std::string_view value) {
        number(static_cast<uint32_t>(value.size()));
        octets_ += value;
    }
    std::string take() { return std::move(octets_); }

  private:
    std::string octets_;
};

class Unpacker {
  public:
    explicit Unpacker(std::string_view octets) : octets_(octets) {}

    template <typename Number>
    Number number() {
        Number value{};
        if (octets_.size() < sizeof(value)) {
            ok_ = false;
            return value;
        }
        std::memcpy(&value, octets_.data(), sizeof(value));
        octets_.remove_prefix(sizeof(value));
        return value;
    }
    std::string text() {
        const auto size = number<uint32_t>();
        if (octets_.size() < size) {
            ok_ = false;
            return {};
        }
        std::string value(octets_.substr(0, size));
        octets_.remove_prefix(size);
        return value;
    }
    bool ok() const noexcept { return ok_; }
    bool at_end() const noexcept { return octets_.empty(); }

  private:
    std::string_view octets_;
    bool ok_ = true;
};

// All that is kept of its texts, in the order of the cache.
template <typename AnySignature>
auto texts_of(AnySignature& signature) {
    return std::array{&signature.id,
                      &signature.title,
                      &signature.reference,
                      &signature.pattern,
                      &signature.field,
                      &signature.protocol,
                      &signature.service,
                      &signature.label,
                      &signature.activity,
                      &signature.device,
                      &signature.file};
}

void pack_signature(const Signature& signature, float cost, Packer& packer) {
    for (const std::string* text : texts_of(signature)) {
        packer.text(*text);
    }
    packer.number(signature.kind);
    packer.number(signature.suffix);
    packer.number(signature.transport);
    packer.number(signature.sender);
    packer.number(signature.packets);
    packer.number(signature.line);
    packer.number(static_cast<uint32_t>(signature.ports.size()));
    for (const uint16_t port : signature.ports) {
        packer.number(port);
    }
    packer.number(signature.length);
    packer.number(signature.measured.has_value());
    packer.number(signature.measured.value_or(Measured{}));
    packer.number(cost);
}

// Examples are not kept: they are for whoever checks, who reads the files.
Signature unpack_signature(Unpacker& unpacker, float& cost) {
    Signature signature;
    for (std::string* text : texts_of(signature)) {
        *text = unpacker.text();
    }
    signature.kind = unpacker.number<SignatureKind>();
    signature.suffix = unpacker.number<bool>();
    signature.transport = unpacker.number<Transport>();
    signature.sender = unpacker.number<Sender>();
    signature.packets = unpacker.number<uint8_t>();
    signature.line = unpacker.number<uint32_t>();
    const auto ports = unpacker.number<uint32_t>();
    for (uint32_t i = 0; i < ports && unpacker.ok(); ++i) {
        signature.ports.push_back(unpacker.number<uint16_t>());
    }
    signature.length = unpacker.number<LengthField>();
    const bool is_measured = unpacker.number<bool>();
    const auto measured = unpacker.number<Measured>();
    signature.measured = is_measured ? std::optional(measured) : std::nullopt;
    cost = unpacker.number<float>();
    return signature;
}

std::string pack(const CompiledSet& compiled, std::string_view vocabulary) {
    Packer packer;
    packer.text(vocabulary);
    const std::vector<Signature>& signatures = compiled.set.signatures();
    packer.number(static_cast<uint32_t>(signatures.size()));
    for (size_t i = 0; i < signatures.size(); ++i) {
        pack_signature(signatures[i], i < compiled.costs.size() ? compiled.costs[i] : 0, packer);
    }
    packer.text(compiled.set.database());
    return packer.take();
}

std::optional<CompiledSet> unpack(std::string_view octets) {
    Unpacker unpacker(octets);
    const std::string vocabulary = unpacker.text();
    const auto count = unpacker.number<uint32_t>();
    std::vector<Signature> signatures;
    CompiledSet compiled;
    if (count > kMaximumSignatures) {
        return std::nullopt;
    }
    signatures.reserve(count);
    for (uint32_t i = 0; i < count && unpacker.ok(); ++i) {
        float cost = 0;
        signatures.push_back(unpack_signature(unpacker, cost));
        compiled.costs.push_back(cost);
    }
    std::string database = unpacker.text();
    if (!unpacker.ok() || !unpacker.at_end()) {
        return std::nullopt;
    }
    std::vector<Problem> problems;
    Vocabulary words;
    if (!vocabulary.empty()) {
        words = Vocabulary::parse(vocabulary, kVocabularyFile, problems);
    }
    compiled.set = SignatureSet::of(std::move(signatures), std::move(words));
    compiled.set.set_database(std::move(database));
    compiled.from_cache = true;
    return problems.empty() ? std::optional(std::move(compiled)) : std::nullopt;
}

// Ours alone: no other user may have put something there.
bool is_private(const fs::path& path) {
    struct stat facts {};
    return ::lstat(path.c_str(), &facts) == 0 && facts.st_uid == ::geteuid() &&
           (facts.st_mode & (S_IWGRP | S_IWOTH)) == 0 && !S_ISLNK(facts.st_mode);
}

std::optional<std::string> read_whole(const fs::path& path) {
    std::error_code failure;
    const uint64_t size = is_private(path) ? fs::file_size(path, failure) : kLongestCache + 1;
    if (failure || size > kLongestCache) {
        return std::nullopt;
    }
    std::ifstream stream(path, std::ios::binary);
    std::string octets(size, '\0');
    stream.read(octets.data(), static_cast<std::streamsize>(size));
    return stream ? std::optional(std::move(octets)) : std::nullopt;
}

// A reader finds the whole file or none. False when it cannot be written: then there is no cache.
bool write_whole(const fs::path& path, std::string_view octets) {
    std::string part = path.string() + ".XXXXXX";
    const int file = ::mkostemp(part.data(), O_CLOEXEC);
    if (file < 0) {
        return false;
    }
    bool whole = true;
    while (whole && !octets.empty()) {
        const ssize_t written = ::write(file, octets.data(), octets.size());
        whole = written > 0;
        octets.remove_prefix(whole ? static_cast<size_t>(written) : 0);
    }
    whole = ::close(file) == 0 && whole && ::rename(part.c_str(), path.c_str()) == 0;
    if (!whole) {
        ::unlink(part.c_str());
    }
    return whole;
}

// The installation's key, made when there is none.
std::optional<std::string> key_of(const fs::path& cache) {
    std::error_code failure;
    fs::create_directories(cache, failure);
    if (failure || !is_private(cache)) {
        return std::nullopt;
    }
    const fs::path file = cache / "key";
    std::optional<std::string> key = read_whole(file);
    if (key && key->size() == kKeyOctets) {
        return key;
    }
    std::string fresh(kKeyOctets, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(fresh.data()), kKeyOctets) != 1 ||
        !write_whole(file, fresh)) {
        return std::nullopt;
    }
    return fresh;
}

std::optional<CompiledSet> load_cached(const fs::path& file, std::string_view key) {
    const std::optional<std::string> octets = read_whole(file);
    if (!octets || octets->size() < kSumOctets) {
        return std::nullopt;
    }
    const std::string_view content = std::string_view(*octets).substr(kSumOctets);
    const std::string sum = hmac(key, content);
    if (CRYPTO_memcmp(sum.data(), octets->data(), kSumOctets) != 0) {
        return std::nullopt;
    }
    return unpack(content);
}

std::vector<Problem> too_dear(const CompiledSet& compiled) {
    std::vector<Problem> dear;
    for (size_t i = 0; i < compiled.costs.size(); ++i) {
        const Signature& signature = compiled.set.signatures()[i];
        if (compiled.costs[i] > kDearestPattern) {
            dear.push_back({signature.file,
                            signature.pattern_line,
                            signature.pattern_column,
                            "the pattern of '" + signature.id + "' costs " +
                                std::to_string(static_cast<int>(compiled.costs[i])) +
                                " times what the calibration pattern does, and may cost " +
                                std::to_string(static_cast<int>(kDearestPattern)) + " times"});
        }
    }
    return dear;
}

// Compiles what was read. It has a database only when no pattern is refused or too dear.
void compile(CompiledSet& compiled) {
    try {
        const Scanner scanner(compiled.set);
        compiled.costs = scanner.pattern_costs(compiled.set);
        compiled.set.add_problems(too_dear(compiled));
        if (compiled.set.problems().empty()) {
            compiled.set.set_database(scanner.serialized());
        }
    } catch (const std::runtime_error& failure) {
        std::vector<Problem> refused = refused_patterns(compiled.set);
        if (refused.empty()) {
            refused.push_back({"signatures", 0, 0, failure.what()});
        }
        compiled.set.add_problems(std::move(refused));
    }
}

// What a child process made of the files: its problems, then the form of the cache. Whatever a
// file asks of the parser or of Hyperscan, it asks of the child.
std::string compile_files(const SignatureFiles& files) {
    CompiledSet compiled;
    compiled.set = SignatureSet::of_files(files);
    if (compiled.set.problems().empty()) {
        compile(compiled);
    }
    const std::vector<Problem>& problems = compiled.set.problems();
    Packer packer;
    packer.number(static_cast<uint32_t>(problems.size()));
    for (const Problem& problem : problems) {
        packer.text(problem.file);
        packer.number(problem.line);
        packer.number(problem.column);
        packer.text(problem.what);
    }
    // Words that are wrong are not read a second time.
    packer.text(pack(compiled, problems.empty() ? files.vocabulary() : std::string_view()));
    return packer.take();
}

std::optional<CompiledSet> unpack_answer(std::string_view answer, std::string& content) {
    Unpacker unpacker(answer);
    std::vector<Problem> problems;
    const auto count = unpacker.number<uint32_t>();
    for (uint32_t i = 0; i < count && unpacker.ok(); ++i) {
        Problem& problem = problems.emplace_back();
        problem.file = unpacker.text();
        problem.line = unpacker.number<uint32_t>();
        problem.column = unpacker.number<uint32_t>();
        problem.what = unpacker.text();
    }
    content = unpacker.text();
    std::optional<CompiledSet> compiled = unpack(content);
    if (!unpacker.ok() || !unpacker.at_end() || !compiled) {
        return std::nullopt;
    }
    compiled->from_cache = false;
    compiled->set.add_problems(std::move(problems));
    return compiled;
}

CompiledSet compile_apart(const SignatureFiles& files,
                          const fs::path& folder,
                          const ChildBounds& bounds,
                          std::string& content) {
    const std::string cannot = "these signatures cannot be compiled: ";
    std::string trouble;
    try {
        const std::string answer = run_bounded(bounds, [&files] { return compile_files(files); });
        if (std::optional<CompiledSet> compiled = unpack_answer(answer, content)) {
            return std::move(*compiled);
        }
        trouble = "what came of it cannot be read";
    } catch (const ChildKilled& killed) {
        throw std::runtime_error(folder.string() + ": " + cannot + killed.what());
    } catch (const std::runtime_error& failure) {
        trouble = failure.what();
    }
    CompiledSet none;
    none.set.add_problems({{folder.string(), 0, 0, cannot + trouble}});
    return none;
}

// Each change of a signature leaves a set behind. Of those that are removed any can be made again.
void keep_newest(const fs::path& cache) {
    constexpr size_t kKept = 8;
    std::vector<std::pair<fs::file_time_type, fs::path>> sets;
    std::error_code error;
    for (auto entry = fs::directory_iterator(cache, error);
         !error && entry != fs::directory_iterator();
         entry.increment(error)) {
        std::error_code unknown;
        const fs::file_time_type written = entry->last_write_time(unknown);
        if (!unknown && entry->path().extension() == kSetSuffix) {
            sets.emplace_back(written, entry->path());
        }
    }
    std::sort(sets.begin(), sets.end(), std::greater<>());
    for (size_t i = kKept; i < sets.size(); ++i) {
        std::error_code ignored;
        fs::remove(sets[i].second, ignored);
    }
}

}  // namespace

CompiledSet load_compiled(const fs::path& folder,
                          const fs::path& cache,
                          const ChildBounds& bounds) {
    const SignatureFiles files = read_signature_files(folder);
    std::string named = std::to_string(kForm) + '\n' + Scanner::engine_version() + '\n';
    for (const SignatureFile& file : files.files) {
        named += std::to_string(file.text.size()) + ' ' + file.path + '\n' + file.text;
    }
    const std::optional<std::string> key =
        cache.empty() || !files.problems.empty() ? std::nullopt : key_of(cache);
    const fs::path cached = cache / (hex(sha256(named)) + kSetSuffix);
    if (key) {
        if (std::optional<CompiledSet> found = load_cached(cached, *key)) {
            return std::move(*found);
        }
    }
    std::string content;
    CompiledSet compiled = compile_apart(files, folder, bounds, content);
    if (key && compiled.set.problems().empty()) {
        write_whole(cached, hmac(*key, content) + content);
        keep_newest(cache);
    }
    return compiled;
}

fs::path default_cache_folder() {
    const auto from = [](const char* name) {
        const char* value = std::getenv(name);
        return fs::path(value != nullptr ? value : "");
    };
    for (const char* name : {"CURLEW_CACHE", "CACHE_DIRECTORY"}) {
        if (const fs::path folder = from(name); !folder.empty()) {
            return folder;
        }
    }
    if (const fs::path folder = from("XDG_CACHE_HOME"); folder.is_absolute()) {
        return folder / "curlew";
    }
    const fs::path home = from("HOME");
    return home.is_absolute() ? home / ".cache" / "curlew" : fs::path();
}

}  // namespace curlew::signatures
