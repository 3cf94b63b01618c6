#include "probe/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "probe/packet_filter.h"
#include "probe/worker.h"
#include "proto/endpoint.h"
#include "proto/key_file.h"
#include "signatures/config_file.h"

namespace curlew::probe {

namespace {

using signatures::Place;
using signatures::Problem;
using signatures::TableReader;
using signatures::toml_string;

constexpr uint64_t kSecondNs = 1'000'000'000;
constexpr int64_t kLongestTimeout = 86'400;
constexpr int64_t kLongestCopyWindow = 1'000'000;
constexpr size_t kLongestName = 32;
constexpr size_t kMostPorts = 16;

bool is_name(const std::string& text) {
    return !text.empty() && text.size() <= kLongestName &&
           std::all_of(text.begin(), text.end(), [](char one) {
               return (one >= 'a' && one <= 'z') || (one >= '0' && one <= '9') || one == '-';
           });
}

void read_text(TableReader& table, std::string_view key, std::string& value) {
    if (auto text = table.optional_text(key)) {
        value = text->text;
    }
}

template <typename Number>
void read_number(
    TableReader& table, std::string_view key, int64_t low, int64_t high, Number& value) {
    if (const auto number = table.optional_integer(key, low, high)) {
        value = static_cast<Number>(*number);
    }
}

void read_octets(TableReader& table, std::string_view key, uint64_t& value) {
    value = table.optional_octets(key).value_or(value);
}

// Smaller bounds of a recording make more files than packets can be written meanwhile.
void read_bound(TableReader& table, uint64_t least, uint64_t& value) {
    read_octets(table, "octets", value);
    if (value != 0 && value < least) {
        table.problem(table.place_of_value("octets"),
                      fmt::format("'octets' wants 0, or {} KiB at least", least >> 10));
    }
}

void read_seconds(TableReader& table, std::string_view key, uint64_t& value_ns) {
    if (const auto seconds = table.optional_integer(key, 0, kLongestTimeout)) {
        value_ns = static_cast<uint64_t>(*seconds) * kSecondNs;
    }
}

class Reader {
  public:
    Reader(const toml::table& document, const std::string& file, std::vector<Problem>& problems)
        : root_(document, file, problems) {}

    ProbeConfig read() {
        if (const auto name = root_.required_text("name")) {
            config_.name = name->text;
            if (!is_name(name->text)) {
                root_.problem(name->place,
                              "'name' wants 1 to 32 lower-case letters, digits and hyphens");
            }
        }
        std::string signatures;
        read_text(root_, "signatures", signatures);
        config_.signatures = signatures;
        read_ports();
        read_capture();
        read_meter();
        read_collector();
        read_record();
        if (auto eal = root_.optional_table("eal")) {
            for (const auto& option : eal->optional_text_list("options").value_or(
                     std::vector<signatures::PlacedText>{})) {
                config_.eal_options.push_back(option.text);
            }
            eal->finish("table [eal]");
        }
        root_.finish("probe's configuration");
        return config_;
    }

  private:
    void read_ports() {
        for (TableReader& table : root_.optional_tables("port")) {
            PortConfig port;
            if (const auto device = table.required_text("device")) {
                port.device = device->text;
            }
            read_number(table, "queues", 1, kMostPorts, port.queues);
            table.finish("table [[port]]");
            config_.ports.push_back(port);
        }
        refuse_twins();
        const auto is_capture = [](const PortConfig& port) {
            return port.device.find("rx_pcap=") != std::string::npos;
        };
        const auto captures = std::count_if(config_.ports.begin(), config_.ports.end(), is_capture);
        if (captures != 0 && static_cast<size_t>(captures) != config_.ports.size()) {
            root_.problem(root_.place_of_value("port"),
                          "captures and live ports cannot be metered together");
        }
        if (config_.ports.empty() || config_.ports.size() > kMostPorts) {
            root_.problem(
                root_.place(),
                fmt::format("1 to {} tables [[port]] with a device are wanted", kMostPorts));
        }
    }

    // What a device is told to bring: of net_af_xdp the queues from one on, else all.
    struct Source {
        std::string interface;
        std::string queue;  // empty: all
    };

