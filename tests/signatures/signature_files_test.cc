#include "signatures/signature_files.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "signatures/signature_set.h"
#include "signatures/toml_reader.h"
#include "tests/support/temporary_folder.h"
// After everything else: it takes CppUTest's macros with it.
#include "tests/support/cpputest.h"

namespace curlew::signatures {

TEST_GROUP(SignatureFiles) {
    curlew::tests::TemporaryFolder folder;
};

TEST(SignatureFiles, are_read_in_order_of_name_with_the_vocabulary_told_apart) {
    curlew::tests::put_content(folder.path() / "b.toml", "b");
    curlew::tests::put_content(folder.path() / "a.toml", "a");
    curlew::tests::put_content(folder.path() / "vocabulary.toml", "v");
    curlew::tests::put_content(folder.path() / "README.md", "no signature");
    const SignatureFiles files = read_signature_files(folder.path());
    CHECK(files.problems.empty());
    CHECK_EQUAL(3, files.files.size());
    STRCMP_EQUAL("a", files.files[0].text.c_str());
    STRCMP_EQUAL("b", files.files[1].text.c_str());
    CHECK(files.files[2].is_vocabulary);
    CHECK(files.vocabulary() == "v");
}

TEST(SignatureFiles, a_folder_without_any_or_that_is_not_there_is_a_problem) {
    CHECK_EQUAL(1, read_signature_files(folder.path()).problems.size());
    CHECK_EQUAL(1, read_signature_files(folder.path() / "nothing").problems.size());
    CHECK(read_signature_files(folder.path()).vocabulary().empty());
}

TEST(SignatureFiles, a_pipe_is_not_waited_for) {
    curlew::tests::put_content(folder.path() / "a.toml", "a");
    CHECK_EQUAL(0, ::mkfifo((folder.path() / "b.toml").c_str(), 0600));
    const SignatureFiles files = read_signature_files(folder.path());
    CHECK_EQUAL(1, files.files.size());
    CHECK_EQUAL(1, files.problems.size());
    STRCMP_CONTAINS("it is no file", files.problems[0].what.c_str());
}

TEST(SignatureFiles, a_folder_that_is_called_like_a_file_is_a_problem) {
    curlew::tests::put_content(folder.path() / "a.toml", "a");
    std::filesystem::create_directory(folder.path() / "b.toml");
    const SignatureFiles files = read_signature_files(folder.path());
    CHECK_EQUAL(1, files.files.size());
    CHECK_EQUAL(1, files.problems.size());
    STRCMP_CONTAINS("b.toml", files.problems[0].file.c_str());
    STRCMP_CONTAINS("it is no file", files.problems[0].what.c_str());
}

TEST(SignatureFiles, together_are_no_longer_than_a_bound) {
    for (int i = 0; i < 9; ++i) {
        curlew::tests::put_content(folder.path() / (std::to_string(i) + ".toml"),
                                   std::string(kMaximumFileOctets, ' '));
    }
    const SignatureFiles files = read_signature_files(folder.path());
    CHECK_EQUAL(1, files.problems.size());
    STRCMP_CONTAINS("more than 64 MiB together", files.problems[0].what.c_str());
}

}  // namespace curlew::signatures
