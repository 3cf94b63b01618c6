#include "collector/protocols/smb_commands.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace curlew::collector {
namespace {

// MS-CIFS section 2.2.2.1
constexpr std::pair<uint8_t, const char*> kCommands1[] = {
    {0x00, "create_directory"},
    {0x01, "delete_directory"},
    {0x02, "open"},
    {0x03, "create"},
    {0x04, "close"},
    {0x05, "flush"},
    {0x06, "delete"},
    {0x07, "rename"},
    {0x08, "query_information"},
    {0x09, "set_information"},
    {0x0a, "read"},
    {0x0b, "write"},
    {0x0c, "lock_byte_range"},
    {0x0d, "unlock_byte_range"},
    {0x0e, "create_temporary"},
    {0x0f, "create_new"},
    {0x10, "check_directory"},
    {0x11, "process_exit"},
    {0x12, "seek"},
    {0x13, "lock_and_read"},
    {0x14, "write_and_unlock"},
    {0x1a, "read_raw"},
    {0x1b, "read_mpx"},
    {0x1d, "write_raw"},
    {0x1e, "write_mpx"},
    {0x20, "write_complete"},
    {0x22, "set_information2"},
    {0x23, "query_information2"},
    {0x24, "locking_andx"},
    {0x25, "transaction"},
    {0x26, "transaction_secondary"},
    {0x27, "ioctl"},
    {0x29, "copy"},
    {0x2a, "move"},
    {0x2b, "echo"},
    {0x2c, "write_and_close"},
    {0x2d, "open_andx"},
    {0x2e, "read_andx"},
    {0x2f, "write_andx"},
    {0x31, "close_and_tree_disconnect"},
    {0x32, "transaction2"},
    {0x33, "transaction2_secondary"},
    {0x34, "find_close2"},
    {0x70, "tree_connect"},
    {0x71, "tree_disconnect"},
    {0x72, "negotiate"},
    {0x73, "session_setup_andx"},
    {0x74, "logoff_andx"},
    {0x75, "tree_connect_andx"},
    {0x80, "query_information_disk"},
    {0x81, "search"},
    {0x82, "find"},
    {0x83, "find_unique"},
    {0x84, "find_close"},
    {0xa0, "nt_transact"},
    {0xa1, "nt_transact_secondary"},
    {0xa2, "nt_create_andx"},
    {0xa4, "nt_cancel"},
    {0xa5, "nt_rename"},
    {0xc0, "open_print_file"},
    {0xc1, "write_print_file"},
    {0xc2, "close_print_file"},
};

// MS-SMB2 section 2.2.1.2
constexpr std::array<const char*, 19> kCommands2 = {
    "negotiate",     "session_setup", "logoff",   "tree_connect", "tree_disconnect",
    "create",        "close",         "flush",    "read",         "write",
    "lock",          "ioctl",         "cancel",   "echo",         "query_directory",
    "change_notify", "query_info",    "set_info", "oplock_break",
};

}  // namespace

std::string smb1_command_name(uint8_t command) {
    for (const auto& [number, name] : kCommands1) {
        if (number == command) {
            return name;
        }
    }
    return std::to_string(command);
}

std::string smb2_command_name(uint16_t command) {
    return command < kCommands2.size() ? kCommands2[command] : std::to_string(command);
}

std::string smb2_dialect_name(uint16_t dialect) {
    switch (dialect) {
        case 0x0202:
            return "2.0.2";
        case 0x0210:
            return "2.1";
        case 0x02ff:
            return "2.x";
        case 0x0300:
            return "3.0";
        case 0x0302:
            return "3.0.2";
        case 0x0311:
            return "3.1.1";
        default:
            return fmt::format("{:04x}", dialect);
    }
}

}  // namespace curlew::collector
