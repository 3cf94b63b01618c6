#include <algorithm>
#include <filesystem>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "signatures/host_names.h"
#include "signatures/scanner.h"
#include "signatures/signature_check.h"
#include "signatures/signature_set.h"
#include "tests/support/cpputest.h"

// The shipped signature files: each against its own examples, and all of them against each other's.

using curlew::signatures::check_signatures;
using curlew::signatures::HostNames;
using curlew::signatures::Scanner;
using curlew::signatures::Signature;
using curlew::signatures::SignatureKind;
using curlew::signatures::SignatureSet;
using curlew::signatures::Transport;

namespace {

// Loaded and compiled once for all tests, which takes longer than all of them.
const SignatureSet& shipped() {
    static const SignatureSet set = SignatureSet::load(CURLEW_SIGNATURES_FOLDER);
    return set;
}

const Scanner& shipped_scanner() {
    static const Scanner scanner(shipped());
    return scanner;
}

}  // namespace

TEST_GROUP(ShippedSignatures) {
    const SignatureSet& set = shipped();

    // The signature's service, or an empty text.
    std::string service_of(const std::string& name) const {
        const uint16_t found = HostNames(set).match(name);
        return found == HostNames::kNone ? "" : set.signatures()[found].service;
    }

    const Signature* find(std::string_view id) const {
        for (const Signature& signature : set.signatures()) {
            if (signature.id == id) {
                return &signature;
            }
        }
        return nullptr;
    }
};

TEST(ShippedSignatures, have_no_problem_and_keep_their_examples) {
    std::string all;
    for (const auto& problem : set.problems()) {
        all += to_string(problem) + "\n";
    }
    for (const auto& problem : check_signatures(set)) {
        all += to_string(problem) + "\n";
    }
    STRCMP_EQUAL("", all.c_str());
    CHECK(set.signatures().size() > 20);
}

// check_signatures itself is not taken at its word here.
TEST(ShippedSignatures, match_their_examples_through_the_scanner) {
    const Scanner& scanner = shipped_scanner();
    Scanner::Scratch scratch(scanner);
    Scanner::Result result;
    size_t examples = 0;
    for (size_t index = 0; index < set.signatures().size(); ++index) {
        const Signature& signature = set.signatures()[index];
        if (signature.kind != SignatureKind::payload) {
            continue;
        }
        for (const auto& example : signature.examples) {
            const auto* octets = reinterpret_cast<const uint8_t*>(example.octets.data());
            scanner.scan({octets, example.octets.size()}, {signature.transport}, scratch, result);
            CHECK(!result.failed);
            bool hit = false;
            for (uint32_t at = 0; at < result.count; ++at) {
                hit = hit || result.hits[at].signature == index;
            }
            LONGS_EQUAL_TEXT(example.must_match, hit, signature.id.c_str());
            ++examples;
        }
    }
    CHECK(examples > 60);
}

TEST(ShippedSignatures, never_take_an_example_of_another_protocol) {
    const Scanner& scanner = shipped_scanner();
    Scanner::Scratch scratch(scanner);
    Scanner::Result result;
    for (const Signature& signature : set.signatures()) {
        for (const auto& example : signature.examples) {
            // What asks for a port as well is not meant to tell the octets apart.
            if (signature.kind != SignatureKind::payload || !example.must_match ||
                !signature.ports.empty()) {
                continue;
            }
            const auto* octets = reinterpret_cast<const uint8_t*>(example.octets.data());
            scanner.scan({octets, example.octets.size()}, {signature.transport}, scratch, result);
            for (uint32_t at = 0; at < result.count; ++at) {
                const Signature& other = set.signatures()[result.hits[at].signature];
                // HomeKit's requests are HTTP's and more; SRT's handshake has the zeros of a QUIC
                // version negotiation, and more octets that match.
                const bool is_more = (signature.protocol == "hap" && other.protocol == "http") ||
                                     (signature.id == "srt-handshake" && other.protocol == "quic");
                if (!other.ports.empty() || is_more) {
                    continue;
                }
                STRCMP_EQUAL_TEXT(
                    signature.protocol.c_str(), other.protocol.c_str(), signature.id.c_str());
            }
        }
    }
}

