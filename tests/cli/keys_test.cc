#include "cli/keys.h"

#include <sstream>
#include <stdexcept>

#include "proto/key_file.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

using namespace curlew;

TEST_GROUP(Keys) {
    tests::TemporaryFolder folder;
    const std::filesystem::path file = folder.path() / "probe.key";
    std::ostringstream out;
};

TEST(Keys, makes_a_file_and_prints_the_public_key_alone) {
    CHECK_EQUAL(0, cli::run_keys_new(file, out));
    const proto::KeyPair keys = proto::read_key_file(file);
    CHECK(out.str() == keys.public_key + "\n");
}

TEST(Keys, shows_what_new_printed) {
    cli::run_keys_new(file, out);
    std::ostringstream shown;
    CHECK_EQUAL(0, cli::run_keys_show(file, shown));
    CHECK(shown.str() == out.str());
}

TEST(Keys, leaves_a_file_that_exists_as_it_is) {
    cli::run_keys_new(file, out);
    CHECK_THROWS(std::runtime_error, cli::run_keys_new(file, out));
    std::ostringstream shown;
    cli::run_keys_show(file, shown);
    CHECK(shown.str() == out.str());
}