    static std::vector<Source> sources_of(const std::string& device) {
        const bool is_xdp = device.starts_with("net_af_xdp");
        std::string queue = is_xdp ? "0" : "";
        std::vector<std::string> interfaces;
        for (std::string_view rest = device; !rest.empty();) {
            const std::string_view argument = rest.substr(0, rest.find(','));
            rest.remove_prefix(std::min(rest.size(), argument.size() + 1));
            const std::string_view key = argument.substr(0, argument.find('='));
            const std::string value(argument.substr(std::min(argument.size(), key.size() + 1)));
            if (key == "iface" || key == "rx_iface" || key == "rx_iface_in") {
                interfaces.push_back(value);
            } else if (key == "start_queue" && is_xdp) {
                queue = value;
            }
        }
        std::vector<Source> sources;
        for (const std::string& interface : interfaces) {
            sources.push_back({interface, queue});
        }
        return sources;
    }

    // DPDK knows a device by its name, which stands before its arguments; and what two devices, or
    // one twice, bring of one interface would be metered twice.
    void refuse_twins() {
        std::set<std::string> names;
        std::vector<Source> seen;
        for (const PortConfig& port : config_.ports) {
            bool is_twin = !names.insert(port.device.substr(0, port.device.find(','))).second;
            for (const Source& source : sources_of(port.device)) {
                is_twin = is_twin || std::any_of(seen.begin(), seen.end(), [&](const Source& one) {
                              return one.interface == source.interface &&
                                     (one.queue.empty() || source.queue.empty() ||
                                      one.queue == source.queue);
                          });
                seen.push_back(source);
            }
            if (is_twin) {
                root_.problem(
                    root_.place_of_value("port"),
                    fmt::format("what '{}' brings is of another [[port]], or of it, already",
                                port.device));
            }
        }
    }

    // A path that is there, and no folder, will not become one.
    static void want_folder(TableReader& table,
                            std::string_view key,
                            const std::filesystem::path& path) {
        std::error_code failure;
        const auto status = std::filesystem::status(path, failure);
        if (!path.empty() && std::filesystem::exists(status) &&
            !std::filesystem::is_directory(status)) {
            table.problem(table.place_of_value(key), fmt::format("'{}' is no folder", key));
        }
    }

    static void read_filter(TableReader& table, std::string& filter) {
        read_text(table, "filter", filter);
        try {
            if (!filter.empty()) {
                PacketFilter(filter, LinkType::ethernet);
            }
        } catch (const FilterError& error) {
            table.problem(table.place_of_value("filter"), error.what());
        }
    }

    void read_capture() {
        auto table = root_.optional_table("capture");
        if (!table) {
            return;
        }
        read_filter(*table, config_.filter);
        config_.allow_uncounted_loss =
            table->optional_flag("allow_uncounted_loss").value_or(config_.allow_uncounted_loss);
        if (const auto copies = table->optional_text("copies")) {
            const auto action = copy_action_named(copies->text);
            config_.copies.action = action.value_or(config_.copies.action);
            if (!action) {
                table->problem(copies->place, "'copies' wants \"count\", \"remove\" or \"off\"");
            }
        }
        if (const auto window = table->optional_integer("copy_window_us", 1, kLongestCopyWindow)) {
            config_.copies.window_ns = static_cast<uint64_t>(*window) * 1000;
        }
        table->finish("table [capture]");
    }

    void read_meter() {
        auto table = root_.optional_table("meter");
        if (!table) {
            return;
        }
        read_text(*table, "profile", config_.profile);
        if (config_.profile != "dataset" && config_.profile != "line-rate") {
            table->problem(table->place_of_value("profile"),
                           "'profile' is neither \"dataset\" nor \"line-rate\"");
        }
        read_number(*table, "packets", 0, kMostListedPackets, config_.list.packets);
        if (const auto which = table->optional_text("packets_of")) {
            config_.list.all = which->text == "all";
            if (which->text != "all" && which->text != "payload") {
                table->problem(which->place, "'packets_of' is neither \"payload\" nor \"all\"");
            }
        }
        config_.decapsulate = table->optional_flag("decapsulate").value_or(config_.decapsulate);
        read_number(*table, "workers", 0, kPartitionsAtMost, config_.workers);
        read_number(*table, "flow_capacity", 4096, int64_t{1} << 28, config_.flow_capacity);
        read_octets(*table, "memory", config_.memory_octets);
        if (config_.memory_octets != 0) {
            config_.flow_capacity =
                std::min(flow_capacity_in(config_.memory_octets, config_.profile == "dataset"),
                         uint64_t{1} << 28);
        }
        read_number(*table, "idle_sleep_us", 0, 1'000'000, config_.idle_sleep_us);
        for (const int64_t core : table->optional_integers("cores", 0, 1023)) {
            config_.cores.push_back(static_cast<int>(core));
        }
        if (auto timeouts = table->optional_table("timeouts")) {
            read_seconds(*timeouts, "idle_tcp", config_.timeouts.idle_tcp_ns);
            read_seconds(*timeouts, "idle_other", config_.timeouts.idle_other_ns);
            read_seconds(*timeouts, "active", config_.timeouts.active_ns);
            read_seconds(*timeouts, "closed", config_.timeouts.closed_ns);
            timeouts->finish("table [meter.timeouts]");
        }
        table->finish("table [meter]");
    }

