#include "signatures/toml_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <tuple>
#include <utility>

namespace curlew::signatures {

Place place_of(const toml::source_region& source) noexcept {
    return {source.begin.line, source.begin.column};
}

std::optional<std::string> read_file(const std::filesystem::path& file,
                                     std::vector<Problem>& problems) {
    // A folder opens as a stream and fails only later, without a cause.
    std::error_code failure;
    if (std::filesystem::is_directory(file, failure)) {
        problems.push_back({file.string(), 0, 0, "cannot be read: it is a folder"});
        return std::nullopt;
    }
    errno = 0;
    std::ifstream stream(file, std::ios::binary);
    if (!stream) {
        const std::string cause = errno != 0 ? std::strerror(errno) : "unknown cause";
        problems.push_back({file.string(), 0, 0, "cannot be read: " + cause});
        return std::nullopt;
    }
    // Piece by piece, for files are small and the longest one allowed is not.
    std::string text;
    std::array<char, 65536> piece;
    while (stream && text.size() <= kMaximumFileOctets) {
        stream.read(piece.data(), piece.size());
        text.append(piece.data(), static_cast<size_t>(stream.gcount()));
    }
    if (stream.bad()) {
        problems.push_back({file.string(), 0, 0, "cannot be read to its end"});
        return std::nullopt;
    }
    if (text.size() > kMaximumFileOctets) {
        problems.push_back({file.string(),
                            0,
                            0,
                            "is longer than " + std::to_string(kMaximumFileOctets) + " octets"});
        return std::nullopt;
    }
    return text;
}

std::optional<toml::table> parse_toml(std::string_view text,
                                      const std::string& file_name,
                                      std::vector<Problem>& problems) {
    try {
        return toml::parse(text, std::string_view(file_name));
    } catch (const toml::parse_error& error) {
        const Place place = place_of(error.source());
        problems.push_back({file_name, place.line, place.column, std::string(error.description())});
        return std::nullopt;
    }
}

void sort_by_place(std::vector<Problem>& problems) {
    std::stable_sort(problems.begin(), problems.end(), [](const Problem& a, const Problem& b) {
        return std::tie(a.line, a.column) < std::tie(b.line, b.column);
    });
}

namespace {

std::optional<uint64_t> octets_of_text(std::string_view text) {
    uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc()) {
        return std::nullopt;
    }
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    while (!text.empty() && text.front() == ' ') {
        text.remove_prefix(1);
    }
    constexpr std::pair<std::string_view, int> kUnits[] = {
        {"KiB", 10}, {"MiB", 20}, {"GiB", 30}, {"TiB", 40}};
    for (const auto& [unit, shift] : kUnits) {
        if (text == unit && number <= (UINT64_MAX >> shift)) {
            return number << shift;
        }
    }
    return std::nullopt;
}

// Edits that make one of the other: insertions, deletions, replacements.
size_t distance(std::string_view one, std::string_view other) {
    std::vector<size_t> row(other.size() + 1);
    for (size_t j = 0; j < row.size(); ++j) {
        row[j] = j;
    }
    for (size_t i = 1; i <= one.size(); ++i) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j < row.size(); ++j) {
            const size_t replaced = diagonal + (one[i - 1] == other[j - 1] ? 0 : 1);
            diagonal = row[j];
            row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
        }
    }
    return row.back();
}

std::string suggestion(std::string_view key, const std::set<std::string, std::less<>>& known) {
    constexpr size_t kFarthest = 2;
    constexpr size_t kLongestKey = 64;
    size_t nearest = kFarthest + 1;
    std::string_view found;
    for (const std::string& name : known) {
        const size_t edits = key.size() > kLongestKey ? nearest : distance(key, name);
        if (edits < nearest && edits < name.size()) {
            nearest = edits;
            found = name;
        }
    }
    return found.empty() ? "" : "; did you mean '" + std::string(found) + "'?";
}

}  // namespace

TableReader::TableReader(const toml::table& table,
                         const std::string& file_name,
                         std::vector<Problem>& problems)
    : table_(&table), file_name_(&file_name), problems_(&problems) {}

const toml::node* TableReader::ask(std::string_view key) {
    asked_.emplace(key);
    return table_->get(key);
}

void TableReader::problem(Place place, std::string what) {
    problems_->push_back({*file_name_, place.line, place.column, std::move(what)});
}

Place TableReader::place_of_value(std::string_view key) const noexcept {
    const toml::node* node = table_->get(key);
    return place_of(node != nullptr ? node->source() : table_->source());
}

std::vector<std::string> TableReader::keys() const {
    std::vector<std::string> names;
    for (const auto& [key, value] : *table_) {
        names.emplace_back(key.str());
    }
    return names;
}

std::optional<PlacedText> TableReader::required_text(std::string_view key) {
    if (!has(key)) {
        asked_.emplace(key);
        problem(place(), "'" + std::string(key) + "' is missing");
        return std::nullopt;
    }
    std::optional<PlacedText> found = optional_text(key);
    if (found && found->text.empty()) {
        problem(found->place, "'" + std::string(key) + "' is empty");
        return std::nullopt;
    }
    return found;
}

