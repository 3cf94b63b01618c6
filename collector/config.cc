#include "collector/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "collector/archive_name.h"
#include "collector/journal_reader.h"
#include "collector/listen_address.h"
#include "proto/endpoint.h"
#include "proto/key_file.h"
#include "proto/probe_identity.h"
#include "signatures/config_file.h"

namespace curlew::collector {

namespace {

using signatures::Problem;
using signatures::TableReader;
using signatures::toml_string;

constexpr int64_t kMostMinutes = 24 * 60;
constexpr int64_t kMostDays = 36'500;

void read_text(TableReader& table, std::string_view key, std::string& value) {
    if (auto text = table.optional_text(key)) {
        value = text->text;
    }
}

void read_octets(TableReader& table, std::string_view key, uint64_t& value) {
    if (const auto octets = table.optional_octets(key)) {
        value = *octets;
    }
}

class Reader {
  public:
    Reader(const toml::table& document, const std::string& file, std::vector<Problem>& problems)
        : root_(document, file, problems) {}

    CollectorConfig read() {
        for (const auto& endpoint : root_.optional_texts("listen")) {
            if (!proto::is_endpoint(endpoint.text)) {
                root_.problem(endpoint.place,
                              fmt::format("'listen' wants {}", proto::kEndpointForm));
            }
            if (std::find(config_.listen.begin(), config_.listen.end(), endpoint.text) !=
                config_.listen.end()) {
                root_.problem(endpoint.place, "'listen' names an endpoint twice");
            }
            config_.listen.push_back(endpoint.text);
        }
        if (!root_.has("listen")) {
            root_.problem(root_.place(), "'listen' is missing");
        }
        std::string key_file;
        read_text(root_, "key_file", key_file);
        config_.key_file = key_file;
        read_metrics();
        for (TableReader& table : root_.optional_tables("probe")) {
            read_probe(table);
        }
        std::string signatures;
        read_text(root_, "signatures", signatures);
        config_.signatures = signatures;
        read_archive();
        for (TableReader& table : root_.optional_tables("group")) {
            read_group(table);
        }
        root_.finish("collector's configuration");
        return config_;
    }

  private:
    void read_metrics() {
        if (const auto address = root_.optional_text("metrics")) {
            config_.metrics = address->text;
            if (!address->text.empty() && !parse_listen_address(address->text)) {
                root_.problem(address->place,
                              "'metrics' wants ADDRESS:PORT without a name, as in "
                              "127.0.0.1:9464 or [::1]:9464");
            }
        }
    }

    void read_probe(TableReader& table) {
        ProbeKey probe;
        if (const auto name = table.required_text("name")) {
            probe.name = name->text;
            if (!is_probe_name(name->text)) {
                table.problem(name->place,
                              "'name' wants 1 to 32 lower-case letters, digits and hyphens");
            }
        }
        if (const auto key = table.required_text("public_key")) {
            probe.public_key = key->text;
            if (!proto::is_key(key->text)) {
                table.problem(key->place,
                              "'public_key' wants the 40 characters that `curlew keys` printed");
            }
            const auto same_key = [&probe](const ProbeKey& other) {
                return other.public_key == probe.public_key;
            };
            if (std::any_of(config_.probes.begin(), config_.probes.end(), same_key)) {
                table.problem(key->place, "'public_key' is another probe's already");
            }
        }
        table.finish("table [[probe]]");
        config_.probes.push_back(std::move(probe));
    }

    void read_archive() {
        auto table = root_.optional_table("archive");
        if (!table) {
            root_.problem(root_.place(), "a table [archive] with a folder is wanted");
            return;
        }
        if (const auto folder = table->required_text("folder")) {
            config_.archive = folder->text;
            std::error_code failure;
            const auto status = std::filesystem::status(config_.archive, failure);
            if (std::filesystem::exists(status) && !std::filesystem::is_directory(status)) {
                table->problem(folder->place, "'folder' is no folder");
            }
        }
        if (const auto scenario = table->optional_text("scenario")) {
            config_.scenario = scenario->text;
            if (const std::string why = archive_name_problem(scenario->text); !why.empty()) {
                table->problem(scenario->place,
                               "'scenario' is no name of a folder in an archive: " + why);
            }
        }
        read_text(*table, "default_group", config_.default_group);
        if (const auto fields = table->optional_text("fields")) {
            if (const auto set = field_set_named(fields->text)) {
                config_.fields = *set;
            } else {
                table->problem(fields->place, "'fields' is none of slim, standard and full");
            }
        }
        config_.compress = table->optional_flag("compress").value_or(config_.compress);
        if (auto rotate = table->optional_table("rotate")) {
            config_.rotate.minutes =
                static_cast<uint32_t>(rotate->optional_integer("minutes", 0, kMostMinutes)
                                          .value_or(config_.rotate.minutes));
            if (const auto octets = rotate->optional_octets("octets")) {
                config_.rotate.octets = *octets;
                if (*octets == 0) {
                    rotate->problem(rotate->place(), "'octets' of 'rotate' is to be above 0");
                }
            }
            rotate->finish("table rotate");
        }
        if (auto keep = table->optional_table("keep")) {
            config_.keep.days = static_cast<uint32_t>(
                keep->optional_integer("days", 0, kMostDays).value_or(config_.keep.days));
            read_octets(*keep, "octets", config_.keep.octets);
            read_octets(*keep, "min_free", config_.keep.min_free);
            keep->finish("table keep");
        }
        table->finish("table [archive]");
    }

