#pragma once

#include <stdexcept>

namespace curlew::cli {

// A wrong command line or configuration, told in one sentence; the program exits with 2.
class UsageError : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace curlew::cli
