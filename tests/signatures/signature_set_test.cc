#include "signatures/signature_set.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using curlew::signatures::Signature;
using curlew::signatures::SignatureKind;
using curlew::signatures::SignatureSet;
using curlew::signatures::Transport;

namespace {

// The one signature that the tests vary. Its lines are numbered in the tests' expectations.
constexpr const char* kGood =
    "[[signature]]\n"                                                    // 1
    "id = \"ssh-banner\"\n"                                              // 2
    "title = \"SSH\"\n"                                                  // 3
    "reference = \"RFC 4253\"\n"                                         // 4
    "kind = \"payload\"\n"                                               // 5
    "pattern = '^SSH-'\n"                                                // 6
    "transport = \"tcp\"\n"                                              // 7
    "protocol = \"ssh\"\n"                                               // 8
    "label = \"ssh\"\n"                                                  // 9
    "examples = { match = ['SSH-2.0-x\\r\\n'], no_match = ['ssh'] }\n";  // 10

constexpr const char* kGoodName =
    "[[signature]]\n"
    "id = \"name-a\"\n"
    "title = \"A\"\n"
    "reference = \"seen\"\n"
    "kind = \"name\"\n"
    "pattern = \"a.example\"\n"
    "service = \"a\"\n"
    "examples = { match = ['a.example'], no_match = ['b.example'] }\n";

std::string changed(std::string text, const std::string& from, const std::string& to) {
    const size_t at = text.find(from);
    CHECK(at != std::string::npos);
    return text.replace(at, from.size(), to);
}

// All problems of the text, one a line.
std::string problems_of(const std::string& text) {
    const auto set = SignatureSet::parse(text, "t.toml");
    std::string all;
    for (const auto& problem : set.problems()) {
        all += to_string(problem) + "\n";
    }
    return all;
}

void expect_problem(const std::string& from, const std::string& to, const char* expected) {
    STRCMP_EQUAL(expected, problems_of(changed(kGood, from, to)).c_str());
}

}  // namespace

TEST_GROUP(SignatureSet){};

TEST(SignatureSet, every_key_is_read) {
    const auto set = SignatureSet::parse(kGood, "t.toml");
    LONGS_EQUAL(0, set.problems().size());
    LONGS_EQUAL(1, set.signatures().size());
    const Signature& signature = set.signatures()[0];
    STRCMP_EQUAL("ssh-banner", signature.id.c_str());
    STRCMP_EQUAL("SSH", signature.title.c_str());
    STRCMP_EQUAL("RFC 4253", signature.reference.c_str());
    CHECK(signature.kind == SignatureKind::payload);
    STRCMP_EQUAL("^SSH-", signature.pattern.c_str());
    CHECK(signature.transport == Transport::tcp);
    STRCMP_EQUAL("ssh", signature.protocol.c_str());
    STRCMP_EQUAL("", signature.service.c_str());
    STRCMP_EQUAL("ssh", signature.label.c_str());
    STRCMP_EQUAL("t.toml", signature.file.c_str());
    LONGS_EQUAL(1, signature.line);
    LONGS_EQUAL(6, signature.pattern_line);
    LONGS_EQUAL(11, signature.pattern_column);
    LONGS_EQUAL(2, signature.examples.size());
    STRCMP_EQUAL("SSH-2.0-x\r\n", signature.examples[0].octets.c_str());
    CHECK(signature.examples[0].must_match);
    CHECK(!signature.examples[1].must_match);
    LONGS_EQUAL(10, signature.examples[1].line);
}

TEST(SignatureSet, a_name_has_suffix_and_service) {
    const auto set =
        SignatureSet::parse(changed(kGoodName, "service", "suffix = true\nservice"), "t.toml");
    LONGS_EQUAL(0, set.problems().size());
    CHECK(set.signatures()[0].kind == SignatureKind::name);
    CHECK(set.signatures()[0].suffix);
    STRCMP_EQUAL("a", set.signatures()[0].service.c_str());
}

TEST(SignatureSet, a_syntax_error_has_its_place) {
    const auto problems = SignatureSet::parse("[[signature]]\nid = \n", "t.toml").problems();
    LONGS_EQUAL(1, problems.size());
    STRCMP_EQUAL("t.toml", problems[0].file.c_str());
    LONGS_EQUAL(2, problems[0].line);
    LONGS_EQUAL(6, problems[0].column);
    CHECK(!problems[0].what.empty());
}