    void read_group(TableReader& table) {
        GroupConfig group;
        if (const auto name = table.required_text("name")) {
            group.name = name->text;
        }
        for (const auto& device : table.optional_texts("devices")) {
            group.devices.push_back(device.text);
        }
        if (auto roles = table.optional_table("roles")) {
            for (const std::string& role : roles->keys()) {
                if (const auto address = roles->required_text(role)) {
                    group.roles.emplace_back(role, address->text);
                }
            }
        }
        table.finish("table [[group]]");
        config_.groups.push_back(std::move(group));
    }

    TableReader root_;
    CollectorConfig config_;
};

std::string list_of(const std::vector<std::string>& texts) {
    std::vector<std::string> parts;
    for (const std::string& text : texts) {
        parts.push_back(toml_string(text));
    }
    return fmt::format("[{}]", fmt::join(parts, ", "));
}

}  // namespace

CollectorConfig load_config(const std::filesystem::path& file) {
    CollectorConfig config;
    signatures::read_config_file(
        file,
        [&config](
            const toml::table& document, const std::string& name, std::vector<Problem>& problems) {
            config = Reader(document, name, problems).read();
        });
    return config;
}

proto::ReceiverConfig receiver_config(const CollectorConfig& config, bool insecure) {
    proto::ReceiverConfig receiver;
    receiver.insecure = insecure;
    if (!config.key_file.empty()) {
        try {
            receiver.keys = proto::read_key_file(config.key_file);
        } catch (const std::runtime_error& error) {
            throw signatures::ConfigError(error.what());
        }
    }
    for (const ProbeKey& probe : config.probes) {
        receiver.allowed.push_back(
            {probe.public_key, {probe.name, proto::probe_id_of(probe.name)}});
    }
    for (const std::string& endpoint : config.listen) {
        if (endpoint.starts_with("tcp://") && !receiver.keys && !insecure) {
            throw signatures::ConfigError(
                fmt::format("{}: anybody could send records there: name a 'key_file' and a "
                            "[[probe]] for each that may, or start with --insecure",
                            endpoint));
        }
    }
    return receiver;
}

std::string print_config(const CollectorConfig& config) {
    std::string out = fmt::format("listen = {}\nkey_file = {}\nsignatures = {}\nmetrics = {}\n",
                                  list_of(config.listen),
                                  toml_string(config.key_file.string()),
                                  toml_string(config.signatures.string()),
                                  toml_string(config.metrics));
    for (const ProbeKey& probe : config.probes) {
        out += fmt::format("\n[[probe]]\nname = {}\npublic_key = {}\n",
                           toml_string(probe.name),
                           toml_string(probe.public_key));
    }
    out += fmt::format(
        "\n[archive]\nfolder = {}\nscenario = {}\ndefault_group = {}\nfields = {}\n"
        "compress = {}\nrotate = {{ minutes = {}, octets = {} }}\n"
        "keep = {{ days = {}, octets = {}, min_free = {} }}\n",
        toml_string(config.archive.string()),
        toml_string(config.scenario),
        toml_string(config.default_group),
        toml_string(name_of(config.fields)),
        config.compress,
        config.rotate.minutes,
        config.rotate.octets,
        config.keep.days,
        config.keep.octets,
        config.keep.min_free);
    for (const GroupConfig& group : config.groups) {
        out += fmt::format("\n[[group]]\nname = {}\n", toml_string(group.name));
        if (!group.devices.empty()) {
            out += fmt::format("devices = {}\n", list_of(group.devices));
        }
        if (!group.roles.empty()) {
            out += "[group.roles]\n";
            for (const auto& [role, address] : group.roles) {
                out += fmt::format("{} = {}\n", toml_string(role), toml_string(address));
            }
        }
    }
    return out;
}

}  // namespace curlew::collector
