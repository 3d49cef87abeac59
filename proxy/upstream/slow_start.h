// How much a target that has newly appeared is asked of while its caches are cold: its share of what the others get grows
// from a tenth to all of it within the cluster's `slow_start`. Envoy's formula with its defaults, aggression 1 and a
// min_weight_percent of 10: max(10 %, time since it appeared / window) ("Slow start mode" of Envoy's documentation).
//
// Pure: the time is an argument.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace tidegate::upstream {

inline constexpr std::uint32_t kWholeShare = 1000;
inline constexpr std::uint32_t kLeastShare = 100;  // or it would get no request to warm up with

/// @param age since it appeared. @param window 0 = no slow start.
constexpr std::uint32_t share_of(Duration age, Duration window) noexcept {
  if (age >= window) return kWholeShare;
  const auto reached = static_cast<std::uint32_t>(kWholeShare * std::max<Duration>(age, {}) / window);
  return std::max(reached, kLeastShare);
}

}  // namespace tidegate::upstream
