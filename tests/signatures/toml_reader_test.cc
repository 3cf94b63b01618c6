#include "signatures/toml_reader.h"

#include <string>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::signatures::parse_toml;
using curlew::signatures::Place;
using curlew::signatures::Problem;
using curlew::signatures::sort_by_place;
using curlew::signatures::TableReader;

TEST_GROUP(TomlReader) {
    std::string file_name = "t.toml";
    std::vector<Problem> problems;
    toml::table table;

    TableReader reader(const char* text) {
        table = parse_toml(text, file_name, problems).value();
        return TableReader(table, file_name, problems);
    }

    std::string told() const {
        std::string all;
        for (const Problem& problem : problems) {
            all += to_string(problem) + "\n";
        }
        return all;
    }
};

TEST(TomlReader, a_text_comes_with_its_place) {
    auto file = reader("\n  title = 'x'\n");
    const auto title = file.required_text("title");
    STRCMP_EQUAL("x", title->text.c_str());
    LONGS_EQUAL(2, title->place.line);
    LONGS_EQUAL(11, title->place.column);
    file.finish("file");
    STRCMP_EQUAL("", told().c_str());
}

TEST(TomlReader, a_required_text_is_missed_once) {
    auto file = reader("");
    CHECK(!file.required_text("title"));
    file.finish("file");
    LONGS_EQUAL(1, problems.size());
    STRCMP_EQUAL("'title' is missing", problems[0].what.c_str());
}

TEST(TomlReader, what_is_optional_may_be_missing) {
    auto file = reader("");
    CHECK(!file.optional_text("a"));
    CHECK(!file.optional_flag("b"));
    CHECK(!file.optional_number("c", 0, 9));
    CHECK(file.optional_texts("d").empty());
    CHECK(file.optional_text_list("e").value().empty());
    CHECK(!file.optional_table("f"));
    CHECK(file.optional_tables("g").empty());
    STRCMP_EQUAL("", told().c_str());
}

TEST(TomlReader, a_number_keeps_its_bounds) {
    auto file = reader("low = 3\nhigh = 9\nbelow = 2\nabove = 10\nhuge = 9223372036854775807\n");
    LONGS_EQUAL(3, file.optional_number("low", 3, 9).value());
    LONGS_EQUAL(9, file.optional_number("high", 3, 9).value());
    CHECK(!file.optional_number("below", 3, 9));
    CHECK(!file.optional_number("above", 3, 9));
    CHECK(!file.optional_number("huge", 3, 9));
    STRCMP_EQUAL(
        "t.toml:3:9: 'below' is no number from 3 to 9\n"
        "t.toml:4:9: 'above' is no number from 3 to 9\n"
        "t.toml:5:8: 'huge' is no number from 3 to 9\n",
        told().c_str());
}

TEST(TomlReader, one_text_or_an_array_of_texts_is_read_alike) {
    auto file = reader("one = 'a'\nmany = ['a', 'b']\nnone = []\n");
    LONGS_EQUAL(1, file.optional_texts("one").size());
    STRCMP_EQUAL("b", file.optional_texts("many")[1].text.c_str());
    CHECK(file.optional_texts("none").empty());
    STRCMP_EQUAL("t.toml:3:8: 'none' is neither a text nor an array of texts\n", told().c_str());
}

TEST(TomlReader, a_key_nobody_asked_for_is_told_at_the_key) {
    auto file = reader("a = 1\n  b = 2\n");
    file.optional_number("a", 0, 9);
    file.finish("thing");
    STRCMP_EQUAL("t.toml:2:3: a thing has no key 'b'\n", told().c_str());
}

TEST(TomlReader, tables_are_told_from_other_values) {
    auto file = reader("a = 1\nb = [{ x = 1 }, 2]\n");
    CHECK(!file.optional_table("a"));
    LONGS_EQUAL(1, file.optional_tables("b").size());
    STRCMP_EQUAL(
        "t.toml:1:5: 'a' is no table\n"
        "t.toml:2:17: a member of 'b' is no table\n",
        told().c_str());
}

TEST(TomlReader, text_that_is_not_utf_8_is_a_syntax_error) {
    CHECK(!parse_toml("a = '\xff'", file_name, problems));
    LONGS_EQUAL(1, problems.size());
    LONGS_EQUAL(1, problems[0].line);
}

TEST(TomlReader, problems_are_sorted_by_line_and_column) {
    problems = {{"t", 2, 1, "c"}, {"t", 1, 9, "b"}, {"t", 1, 2, "a"}, {"t", 1, 9, "d"}};
    sort_by_place(problems);
    STRCMP_EQUAL("t:1:2: a\nt:1:9: b\nt:1:9: d\nt:2:1: c\n", told().c_str());
}
