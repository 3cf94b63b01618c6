#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "signatures/bounded_child.h"
#include "signatures/signature_set.h"

// A set ready to be used: read from its files and compiled, or out of the cache.
//
// A cached set is named by the SHA-256 of the files' names and octets, of Hyperscan's version and
// of the form of the cache. Only what this installation compiled is loaded: a key of 32 octets,
// made once in the cache's folder and readable by its owner alone, gives each cached set an
// HMAC-SHA256, and a file with another is passed over as if it were not there. A folder that others
// may write is not used.
//
// What a pattern costs is judged before it is used: time to scan a fixed buffer, best of five, as a
// ratio to that of a fixed calibration pattern. One above kDearestPattern is a problem that names
// it. The costs are kept with the cache.
//
// What is not in the cache is parsed and compiled by a child process within bounds
// (bounded_child.h): files that are hostile or too large for this machine are a problem of the set,
// and not this process's end.

namespace curlew::signatures {

// Times the calibration pattern.
inline constexpr double kDearestPattern = 40;

struct CompiledSet {
    SignatureSet set;          // with its database
    std::string database;      // Hyperscan's, serialized; empty: no payload signatures, or problems
    std::vector<float> costs;  // by signature: ratio to the calibration pattern; 0: no payload
    bool from_cache = false;
};

// Never throws for what files say: everything wrong is in set.problems(), and then nothing is
// compiled. Throws std::runtime_error when somebody killed the process that compiles. `cache`
// empty: none is used.
CompiledSet load_compiled(const std::filesystem::path& folder,
                          const std::filesystem::path& cache,
                          const ChildBounds& bounds = {});

// The folder of CURLEW_CACHE, else of CACHE_DIRECTORY (systemd's), else curlew in XDG_CACHE_HOME or
// in .cache of HOME; empty when there is none.
std::filesystem::path default_cache_folder();

}  // namespace curlew::signatures
