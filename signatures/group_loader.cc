#include <algorithm>
#include <iterator>
#include <utility>

#include "signatures/group_rules.h"
#include "signatures/toml_reader.h"

namespace curlew::signatures {
namespace {

bool is_name(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    });
}

}  // namespace

// Reads one group file into one GroupRules.
class GroupLoader {
  public:
    GroupLoader(GroupRules& rules, const std::string& file_name)
        : rules_(rules), file_name_(file_name) {}

    void read(std::string_view text);

  private:
    void read_roles(TableReader& file);
    void read_devices(TableReader& file);
    void read_publish(TableReader& file);
    void read_rules(TableReader& file);
    GroupRules::Rule read_rule(TableReader& table);
    GroupRules::Condition read_condition(TableReader& table);
    std::vector<std::string> read_addresses(TableReader& table, std::string_view key);
    bool read_flag(TableReader& table, std::string_view key);
    char read_first(TableReader& table, std::string_view key);

    GroupRules& rules_;
    const std::string& file_name_;
};

void GroupLoader::read(std::string_view text) {
    const std::optional<toml::table> document = parse_toml(text, file_name_, rules_.problems_);
    if (!document) {
        return;
    }
    TableReader file(*document, file_name_, rules_.problems_);
    const auto name = file.required_text("name");
    if (name && !is_name(name->text)) {
        file.problem(name->place, "the name is no word of lower-case letters, digits and hyphens");
    }
    rules_.name_ = name.value_or(PlacedText{}).text;
    rules_.title_ = file.required_text("title").value_or(PlacedText{}).text;
    read_roles(file);
    read_devices(file);
    read_publish(file);
    rules_.joy_idp_ = static_cast<size_t>(
        file.optional_integer("joy_idp", 1, int64_t{kMaximumJoyIdp}).value_or(kMaximumJoyIdp));
    read_rules(file);
    file.finish("group file");
    sort_by_place(rules_.problems_);
}

void GroupLoader::read_roles(TableReader& file) {
    std::optional<TableReader> table = file.optional_table("roles");
    if (!table) {
        return;
    }
    for (const std::string& role : table->keys()) {
        std::vector<std::string> addresses;
        for (const PlacedText& text : table->optional_texts(role)) {
            addresses.push_back(canonical_address(text.text));
            if (addresses.back().empty()) {
                table->problem(text.place, in_quotes(text.text) + " is no IP address");
            }
        }
        if (!is_name(role)) {
            table->problem(table->place_of_value(role),
                           "the role " + in_quotes(role) +
                               " is no word of lower-case letters, digits and hyphens");
        }
        if (addresses.size() > kMaximumAddresses) {
            table->problem(
                table->place_of_value(role),
                "a role has no more than " + std::to_string(kMaximumAddresses) + " addresses");
        }
        rules_.roles_[role] = std::move(addresses);
    }
}

void GroupLoader::read_devices(TableReader& file) {
    std::optional<TableReader> table = file.optional_table("devices");
    if (!table) {
        return;
    }
    for (const std::string& role : table->keys()) {
        const auto word = table->required_text(role);
        if (!rules_.roles_.contains(role)) {
            table->problem(table->place_of_value(role), "there is no role " + in_quotes(role));
        } else if (word) {
            rules_.devices_[role] = word->text;
        }
    }
    table->finish("table of devices");
}

void GroupLoader::read_publish(TableReader& file) {
    constexpr std::string_view kHost = "host ";
    const auto publish = file.optional_text("publish");
    if (!publish) {
        return;
    }
    rules_.publish_ = publish->text;
    const std::string& text = rules_.publish_;
    for (size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at + 1)) {
        const size_t end = std::min(text.find_first_of(" ()", at), text.size());
        const std::string role = text.substr(at + 1, end - at - 1);
        if (!std::string_view(text).substr(0, at).ends_with(kHost)) {
            file.problem(publish->place, "a role stands after 'host' and one blank");
        } else if (!rules_.roles_.contains(role)) {
            file.problem(publish->place, "there is no role " + in_quotes(role));
        }
    }
}

void GroupLoader::read_rules(TableReader& file) {
    for (TableReader& table : file.optional_tables("rule")) {
        rules_.rules_.push_back(read_rule(table));
        if (rules_.rules_.size() > kMaximumRules) {
            table.problem(table.place(),
                          "a group has no more than " + std::to_string(kMaximumRules) + " rules");
            return;
        }
    }
    if (rules_.rules_.empty()) {
        if (file.optional_text("otherwise")) {
            file.problem(file.place_of_value("otherwise"),
                         "'otherwise' stands only in a group with rules");
        }
        return;
    }
    const auto otherwise = file.required_text("otherwise");
    rules_.rules_.push_back({otherwise.value_or(PlacedText{}).text, {GroupRules::Condition{}}});
}

