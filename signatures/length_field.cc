#include "signatures/length_field.h"

#include <optional>

#include "signatures/toml_reader.h"

namespace curlew::signatures {

namespace {

constexpr int32_t kFarthest = 65535;

}  // namespace

LengthField read_length_field(TableReader& table) {
    LengthField field;
    field.at = static_cast<uint16_t>(table.optional_number("at", 0, kFarthest).value_or(0));
    field.octets = static_cast<uint8_t>(table.optional_number("octets", 1, 4).value_or(0));
    field.plus = table.optional_number("plus", -kFarthest, kFarthest).value_or(0);
    if (!table.has("octets")) {
        table.problem(table.place(), "a length has octets, from 1 to 4");
    }
    if (const auto order = table.optional_text("order")) {
        field.low_first = order->text == "little";
        if (!field.low_first && order->text != "big") {
            table.problem(order->place, "the order is neither 'big' nor 'little'");
        }
    }
    table.finish("length");
    return field;
}

bool is_right(const LengthField& field, std::span<const uint8_t> payload) noexcept {
    if (payload.size() < size_t{field.at} + field.octets) {
        return false;
    }
    int64_t number = 0;
    for (uint8_t i = 0; i < field.octets; ++i) {
        const int from = field.low_first ? field.octets - 1 - i : i;
        number = number << 8 | payload[static_cast<size_t>(field.at + from)];
    }
    return field.octets == 0 || number + field.plus == static_cast<int64_t>(payload.size());
}

}  // namespace curlew::signatures
