#include "signatures/signature_folder.h"

#include <cstdlib>
#include <system_error>

namespace curlew::signatures {

std::filesystem::path default_signature_folder() {
    if (const char* told = std::getenv("CURLEW_SIGNATURES"); told != nullptr && *told != '\0') {
        return told;
    }
    std::error_code error;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
    const auto installed = program.parent_path().parent_path() / "share/curlew/signatures";
    if (std::filesystem::is_directory(installed, error)) {
        return installed;
    }
    // A build folder in the checkout, the program in it or one folder deeper.
    for (auto folder = program.parent_path().parent_path(); folder.has_relative_path();
         folder = folder.parent_path()) {
        if (std::filesystem::is_directory(folder / "signatures/groups", error)) {
            return folder / "signatures";
        }
    }
    return installed;
}

}  // namespace curlew::signatures