GroupRules::Rule GroupLoader::read_rule(TableReader& table) {
    GroupRules::Rule rule;
    rule.label = table.required_text("label").value_or(PlacedText{}).text;
    if (!table.has("any_of")) {
        rule.any_of.push_back(read_condition(table));
        table.finish("rule");
        return rule;
    }
    for (TableReader& alternative : table.optional_tables("any_of")) {
        rule.any_of.push_back(read_condition(alternative));
        alternative.finish("condition");
    }
    if (rule.any_of.empty() || rule.any_of.size() > kMaximumConditions) {
        table.problem(
            table.place_of_value("any_of"),
            "'any_of' has from 1 to " + std::to_string(kMaximumConditions) + " conditions");
    }
    table.finish("rule with 'any_of'");
    return rule;
}

GroupRules::Condition GroupLoader::read_condition(TableReader& table) {
    constexpr int32_t kHighestPort = 65535;
    constexpr int32_t kHighestTtl = 255;
    constexpr std::string_view kKeys[] = {"sp",
                                          "dp",
                                          "sp_not",
                                          "no_ports",
                                          "same_ports",
                                          "sa",
                                          "da",
                                          "da_first",
                                          "da_first_not",
                                          "out_ttl",
                                          "in_ttl"};
    GroupRules::Condition condition;
    condition.sp = table.optional_number("sp", 0, kHighestPort).value_or(condition.sp);
    condition.dp = table.optional_number("dp", 0, kHighestPort).value_or(condition.dp);
    condition.sp_not = table.optional_number("sp_not", 0, kHighestPort).value_or(condition.sp_not);
    condition.no_ports = read_flag(table, "no_ports");
    condition.same_ports = read_flag(table, "same_ports");
    condition.sa = read_addresses(table, "sa");
    condition.da = read_addresses(table, "da");
    condition.da_first = read_first(table, "da_first");
    condition.da_first_not = read_first(table, "da_first_not");
    condition.out_ttl = table.optional_number("out_ttl", 0, kHighestTtl).value_or(-1);
    condition.in_ttl = table.optional_number("in_ttl", 0, kHighestTtl).value_or(-1);

    if (std::none_of(std::begin(kKeys), std::end(kKeys), [&](std::string_view key) {
            return table.has(key);
        })) {
        table.problem(table.place(),
                      "there is no condition: the label of all the rest is 'otherwise'");
    }
    return condition;
}

std::vector<std::string> GroupLoader::read_addresses(TableReader& table, std::string_view key) {
    std::vector<std::string> addresses;
    for (const PlacedText& text : table.optional_texts(key)) {
        const bool is_role = text.text.starts_with('@');
        if (is_role && !rules_.roles_.contains(text.text.substr(1))) {
            table.problem(text.place, "there is no role " + in_quotes(text.text.substr(1)));
            continue;
        }
        addresses.push_back(is_role ? text.text : canonical_address(text.text));
        if (addresses.back().empty()) {
            table.problem(text.place,
                          in_quotes(text.text) + " is neither an IP address nor an '@role'");
        }
    }
    return addresses;
}

// A condition is asked for or not there: `no_ports = false` could be read as "has ports".
bool GroupLoader::read_flag(TableReader& table, std::string_view key) {
    const std::optional<bool> flag = table.optional_flag(key);
    if (flag == false) {
        table.problem(table.place_of_value(key), in_quotes(key) + " is true or not there at all");
    }
    return flag.value_or(false);
}

char GroupLoader::read_first(TableReader& table, std::string_view key) {
    const auto text = table.optional_text(key);
    if (!text) {
        return 0;
    }
    if (text->text.size() != 1 || text->text[0] == '\0') {
        table.problem(text->place, in_quotes(key) + " is no single character");
        return 0;
    }
    return text->text[0];
}

GroupRules GroupRules::parse(std::string_view toml, const std::string& file_name) {
    GroupRules rules;
    GroupLoader(rules, file_name).read(toml);
    if (rules.problems_.empty()) {
        rules.resolve_roles();
    } else {
        rules.rules_.clear();
    }
    return rules;
}

GroupRules GroupRules::load(const std::filesystem::path& file) {
    GroupRules rules;
    const std::optional<std::string> text = read_file(file, rules.problems_);
    if (!text) {
        return rules;
    }
    rules = parse(*text, file.string());
    if (rules.problems_.empty() && rules.name_ != file.stem().string()) {
        rules.problems_.push_back(
            {file.string(), 0, 0, "the name " + in_quotes(rules.name_) + " is not the file's"});
        rules.rules_.clear();
        rules.resolved_.clear();
    }
    return rules;
}

}  // namespace curlew::signatures
