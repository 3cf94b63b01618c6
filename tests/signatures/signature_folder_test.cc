#include "signatures/signature_folder.h"

#include <cstdlib>

#include "tests/support/cpputest.h"

TEST_GROUP(DefaultSignatureFolder){};

TEST(DefaultSignatureFolder, what_the_environment_tells_wins) {
    const char* before = std::getenv("CURLEW_SIGNATURES");
    const std::string kept = before == nullptr ? "" : before;
    setenv("CURLEW_SIGNATURES", "/told", 1);
    STRCMP_EQUAL("/told", curlew::signatures::default_signature_folder().c_str());
    setenv("CURLEW_SIGNATURES", kept.c_str(), 1);
}

TEST(DefaultSignatureFolder, some_folder_is_always_told) {
    CHECK_FALSE(curlew::signatures::default_signature_folder().empty());
}
