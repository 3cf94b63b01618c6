#include <string>
#include <vector>

#include "collector/config.h"
#include "probe/config.h"
#include "signatures/config_file.h"
#include "signatures/group_rules.h"
#include "signatures/pattern_fronts.h"
#include "signatures/signature_set.h"
#include "signatures/vocabulary.h"
#include "tests/fuzz/fuzz_input.h"

// Input: one octet which file it is, then its text: a probe's configuration, a collector's, a
// group's rules, signatures, a vocabulary, or a pattern alone.

namespace curlew {

namespace {

// What is in force is printed as a file that says the same.
template <typename Load, typename Print>
void check_service(const std::string& text, Load load, Print print) {
    std::string printed;
    try {
        const MemoryFile file(text);
        printed = print(load(file.path()));
    } catch (const signatures::ConfigError& error) {
        require(error.what()[0] != '\0');
        return;
    }
    const MemoryFile again(printed);
    require(print(load(again.path())) == printed);
}

void check_group(const std::string& text) {
    const signatures::GroupRules rules = signatures::GroupRules::parse(text, "fuzz.toml");
    if (!rules.problems().empty()) {
        return;
    }
    static_cast<void>(rules.publish());
    require(rules.content_hash().size() == 16);
    signatures::RuleView view;
    view.sa = "10.0.0.1";
    view.da = "192.168.3.1";
    require(rules.has_rules() || rules.label(view).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    FuzzInput input(data, size);
    const uint8_t kind = input.octet();
    const std::string text = input.rest();
    switch (kind % 6) {
        case 0:
            check_service(text, probe::load_config, probe::print_config);
            break;
        case 1:
            check_service(text, collector::load_config, collector::print_config);
            break;
        case 2:
            check_group(text);
            break;
        case 3: {
            const auto set = signatures::SignatureSet::parse(text, "fuzz.toml");
            require(set.content_hash().size() == 16);
            break;
        }
        case 4: {
            std::vector<signatures::Problem> problems;
            static_cast<void>(signatures::Vocabulary::parse(text, "fuzz.toml", problems));
            break;
        }
        default:
            static_cast<void>(signatures::pattern_fronts(text));
            break;
    }
    return 0;
}

}  // namespace curlew