// The first octets of a payload may rule out only what does not match it. A pattern in a group
// rules nothing out.
TEST(ShippedSignatures, match_what_they_match_without_the_sieve) {
    std::vector<Signature> wrapped;
    for (Signature signature : set.signatures()) {
        signature.pattern = "(?:" + signature.pattern + ")";
        wrapped.push_back(signature);
    }
    const SignatureSet wrapped_set = SignatureSet::of(std::move(wrapped));
    const Scanner& sieved = shipped_scanner();
    const Scanner whole(wrapped_set);
    Scanner::Scratch sieved_scratch(sieved);
    Scanner::Scratch whole_scratch(whole);
    Scanner::Result found;
    Scanner::Result expected;
    std::mt19937 random(7);
    size_t hits = 0;
    for (const Signature& signature : set.signatures()) {
        for (const auto& example : signature.examples) {
            std::string octets = example.octets;
            // As it is, then changed and cut more and more.
            for (int round = 0; round < 12 && !octets.empty(); ++round) {
                const std::span payload(reinterpret_cast<const uint8_t*>(octets.data()),
                                        octets.size());
                sieved.scan(payload, {Transport::any}, sieved_scratch, found);
                whole.scan(payload, {Transport::any}, whole_scratch, expected);
                CHECK_EQUAL(expected.count, found.count);
                for (uint32_t at = 0; at < expected.count; ++at) {
                    CHECK_EQUAL(expected.hits[at].signature, found.hits[at].signature);
                    CHECK_EQUAL(expected.hits[at].end_offset, found.hits[at].end_offset);
                }
                hits += expected.count;
                const size_t place = random() % std::min<size_t>(octets.size(), 32);
                octets[place] = static_cast<char>(random());
                octets.resize(round % 4 == 3 ? octets.size() / 2 : octets.size());
            }
        }
    }
    CHECK(hits > 1000);
}

TEST(ShippedSignatures, are_anchored) {
    for (const Signature& signature : set.signatures()) {
        if (signature.kind == SignatureKind::payload) {
            const bool anchored =
                signature.pattern.starts_with('^') || signature.pattern.starts_with("(?i)^");
            CHECK_TEXT(anchored, signature.id.c_str());
        }
    }
}

TEST(ShippedSignatures, use_the_words_that_the_inspector_and_the_collector_know) {
    const std::map<std::string_view, std::string_view> labels = {
        {"dns-query", "dns"},
        {"dns-response", "dns"},
        {"dns-announcement", "dns"},
        {"dns-query-tcp", "dns"},
        {"dns-response-tcp", "dns"},
        {"ssdp-notify", "ssdp_notify"},
        {"ssdp-search", "ssdp_search"},
        {"ssdp-response", "ssdp_response"},
        {"tls-client-hello", "tls"},
        {"tls-client-hello-v2", "tls"},
        {"tls-server-hello", "tls"},
        {"tls-record", "tls"},
        {"http-request", "http"},
        {"http-response", "http"},
        {"dtls-handshake", "dtls"},
        {"dtls-record", "dtls"},
        {"dhcp", "dhcp"},
        {"ntp-client", "ntp"},
        {"ntp-server", "ntp"},
        {"smb1", "smb"},
        {"smb2", "smb"},
        {"ssh-banner", "ssh"},
        {"quic-long-header", "quic"},
        {"quic-version-negotiation", "quic"},
        {"quic-google-public-header", "quic"},
    };
    for (const auto& [id, label] : labels) {
        CHECK_TEXT(find(id) != nullptr, std::string(id).c_str());
        STRCMP_EQUAL(std::string(label).c_str(), find(id)->label.c_str());
    }
}

TEST(ShippedSignatures, name_the_services_of_the_seed_devices) {
    const std::map<std::string, std::string> services = {
        {"fw.ota.homesmart.ikea.net", "ikea-firmware-update"},
        {"webhook.logentries.com", "logentries-webhook"},
        {"www.myedimax.com", "edimax-cloud"},
        {"push.myedimax.com", "edimax-cloud"},
        {"mtalk.google.com", "google-mtalk"},
        {"time.google.com", "google-time"},
        {"time1.google.com", "google-time"},
        {"time4.google.com", "google-time"},
        {"connectivitycheck.gstatic.com", "google-connectivity-check"},
        {"clients1.google.com", "google-client-services"},
        {"clients3.google.com", "google-client-services"},
        {"clients4.google.com", "google-client-services"},
        {"tools.google.com", "google-tools"},
        {"www.google.com", "google-web"},
        {"www.gstatic.com", "google-static-content"},
        {"android.googleapis.com", "google-android-apis"},
        {"google.com", ""},
        {"www.google.com.example", ""},
    };
    for (const auto& [name, service] : services) {
        STRCMP_EQUAL_TEXT(service.c_str(), service_of(name).c_str(), name.c_str());
    }
}
