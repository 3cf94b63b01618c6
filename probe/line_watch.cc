#include "probe/line_watch.h"

#include <fmt/format.h>

#include <utility>

namespace curlew::probe {

LineWatch::LineWatch(std::vector<Line> lines) {
    for (Line& line : lines) {
        const uint32_t which = line.which ? line.which() : 0;
        states_.push_back({.line = std::move(line), .which = which, .told_again = {}});
    }
}

std::vector<std::string> LineWatch::look(Clock::time_point now) {
    std::vector<std::string> news;
    if (now < next_) {
        return news;
    }
    next_ = now + kInterval;
    for (State& state : states_) {
        if (state.is_broken) {
            look_for_return(state);
            continue;
        }
        const bool seems_down = !state.line.is_there();
        const bool is_down = seems_down && std::exchange(state.was_down, seems_down);
        state.was_down = seems_down;
        if (is_down == state.is_down_told || (is_down && now < state.told_again)) {
            continue;
        }
        state.is_down_told = is_down;
        if (is_down) {
            state.told_again = now + kSilence;
        }
        news.push_back(fmt::format("{}: the line is {}",
                                   state.line.device,
                                   is_down ? "down, nothing comes from there" : "up again"));
    }
    return news;
}

void LineWatch::port_broke(const std::string& device) {
    for (State& state : states_) {
        state.is_broken = state.is_broken || state.line.device == device;
    }
}

void LineWatch::look_for_return(State& state) {
    const bool was_down = std::exchange(state.was_down, !state.line.is_there());
    const bool is_another = state.line.which && state.line.which() != state.which;
    if (!state.was_down && (was_down || is_another)) {
        returned_ = fmt::format("{}: what broke is there again: the probe ends, to be started anew",
                                state.line.device);
    }
}

}  // namespace curlew::probe
