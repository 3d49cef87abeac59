// The two sides of a route, and arrays indexed by them. "old" and "new" are the only words used for them anywhere;
// `new` being a keyword, the enumerators are capitalised.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidegate {

enum class Side : std::uint8_t { Old = 0, New = 1 };

constexpr std::size_t index(Side side) noexcept { return static_cast<std::size_t>(side); }
constexpr Side other(Side side) noexcept { return side == Side::Old ? Side::New : Side::Old; }
constexpr std::string_view name(Side side) noexcept { return side == Side::Old ? "old" : "new"; }

/// One value for each side.
template <class T>
struct PerSide {
  std::array<T, 2> values{};
  T& operator[](Side side) noexcept { return values[index(side)]; }
  const T& operator[](Side side) const noexcept { return values[index(side)]; }
  bool operator==(const PerSide&) const = default;
};

}  // namespace tidegate
