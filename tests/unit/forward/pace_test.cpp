#include "forward/pace.h"

#include <gtest/gtest.h>

namespace tidegate::forward {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kRate = 1000;

/// Looks once a second.
struct Watched {
  explicit Watched(std::uint64_t slack = 0) { pace.start(kRate, 10s, slack, now); }
  /// @param rate that it moves at. @return the second at which it was found too slow; 0: never.
  int run(int length, std::int64_t rate, bool waiting = true) {
    for (int second = 1; second <= length; ++second) {
      now += 1s;
      moved += rate;
      if (!pace.keeps_up(moved, waiting, now)) return second;
    }
    return 0;
  }
  Pace pace;
  TimePoint now{1h};
  std::int64_t moved = 0;
};

TEST(Pace, WhoMovesNothingLastsForTheGrace) { EXPECT_EQ(Watched().run(100, 0), 11); }

TEST(Pace, WhoKeepsTheRateIsNeverEnded) { EXPECT_EQ(Watched().run(100'000, kRate), 0); }

TEST(Pace, WhoDribblesIsEndedAndTheSlowerTheSooner) {
  EXPECT_EQ(Watched().run(1000, 1), 11);
  EXPECT_EQ(Watched().run(1000, kRate / 2), 21);
  EXPECT_EQ(Watched().run(1000, kRate * 9 / 10), 101);
}

TEST(Pace, OnlyTimeInWhichTheClientIsWaitedForCounts) {
  Watched watched;
  EXPECT_EQ(watched.run(100'000, 0, false), 0);
  EXPECT_EQ(watched.run(100, 0), 11);
}

TEST(Pace, WhatWasMovedFastLongAgoDoesNotPayForADribble) {
  Watched watched;
  EXPECT_EQ(watched.run(100, 1'000'000'000), 0);
  EXPECT_EQ(watched.run(100, 1), 11);
}

TEST(Pace, AProgressThatComesInWindowsIsNotHeldAgainstIt) {
  Watched watched(Pace::kWindowBytes);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(watched.run(31, 0), 0);
    EXPECT_EQ(watched.run(1, 32 * 1024), 0);  // the rate, told once in 32 s
  }
  EXPECT_EQ(watched.run(1000, 0), 76);
}

TEST(Pace, AProgressThatIsTakenBackCountsOnce) {
  Watched watched;
  for (int i = 0; i < 50; ++i) {
    watched.now += 1s;
    const bool fine = watched.pace.keeps_up(i % 2 == 0 ? 1000 : 0, true, watched.now);
    EXPECT_EQ(fine, i < 11) << i;
    if (!fine) break;
  }
}

TEST(Pace, IsNotLookedAtWithoutARate) {
  Pace pace;
  EXPECT_FALSE(pace.active());
  pace.start(0, 10s, 0, TimePoint(1h));
  EXPECT_FALSE(pace.active());
  pace.start(1, 10s, 0, TimePoint(1h));
  EXPECT_TRUE(pace.active());
  pace.stop();
  EXPECT_FALSE(pace.active());
}

}  // namespace
}  // namespace tidegate::forward
