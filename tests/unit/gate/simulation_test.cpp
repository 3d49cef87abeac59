// The promises of the rule on simulated traffic: a healthy new is left alone, a sick one is found within so many
// failures.
#include <gtest/gtest.h>

#include <random>

#include "gate/feed.h"
#include "simulate/at_threshold.h"
#include "simulate/naive_window.h"

namespace tidegate::gate {
namespace {

constexpr double kTick = 0.05;

class Traffic {
 public:
  Traffic(unsigned seed, double requests_per_tick) : random_(seed), requests_(requests_per_tick) {}

  Counts tick(double new_rate, double old_rate) {
    Counts c;
    c.new_total = requests_(random_);
    c.old_total = requests_(random_);
    c.new_failures = std::binomial_distribution<std::uint64_t>(c.new_total, new_rate)(random_);
    c.old_failures = std::binomial_distribution<std::uint64_t>(c.old_total, old_rate)(random_);
    return c;
  }

 private:
  std::mt19937_64 random_;
  std::poisson_distribution<std::uint64_t> requests_;
};

TEST(GateSimulation, AHealthyNewIsNotRevertedInTwoHours) {
  Traffic traffic(20'260'101, 100 * kTick);
  Gate gate(test::never_promoting(), 0.5);
  for (int i = 0; i < 2 * 3600 / kTick; ++i) {
    const Ruling ruling = gate.tick(traffic.tick(0.005, 0.005), kTick);
    ASSERT_NE(ruling.decision, Decision::Revert) << "seed 20260101, tick " << i;
  }
}

TEST(GateSimulation, FivePercentRevertWithin60FailuresAfterAnHourOfHealth) {
  for (const unsigned seed : {1u, 2u, 3u, 4u, 5u}) {
    Traffic traffic(seed, 100 * kTick);
    Gate gate(test::never_promoting(), 0.5);
    for (int i = 0; i < 3600 / kTick; ++i) {
      ASSERT_EQ(gate.tick(traffic.tick(0.001, 0.001), kTick).decision, Decision::Hold) << "seed " << seed;
    }
    std::uint64_t failures = 0;
    Ruling ruling;
    while (ruling.decision == Decision::Hold && failures <= 60) {
      const Counts counts = traffic.tick(0.05, 0.001);
      failures += counts.new_failures;
      ruling = gate.tick(counts, kTick);
    }
    EXPECT_EQ(ruling.decision, Decision::Revert) << "seed " << seed;
    EXPECT_EQ(ruling.reason, Reason::ErrorRate) << "seed " << seed;
  }
}

TEST(GateSimulation, ANewThatIsExactlyAtTheThresholdForSixtyDaysIsRevertedNoOftenerThanTheBudgetSays) {
  // bench/simulate does 1,020 days of it. Ticks of half a second: the promise holds for every tick, and so it takes seconds.
  constexpr int kDays = 60;
  const simulate::AtThreshold seen = simulate::days_at_threshold(kDays, 10.0, {0.1}, 0.5, 20'260'301);
  EXPECT_LE(seen.reverted[0], kDays * 0.1) << "10 % a day, seed 20260301";
}

TEST(GateSimulation, TheSlidingWindowRevertsTheSameNewWithinMinutes) {
  simulate::Traffic traffic(10.0, 0.0, 0.1, 20'260'301);
  simulate::NaiveWindow window(60.0, 50, 0.01, 0.1);
  int ticks = 0;
  while (!window.tick(traffic.tick(0.01, 0.0))) ASSERT_LT(++ticks, 10 * 60 * 10);
}

TEST(GateSimulation, ABurstOfOneSecondIsTolerated) {
  Traffic traffic(7, 100 * kTick);
  Gate gate(test::never_promoting(), 0.5);
  for (int round = 0; round < 60; ++round) {
    for (int i = 0; i < 60 / kTick; ++i) {
      const double rate = i < 1 / kTick ? 0.5 : 0.001;
      ASSERT_EQ(gate.tick(traffic.tick(rate, 0.001), kTick).decision, Decision::Hold) << "seed 7, burst " << round;
    }
  }
}

}  // namespace
}  // namespace tidegate::gate
