#include "collector/label.h"

#include <algorithm>
#include <array>

namespace curlew::collector {
namespace {

constexpr std::array<std::string_view, 9> kKindNames = {"payload",
                                                        "name",
                                                        "field",
                                                        "name-by-dns",
                                                        "sequence",
                                                        "continued",
                                                        "behaviour",
                                                        "port",
                                                        "none"};

}  // namespace

std::string_view name_of(EvidenceKind kind) noexcept {
    return kKindNames[static_cast<size_t>(kind)];
}

EvidenceKind evidence_kind_named(std::string_view word) noexcept {
    const auto found = std::find(kKindNames.begin(), kKindNames.end(), word);
    return found == kKindNames.end() ? EvidenceKind::none
                                     : static_cast<EvidenceKind>(found - kKindNames.begin());
}

EvidenceKind strongest_evidence(const Label& label) noexcept {
    return label.evidence.empty() ? EvidenceKind::none : label.evidence.front().kind;
}

}  // namespace curlew::collector
