#include "cli/traffic.h"

#include <fmt/core.h>

#include <array>
#include <stdexcept>

#include "cli/traffic_scenarios.h"
#include "cli/traffic_writer.h"

namespace curlew::cli {
namespace {

struct Recipe {
    TrafficScenario scenario;
    void (*play)(TrafficCapture&);
    TimeUnit time_unit;
};

constexpr std::array<TrafficScenario, 2> kScenarios = {{
    {.name = "gateway-boot",
     .group = "ikea-app",
     .description = "a lighting gateway gets its address, looks for firmware, talks to a phone"},
    {.name = "camera-minutes",
     .group = "ipcam",
     .description =
         "a camera's first minutes: NAS, vendor's cloud, discovery on the local network"},
}};

constexpr std::array<Recipe, 2> kRecipes = {{
    {kScenarios[0], play_gateway_boot, TimeUnit::nanoseconds},
    {kScenarios[1], play_camera_minutes, TimeUnit::microseconds},
}};

const Recipe& find_recipe(std::string_view name) {
    for (const Recipe& recipe : kRecipes) {
        if (recipe.scenario.name == name) {
            return recipe;
        }
    }
    std::string known;
    for (const TrafficScenario& scenario : kScenarios) {
        known += known.empty() ? "" : ", ";
        known += scenario.name;
    }
    throw std::runtime_error(fmt::format("no traffic scenario \"{}\": there are {}", name, known));
}

}  // namespace

std::span<const TrafficScenario> traffic_scenarios() noexcept {
    return kScenarios;
}

TrafficSummary write_traffic(const TrafficConfig& config) {
    const Recipe& recipe = find_recipe(config.scenario);
    TrafficCapture capture(config.seed);
    recipe.play(capture);
    capture.write(config.output, recipe.time_unit);
    return capture.summary();
}

}  // namespace curlew::cli
