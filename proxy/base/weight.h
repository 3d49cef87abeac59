// A share of requests in steps of 0.01 %, and its image in the space of positions [0, 2^32): a request whose position is
// below `threshold()` goes to new (or is mirrored). 100 % has threshold 2^32, which every position is below.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tidegate {

class Weight {
 public:
  static constexpr std::uint32_t kWhole = 10'000;  ///< 100 % in units of 0.01 %

  constexpr Weight() noexcept = default;

  /// @param units 0..10000, in 0.01 %; more is taken as 100 %.
  static constexpr Weight of_units(std::uint32_t units) noexcept { return Weight(units > kWhole ? kWhole : units); }
  static constexpr Weight none() noexcept { return Weight(0); }
  static constexpr Weight whole() noexcept { return Weight(kWhole); }

  /// Reads "10", "12.5", "0.01" or the same with a trailing "%". Empty for anything else: a sign, more than two
  /// decimals, more than 100.
  static std::optional<Weight> parse(std::string_view text) noexcept;
  /// From a JSON number. Empty outside 0..100 or finer than 0.01.
  static std::optional<Weight> from_percent(double percent) noexcept;

  constexpr std::uint32_t units() const noexcept { return units_; }
  constexpr double percent() const noexcept { return units_ / 100.0; }
  constexpr double share() const noexcept { return units_ / 10'000.0; }
  /// First position that is *not* below the weight; 0..2^32.
  constexpr std::uint64_t threshold() const noexcept {
    return ((static_cast<std::uint64_t>(units_) << 32) + kWhole / 2) / kWhole;
  }
  /// Shortest decimal text without a unit: "10", "12.5", "0.01".
  std::string text() const;

  friend constexpr auto operator<=>(Weight, Weight) noexcept = default;

 private:
  explicit constexpr Weight(std::uint32_t units) noexcept : units_(units) {}
  std::uint32_t units_ = 0;
};

}  // namespace tidegate
