#include "signatures/compiled_set.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>

#include "signatures/scanner.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::signatures {
namespace {

namespace fs = std::filesystem;
using curlew::tests::content_of;
using curlew::tests::put_content;

std::string payload_toml(const std::string& id, const std::string& pattern) {
    return "[[signature]]\nid = '" + id +
           "'\ntitle = 't'\nreference = 'r'\nkind = 'payload'\npattern = '" + pattern +
           "'\ntransport = 'tcp'\nports = [7, 9]\npackets = 2\nsender = 'responder'\n"
           "protocol = 'p'\nmeasured = { flows = 9, judged = 5, right = 4 }\n"
           "examples.match = ['a']\nexamples.no_match = ['b']\n\n";
}

std::string name(const std::string& id, const std::string& host) {
    return "[[signature]]\nid = '" + id +
           "'\ntitle = 't'\nreference = 'r'\nkind = 'name'\npattern = '" + host +
           "'\nservice = 's'\nexamples.match = ['a']\nexamples.no_match = ['b']\n\n";
}

double milliseconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin)
        .count();
}

}  // namespace

TEST_GROUP(CompiledSet) {
    curlew::tests::TemporaryFolder base;
    fs::path folder = base.path() / "signatures";
    fs::path cache = base.path() / "cache";

    void setup() override {
        fs::create_directories(folder);
        put_content(folder / "a.toml", payload_toml("one", "^ab[0-9]") + name("host", "a.example"));
    }

    fs::path cached() const {
        for (const auto& entry : fs::directory_iterator(cache)) {
            if (entry.path().extension() == ".signatures") {
                return entry.path();
            }
        }
        return {};
    }

    CompiledSet load() const {
        CompiledSet compiled = load_compiled(folder, cache);
        for (const Problem& problem : compiled.set.problems()) {
            FAIL(to_string(problem).c_str());
        }
        return compiled;
    }
};

TEST(CompiledSet, comes_out_of_the_cache_as_it_was_compiled) {
    const CompiledSet fresh = load();
    const CompiledSet again = load();
    CHECK_FALSE(fresh.from_cache);
    CHECK(again.from_cache);
    CHECK(fresh.costs == again.costs);
    STRCMP_EQUAL(fresh.set.content_hash().c_str(), again.set.content_hash().c_str());
    const Signature& one = again.set.signatures()[0];
    STRCMP_EQUAL("one", one.id.c_str());
    CHECK(one.ports == (std::vector<uint16_t>{7, 9}));
    CHECK(one.sender == Sender::responder);
    CHECK_EQUAL(2, one.packets);
    CHECK_EQUAL(4, one.measured->right);

    const Scanner scanner(again.set);
    Scanner::Scratch scratch(scanner);
    Scanner::Result result;
    const std::string text = "ab7";
    scanner.scan({reinterpret_cast<const uint8_t*>(text.data()), text.size()},
                 {Transport::tcp},
                 scratch,
                 result);
    CHECK_EQUAL(1, result.count);
}

TEST(CompiledSet, a_changed_file_is_another_set) {
    load();
    put_content(folder / "a.toml", payload_toml("one", "^ac[0-9]"));
    CHECK_FALSE(load().from_cache);
    CHECK(load().from_cache);
}

TEST(CompiledSet, of_sets_that_were_changed_the_newest_few_stay) {
    for (int i = 0; i < 12; ++i) {
        put_content(folder / "a.toml", payload_toml("one", "^ab" + std::to_string(i)));
        CHECK(load_compiled(folder, cache).set.problems().empty());
        CHECK(load_compiled(folder, cache).from_cache);
    }
    const auto is_set = [](const fs::directory_entry& entry) {
        return entry.path().extension() == ".signatures";
    };
    CHECK_EQUAL(8, std::count_if(fs::directory_iterator(cache), fs::directory_iterator(), is_set));
}

TEST(CompiledSet, whatever_is_changed_in_the_cache_it_is_not_used) {
    load();
    const std::string whole = content_of(cached());
    for (size_t at = 0; at < whole.size(); at += 1 + whole.size() / 40) {
        std::string changed = whole;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        put_content(cached(), changed);
        CHECK_FALSE(load().from_cache);
    }
    put_content(cached(), whole.substr(0, whole.size() / 2));
    CHECK_FALSE(load().from_cache);
    put_content(cached(), "");
    CHECK_FALSE(load().from_cache);
}

