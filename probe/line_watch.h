#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

// Tells people when nothing can come from a live device, because its interface is down or has no
// connection: it looks like a quiet line else.

namespace curlew::probe {

class LineWatch {
  public:
    using Clock = std::chrono::steady_clock;
    // Between two looks at the system, and until a line that goes down again is told again.
    static constexpr std::chrono::seconds kInterval{1};
    static constexpr std::chrono::seconds kSilence{60};

    struct Line {
        std::string device;
        std::function<bool()> is_there;
        // A number that another interface of the name would not have; empty: it has always one.
        std::function<uint32_t()> which = {};
    };
    explicit LineWatch(std::vector<Line> lines);

    // Sentences about what changed; at the beginning every line is taken to be there. Asks at most
    // once in kInterval, and once more before it says that a line is down: some drivers take theirs
    // down for a moment as they are opened.
    std::vector<std::string> look(Clock::time_point now);

    // The device's port broke: nothing comes from there, whatever its line is.
    void port_broke(const std::string& device);
    // A sentence on a device whose port broke and whose line, or another in its place, is there
    // again: whoever started the process shall start it anew, with all of its ports. Empty: there
    // is none.
    const std::string& returned() const noexcept { return returned_; }

  private:
    struct State {
        Line line;
        uint32_t which = 0;  // at the beginning
        bool is_broken = false;
        bool was_down = false;
        bool is_down_told = false;
        Clock::time_point told_again;  // that it is down
    };

    void look_for_return(State& state);

    std::vector<State> states_;
    std::string returned_;
    Clock::time_point next_;
};

}  // namespace curlew::probe
