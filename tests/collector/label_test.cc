#include "collector/label.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(Label){};

TEST(Label, kinds_have_words_and_words_kinds) {
    for (int kind = 0; kind <= static_cast<int>(EvidenceKind::none); ++kind) {
        const auto one = static_cast<EvidenceKind>(kind);
        CHECK(evidence_kind_named(name_of(one)) == one);
    }
    CHECK(name_of(EvidenceKind::name_by_dns) == "name-by-dns");
    CHECK(evidence_kind_named("hearsay") == EvidenceKind::none);
}

TEST(Label, the_first_evidence_is_the_strongest) {
    Label label;
    CHECK(strongest_evidence(label) == EvidenceKind::none);
    label.evidence.push_back({EvidenceKind::field, "ssdp.nt", "x", "y", 0, 0, false});
    CHECK(strongest_evidence(label) == EvidenceKind::field);
}

}  // namespace curlew::collector
