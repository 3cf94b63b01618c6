#include "signatures/content_hash.h"

#include <string>
#include <string_view>
#include <vector>

#include "tests/support/cpputest.h"

using curlew::signatures::ContentHash;

namespace {

std::string hash_of(const std::vector<std::string_view>& texts) {
    ContentHash hash;
    for (const std::string_view text : texts) {
        hash.add(text);
    }
    return hash.text();
}

}  // namespace

TEST_GROUP(ContentHash){};

TEST(ContentHash, of_nothing_is_the_start_value_of_fnv_1a) {
    STRCMP_EQUAL("cbf29ce484222325", ContentHash().text().c_str());
}

TEST(ContentHash, of_one_octet_after_its_length_is_known) {
    // FNV-1a over 01 00 00 00 00 00 00 00 61.
    STRCMP_EQUAL("529a4ddc8ff56bbf", hash_of({"a"}).c_str());
}

TEST(ContentHash, knows_where_one_text_ends) {
    CHECK(hash_of({"ab", "c"}) != hash_of({"a", "bc"}));
    CHECK(hash_of({"", "a"}) != hash_of({"a", ""}));
}
