#include "signatures/signature_check.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "signatures/content_rules.h"
#include "signatures/host_names.h"
#include "signatures/scanner.h"

namespace curlew::signatures {
namespace {

void check_example(const Signature& signature,
                   const Example& example,
                   bool matched,
                   std::vector<Problem>& problems) {
    if (matched != example.must_match) {
        const std::string how = example.must_match ? "does not match" : "matches";
        problems.push_back({signature.file,
                            example.line,
                            example.column,
                            "the example " + how + " '" + signature.id + "'"});
    }
}

void check_payloads(const SignatureSet& set, std::vector<Problem>& problems) {
    const Scanner scanner(set);
    Scanner::Scratch scratch(scanner);
    Scanner::Result result;
    for (size_t index = 0; index < set.signatures().size(); ++index) {
        const Signature& signature = set.signatures()[index];
        for (const Example& example : signature.examples) {
            if (signature.kind != SignatureKind::payload) {
                break;
            }
            const auto* octets = reinterpret_cast<const uint8_t*>(example.octets.data());
            scanner.scan({octets, example.octets.size()}, {signature.transport}, scratch, result);
            bool matched = false;
            for (uint32_t hit = 0; hit < result.count; ++hit) {
                matched = matched || result.hits[hit].signature == index;
            }
            if (result.failed || (result.cut && !matched)) {
                problems.push_back({signature.file,
                                    example.line,
                                    example.column,
                                    "the scan of the example gives no full answer"});
                continue;
            }
            check_example(signature, example, matched, problems);
        }
    }
}

// A name's example stands for the most specific signature, so "www.a.example" must not be an
// example of the suffix "a.example" where another signature names it.
void check_names(const SignatureSet& set, std::vector<Problem>& problems) {
    const HostNames names(set);
    for (size_t index = 0; index < set.signatures().size(); ++index) {
        const Signature& signature = set.signatures()[index];
        if (signature.kind != SignatureKind::name) {
            continue;
        }
        for (const Example& example : signature.examples) {
            check_example(signature, example, names.match(example.octets) == index, problems);
        }
    }
}

// Fields and sequences, each by itself: unlike payloads several may hit.
void check_contents(const SignatureSet& set, std::vector<Problem>& problems) {
    const ContentRules rules(set);
    std::vector<uint16_t> hits;
    for (size_t index = 0; index < set.signatures().size(); ++index) {
        const Signature& signature = set.signatures()[index];
        for (const Example& example : signature.examples) {
            hits.clear();
            if (signature.kind == SignatureKind::field) {
                rules.fields(signature.field, example.octets, hits);
            } else if (signature.kind == SignatureKind::sequence) {
                rules.sequences(signature.transport, example.octets, hits);
            } else {
                break;
            }
            const bool matched = std::find(hits.begin(), hits.end(), index) != hits.end();
            check_example(signature, example, matched, problems);
        }
    }
}

// Of the engine that compiles this kind of pattern, and of what it says.
std::string refused_pattern(const Signature& signature) {
    std::string wrong;
    if (signature.kind == SignatureKind::payload) {
        wrong = check_pattern(signature);
        return wrong.empty() ? wrong : "Hyperscan refuses the pattern: " + wrong;
    }
    if (signature.kind == SignatureKind::field || signature.kind == SignatureKind::sequence) {
        wrong = check_content_pattern(signature);
        return wrong.empty() ? wrong : "RE2 refuses the pattern: " + wrong;
    }
    return wrong;
}

// Throws what an engine throws that refuses a pattern.
std::vector<Problem> failed_examples(const SignatureSet& set) {
    std::vector<Problem> problems;
    check_names(set, problems);
    check_payloads(set, problems);
    check_contents(set, problems);
    return problems;
}

}  // namespace

std::vector<Problem> refused_patterns(const SignatureSet& set) {
    std::vector<Problem> problems;
    for (const Signature& signature : set.signatures()) {
        std::string wrong = refused_pattern(signature);
        if (!wrong.empty()) {
            problems.push_back({signature.file,
                                signature.pattern_line,
                                signature.pattern_column,
                                std::move(wrong)});
        }
    }
    return problems;
}

std::vector<Problem> check_signatures(const SignatureSet& set) {
    try {
        return failed_examples(set);
    } catch (const std::exception&) {
        // Only now each pattern is compiled by itself, which takes as long again.
    }
    std::vector<Problem> problems;
    // One pattern that does not compile would hide the examples of all others.
    std::vector<Signature> usable;
    for (const Signature& signature : set.signatures()) {
        const std::string wrong = refused_pattern(signature);
        if (wrong.empty()) {
            usable.push_back(signature);
        } else {
            problems.push_back(
                {signature.file, signature.pattern_line, signature.pattern_column, wrong});
        }
    }
    try {
        const std::vector<Problem> failed = failed_examples(SignatureSet::of(std::move(usable)));
        problems.insert(problems.end(), failed.begin(), failed.end());
    } catch (const std::exception& failure) {
        problems.push_back({"signatures", 0, 0, failure.what()});
    }
    return problems;
}

}  // namespace curlew::signatures