    void read_collector() {
        auto table = root_.optional_table("collector");
        if (!table) {
            root_.problem(root_.place(), "a table [collector] with an endpoint is wanted");
            return;
        }
        if (const auto endpoint = table->required_text("endpoint")) {
            config_.collector = endpoint->text;
            if (!proto::is_endpoint(endpoint->text)) {
                table->problem(endpoint->place,
                               fmt::format("'endpoint' wants {}", proto::kEndpointForm));
            }
        }
        std::string key_file;
        read_text(*table, "key_file", key_file);
        config_.key_file = key_file;
        read_text(*table, "public_key", config_.collector_key);
        if (!config_.collector_key.empty() && !proto::is_key(config_.collector_key)) {
            table->problem(table->place_of_value("public_key"),
                           "'public_key' wants the 40 characters that `curlew keys` printed for "
                           "the collector");
        }
        if (config_.key_file.empty() != config_.collector_key.empty()) {
            table->problem(table->place(), "'key_file' and 'public_key' go together");
        }
        read_octets(*table, "queue", config_.queue_octets);
        if (const auto spool = table->optional_text("spool")) {
            config_.spool = spool->text;
            want_folder(*table, "spool", config_.spool);
        }
        read_octets(*table, "spool_octets", config_.spool_octets);
        if (const auto drop = table->optional_text("drop")) {
            config_.drop = drop->text;
            if (drop->text != "newest" && drop->text != "oldest") {
                table->problem(drop->place, "'drop' wants \"newest\" or \"oldest\"");
            }
        }
        read_number(*table, "ledger_seconds", 1, 3600, config_.ledger_seconds);
        read_number(*table, "drain_seconds", 0, 3600, config_.drain_seconds);
        table->finish("table [collector]");
    }

    void read_record() {
        auto table = root_.optional_table("record");
        if (!table) {
            return;
        }
        RecordConfig& record = config_.record;
        if (const auto folder = table->required_text("folder")) {
            record.folder = folder->text;
            want_folder(*table, "folder", record.folder);
            // Written in another way it is the same.
            const auto plain = [](const std::filesystem::path& path) {
                return (path / "").lexically_normal();
            };
            if (!config_.spool.empty() && plain(folder->text) == plain(config_.spool)) {
                table->problem(folder->place, "'folder' is the spool's");
            }
        }
        read_filter(*table, record.filter);
        for (const auto& protocol : table->optional_text_list("protocols")
                                        .value_or(std::vector<signatures::PlacedText>{})) {
            record.protocols.push_back(protocol.text);
        }
        read_octets(*table, "octets_per_flow", record.octets_per_flow);
        read_octets(*table, "buffer", record.buffer_octets);
        if (record.buffer_octets < kSmallestBuffer || record.buffer_octets > kLargestBuffer) {
            table->problem(table->place_of_value("buffer"), "'buffer' wants 2 MiB to 64 GiB");
        }
        if (auto rotate = table->optional_table("rotate")) {
            read_number(*rotate, "minutes", 0, kMostMinutes, record.rotate.minutes);
            read_bound(*rotate, kLeastRotated, record.rotate.octets);
            rotate->finish("table rotate");
        }
        if (auto keep = table->optional_table("keep")) {
            read_number(*keep, "days", 0, kMostDays, record.keep.days);
            read_bound(*keep, kLeastKept, record.keep.octets);
            read_octets(*keep, "min_free", record.keep.min_free);
            keep->finish("table keep");
        }
        table->finish("table [record]");
    }

    static constexpr int64_t kPartitionsAtMost = 64;
    static constexpr uint64_t kSmallestBuffer = uint64_t{2} << 20;
    static constexpr uint64_t kLargestBuffer = uint64_t{64} << 30;
    static constexpr uint64_t kLeastRotated = uint64_t{16} << 10;
    static constexpr uint64_t kLeastKept = uint64_t{64} << 10;
    static constexpr int64_t kMostMinutes = 1440;
    static constexpr int64_t kMostDays = 36'500;