TEST(SignatureSet, a_missing_key_is_told_at_the_table) {
    expect_problem("id = \"ssh-banner\"\n", "", "t.toml:1:1: 'id' is missing\n");
    expect_problem("title = \"SSH\"\n", "", "t.toml:1:1: 'title' is missing\n");
    expect_problem("reference = \"RFC 4253\"\n", "", "t.toml:1:1: 'reference' is missing\n");
    expect_problem("kind = \"payload\"\n", "", "t.toml:1:1: 'kind' is missing\n");
    expect_problem("pattern = '^SSH-'\n", "", "t.toml:1:1: 'pattern' is missing\n");
}

TEST(SignatureSet, an_unknown_key_is_told_at_the_key) {
    expect_problem("label =",
                   "lable =",
                   "t.toml:9:1: a signature has no key 'lable'; did you mean 'label'?\n");
    expect_problem(
        "no_match",
        "nomatch",
        "t.toml:10:12: there is no example in 'no_match'\n"
        "t.toml:10:41: a table of examples has no key 'nomatch'; did you mean 'no_match'?\n");
    STRCMP_EQUAL("t.toml:1:1: a signature file has no key 'version'\n",
                 problems_of(std::string("version = 1\n") + kGood).c_str());
}

TEST(SignatureSet, a_value_of_a_wrong_type_is_told_at_the_value) {
    expect_problem("title = \"SSH\"", "title = 5", "t.toml:3:9: 'title' is no text\n");
    expect_problem("['ssh']", "'ssh'", "t.toml:10:52: 'no_match' is no array of texts\n");
    expect_problem("['ssh']", "['ssh', 1]", "t.toml:10:60: a member of 'no_match' is no text\n");
}

TEST(SignatureSet, an_unknown_kind_or_transport_is_told) {
    expect_problem(
        "\"payload\"",
        "\"regex\"",
        "t.toml:5:8: the kind 'regex' is none of 'payload', 'name', 'field', 'sequence', "
        "'behaviour', 'port'\n");
    expect_problem("\"tcp\"",
                   "\"sctp\"",
                   "t.toml:7:13: the transport 'sctp' is none of 'any', 'tcp', 'udp'\n");
}

TEST(SignatureSet, an_empty_pattern_is_told) {
    expect_problem("'^SSH-'", "''", "t.toml:6:11: 'pattern' is empty\n");
}

TEST(SignatureSet, a_pattern_with_the_octet_nul_is_told) {
    expect_problem("'^SSH-'",
                   "\"^SSH\\u0000\"",
                   "t.toml:6:11: the pattern holds the octet NUL: write it as \\x00\n");
}

TEST(SignatureSet, a_pattern_that_is_too_long_is_told) {
    expect_problem("'^SSH-'",
                   "'" + std::string(1025, 'a') + "'",
                   "t.toml:6:11: the pattern is longer than 1024 octets\n");
}

TEST(SignatureSet, examples_that_are_missing_or_badly_written_are_told) {
    expect_problem("examples = { match = ['SSH-2.0-x\\r\\n'], no_match = ['ssh'] }\n",
                   "",
                   "t.toml:1:1: 'examples' is missing\n");
    expect_problem("['ssh']", "[]", "t.toml:10:52: there is no example in 'no_match'\n");
    expect_problem("['ssh']",
                   "['\\q']",
                   "t.toml:10:53: after a backslash stands 'r', 'n', 't', a backslash or 'x' and "
                   "two hex digits\n");
}

TEST(SignatureSet, an_id_or_word_with_foreign_letters_is_told) {
    expect_problem("\"ssh-banner\"",
                   "\"SSH banner\"",
                   "t.toml:2:6: the id is no word of lower-case letters, digits, '-' and '_'\n");
    expect_problem("label = \"ssh\"",
                   "label = \"SSH\"",
                   "t.toml:9:9: 'label' is no word of lower-case letters, digits, '-' and '_'\n");
}

