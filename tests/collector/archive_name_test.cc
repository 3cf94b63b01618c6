#include "collector/archive_name.h"

#include <string>

#include "tests/support/cpputest.h"

using curlew::collector::archive_name_problem;
using curlew::collector::dataset_name_problem;

TEST_GROUP(ArchiveName){};

TEST(ArchiveName, of_a_folder_is_one_and_stays_inside) {
    for (const char* name : {"a", ".hidden", "a b", "caf\xc3\xa9", "..."}) {
        STRCMP_EQUAL("", archive_name_problem(name).c_str());
    }
    STRCMP_EQUAL("it is empty", archive_name_problem("").c_str());
    for (const char* name : {".", ".."}) {
        STRCMP_EQUAL("it is another folder's", archive_name_problem(name).c_str());
    }
    for (const char* name : {"/", "a/b", "../evil"}) {
        STRCMP_EQUAL("it has a slash", archive_name_problem(name).c_str());
    }
    for (const std::string& name :
         {std::string("a\nb"), std::string("a\0b", 3), std::string("\x7f")}) {
        STRCMP_EQUAL("it has control characters", archive_name_problem(name).c_str());
    }
    STRCMP_EQUAL("it is not UTF-8", archive_name_problem("\xff").c_str());
    STRCMP_EQUAL("", archive_name_problem(std::string(180, 'x')).c_str());
    STRCMP_EQUAL("it is longer than 180 octets",
                 archive_name_problem(std::string(181, 'x')).c_str());
}

TEST(ArchiveName, of_a_dataset_is_no_file_beside_another) {
    for (const char* name : {"a", "devices", "a.devices.b", "labels-1", "a.manifests"}) {
        STRCMP_EQUAL("", dataset_name_problem(name).c_str());
    }
    STRCMP_EQUAL("it has a slash", dataset_name_problem("a/b").c_str());
    for (const char* name : {"a.manifest",
                             "a.devices",
                             "a.labels-8c808dad0628561b",
                             "a.labels-",
                             "a.devices.devices"}) {
        STRCMP_EQUAL("it would be taken for a file beside another dataset",
                     dataset_name_problem(name).c_str());
    }
}
