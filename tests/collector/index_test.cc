#include "collector/index.h"

#include <stdexcept>
#include <string>

#include "collector/digest.h"
#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::content_of;
using tests::put_content;
using tests::TemporaryFolder;

TEST_GROUP(ArchiveIndex) {
    TemporaryFolder folder;
    std::filesystem::path path = folder.path() / kIndexName;

    void append(const std::string& manifest) {
        ArchiveIndex(folder.path()).append(manifest, "aa");
    }

    // Why it cannot be opened.
    std::string error() const {
        try {
            const ArchiveIndex index(folder.path());
        } catch (const std::runtime_error& failure) {
            return failure.what();
        }
        return {};
    }

    const std::string first = R"({"manifest":"g/s/a.manifest.json","sha256":"aa","previous":")" +
                              std::string(64, '0') + "\"}\n";
};

TEST(ArchiveIndex, each_line_names_the_one_before) {
    append("g/s/a.manifest.json");
    append("g/s/b.manifest.json");
    const std::string sum = sha256_of(first.substr(0, first.size() - 1));
    STRCMP_EQUAL(
        (first + R"({"manifest":"g/s/b.manifest.json","sha256":"aa","previous":")" + sum + "\"}\n")
            .c_str(),
        content_of(path).c_str());
}

TEST(ArchiveIndex, tells_what_is_listed) {
    append("g/s/a.manifest.json");
    const ArchiveIndex index(folder.path());
    STRCMP_EQUAL("aa", index.sha256_of_manifest("g/s/a.manifest.json")->c_str());
    CHECK_FALSE(index.sha256_of_manifest("g/s/b.manifest.json").has_value());
}

TEST(ArchiveIndex, a_name_may_be_one_that_json_escapes) {
    for (const std::string& name : {std::string("g/s/a\"b\\c\x01.manifest.json"),
                                    std::string("g/s/k\xc3\xbc.manifest.json")}) {
        append(name);
        ArchiveIndex(folder.path()).append_tombstone(name, {1, 2, 3, "00", "01"});
        const ArchiveIndex index(folder.path());
        CHECK_TRUE(index.is_removed(name));
        CHECK_TRUE(index.present().empty());
        CHECK_EQUAL(2u, index.removed().back().tombstone->received);
        STRCMP_EQUAL("aa", index.removed().back().sha256.c_str());
    }
}

TEST(ArchiveIndex, nothing_else_is_a_line) {
    const std::string line = first.substr(0, first.size() - 1);
    CHECK(parse_index_line(line).has_value());
    for (size_t at = 0; at <= line.size(); ++at) {
        for (const char octet : {' ', '"', '\\', '\x01'}) {
            const std::string longer = line.substr(0, at) + octet + line.substr(at);
            const auto entry = parse_index_line(longer);
            CHECK(!entry || index_line(*entry) == longer);
        }
        CHECK(at == line.size() || !parse_index_line(line.substr(0, at)).has_value());
    }
}

TEST(ArchiveIndex, its_head_says_how_far_it_had_come) {
    const std::filesystem::path head = folder.path() / kIndexHeadName;
    { const ArchiveIndex empty(folder.path()); }
    STRCMP_EQUAL((std::string(20, '0') + " " + first_previous() + "\n").c_str(),
                 content_of(head).c_str());
    append("g/s/a.manifest.json");
    const std::string one = content_of(head);
    const std::string sum = sha256_of(first.substr(0, first.size() - 1));
    STRCMP_EQUAL((std::string(19, '0') + "1 " + sum + "\n").c_str(), one.c_str());
    append("g/s/b.manifest.json");
    CHECK(content_of(head).starts_with(std::string(19, '0') + "2 "));
    // One that lags, or is not there, is mended.
    put_content(head, one);
    append("g/s/c.manifest.json");
    CHECK(content_of(head).starts_with(std::string(19, '0') + "3 "));
    for (const std::string& left : {std::string(), one}) {
        std::filesystem::remove(head);
        if (!left.empty()) {
            put_content(head, left);
        }
        { const ArchiveIndex again(folder.path()); }
        CHECK(content_of(head).starts_with(std::string(19, '0') + "3 "));
    }
}

