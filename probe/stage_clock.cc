#include "probe/stage_clock.h"

namespace curlew::probe {

const char* name_of(Stage stage) noexcept {
    static constexpr std::array<const char*, static_cast<size_t>(Stage::count_)> kNames{
        "receive", "parse", "look_up", "update", "inspect", "expire", "export"};
    return kNames[static_cast<size_t>(stage)];
}

}  // namespace curlew::probe
