#pragma once

#include <filesystem>

namespace curlew::signatures {

// The folder of signature and group files for a program that was told none: that of
// CURLEW_SIGNATURES, else the installation's beside the program, else the checkout's.
std::filesystem::path default_signature_folder();

}  // namespace curlew::signatures
