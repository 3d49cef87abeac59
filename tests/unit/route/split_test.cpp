// The split: exact shares in any window, exact over the period, and monotone in the weight.
#include "route/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

namespace tidegate::route {
namespace {

std::vector<Position> one_period(std::uint32_t start = 0) {
  PositionSequence sequence(start);
  std::vector<Position> out;
  for (std::uint32_t i = 0; i < Weight::kWhole; ++i) out.push_back(sequence.next());
  return out;
}

/// The worst deviation from the share over every window of so many consecutive positions.
double worst(Weight weight, std::size_t window) {
  const std::vector<Position> positions = one_period();
  double worst = 0;
  std::size_t taken = 0;
  for (std::size_t i = 0; i < positions.size() + window; ++i) {
    if (is_below(positions[i % positions.size()], weight)) ++taken;
    if (i >= window && is_below(positions[(i - window) % positions.size()], weight)) --taken;
    if (i + 1 >= window) {
      worst = std::max(worst, std::fabs(static_cast<double>(taken) - weight.share() * static_cast<double>(window)));
    }
  }
  return worst;
}

TEST(Split, OfAnyThousandConsecutiveRequestsTenPercentIsAHundredPlusMinusOne) {
  EXPECT_LE(worst(Weight::of_units(1'000), 1'000), 1.0);
}

TEST(Split, TheWeightsThatPeopleUseAreWithinTwoInAnyThousand) {
  for (const std::uint32_t units : {1u, 100u, 500u, 1'000u, 2'500u, 5'000u, 7'500u, 9'000u, 9'900u}) {
    EXPECT_LE(worst(Weight::of_units(units), 1'000), 1.5) << units;
  }
}

TEST(Split, ShortWindowsAreFairAsWell) {
  for (const std::uint32_t units : {1'000u, 2'500u, 5'000u, 9'000u}) {
    for (const std::size_t window : {10u, 37u, 50u, 100u, 333u}) {
      EXPECT_LE(worst(Weight::of_units(units), window), 2.0) << units << " in " << window;
    }
  }
}

TEST(Split, AFullPeriodIsExactForEveryWeightFromAnyStart) {
  std::vector<Position> positions = one_period(7'777);
  std::sort(positions.begin(), positions.end());
  for (std::uint32_t units = 0; units <= Weight::kWhole; ++units) {
    const std::uint64_t threshold = Weight::of_units(units).threshold();
    const auto below = std::partition_point(positions.begin(), positions.end(), [&](Position p) { return p < threshold; });
    ASSERT_EQ(static_cast<std::uint32_t>(below - positions.begin()), units);
  }
}

TEST(Split, APeriodVisitsEveryPositionOnceAndBeginsAgain) {
  const std::vector<Position> positions = one_period(123);
  EXPECT_EQ(std::set<Position>(positions.begin(), positions.end()).size(), Weight::kWhole);
  PositionSequence sequence(123);
  for (std::uint32_t i = 0; i < Weight::kWhole; ++i) sequence.next();
  EXPECT_EQ(sequence.next(), positions.front());
}

TEST(Split, AStartBeyondThePeriodWraps) {
  PositionSequence a(5), b(5 + Weight::kWhole);
  EXPECT_EQ(a.next(), b.next());
}

TEST(Split, RaisingTheWeightKeepsEveryoneWhoIsOnNewAndLoweringRemovesOnlyTheLast) {
  const std::vector<Position> positions = one_period();
  for (std::uint32_t low = 0; low < Weight::kWhole; low += 61) {
    const Weight before = Weight::of_units(low);
    const Weight after = Weight::of_units(low + 61);
    std::size_t joined = 0;
    for (const Position position : positions) {
      if (is_below(position, before)) {
        ASSERT_EQ(pick(position, after), Side::New);
      }
      joined += is_below(position, after) && !is_below(position, before) ? 1 : 0;
    }
    ASSERT_EQ(joined, after.units() - before.units());
  }
}

TEST(Split, ZeroSendsNobodyAndAHundredEverybody) {
  for (const Position position : {0u, 1u, 214'748u, 0x7fffffffu, 0x80000000u, 0xfffffffeu, 0xffffffffu}) {
    EXPECT_EQ(pick(position, Weight::none()), Side::Old);
    EXPECT_EQ(pick(position, Weight::whole()), Side::New);
  }
}

TEST(Split, APositionIsNeverOnTheEdgeOfAThreshold) {
  for (const Position position : one_period()) {
    const std::uint64_t step = (1ull << 32) / Weight::kWhole;
    std::uint32_t units = static_cast<std::uint32_t>(position / step);
    for (std::uint32_t u = units > 0 ? units - 1 : 0; u <= units + 1; ++u) {
      const auto threshold = static_cast<std::int64_t>(Weight::of_units(u).threshold());
      ASSERT_GT(std::llabs(threshold - static_cast<std::int64_t>(position)), 1'000);
    }
  }
}

}  // namespace
}  // namespace tidegate::route
