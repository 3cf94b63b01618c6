#include "signatures/vocabulary.h"

#include "tests/support/cpputest.h"

namespace curlew::signatures {
namespace {

constexpr const char* kGoodVocabulary =
    "version = 3\n"
    "[[category]]\nword = 'naming'\ndefinition = 'who is who'\n"
    "[[protocol]]\nword = 'dns'\ndefinition = 'RFC 1035'\nparent = 'naming'\n"
    "[[type]]\nword = 'query'\ndefinition = 'a question'\nparent = 'dns'\n"
    "[[activity]]\nword = 'time-sync'\ndefinition = 'sets its clock'\n"
    "[[device]]\nword = 'camera'\ndefinition = 'a camera'\nvendors = ['A', 'B']\n"
    "[[published]]\ngroup = 'ipcam'\nlabel = 'DNS (x)'\ntype = 'query'\nprotocol = 'dns'\n";

std::string vocabulary_problems(const std::string& toml) {
    std::vector<Problem> problems;
    Vocabulary::parse(toml, "v.toml", problems);
    std::string text;
    for (const Problem& problem : problems) {
        text += to_string(problem) + '\n';
    }
    return text;
}

}  // namespace

TEST_GROUP(Vocabulary){};

TEST(Vocabulary, words_are_found_by_their_kind) {
    std::vector<Problem> problems;
    const Vocabulary words = Vocabulary::parse(kGoodVocabulary, "v.toml", problems);
    CHECK(problems.empty());
    CHECK_EQUAL(3, words.version());
    STRCMP_EQUAL("naming", words.find(WordKind::protocol, "dns")->parent.c_str());
    CHECK_EQUAL(2, words.find(WordKind::device, "camera")->vendors.size());
    CHECK(words.find(WordKind::device, "dns") == nullptr);
    CHECK(words.is_type("dns"));
    CHECK(words.is_type("query"));
    CHECK_FALSE(words.is_type("camera"));
    STRCMP_EQUAL("query", words.published().at(0).type.c_str());
    CHECK(Vocabulary().empty());
}

TEST(Vocabulary, what_is_wrong_is_told_at_its_place) {
    STRCMP_EQUAL("v.toml: 'version' is missing\n", vocabulary_problems("").c_str());
    STRCMP_EQUAL("v.toml:3:9: the type 'a' is there already\n",
                 vocabulary_problems("version = 1\ntype = [{word = 'a', definition = 'd'},\n"
                                     "{word = 'a', definition = 'd'}]\n")
                     .c_str());
    STRCMP_EQUAL("v.toml:5:10: the parent 'nobody' is no word here\n",
                 vocabulary_problems("version = 1\n[[type]]\nword = 'a'\ndefinition = 'd'\n"
                                     "parent = 'nobody'\n")
                     .c_str());
    STRCMP_EQUAL("v.toml:5:12: 'protocol' is no word here\n",
                 vocabulary_problems("version = 1\n[[published]]\ngroup = 'g'\nlabel = 'l'\n"
                                     "protocol = 'dns'\n")
                     .c_str());
}

}  // namespace curlew::signatures
