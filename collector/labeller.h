#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "collector/flow_facts.h"
#include "collector/flow_identity.h"
#include "collector/hash_map.h"
#include "collector/label.h"
#include "signatures/content_rules.h"

// Content labels: what signatures say of a flow's facts. One dataset's records, in their order,
// because a flow that begins in the middle may be told by an earlier one of the same endpoints.

namespace curlew::collector {

class Labeller {
  public:
    // Requires: the rules outlive this.
    explicit Labeller(const signatures::ContentRules& rules) : rules_(rules) {}

    // `device` stays empty: devices.h knows it. The same as by_content() and then continued().
    Label label(const FlowFacts& facts);

    // What facts, fields, symbols and the responder's port say, whatever came before.
    Label by_content(FlowFacts facts) const;

    // What a signature says by this fact, of kind payload or name.
    enum class Says : uint8_t { nothing, protocol, service };
    static Says says_by(const signatures::ContentRules& rules, const Fact& fact);

    // Whether a signature knows these first packets.
    bool matches_sequence(uint32_t protocol, std::string_view symbols) const;

    // A flow as it is told from others of its endpoints.
    struct Passage {
        std::optional<FlowKeyOctets> endpoints;  // without tunnel; nothing: no addresses
        std::string_view flow_id;                // empty, or longer than any: not told
        uint64_t start_us = 0;                   // of the flow's first record
        uint64_t end_us = 0;                     // of this record
        bool begin_seen = false;
        bool has_payload = false;
        bool is_tcp = false;
    };
    // The label of a flow of which `by_content` says so much: another one where it goes on with an
    // earlier flow, else nothing. It is told what that was where its content does not say it, and
    // on TCP the earlier one's service and activity where its content says the protocol alone, as
    // when a connection was silent for long: whom it speaks to was told when it began. Only what
    // the content of a flow said goes on to later ones: `passed_on`, the same but for what it rests
    // on.
    std::optional<Label> continued(const Passage& flow,
                                   const Label& by_content,
                                   const std::shared_ptr<const Label>& passed_on);

    // More hits than a record lists: the weakest are left out.
    static constexpr size_t kMaximumMatched = 64;
    // How long after a flow's end another between its endpoints may continue it.
    static constexpr uint64_t kContinuedWithin_us = 3'600'000'000;

  private:
    struct Hit {
        const signatures::Signature* signature = nullptr;  // nullptr: no signature lists the fact
        Fact fact;
        bool has_ports = false;
        bool is_overruled = false;  // a name told by DNS, where the flow tells its own
    };
    using Hits = std::vector<Hit>;

    struct Known {
        uint64_t end_us;  // of the last flow that it holds for
        FlowId flow_id;   // of the flow whose content said it
        std::shared_ptr<const Label> label;
    };
    struct EndpointsHash {
        size_t operator()(const FlowKeyOctets& key) const noexcept {
            return octet_hash({reinterpret_cast<const char*>(key.data()), key.size()});
        }
    };
    // What the table takes at once: where each goes can be fetched ahead.
    static constexpr size_t kPassedAtOnce = 64;
    struct Passed {
        FlowKeyOctets endpoints;
        Known known;
    };

    // `said_by`: the flow whose content said the label.
    void pass_on(const Passage& flow, std::string_view said_by, std::shared_ptr<const Label> label);
    void remember_passed();
    // What an earlier flow said that this one goes on with; null: there is none.
    const Known* earlier_of(const Passage& flow);

    Hits hits_of(FlowFacts facts) const;
    void add_fact(Fact fact, Hits& hits) const;
    void add_by_index(Fact fact, uint16_t index, Hits& hits) const;

    const signatures::ContentRules& rules_;
    FlatMap<FlowKeyOctets, Known, EndpointsHash> known_;
    std::vector<Passed> passed_;  // later than what is known, in their order
};

// Of evidence of that kind: "certain", "likely" or "guess".
std::string confidence_of(EvidenceKind kind);

}  // namespace curlew::collector