TEST(SignatureSet, a_hit_has_to_say_something) {
    expect_problem(
        "protocol = \"ssh\"\nlabel = \"ssh\"\n",
        "",
        "t.toml:1:1: a hit would say nothing: no protocol, service, label, activity or device\n");
}

TEST(SignatureSet, a_name_that_is_none_is_told) {
    STRCMP_EQUAL("t.toml:6:11: 'a..example' is no host name in lower case\n",
                 problems_of(changed(kGoodName, "a.example", "a..example")).c_str());
    STRCMP_EQUAL("t.toml:6:11: 'A.example' is no host name in lower case\n",
                 problems_of(changed(kGoodName, "a.example", "A.example")).c_str());
}

TEST(SignatureSet, a_key_of_the_other_kind_is_told) {
    expect_problem(
        "transport = \"tcp\"", "suffix = true", "t.toml:7:1: a signature has no key 'suffix'\n");
    STRCMP_EQUAL(
        "t.toml:7:1: a signature has no key 'transport'\n",
        problems_of(changed(kGoodName, "service", "transport = \"tcp\"\nservice")).c_str());
    STRCMP_EQUAL("t.toml:7:9: a name gives a service; the label type stays its protocol's\n",
                 problems_of(changed(kGoodName, "service = \"a\"", "label = \"a\"")).c_str());
}

TEST(SignatureSet, an_id_taken_before_is_told_with_the_first_place) {
    STRCMP_EQUAL("t.toml:12:6: the id 'ssh-banner' is taken at t.toml:2\n",
                 problems_of(std::string(kGood) + kGood).c_str());
}

TEST(SignatureSet, a_name_taken_before_is_told_but_its_suffix_is_another) {
    const std::string again = changed(kGoodName, "name-a", "name-b");
    STRCMP_EQUAL("t.toml:14:11: the name 'a.example' is taken at t.toml:6\n",
                 problems_of(kGoodName + again).c_str());
    STRCMP_EQUAL(
        "", problems_of(kGoodName + changed(again, "service", "suffix = true\nservice")).c_str());
}

// Of several that hit the first ones win: what is given anew must not lose its place.
TEST(SignatureSet, a_file_more_replaces_what_it_speaks_of_where_that_stood) {
    const curlew::tests::TemporaryFolder folder;
    const std::filesystem::path base = folder.path() / "base";
    std::filesystem::create_directories(base);
    const std::string last =
        changed(changed(kGoodName, "name-a", "name-z"), "a.example", "z.example");
    curlew::tests::put_content(base / "a.toml", std::string(kGood) + kGoodName + last);
    const auto told = [&](const std::string& toml) {
        const std::filesystem::path file = folder.path() / "more.toml";
        curlew::tests::put_content(file, toml);
        const SignatureSet set = SignatureSet::load_with(base, file);
        CHECK(set.problems().empty());
        std::string ids;
        for (const Signature& signature : set.signatures()) {
            ids += signature.id + "=" + signature.service + " ";
        }
        return ids;
    };
    STRCMP_EQUAL("ssh-banner= name-a=other name-z=a ",
                 told(changed(kGoodName, "service = \"a\"", "service = \"other\"")).c_str());
    STRCMP_EQUAL("ssh-banner= name-z=a mine=a ",
                 told(changed(kGoodName, "name-a", "mine")).c_str());
    STRCMP_EQUAL(
        "ssh-banner= name-a=a name-z=a mine=a ",
        told(changed(changed(kGoodName, "name-a", "mine"), "service", "suffix = true\nservice"))
            .c_str());
}

TEST(SignatureSet, all_problems_are_told_together_and_the_rest_is_loaded) {
    std::string text = changed(kGood, "\"tcp\"", "\"sctp\"");
    text = changed(text, "title = \"SSH\"\n", "titel = \"SSH\"\n");
    text += changed(kGoodName, "a.example", "-");
    text += changed(kGoodName, "name-a", "name-b");
    const auto set = SignatureSet::parse(text, "t.toml");
    STRCMP_EQUAL(
        "t.toml:1:1: 'title' is missing\n"
        "t.toml:3:1: a signature has no key 'titel'; did you mean 'title'?\n"
        "t.toml:7:13: the transport 'sctp' is none of 'any', 'tcp', 'udp'\n"
        "t.toml:16:11: '-' is no host name in lower case\n",
        problems_of(text).c_str());
    LONGS_EQUAL(2, set.signatures().size());
    STRCMP_EQUAL("name-b", set.signatures()[1].id.c_str());
}