std::optional<PlacedText> TableReader::optional_text(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    const Place where = place_of(node->source());
    const auto* text = node->as_string();
    if (text == nullptr) {
        problem(where, "'" + std::string(key) + "' is no text");
        return std::nullopt;
    }
    return PlacedText{text->get(), where};
}

std::optional<bool> TableReader::optional_flag(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    const auto* flag = node->as_boolean();
    if (flag == nullptr) {
        problem(place_of(node->source()), "'" + std::string(key) + "' is neither true nor false");
        return std::nullopt;
    }
    return flag->get();
}

std::optional<int32_t> TableReader::optional_number(std::string_view key,
                                                    int32_t low,
                                                    int32_t high) {
    const auto number = optional_integer(key, low, high);
    return number ? std::optional(static_cast<int32_t>(*number)) : std::nullopt;
}

std::optional<int64_t> TableReader::optional_integer(std::string_view key,
                                                     int64_t low,
                                                     int64_t high) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    const auto* number = node->as_integer();
    if (number == nullptr || number->get() < low || number->get() > high) {
        problem(place_of(node->source()),
                "'" + std::string(key) + "' is no number from " + std::to_string(low) + " to " +
                    std::to_string(high));
        return std::nullopt;
    }
    return number->get();
}

std::vector<int64_t> TableReader::optional_integers(std::string_view key,
                                                    int64_t low,
                                                    int64_t high) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return {};
    }
    const auto* array = node->as_array();
    std::vector<int64_t> numbers;
    bool good = array != nullptr;
    for (size_t i = 0; good && i < array->size(); ++i) {
        const auto* number = array->get(i)->as_integer();
        good = number != nullptr && number->get() >= low && number->get() <= high;
        if (good) {
            numbers.push_back(number->get());
        }
    }
    if (!good) {
        problem(place_of(node->source()),
                "'" + std::string(key) + "' is no array of numbers from " + std::to_string(low) +
                    " to " + std::to_string(high));
        return {};
    }
    return numbers;
}

std::optional<uint64_t> TableReader::optional_octets(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    std::optional<uint64_t> octets;
    if (const auto* number = node->as_integer(); number != nullptr && number->get() >= 0) {
        octets = static_cast<uint64_t>(number->get());
    } else if (const auto* text = node->as_string()) {
        octets = octets_of_text(text->get());
    }
    if (!octets) {
        problem(place_of(node->source()),
                "'" + std::string(key) + "' is neither a number of octets nor a text such as " +
                    "\"64 MiB\"");
    }
    return octets;
}

std::vector<PlacedText> TableReader::texts_of(const toml::array& array, std::string_view key) {
    std::vector<PlacedText> texts;
    for (const toml::node& member : array) {
        const Place where = place_of(member.source());
        if (const auto* text = member.as_string()) {
            texts.push_back({text->get(), where});
        } else {
            problem(where, "a member of '" + std::string(key) + "' is no text");
        }
    }
    return texts;
}

std::vector<PlacedText> TableReader::optional_texts(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return {};
    }
    if (const auto* text = node->as_string()) {
        return {{text->get(), place_of(node->source())}};
    }
    const auto* array = node->as_array();
    if (array == nullptr || array->empty()) {
        problem(place_of(node->source()),
                "'" + std::string(key) + "' is neither a text nor an array of texts");
        return {};
    }
    return texts_of(*array, key);
}

std::optional<std::vector<PlacedText>> TableReader::optional_text_list(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return std::vector<PlacedText>();
    }
    const auto* array = node->as_array();
    if (array == nullptr) {
        problem(place_of(node->source()), "'" + std::string(key) + "' is no array of texts");
        return std::nullopt;
    }
    return texts_of(*array, key);
}

std::optional<TableReader> TableReader::optional_table(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return std::nullopt;
    }
    const auto* table = node->as_table();
    if (table == nullptr) {
        problem(place_of(node->source()), "'" + std::string(key) + "' is no table");
        return std::nullopt;
    }
    return TableReader(*table, *file_name_, *problems_);
}

std::vector<TableReader> TableReader::optional_tables(std::string_view key) {
    const toml::node* node = ask(key);
    if (node == nullptr) {
        return {};
    }
    const auto* array = node->as_array();
    if (array == nullptr) {
        problem(place_of(node->source()), "'" + std::string(key) + "' is no array of tables");
        return {};
    }
    std::vector<TableReader> readers;
    for (const toml::node& member : *array) {
        if (const auto* table = member.as_table()) {
            readers.emplace_back(*table, *file_name_, *problems_);
        } else {
            problem(place_of(member.source()),
                    "a member of '" + std::string(key) + "' is no table");
        }
    }
    return readers;
}

void TableReader::finish(std::string_view what_it_is) {
    for (const auto& [key, value] : *table_) {
        if (!asked_.contains(key.str())) {
            problem(place_of(key.source()),
                    "a " + std::string(what_it_is) + " has no key '" + std::string(key.str()) +
                        "'" + suggestion(key.str(), asked_));
        }
    }
}

}  // namespace curlew::signatures
