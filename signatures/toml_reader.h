#pragma once

#include <toml++/toml.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "signatures/problem.h"

// TOML with every problem at its place: what the loaders of signature files and group files share.
// toml++ is seen here and in the two loaders only.

namespace curlew::signatures {

inline constexpr size_t kMaximumFileOctets = 8 << 20;

// The place of a node or key.
struct Place {
    uint32_t line = 0;
    uint32_t column = 0;
};
Place place_of(const toml::source_region& source) noexcept;

// The whole file, or nothing and a problem: not readable, or longer than kMaximumFileOctets.
std::optional<std::string> read_file(const std::filesystem::path& file,
                                     std::vector<Problem>& problems);

// The document, or nothing and a problem at the place of the syntax error.
std::optional<toml::table> parse_toml(std::string_view text,
                                      const std::string& file_name,
                                      std::vector<Problem>& problems);

// By line, then column, so that a reader walks a file from top to bottom.
void sort_by_place(std::vector<Problem>& problems);

// One text of a file and where it stands.
struct PlacedText {
    std::string text;
    Place place;
};

// Reads one table key by key. A value of a wrong type is a problem at the value, a missing one at
// the table, and finish() finds the keys that nobody asked for.
class TableReader {
  public:
    // Requires: table, file_name and problems outlive this.
    TableReader(const toml::table& table,
                const std::string& file_name,
                std::vector<Problem>& problems);

    // Nothing when the key is missing or no text. An empty text is a problem as well.
    std::optional<PlacedText> required_text(std::string_view key);
    std::optional<PlacedText> optional_text(std::string_view key);

    std::optional<bool> optional_flag(std::string_view key);

    // A number from `low` to `high`.
    std::optional<int32_t> optional_number(std::string_view key, int32_t low, int32_t high);

    // The same for numbers that need 64 bits.
    std::optional<int64_t> optional_integer(std::string_view key, int64_t low, int64_t high);

    // A number of octets, or a text such as "64 MiB" (KiB, MiB, GiB, TiB).
    std::optional<uint64_t> optional_octets(std::string_view key);

    // An array, possibly empty, of numbers from `low` to `high`; empty when the key is missing.
    std::vector<int64_t> optional_integers(std::string_view key, int64_t low, int64_t high);

    // A text or an array of at least one text; empty when the key is missing.
    std::vector<PlacedText> optional_texts(std::string_view key);

    // An array, possibly empty, of texts; empty when the key is missing, nothing when the value is
    // no array.
    std::optional<std::vector<PlacedText>> optional_text_list(std::string_view key);

    std::optional<TableReader> optional_table(std::string_view key);

    // One reader for each table of an array; a member of another type is a problem.
    std::vector<TableReader> optional_tables(std::string_view key);

    bool has(std::string_view key) const noexcept { return table_->contains(key); }
    std::vector<std::string> keys() const;

    // Where a key's value stands, or the table when there is no such key.
    Place place_of_value(std::string_view key) const noexcept;
    Place place() const noexcept { return place_of(table_->source()); }

    void problem(Place place, std::string what);

    // Every key not asked for so far is a problem, told with the one that was probably meant.
    // `what_it_is` names the table, as in "rule".
    void finish(std::string_view what_it_is);

  private:
    const toml::node* ask(std::string_view key);
    std::vector<PlacedText> texts_of(const toml::array& array, std::string_view key);

    const toml::table* table_;
    const std::string* file_name_;
    std::vector<Problem>* problems_;
    std::set<std::string, std::less<>> asked_;
};

}  // namespace curlew::signatures