TEST(SignatureSet, a_file_without_signatures_is_told) {
    STRCMP_EQUAL("t.toml: holds no [[signature]]\n", problems_of("").c_str());
    STRCMP_EQUAL("t.toml:1:13: 'signature' is no array of tables\n",
                 problems_of("signature = 1\n").c_str());
}

TEST(SignatureSet, the_hash_changes_with_what_changes_a_result_only) {
    const auto hash_of = [](const std::string& text) {
        return SignatureSet::parse(text, "t.toml").content_hash();
    };
    const std::string hash = hash_of(kGood);
    LONGS_EQUAL(16, hash.size());
    CHECK(hash == hash_of(changed(kGood, "title = \"SSH\"", "title = \"Other\"")));
    CHECK(hash == hash_of(changed(kGood, "['ssh']", "['other']")));
    CHECK(hash != hash_of(changed(kGood, "^SSH-", "^SSH")));
    CHECK(hash != hash_of(changed(kGood, "\"tcp\"", "\"any\"")));
    CHECK(hash != hash_of(changed(kGood, "label = \"ssh\"", "label = \"x\"")));
    CHECK(hash != hash_of(std::string(kGood) + kGoodName));
}

// Files in a folder of their own, gone with the test.
TEST_GROUP(SignatureFolder) {
    std::filesystem::path folder;

    void setup() override {
        std::string pattern = std::filesystem::temp_directory_path() / "curlew-test-XXXXXX";
        folder = mkdtemp(pattern.data());
    }
    void teardown() override {
        std::filesystem::remove_all(folder);
    }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder / name, std::ios::binary) << text;
    }
};

TEST(SignatureFolder, files_are_read_in_order_of_name) {
    write("b.toml", kGood);
    write("a.toml", kGoodName);
    write("readme.md", "not TOML");
    std::filesystem::create_directory(folder / "c");
    const auto set = SignatureSet::load(folder);
    LONGS_EQUAL(0, set.problems().size());
    LONGS_EQUAL(2, set.signatures().size());
    STRCMP_EQUAL("name-a", set.signatures()[0].id.c_str());
    STRCMP_EQUAL("ssh-banner", set.signatures()[1].id.c_str());
}

TEST(SignatureFolder, an_id_is_unique_over_all_files) {
    write("a.toml", kGood);
    write("b.toml", kGood);
    const auto problems = SignatureSet::load(folder).problems();
    LONGS_EQUAL(1, problems.size());
    STRCMP_EQUAL((folder / "b.toml").c_str(), problems[0].file.c_str());
    LONGS_EQUAL(2, problems[0].line);
    STRCMP_EQUAL(("the id 'ssh-banner' is taken at " + (folder / "a.toml").string() + ":2").c_str(),
                 problems[0].what.c_str());
}

TEST(SignatureFolder, a_broken_file_does_not_hide_the_others) {
    write("a.toml", "[[signature");
    write("b.toml", kGood);
    const auto set = SignatureSet::load(folder);
    LONGS_EQUAL(1, set.problems().size());
    LONGS_EQUAL(1, set.signatures().size());
}

TEST(SignatureFolder, a_file_longer_than_the_limit_is_told) {
    write("a.toml", std::string((8 << 20) + 1, '#'));
    const auto problems = SignatureSet::load(folder).problems();
    LONGS_EQUAL(1, problems.size());
    STRCMP_EQUAL("is longer than 8388608 octets", problems[0].what.c_str());
}

TEST(SignatureFolder, a_folder_that_is_missing_or_empty_is_told) {
    const auto missing = SignatureSet::load(folder / "none").problems();
    LONGS_EQUAL(1, missing.size());
    STRCMP_EQUAL("cannot be read: No such file or directory", missing[0].what.c_str());
    const auto empty = SignatureSet::load(folder).problems();
    LONGS_EQUAL(1, empty.size());
    STRCMP_EQUAL("holds no file *.toml", empty[0].what.c_str());
}