TEST(CompiledSet, only_what_this_installation_compiled_is_loaded) {
    load();
    const std::string theirs = content_of(cached());
    fs::remove_all(cache);
    load();
    put_content(cached(), theirs);
    CHECK_FALSE(load().from_cache);
}

TEST(CompiledSet, a_cache_that_others_may_write_is_not_used) {
    load();
    CHECK_EQUAL(0, ::chmod(cached().c_str(), 0666));
    CHECK_FALSE(load().from_cache);
    CHECK_EQUAL(0, ::chmod(cache.c_str(), 0777));
    CHECK_FALSE(load().from_cache);
    CHECK_FALSE(load().from_cache);
}

TEST(CompiledSet, works_without_a_cache) {
    CHECK_FALSE(load_compiled(folder, "").from_cache);
    put_content(base.path() / "file", "");
    CHECK_FALSE(load_compiled(folder, base.path() / "file" / "cache").from_cache);
}

TEST(CompiledSet, a_pattern_that_is_refused_and_one_that_is_too_dear_are_named) {
    put_content(folder / "a.toml", payload_toml("open", "^(") + payload_toml("good", "^ab"));
    const CompiledSet refused = load_compiled(folder, cache);
    CHECK_EQUAL(1, refused.set.problems().size());
    CHECK_EQUAL(6, refused.set.problems()[0].line);
    STRCMP_CONTAINS("Hyperscan refuses", refused.set.problems()[0].what.c_str());

    put_content(folder / "a.toml", payload_toml("dear", "[a-z].{1,60}[0-9].{1,60}[^a-z]{20}x"));
    const CompiledSet dear = load_compiled(folder, cache);
    CHECK_EQUAL(1, dear.set.problems().size());
    STRCMP_CONTAINS("the pattern of 'dear' costs", dear.set.problems()[0].what.c_str());
    CHECK(dear.set.database().empty());
}

TEST(CompiledSet, what_costs_too_much_to_compile_is_one_problem) {
    std::string text;
    for (int i = 0; i < 5'000; ++i) {
        text += name("name-" + std::to_string(i), "h" + std::to_string(i) + ".example");
    }
    put_content(folder / "names.toml", text);
    const CompiledSet dear = load_compiled(folder, cache, {.answer_octets = 1000});
    CHECK_EQUAL(1, dear.set.problems().size());
    STRCMP_CONTAINS("these signatures cannot be compiled: the result has more than",
                    dear.set.problems()[0].what.c_str());
    CHECK(dear.set.signatures().empty());
    CHECK(cached().empty());
}

TEST(CompiledSet, problems_of_files_come_with_what_could_be_read) {
    put_content(folder / "b.toml", "[[signature]]\nid = 'x'\npattern = '('\n");
    const CompiledSet wrong = load_compiled(folder, cache);
    CHECK_FALSE(wrong.set.problems().empty());
    CHECK_EQUAL(2, wrong.set.signatures().size());
    STRCMP_CONTAINS("b.toml", wrong.set.problems()[0].file.c_str());
}

TEST(CompiledSet, ten_thousand_names_and_five_hundred_patterns) {
    std::string text;
    for (int i = 0; i < 10'000; ++i) {
        text += name("name-" + std::to_string(i), "h" + std::to_string(i) + ".example");
    }
    put_content(folder / "names.toml", text);
    text.clear();
    for (int i = 0; i < 500; ++i) {
        text +=
            payload_toml("p-" + std::to_string(i),
                         "^\\x" + std::string(i % 16 < 8 ? "0" : "a") + "1..p" + std::to_string(i));
    }
    put_content(folder / "patterns.toml", text);
    auto begin = std::chrono::steady_clock::now();
    CHECK_EQUAL(10'502, load().set.signatures().size());
    const double from_source = milliseconds_since(begin);
    begin = std::chrono::steady_clock::now();
    CHECK(load().from_cache);
    std::printf("\n10,502 signatures: %.0f ms from source, %.0f ms from the cache\n",
                from_source,
                milliseconds_since(begin));
}

}  // namespace curlew::signatures
