#include "proto/key_file.h"

#include <sys/stat.h>

#include <stdexcept>
#include <string>

#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace {

using curlew::proto::is_key;
using curlew::proto::KeyPair;
using curlew::proto::new_keys;
using curlew::proto::read_key_file;
using curlew::proto::write_key_file;

// The example of RFC 26's reference implementation.
const KeyPair kKnown = {"Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
                        "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"};

std::string complaint(const std::filesystem::path& file) {
    try {
        read_key_file(file);
    } catch (const std::runtime_error& error) {
        return error.what();
    }
    return "";
}

}  // namespace

TEST_GROUP(KeyFile) {
    curlew::tests::TemporaryFolder folder;
    const std::filesystem::path file = folder.path() / "probe.key";

    void put(const std::string& content, mode_t mode = 0600) {
        curlew::tests::put_content(file, content);
        CHECK_EQUAL(0, ::chmod(file.c_str(), mode));
    }
};

TEST(KeyFile, gives_back_the_keys_that_were_written) {
    const KeyPair keys = new_keys();
    write_key_file(file, keys);
    const KeyPair read = read_key_file(file);
    CHECK(keys.secret_key == read.secret_key);
    CHECK(keys.public_key == read.public_key);
    CHECK(is_key(keys.public_key));
    CHECK(is_key(keys.secret_key));
    CHECK(keys.public_key != new_keys().public_key);
}

TEST(KeyFile, holds_the_secret_key_and_a_line_end) {
    write_key_file(file, kKnown);
    CHECK(curlew::tests::content_of(file) == kKnown.secret_key + "\n");
    CHECK(read_key_file(file).public_key == kKnown.public_key);
}

TEST(KeyFile, is_for_its_owner_alone) {
    write_key_file(file, kKnown);
    struct stat facts {};
    CHECK_EQUAL(0, ::stat(file.c_str(), &facts));
    CHECK_EQUAL(0600u, facts.st_mode & 07777u);
}

TEST(KeyFile, never_goes_over_a_file_or_link_that_exists) {
    write_key_file(file, kKnown);
    CHECK_THROWS(std::runtime_error, write_key_file(file, new_keys()));
    CHECK(read_key_file(file).secret_key == kKnown.secret_key);
    const std::filesystem::path link = folder.path() / "link";
    std::filesystem::create_symlink(folder.path() / "nothing", link);
    CHECK_THROWS(std::runtime_error, write_key_file(link, kKnown));
    CHECK_FALSE(std::filesystem::exists(folder.path() / "nothing"));
}

TEST(KeyFile, that_others_may_use_is_refused_in_one_sentence) {
    for (const mode_t mode : {0640, 0604, 0620, 0601, 0644}) {
        put(kKnown.secret_key + "\n", mode);
        const std::string told = complaint(file);
        CHECK_TEXT(told.find("others than its owner may use it (mode 06") != std::string::npos,
                   told.c_str());
        CHECK_TEXT(told.starts_with("key file " + file.string() + ": "), told.c_str());
        CHECK(told.find('\n') == std::string::npos);
    }
    put(kKnown.secret_key + "\n", 0400);
    STRCMP_EQUAL("", complaint(file).c_str());
}

TEST(KeyFile, that_is_none_is_refused_without_its_content) {
    for (const std::string& content : {std::string(),
                                       std::string("\n"),
                                       kKnown.secret_key.substr(1) + "\n",
                                       kKnown.secret_key + "x\n",
                                       kKnown.secret_key + "\n\n",
                                       std::string(40, '~') + "\n",
                                       std::string(40, '\0') + "\n",
                                       std::string(100'000, 'x')}) {
        put(content);
        const std::string told = complaint(file);
        CHECK_TEXT(told.ends_with("holds no secret key; `curlew keys new` makes one"),
                   told.c_str());
    }
    CHECK(complaint(folder.path()).ends_with("is not a file"));
    CHECK(complaint(folder.path() / "nothing").ends_with("No such file or directory"));
}

TEST(KeyFile, key_is_forty_characters_of_its_alphabet) {
    CHECK(is_key(kKnown.public_key));
    CHECK_FALSE(is_key(""));
    CHECK_FALSE(is_key(kKnown.public_key + "00000"));
    CHECK_FALSE(is_key(kKnown.public_key.substr(5)));
    CHECK_FALSE(is_key(std::string(40, ' ')));
    // More than four octets hold.
    CHECK_FALSE(is_key("#####" + kKnown.public_key.substr(5)));
}
