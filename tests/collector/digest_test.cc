#include "collector/digest.h"

#include <stdexcept>
#include <string>

#include "tests/support/cpputest.h"
#include "tests/support/temporary_folder.h"

namespace curlew::collector {

using tests::put_content;
using tests::TemporaryFolder;

// The vectors of FIPS 180-4's examples.
TEST_GROUP(Sha256){};

TEST(Sha256, gives_the_published_sums) {
    STRCMP_EQUAL("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                 sha256_of("").c_str());
    STRCMP_EQUAL("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                 sha256_of("abc").c_str());
}

TEST_GROUP(Md5){};

TEST(Md5, gives_the_published_sums) {
    STRCMP_EQUAL("d41d8cd98f00b204e9800998ecf8427e", md5_of("").c_str());
    STRCMP_EQUAL("900150983cd24fb0d6963f7d28e17f72", md5_of("abc").c_str());
}

TEST(Sha256, parts_add_up_and_finish_starts_anew) {
    Sha256 digest;
    for (int round = 0; round < 2; ++round) {
        digest.update("a");
        digest.update("");
        digest.update("bc");
        STRCMP_EQUAL("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                     digest.finish().c_str());
    }
}

TEST(Sha256, a_file_is_its_content) {
    const TemporaryFolder folder;
    put_content(folder.path() / "a", "abc");
    STRCMP_EQUAL(sha256_of("abc").c_str(), sha256_of_file(folder.path() / "a").c_str());
    CHECK_THROWS(std::runtime_error, sha256_of_file(folder.path() / "b"));
}

TEST(Sha256, hex_has_two_digits_an_octet) {
    STRCMP_EQUAL("007fff", to_hex(std::string("\x00\x7f\xff", 3)).c_str());
}

}  // namespace curlew::collector
