#pragma once

#include <cstdint>
#include <string>

namespace curlew::collector {

// In lower case without the prefix of the specifications: "negotiate", "nt_create_andx". The
// number as text when it has no name.
std::string smb1_command_name(uint8_t command);
std::string smb2_command_name(uint16_t command);

// "3.1.1"; "2.x" for the one that asks for another negotiation; four hex digits when it has no
// name.
std::string smb2_dialect_name(uint16_t dialect);

}  // namespace curlew::collector