    TableReader root_;
    ProbeConfig config_;
};

std::string toml_list(const std::vector<std::string>& texts) {
    std::vector<std::string> quoted;
    for (const std::string& text : texts) {
        quoted.push_back(toml_string(text));
    }
    return fmt::format("[{}]", fmt::join(quoted, ", "));
}

std::string print_record(const RecordConfig& record) {
    return fmt::format(
        "\n[record]\nfolder = {}\nfilter = {}\nprotocols = {}\noctets_per_flow = {}\n"
        "buffer = {}\nrotate = {{ minutes = {}, octets = {} }}\n"
        "keep = {{ days = {}, octets = {}, min_free = {} }}\n",
        toml_string(record.folder.string()),
        toml_string(record.filter),
        toml_list(record.protocols),
        record.octets_per_flow,
        record.buffer_octets,
        record.rotate.minutes,
        record.rotate.octets,
        record.keep.days,
        record.keep.octets,
        record.keep.min_free);
}

}  // namespace

ProbeConfig load_config(const std::filesystem::path& file) {
    ProbeConfig config;
    signatures::read_config_file(
        file,
        [&config](
            const toml::table& document, const std::string& name, std::vector<Problem>& problems) {
            config = Reader(document, name, problems).read();
        });
    return config;
}

std::optional<proto::SenderKeys> sender_keys(const ProbeConfig& config, bool insecure) {
    if (!config.collector.starts_with("tcp://")) {
        return std::nullopt;
    }
    if (!config.key_file.empty()) {
        try {
            return proto::SenderKeys{proto::read_key_file(config.key_file), config.collector_key};
        } catch (const std::runtime_error& error) {
            throw signatures::ConfigError(error.what());
        }
    }
    if (!insecure) {
        throw signatures::ConfigError(
            fmt::format("{}: anybody could take the records there: name a 'key_file' and the "
                        "collector's 'public_key', or start with --insecure",
                        config.collector));
    }
    return std::nullopt;
}

std::string print_config(const ProbeConfig& config) {
    std::string out = fmt::format("name = {}\nsignatures = {}\n",
                                  toml_string(config.name),
                                  toml_string(config.signatures.string()));
    for (const PortConfig& port : config.ports) {
        out += fmt::format(
            "\n[[port]]\ndevice = {}\nqueues = {}\n", toml_string(port.device), port.queues);
    }
    out += fmt::format(
        "\n[capture]\nfilter = {}\nallow_uncounted_loss = {}\ncopies = {}\ncopy_window_us = {}\n",
        toml_string(config.filter),
        config.allow_uncounted_loss,
        toml_string(name_of(config.copies.action)),
        config.copies.window_ns / 1000);
    out += fmt::format(
        "\n[meter]\nprofile = {}\npackets = {}\npackets_of = {}\ndecapsulate = {}\nworkers = {}\n"
        "cores = [{}]\nflow_capacity = {}\nmemory = {}\nidle_sleep_us = {}\n",
        toml_string(config.profile),
        config.list.packets,
        toml_string(name_of_listed(config.list)),
        config.decapsulate,
        config.workers,
        fmt::join(config.cores, ", "),
        config.flow_capacity,
        config.memory_octets,
        config.idle_sleep_us);
    out += fmt::format(
        "\n[meter.timeouts]\nidle_tcp = {}\nidle_other = {}\nactive = {}\nclosed = {}\n",
        config.timeouts.idle_tcp_ns / kSecondNs,
        config.timeouts.idle_other_ns / kSecondNs,
        config.timeouts.active_ns / kSecondNs,
        config.timeouts.closed_ns / kSecondNs);
    out += fmt::format(
        "\n[collector]\nendpoint = {}\nkey_file = {}\npublic_key = {}\nspool = {}\n"
        "spool_octets = {}\nqueue = {}\ndrop = {}\nledger_seconds = {}\ndrain_seconds = {}\n",
        toml_string(config.collector),
        toml_string(config.key_file.string()),
        toml_string(config.collector_key),
        toml_string(config.spool),
        config.spool_octets,
        config.queue_octets,
        toml_string(config.drop),
        config.ledger_seconds,
        config.drain_seconds);
    if (!config.record.folder.empty()) {
        out += print_record(config.record);
    }
    out += fmt::format("\n[eal]\noptions = {}\n", toml_list(config.eal_options));
    return out;
}

}  // namespace curlew::probe
