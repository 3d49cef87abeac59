// Which of a cluster's targets an exchange goes to: of two that are drawn at random, the one with fewer exchanges in flight.
// Two choices keep the longest queue near log log n where one has log n / log log n, and unlike "the least of all" they do not
// send everybody who looks at the same moment to the same target (M. Mitzenmacher, "The Power of Two Choices in Randomized
// Load Balancing", IEEE TPDS 12(10), 2001).
//
// Pure: chance is an argument. The load is a worker's own, as everything of a pool.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "upstream/slow_start.h"

namespace tidegate::upstream {

struct Candidate {
  std::uint32_t load;                 ///< exchanges in flight
  std::uint32_t share = kWholeShare;  ///< of what others are asked (slow_start.h)
};

/// Two different ones of `count`, which is 2 or more, in random order. @param chance 64 random bits, of which the upper 48 are used.
constexpr std::pair<std::size_t, std::size_t> draw_two(std::size_t count, std::uint64_t chance) noexcept {
  constexpr std::uint64_t k24 = 0xffffff;
  const auto first = static_cast<std::size_t>(((chance >> 40) * count) >> 24);
  const auto other = static_cast<std::size_t>((((chance >> 16) & k24) * (count - 1)) >> 24);
  return {first, other + (other >= first ? 1 : 0)};
}

/// Whether it goes to the second of two that were drawn. While there is nothing in flight, the loads say nothing, and the
/// less warmed up of the two is passed over so often that it gets its share; when there is, it gets as much less of the load.
/// @param chance 16 random bits.
constexpr bool prefers_second(Candidate first, Candidate second, std::uint32_t chance) noexcept {
  if (first.share != second.share) {
    const bool second_is_colder = second.share < first.share;
    const std::uint64_t colder = second_is_colder ? second.share : first.share;
    const std::uint64_t warmer = second_is_colder ? first.share : second.share;
    if (chance * warmer >= (colder << 16)) return !second_is_colder;
  }
  return std::uint64_t{second.load} * first.share < std::uint64_t{first.load} * second.share;
}

}  // namespace tidegate::upstream