TEST(ArchiveIndex, nothing_is_added_to_one_that_its_head_contradicts) {
    const std::filesystem::path head = folder.path() / kIndexHeadName;
    for (const char* name : {"g/s/a.manifest.json", "g/s/b.manifest.json", "g/s/c.manifest.json"}) {
        append(name);
    }
    const std::string whole = content_of(path);
    const std::string three = content_of(head);
    for (const std::string& cut : {std::string(),
                                   first,
                                   whole.substr(0, whole.rfind('{')),
                                   whole.substr(0, whole.size() - 1)}) {
        put_content(path, cut);
        STRCMP_CONTAINS("which had 3 lines at least: restore it", error().c_str());
        STRCMP_EQUAL(cut.c_str(), content_of(path).c_str());
        STRCMP_EQUAL(three.c_str(), content_of(head).c_str());
    }
    std::filesystem::remove(path);
    STRCMP_CONTAINS("which had 3 lines at least: restore it", error().c_str());
    put_content(path, whole);
    put_content(head, "garbage");
    STRCMP_CONTAINS("index.head is damaged: take it away", error().c_str());
    std::filesystem::remove(head);
    append("g/s/d.manifest.json");
    CHECK(content_of(head).starts_with(std::string(19, '0') + "4 "));
}

TEST(ArchiveIndex, a_head_is_read_as_it_is_written_or_not_at_all) {
    const IndexHead head{7, std::string(64, 'a')};
    const std::string text = index_head_text(head);
    CHECK_EQUAL(7u, parse_index_head(text)->lines);
    for (size_t at = 0; at < text.size(); ++at) {
        std::string damaged = text;
        damaged[at] = '\x01';
        const auto read = parse_index_head(damaged);
        CHECK(!read || read->last != head.last);
        CHECK_FALSE(parse_index_head(text.substr(0, at)).has_value());
    }
    CHECK_FALSE(parse_index_head(text + "x").has_value());
}

TEST(ArchiveIndex, a_torn_last_line_goes) {
    append("g/s/a.manifest.json");
    const std::string head = content_of(folder.path() / kIndexHeadName);
    append("g/s/b.manifest.json");
    const std::string whole = content_of(path);
    for (size_t length = first.size(); length < whole.size(); length += 9) {
        put_content(path, whole.substr(0, length));
        put_content(folder.path() / kIndexHeadName, head);
        append("g/s/b.manifest.json");
        CHECK(content_of(path) == whole);
    }
}

TEST(ArchiveIndex, what_was_never_listed_cannot_have_been_removed) {
    append("g/s/a.manifest.json");
    const std::string previous = sha256_of(first.substr(0, first.size() - 1));
    const IndexEntry removed{"g/s/b.manifest.json", "aa", previous, Tombstone{1, 1, 1, "", ""}};
    put_content(path, first + index_line(removed) + "\n");
    STRCMP_CONTAINS("is damaged", error().c_str());
}

TEST(ArchiveIndex, what_is_longer_than_a_line_may_be_is_none) {
    append("g/s/a.manifest.json");
    put_content(path, first + std::string(kLongestIndexLine, 'x'));
    STRCMP_EQUAL("", error().c_str());
    STRCMP_EQUAL(first.c_str(), content_of(path).c_str());
    put_content(path, first + std::string(kLongestIndexLine + 1, 'x'));
    STRCMP_CONTAINS("is damaged: a line does not end", error().c_str());
}

TEST(ArchiveIndex, nothing_is_added_behind_a_damaged_line) {
    append("g/s/a.manifest.json");
    const std::string whole = content_of(path);
    for (const std::string& damage : {std::string("garbage\n"), whole}) {
        put_content(path, whole + damage);
        CHECK_THROWS(std::runtime_error, append("g/s/b.manifest.json"));
        CHECK(content_of(path) == whole + damage);
    }
}

TEST(ArchiveIndex, no_octet_of_a_tombstone_can_be_another_one) {
    const IndexEntry removed{
        "m",
        "a",
        "b",
        Tombstone{.records = 1, .received = 2, .octets = 3, .probe = "", .epoch = ""}};
    const std::string line = index_line(removed);
    CHECK_EQUAL(2u, parse_index_line(line)->tombstone->received);
    for (size_t at = 0; at < line.size(); ++at) {
        for (int bit = 0; bit < 8; ++bit) {
            std::string changed = line;
            changed[at] = static_cast<char>(changed[at] ^ 1 << bit);
            CHECK_FALSE(parse_index_line(changed).has_value());
        }
    }
}

TEST(ArchiveIndex, a_line_that_is_no_entry_is_nothing) {
    for (const char* line : {"",
                             "[]",
                             "{}",
                             R"({"manifest":1,"sha256":"a","previous":"b"})",
                             R"({"manifest":"m","sha256":"a","previous":"b","more":1})",
                             R"({"manifest":"m","sha256":"a"})"}) {
        CHECK_FALSE(parse_index_line(line).has_value());
    }
    CHECK_FALSE(parse_index_line(R"({"manifest":"m", "sha256":"a","previous":"b"})").has_value());
    CHECK_FALSE(parse_index_line(R"({"sha256":"a","manifest":"m","previous":"b"})").has_value());
    STRCMP_EQUAL(
        "m", parse_index_line(R"({"manifest":"m","sha256":"a","previous":"b"})")->manifest.c_str());
}

}  // namespace curlew::collector
