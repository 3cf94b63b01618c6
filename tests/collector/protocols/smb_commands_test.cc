#include "collector/protocols/smb_commands.h"

#include "tests/support/cpputest.h"

namespace curlew::collector {

TEST_GROUP(SmbCommands){};

TEST(SmbCommands, are_named_or_shown_as_number) {
    STRCMP_EQUAL("negotiate", smb1_command_name(0x72).c_str());
    STRCMP_EQUAL("nt_create_andx", smb1_command_name(0xa2).c_str());
    STRCMP_EQUAL("255", smb1_command_name(0xff).c_str());
    STRCMP_EQUAL("negotiate", smb2_command_name(0).c_str());
    STRCMP_EQUAL("oplock_break", smb2_command_name(18).c_str());
    STRCMP_EQUAL("19", smb2_command_name(19).c_str());
}

TEST(SmbCommands, dialects_are_named_or_shown_in_digits) {
    STRCMP_EQUAL("2.0.2", smb2_dialect_name(0x0202).c_str());
    STRCMP_EQUAL("3.1.1", smb2_dialect_name(0x0311).c_str());
    STRCMP_EQUAL("0500", smb2_dialect_name(0x0500).c_str());
}

}  // namespace curlew::collector
