// Which of two targets an exchange goes to, and what slow start makes of it.
#include "upstream/choice.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <vector>

#include "base/random.h"

namespace tidegate::upstream {
namespace {

using namespace std::chrono_literals;

std::size_t choose(const std::vector<Candidate>& all, Random& random) {
  const std::uint64_t chance = random.next();
  const auto [first, second] = draw_two(all.size(), chance);
  return prefers_second(all[first], all[second], chance & 0xffff) ? second : first;
}

TEST(DrawTwo, AreDifferentAndEveryPairIsAsLikely) {
  Random random(1);
  for (const std::size_t count : {2u, 3u, 7u}) {
    std::map<std::pair<std::size_t, std::size_t>, int> seen;
    const int draws = 60'000;
    for (int i = 0; i < draws; ++i) ++seen[draw_two(count, random.next())];
    EXPECT_EQ(seen.size(), count * (count - 1));
    for (const auto& [pair, times] : seen) {
      EXPECT_NE(pair.first, pair.second);
      EXPECT_NEAR(times, draws / static_cast<double>(seen.size()), 600) << pair.first << ' ' << pair.second << " of " << count;
    }
  }
}

TEST(DrawTwo, StaysInsideAtTheEndsOfChance) {
  for (const std::size_t count : {2u, 64u, 6400u}) {
    for (const std::uint64_t chance : {std::uint64_t{0}, ~std::uint64_t{0}}) {
      const auto [first, second] = draw_two(count, chance);
      EXPECT_LT(first, count);
      EXPECT_LT(second, count);
    }
  }
}

TEST(Choice, TheOneWithLessInFlightIsTakenAndATieIsTheFirst) {
  EXPECT_TRUE(prefers_second({2}, {1}, 0));
  EXPECT_FALSE(prefers_second({1}, {2}, 0));
  EXPECT_FALSE(prefers_second({1}, {1}, 0));
}

/// How far the fullest of 100 targets is above the mean of 100 when none of 10,000 exchanges ends.
std::uint32_t excess(bool of_two) {
  Random random(7);
  std::vector<Candidate> all(100, Candidate{0});
  for (int i = 0; i < 10'000; ++i) ++all[of_two ? choose(all, random) : draw_two(all.size(), random.next()).first].load;
  return std::max_element(all.begin(), all.end(), [](auto a, auto b) { return a.load < b.load; })->load - 100;
}

TEST(Choice, TwoChoicesKeepTheFullestNearTheMeanWhereOneDoesNot) {
  EXPECT_LE(excess(true), 4u);
  EXPECT_GE(excess(false), 15u);
}

/// The share of `in_flight` exchanges' worth of load that the last target gets, the oldest ending first.
double share_of_last(std::vector<Candidate> all, std::size_t in_flight) {
  Random random(3);
  std::deque<std::size_t> open;
  int last = 0;
  const int exchanges = 40'000;
  for (int i = 0; i < exchanges; ++i) {
    if (open.size() > in_flight) {
      --all[open.front()].load;
      open.pop_front();
    }
    open.push_back(choose(all, random));
    ++all[open.back()].load;
    if (open.back() + 1 == all.size()) ++last;
  }
  return last / static_cast<double>(exchanges);
}

TEST(Choice, WarmTargetsShareEvenly) {
  for (const std::size_t in_flight : {0u, 1u, 10u, 100u}) {
    EXPECT_NEAR(share_of_last({{0}, {0}}, in_flight), 0.5, 0.02) << in_flight;
    EXPECT_NEAR(share_of_last({{0}, {0}, {0}, {0}}, in_flight), 0.25, 0.02) << in_flight;
  }
}

TEST(Choice, AColdTargetGetsNoMoreThanItsShareAndSomething) {
  for (const std::uint32_t share : {100u, 300u, 500u, 900u}) {
    const double of_one = share / 1000.0;
    for (const std::size_t in_flight : {0u, 3u, 100u}) {
      const double got = share_of_last({{0}, {0, share}}, in_flight);
      EXPECT_LE(got, of_one / (1 + of_one) + 0.03) << share << " with " << in_flight;
      EXPECT_GE(got, of_one / 2 * 0.8) << share << " with " << in_flight;
    }
  }
}

TEST(Choice, TargetsThatAreEquallyColdShareEvenly) {
  EXPECT_NEAR(share_of_last({{0, 100}, {0, 100}}, 0), 0.5, 0.02);
  EXPECT_NEAR(share_of_last({{0, 100}, {0, 100}}, 50), 0.5, 0.02);
}

TEST(SlowStart, RisesFromATenthToAllWithinTheWindow) {
  EXPECT_EQ(share_of(0s, 30s), kLeastShare);
  EXPECT_EQ(share_of(3s, 30s), kLeastShare);
  EXPECT_EQ(share_of(15s, 30s), kWholeShare / 2);
  EXPECT_EQ(share_of(30s, 30s), kWholeShare);
  EXPECT_EQ(share_of(31s, 30s), kWholeShare);
  EXPECT_EQ(share_of(1h, 1h), kWholeShare);
  std::uint32_t last = 0;
  for (Duration age{}; age <= 1h; age += 1s) {
    EXPECT_GE(share_of(age, 1h), last);
    last = share_of(age, 1h);
  }
}

TEST(SlowStart, IsOffWithAWindowOfZero) { EXPECT_EQ(share_of(0s, 0s), kWholeShare); }

}  // namespace
}  // namespace tidegate::upstream
