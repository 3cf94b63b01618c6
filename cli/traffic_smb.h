#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/traffic_random.h"

// A client's session with a file server over SMB 1 ([MS-CIFS]), one message a call, each behind
// its NetBIOS session header.

namespace curlew::cli {

class SmbSession {
  public:
    explicit SmbSession(TrafficRandom& random);

    std::string negotiate();
    std::string negotiate_answer();
    std::string set_up();
    std::string set_up_answer();
    std::string connect_tree(std::string_view path);
    std::string connect_tree_answer();
    std::string connect_tree_refused();
    std::string create_file(std::string_view name);
    std::string create_file_answer();
    // Requires: at most 60,000 octets.
    std::string write_file(uint32_t offset, std::string_view content);
    std::string write_file_answer(uint32_t content_octets);
    std::string close_file();
    std::string close_file_answer();

  private:
    // `words` and `octets` are the two parts of a message ([MS-CIFS] 2.2.3); an answer carries
    // the number of the request before it.
    std::string request(uint8_t command, std::string_view words, std::string_view octets);
    std::string answer(uint8_t command,
                       uint32_t status,
                       std::string_view words,
                       std::string_view octets);
    std::string message(uint8_t command,
                        uint32_t status,
                        bool is_answer,
                        std::string_view words,
                        std::string_view octets);

    TrafficRandom& random_;
    uint16_t process_id_;
    uint16_t multiplex_id_;
    uint16_t user_id_ = 0;
    uint16_t tree_id_ = 0;
    uint16_t file_id_ = 0;
};

// RFC 1002 section 4.3: what precedes SMB on port 139.
std::string netbios_session_request(std::string_view called, std::string_view calling);
std::string netbios_session_accepted();

}  // namespace curlew::cli
