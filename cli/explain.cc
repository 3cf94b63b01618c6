#include "cli/explain.h"

#include <fmt/ostream.h>
#include <rapidjson/document.h>
#include <stdlib.h>

#include <algorithm>
#include <ostream>
#include <stdexcept>
#include <string>
#include <vector>

#include "cli/one_line.h"
#include "cli/run.h"
#include "collector/dataset_file.h"
#include "collector/flow_facts.h"
#include "collector/label.h"
#include "signatures/compiled_set.h"
#include "signatures/content_rules.h"
#include "signatures/scanner.h"

namespace curlew::cli {
namespace {

namespace fs = std::filesystem;
using collector::EvidenceKind;
using collector::Fact;
using collector::FlowFacts;
using signatures::Scanner;
using signatures::Signature;
using signatures::SignatureKind;
using signatures::Transport;

// How far behind the first octet a payload signature is still told as near.
constexpr size_t kNearOctets = 8;
// Labels that two names have in common at their ends to be told as near.
constexpr size_t kNearLabels = 2;

// Gone in the end, with all in it.
class ScratchFolder {
  public:
    ScratchFolder() {
        std::string path = (fs::temp_directory_path() / "curlew-explain-XXXXXX").string();
        if (::mkdtemp(path.data()) == nullptr) {
            throw std::runtime_error(
                fmt::format("cannot make a folder in {}", fs::temp_directory_path().string()));
        }
        path_ = path;
    }
    ~ScratchFolder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    ScratchFolder(const ScratchFolder&) = delete;
    ScratchFolder& operator=(const ScratchFolder&) = delete;

    const fs::path& path() const noexcept { return path_; }

  private:
    fs::path path_;
};

std::string text_of(const rapidjson::Value& object, const char* name) {
    const auto found = object.FindMember(name);
    return found != object.MemberEnd() && found->value.IsString()
               ? std::string(found->value.GetString(), found->value.GetStringLength())
               : std::string();
}

std::vector<uint8_t> octets_of(const std::string& hex) {
    std::vector<uint8_t> octets;
    for (size_t at = 0; at + 2 <= hex.size(); at += 2) {
        octets.push_back(static_cast<uint8_t>(std::stoul(hex.substr(at, 2), nullptr, 16)));
    }
    return octets;
}

// What stands behind the headers of a packet that begins with IP; the record has checked them.
std::span<const uint8_t> payload_of(std::span<const uint8_t> packet,
                                    uint32_t protocol,
                                    size_t payload_octets) {
    const size_t header = protocol == 6 ? 20 : 8;
    return payload_octets + header <= packet.size() ? packet.last(payload_octets)
                                                    : std::span<const uint8_t>();
}

// The last labels of a name.
std::string_view tail_of(std::string_view name, size_t labels) {
    size_t at = name.size();
    for (size_t i = 0; i < labels && at != std::string_view::npos && at > 0; ++i) {
        at = name.rfind('.', at - 1);
    }
    return at == std::string_view::npos ? name : name.substr(at + 1);
}

class Explainer {
  public:
    Explainer(const signatures::SignatureSet& set, std::ostream& out)
        : set_(set), rules_(set), scanner_(set), scratch_(scanner_), out_(out) {}

    void explain(const rapidjson::Value& record) {
        FlowFacts facts;
        if (!collector::facts_of_record(record, facts)) {
            return;
        }
        const rapidjson::Value& label = record["label"];
        fmt::print(out_,
                   "{} {} > {} {} proto {}{}\n  label {}, protocol {}, service {}, {}\n",
                   facts.initiator,
                   facts.initiator_port,
                   facts.responder,
                   facts.responder_port,
                   facts.protocol,
                   facts.record_number == 0 ? "" : fmt::format(", record {}", facts.record_number),
                   text_of(label, "type"),
                   or_none(text_of(label, "protocol")),
                   or_none(text_of(label, "service")),
                   text_of(label, "confidence"));
        hit_.assign(set_.signatures().size(), false);
        for (const rapidjson::Value& match : record["matched"].GetArray()) {
            tell_match(match);
        }
        if (facts.record_number == 0) {
            near_payloads(record, facts);
            near_names(facts);
            near_fields(facts);
        }
    }

  private:
    static std::string or_none(std::string text) { return text.empty() ? "none" : text; }

    void tell_match(const rapidjson::Value& match) {
        const std::string id = text_of(match, "signature");
        const uint16_t index = rules_.with_id(id);
        if (index != signatures::ContentRules::kNone) {
            hit_[index] = true;
        }
        const std::string value = one_line(text_of(match, "value"));
        const auto packet = match.FindMember("packet");
        fmt::print(out_,
                   "  {} {} {} {}{}{}\n",
                   id.empty() ? "unlisted" : "matched",
                   text_of(match, "kind"),
                   or_none(id),
                   text_of(match, "field"),
                   value.empty() ? "" : " = " + value,
                   packet == match.MemberEnd()
                       ? ""
                       : fmt::format(", packet {}, up to octet {}, {}",
                                     packet->value.GetUint(),
                                     match["offset"].GetUint(),
                                     text_of(match, "dir") == "<" ? "responder" : "initiator"));
    }

