// What a hedge waits for: the 95th percentile of lately.
#include "forward/usual_time.h"

#include <gtest/gtest.h>

namespace tidegate::forward {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

const TimePoint kStart{seconds(1000)};

TEST(UsualTime, IsUnknownBeforeItHasSeenEnough) {
  UsualTime usual;
  for (std::uint32_t i = 1; i < UsualTime::kLeast; ++i) usual.note(milliseconds(5));
  EXPECT_EQ(usual.p95(kStart), Duration::zero());
  usual.note(milliseconds(5));
  EXPECT_GE(usual.p95(kStart), milliseconds(5));
}

TEST(UsualTime, IsNeverTooShortAndAtMostAnEighthAndAUnitTooLong) {
  for (Duration took = microseconds(1); took < seconds(30); took = took * 5 / 4 + microseconds(1)) {
    UsualTime usual;
    for (std::uint32_t i = 0; i < UsualTime::kLeast; ++i) usual.note(took);
    EXPECT_GT(usual.p95(kStart), took);
    EXPECT_LE(usual.p95(kStart), took * 9 / 8 + microseconds(125));
  }
}

TEST(UsualTime, FiveInAHundredAreAboveIt) {
  for (const auto& [slow, expected] : {std::pair{0, 10}, {5, 10}, {6, 400}, {50, 400}}) {
    UsualTime usual;
    for (int i = 0; i < 100; ++i) usual.note(milliseconds(i < slow ? 400 : 10));
    EXPECT_NEAR(std::chrono::duration<double>(usual.p95(kStart)).count(), expected * 1e-3, expected * 1e-3 / 7) << slow;
  }
}

TEST(UsualTime, IsLookedAtOnceASecond) {
  UsualTime usual;
  for (int i = 0; i < 100; ++i) usual.note(milliseconds(10));
  const Duration before = usual.p95(kStart);
  for (int i = 0; i < 100; ++i) usual.note(milliseconds(400));
  EXPECT_EQ(usual.p95(kStart + milliseconds(999)), before);
  EXPECT_GT(usual.p95(kStart + seconds(1)), milliseconds(400));
}

TEST(UsualTime, FollowsTheSideInBothDirections) {
  UsualTime usual;
  TimePoint now = kStart;
  for (const int took : {10, 300, 20}) {
    for (int second = 0; second < 10; ++second, now += seconds(1)) {
      for (int i = 0; i < 1000; ++i) usual.note(milliseconds(took));
      usual.p95(now);
    }
    EXPECT_GE(usual.p95(now), milliseconds(took));
    EXPECT_LE(usual.p95(now), milliseconds(took) * 9 / 8 + milliseconds(1));
  }
}

TEST(UsualTime, TakesWhatClocksSay) {
  UsualTime usual;
  for (int i = 0; i < 100; ++i) usual.note(i % 2 == 0 ? Duration::min() : Duration::max());
  EXPECT_GT(usual.p95(kStart), seconds(30));
}

}  // namespace
}  // namespace tidegate::forward
