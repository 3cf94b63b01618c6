#include "signatures/config_file.h"

#include <vector>

#include "tests/support/config_text.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew::signatures;
using curlew::tests::load_text;
using curlew::tests::refusal_of;

namespace {

// Two keys, of which one is wanted.
std::string load(const std::filesystem::path& file) {
    std::string found;
    read_config_file(
        file,
        [&found](
            const toml::table& document, const std::string& name, std::vector<Problem>& problems) {
            TableReader reader(document, name, problems);
            if (const auto text = reader.required_text("text")) {
                found = text->text;
            }
            reader.finish("file");
        });
    return found;
}

}  // namespace

TEST_GROUP(ConfigFile){};

TEST(ConfigFile, what_toml_string_writes_is_read_back) {
    const std::string text = "a\"b\\c\n\t\x7f\xc3\xbc";
    STRCMP_EQUAL(text.c_str(), load_text("text = " + toml_string(text), load).c_str());
}

TEST(ConfigFile, every_problem_is_told_from_top_to_bottom) {
    const std::string told = refusal_of("one = 1\ntwo = 2\n", load);
    const size_t one = told.find(":1:1: ");
    const size_t two = told.find(":2:1: ");
    CHECK(one != std::string::npos);
    CHECK(two != std::string::npos);
    CHECK(one < two);
    CHECK(told.find('\n') < two);
    CHECK(told.find("'text' is missing") != std::string::npos);
}

TEST(ConfigFile, a_syntax_error_has_its_place) {
    CHECK(refusal_of("\ntext = ", load).find("config.toml:2:") != std::string::npos);
}

TEST(ConfigFile, a_file_that_is_not_there_is_named) {
    std::string told;
    try {
        load("/nosuch/config.toml");
    } catch (const ConfigError& error) {
        told = error.what();
    }
    STRCMP_EQUAL("/nosuch/config.toml: cannot be read: No such file or directory", told.c_str());
}
