#include "cli/say.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "tests/support/cpputest.h"

using curlew::cli::say;

TEST_GROUP(Say){};

TEST(Say, a_sentence_goes_to_the_file) {
    char* text = nullptr;
    size_t octets = 0;
    std::FILE* out = open_memstream(&text, &octets);
    say(out, "{} of {}\n", 2, std::string("three"));
    std::fclose(out);
    STRCMP_EQUAL("2 of three\n", text);
    std::free(text);
}

TEST(Say, who_cannot_be_told_is_not_told) {
    // Without a buffer, so that each sentence fails at once.
    std::FILE* full = std::fopen("/dev/full", "w");
    std::setvbuf(full, nullptr, _IONBF, 0);
    say(full, "nobody reads this\n");
    CHECK(std::ferror(full) != 0);
    std::fclose(full);
}