    void tell_near(size_t index, const std::string& why) {
        if (!hit_[index]) {
            hit_[index] = true;
            fmt::print(out_, "  nearly  {} {}\n", set_.signatures()[index].id, why);
        }
    }

    std::string why_not(const Signature& signature, const FlowFacts& facts, bool reverse) const {
        const Transport transport = facts.protocol == 6 ? Transport::tcp : Transport::udp;
        if (signature.transport != Transport::any && signature.transport != transport) {
            return fmt::format("asks for {}", name_of(signature.transport));
        }
        const auto has = [&](uint16_t port) {
            return std::find(signature.ports.begin(), signature.ports.end(), port) !=
                   signature.ports.end();
        };
        if (!signature.ports.empty() && !has(facts.initiator_port) && !has(facts.responder_port)) {
            return "asks for another port";
        }
        if (signature.sender != signatures::Sender::any &&
            reverse != (signature.sender == signatures::Sender::responder)) {
            return fmt::format("asks for the {} as sender", name_of(signature.sender));
        }
        return "matches, and something else was recognised before";
    }

    void near_payloads(const rapidjson::Value& record, const FlowFacts& facts) {
        if (facts.protocol != 6 && facts.protocol != 17) {
            return;
        }
        for (const bool reverse : {false, true}) {
            const std::vector<uint8_t> packet =
                octets_of(text_of(record, reverse ? "idp_in" : "idp_out"));
            size_t octets = 0;
            for (const auto& listed : record["packets"].GetArray()) {
                if ((text_of(listed, "dir") == "<") == reverse && listed["b"].GetUint64() != 0) {
                    octets = listed["b"].GetUint64();
                    break;
                }
            }
            const auto payload = payload_of(packet, facts.protocol, octets);
            for (size_t begin = 0; begin < std::min(payload.size(), kNearOctets); ++begin) {
                Scanner::Result result;
                scanner_.scan(payload.subspan(begin), {Transport::any}, scratch_, result);
                for (uint32_t i = 0; i < result.count; ++i) {
                    const Signature& signature = set_.signatures()[result.hits[i].signature];
                    if (begin != 0 && !signature.ports.empty()) {
                        continue;  // rests on the port as well: elsewhere it is chance
                    }
                    tell_near(result.hits[i].signature,
                              begin == 0 ? why_not(signature, facts, reverse)
                                         : fmt::format("begins {} octets later", begin));
                }
            }
        }
    }

    void near_names(const FlowFacts& facts) {
        for (const Fact& fact : facts.facts) {
            if (fact.kind != EvidenceKind::name && fact.kind != EvidenceKind::name_by_dns) {
                continue;
            }
            if (rules_.name(fact.value) != signatures::ContentRules::kNone) {
                continue;
            }
            for (size_t i = 0; i < set_.signatures().size(); ++i) {
                const Signature& signature = set_.signatures()[i];
                if (signature.kind == SignatureKind::name &&
                    tail_of(signature.pattern, kNearLabels) == tail_of(fact.value, kNearLabels)) {
                    tell_near(
                        i,
                        fmt::format("lists {}, not {}", signature.pattern, one_line(fact.value)));
                }
            }
        }
    }

    void near_fields(const FlowFacts& facts) {
        for (const Fact& fact : facts.fields) {
            if (fact.field.ends_with(".type") || fact.field == "ip.protocol") {
                continue;  // numbers have no parts
            }
            for (size_t i = 0; i < set_.signatures().size(); ++i) {
                const Signature& signature = set_.signatures()[i];
                if (signature.kind == SignatureKind::field && signature.field == fact.field &&
                    signatures::matches_in_part(signature, fact.value)) {
                    tell_near(
                        i,
                        fmt::format("matches a part of {} = {}", fact.field, one_line(fact.value)));
                }
            }
        }
    }

    const signatures::SignatureSet& set_;
    signatures::ContentRules rules_;
    Scanner scanner_;
    Scanner::Scratch scratch_;
    std::ostream& out_;
    std::vector<bool> hit_;  // by signature: told already
};

}  // namespace

int run_explain(const fs::path& capture,
                const fs::path& signatures_folder,
                std::ostream& out,
                std::ostream& err) {
    const ScratchFolder folder;
    RunConfig config;
    config.captures = {capture};
    config.group = "any";
    config.scenario = "explain";
    config.archive = folder.path();
    config.fields = "full";
    config.signatures_folder = signatures_folder;
    const RunSummary summary = run_captures(config);
    for (const std::string& failure : summary.failures) {
        fmt::print(err, "curlew: {}\n", one_line(failure));
    }
    for (const std::string& warning : summary.warnings) {
        fmt::print(err, "warning: {}\n", one_line(warning));
    }
    // As the run has just left them in the cache.
    const auto set =
        signatures::load_compiled(signatures_folder, signatures::default_cache_folder()).set;
    Explainer explainer(set, out);
    for (const fs::path& file : summary.files) {
        collector::read_dataset(file, collector::Encoding::json, [&](std::string_view line) {
            rapidjson::Document record;
            record.Parse(line.data(), line.size());
            explainer.explain(record);
        });
    }
    return summary.failures.empty() ? 0 : 1;
}

}  // namespace curlew::cli
