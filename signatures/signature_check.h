#pragma once

#include <vector>

#include "signatures/signature_set.h"

// Holds a set against its own examples, through the engine that classifies.

namespace curlew::signatures {

// Everything a set's files do not show by themselves: patterns that Hyperscan refuses, examples
// that must match and do not, or must not and do. The set's own problems() are not repeated.
std::vector<Problem> check_signatures(const SignatureSet& set);

// The patterns that their engine refuses, alone.
std::vector<Problem> refused_patterns(const SignatureSet& set);

}  // namespace curlew::signatures
