#include "cli/value_difference.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace curlew::cli {

namespace {

using rapidjson::Value;

// A double that is this integer: not one that is near to it.
bool is_whole(double value, const Value& integer) {
    constexpr double kBehindUint64 = 18446744073709551616.0;
    if (integer.IsUint64()) {
        return value >= 0 && value < kBehindUint64 && value == std::trunc(value) &&
               static_cast<uint64_t>(value) == integer.GetUint64();
    }
    return integer.IsInt64() && value >= -kBehindUint64 / 2 && value < 0 &&
           value == std::trunc(value) && static_cast<int64_t>(value) == integer.GetInt64();
}

bool equal_numbers(const Value& left, const Value& right) {
    if (left.IsInt64() && right.IsInt64()) {
        return left.GetInt64() == right.GetInt64();
    }
    if (left.IsUint64() && right.IsUint64()) {
        return left.GetUint64() == right.GetUint64();
    }
    if (left.IsDouble() != right.IsDouble()) {
        return left.IsDouble() ? is_whole(left.GetDouble(), right)
                               : is_whole(right.GetDouble(), left);
    }
    // What is beyond a double cannot be told from its like, so it equals nothing.
    return left.IsDouble() && std::isfinite(left.GetDouble()) &&
           left.GetDouble() == right.GetDouble();
}

bool equal_objects(const Value& left, const Value& right) {
    const Members left_members = members_of(left);
    const Members right_members = members_of(right);
    return std::equal(left_members.begin(),
                      left_members.end(),
                      right_members.begin(),
                      right_members.end(),
                      [](const auto& one, const auto& other) {
                          return one.first == other.first &&
                                 equal_values(*one.second, *other.second);
                      });
}

bool holds_objects_alone(const Value& list) {
    return std::all_of(list.Begin(), list.End(), [](const Value& one) { return one.IsObject(); });
}

void find_differences(const std::string& path,
                      const std::string& place,
                      const Value* golden,
                      const Value* ours,
                      std::vector<ValueDifference>& found);

void find_in_objects(const std::string& path,
                     const std::string& place,
                     const Value& golden,
                     const Value& ours,
                     std::vector<ValueDifference>& found) {
    const Members golden_members = members_of(golden);
    Members ours_members = members_of(ours);
    const auto find_member = [&](std::string_view key, const Value* left, const Value* right) {
        find_differences(
            fmt::format("{}.{}", path, key), fmt::format("{}.{}", place, key), left, right, found);
    };
    for (const auto& [key, value] : golden_members) {
        const auto partner = ours_members.find(key);
        find_member(key, value, partner == ours_members.end() ? nullptr : partner->second);
        ours_members.erase(key);
    }
    for (const auto& [key, value] : ours_members) {
        find_member(key, nullptr, value);
    }
}

void find_differences(const std::string& path,
                      const std::string& place,
                      const Value* golden,
                      const Value* ours,
                      std::vector<ValueDifference>& found) {
    if (golden != nullptr && ours != nullptr) {
        if (equal_values(*golden, *ours)) {
            return;
        }
        if (golden->IsObject() && ours->IsObject()) {
            find_in_objects(path, place, *golden, *ours, found);
            return;
        }
        if (golden->IsArray() && ours->IsArray() && golden->Size() == ours->Size() &&
            holds_objects_alone(*golden) && holds_objects_alone(*ours)) {
            for (rapidjson::SizeType i = 0; i < golden->Size(); ++i) {
                find_differences(
                    path, fmt::format("{}[{}]", place, i), &(*golden)[i], &(*ours)[i], found);
            }
            return;
        }
    }
    found.push_back({path, place, golden, ours});
}

}  // namespace

Members members_of(const Value& object) {
    Members members;
    for (const auto& member : object.GetObject()) {
        members[{member.name.GetString(), member.name.GetStringLength()}] = &member.value;
    }
    return members;
}

bool equal_values(const Value& golden, const Value& ours) {
    if (golden.GetType() != ours.GetType()) {
        return false;
    }
    switch (golden.GetType()) {
        case rapidjson::kNumberType:
            return equal_numbers(golden, ours);
        case rapidjson::kStringType:
            return std::string_view(golden.GetString(), golden.GetStringLength()) ==
                   std::string_view(ours.GetString(), ours.GetStringLength());
        case rapidjson::kArrayType:
            return std::equal(golden.Begin(), golden.End(), ours.Begin(), ours.End(), equal_values);
        case rapidjson::kObjectType:
            return equal_objects(golden, ours);
        default:
            return true;
    }
}

std::vector<ValueDifference> differences_of(std::string_view name,
                                            const Value* golden,
                                            const Value* ours) {
    std::vector<ValueDifference> found;
    const std::string path(name);
    find_differences(path, path, golden, ours, found);
    return found;
}

}  // namespace curlew::cli
