#include "dpdk_port/eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <string_view>

#include "dpdk_port/device_arguments.h"

namespace curlew::dpdk_port {

namespace {

// With less, a queue of the usual size and its neighbours do not fit.
constexpr uint64_t kSmallestHugeOctets = 128ULL << 20;
constexpr const char* kOrdinaryMebibytes = "512";

// `-m512` and `--huge-dir=/x` name the option as well as `-m 512` and `--huge-dir /x`.
bool names(std::string_view argument, std::string_view option) {
    if (!argument.starts_with(option)) {
        return false;
    }
    const std::string_view rest = argument.substr(option.size());
    return rest.empty() || rest.front() == '=' || !option.starts_with("--");
}

bool has_any(const std::vector<std::string>& arguments,
             std::initializer_list<std::string_view> options) {
    return std::ranges::any_of(arguments, [&](std::string_view argument) {
        return std::ranges::any_of(
            options, [&](std::string_view option) { return names(argument, option); });
    });
}

void plan_memory(const std::vector<std::string>& wishes, uint64_t free_huge_octets, EalPlan& plan) {
    // Whoever says one of these knows what memory there is.
    const bool is_decided = has_any(wishes,
                                    {"--no-huge",
                                     "--in-memory",
                                     "--huge-dir",
                                     "--huge-unlink",
                                     "--legacy-mem",
                                     "--single-file-segments",
                                     "--match-allocations",
                                     "--socket-mem",
                                     "--numa-mem"});
    if (!is_decided && free_huge_octets >= kSmallestHugeOctets) {
        plan.arguments.emplace_back("--in-memory");
        return;
    }
    const bool is_ordinary = !is_decided || has_any(wishes, {"--no-huge"});
    if (!is_ordinary) {
        return;
    }
    if (!is_decided) {
        plan.arguments.emplace_back("--no-huge");
        plan.notice = "no huge pages are free: DPDK uses " + std::string(kOrdinaryMebibytes) +
                      " MiB of ordinary memory, which is slower; 'sysctl -w vm.nr_hugepages=512' "
                      "as root sets 1 GiB of them aside";
    }
    // Nothing is shared with other processes, so nothing is left behind either.
    if (!has_any(wishes, {"--no-shconf", "--proc-type"})) {
        plan.arguments.emplace_back("--no-shconf");
    }
    if (!has_any(wishes, {"-m"})) {
        plan.arguments.insert(plan.arguments.end(), {"-m", kOrdinaryMebibytes});
    } else if (!is_decided) {
        plan.notice =
            "no huge pages are free: DPDK uses ordinary memory, as much as the option -m "
            "says, which is slower; 'sysctl -w vm.nr_hugepages=512' as root sets 1 GiB "
            "of them aside";
    }
}

uint64_t read_number(const std::filesystem::path& file) {
    std::ifstream stream(file);
    uint64_t number = 0;
    stream >> number;
    return stream ? number : 0;
}

uint64_t free_huge_octets() {
    constexpr std::string_view kPrefix = "hugepages-";
    uint64_t octets = 0;
    std::error_code ignored;
    for (const auto& size :
         std::filesystem::directory_iterator("/sys/kernel/mm/hugepages", ignored)) {
        // hugepages-2048kB
        const std::string name = size.path().filename().string();
        if (name.starts_with(kPrefix)) {
            const uint64_t kibibytes = std::strtoull(name.c_str() + kPrefix.size(), nullptr, 10);
            octets += kibibytes * 1024 * read_number(size.path() / "free_hugepages");
        }
    }
    return octets;
}

int first_cpu(const cpu_set_t& cpus) {
    int cpu = 0;
    while (cpu + 1 < CPU_SETSIZE && !CPU_ISSET(cpu, &cpus)) {
        ++cpu;
    }
    return CPU_ISSET(cpu, &cpus) ? cpu : 0;
}

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const std::string& word : words) {
        text += (text.empty() ? "" : " ") + word;
    }
    return text;
}

std::string refusal(int error, const EalConfig& config, const EalPlan& plan) {
    const std::string start = "DPDK cannot start: ";
    switch (error) {
        case EALREADY:
            return start + "it was started in this process before, and it starts only once";
        case EACCES:
        case EPERM:
            return start +
                   "no huge pages are free, or not for this user; 'sysctl -w vm.nr_hugepages=512' "
                   "as root sets 1 GiB of them aside, and without memory options it does without";
        case EAGAIN:
            return start + "another process uses the file prefix '" + config.file_prefix +
                   "'; give this one another";
        case ENOMEM:
            return start + "not enough memory (" + joined(plan.arguments) +
                   "); free some, or ask for less with the EAL option -m";
        case EINVAL:
            return start + "an EAL option is wrong or two exclude each other (" +
                   joined(plan.arguments) + ")";
        default:
            return start + rte_strerror(error) + " (" + joined(plan.arguments) + ")";
    }
}

}  // namespace

EalPlan plan_eal(const EalConfig& config, uint64_t free_huge_octets, int cpu) {
    const std::vector<std::string>& wishes = config.options;
    EalPlan plan;
    plan.arguments = {"curlew-probe", "--log-level=warning"};
    if (!has_any(wishes, {"-l", "-c", "--lcores", "--main-lcore"})) {
        // One for EAL itself: the threads that work are the project's own.
        plan.arguments.push_back("--lcores=0@" + std::to_string(cpu));
    }
    if (!config.file_prefix.empty() && !has_any(wishes, {"--file-prefix"})) {
        plan.arguments.push_back("--file-prefix=" + config.file_prefix);
    }
    if (!has_any(wishes, {"--telemetry", "--no-telemetry"})) {
        plan.arguments.emplace_back("--no-telemetry");
    }
    bool has_pci = has_any(wishes, {"-a", "--allow", "-b", "--block", "--no-pci"});
    for (const std::string& device : config.devices) {
        if (DeviceArguments(device).is_pci()) {
            plan.arguments.insert(plan.arguments.end(), {"-a", device});
            has_pci = true;
        }
    }
    if (!has_pci) {
        plan.arguments.emplace_back("--no-pci");
    }
    plan_memory(wishes, free_huge_octets, plan);
    plan.arguments.insert(plan.arguments.end(), wishes.begin(), wishes.end());
    return plan;
}

Eal::Eal(const EalConfig& config) {
    cpu_set_t cpus;
    CPU_ZERO(&cpus);
    const bool knows_cpus = sched_getaffinity(0, sizeof(cpus), &cpus) == 0;
    EalPlan plan = plan_eal(config, free_huge_octets(), knows_cpus ? first_cpu(cpus) : 0);

    std::vector<std::string> owned = plan.arguments;
    std::vector<char*> arguments;
    for (std::string& argument : owned) {
        arguments.push_back(argument.data());
    }
    arguments.push_back(nullptr);
    const int result = rte_eal_init(static_cast<int>(owned.size()), arguments.data());
    const int error = rte_errno;
    // EAL pins its caller to one CPU, and every thread made later would inherit that.
    if (knows_cpus) {
        sched_setaffinity(0, sizeof(cpus), &cpus);
    }
    if (result < 0) {
        const std::string sentence = refusal(error, config, plan);
        if (error == EINVAL) {
            throw EalOptionError(sentence);
        }
        throw std::runtime_error(sentence);
    }
    notice_ = std::move(plan.notice);
}

Eal::~Eal() {
    const std::string folder = rte_eal_get_runtime_dir();
    rte_eal_cleanup();
    // DPDK makes this folder and leaves it. Where it is not empty it is used.
    rmdir(folder.c_str());
}

}  // namespace curlew::dpdk_port
