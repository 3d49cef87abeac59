#include "base/duration_text.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

using namespace std::chrono_literals;

TEST(DurationText, IsTheLargestUnitThatGivesAWholeNumber) {
  EXPECT_EQ(duration_text(0s), "0s");
  EXPECT_EQ(duration_text(250ms), "250ms");
  EXPECT_EQ(duration_text(1500ms), "1500ms");
  EXPECT_EQ(duration_text(90s), "90s");
  EXPECT_EQ(duration_text(5min), "5m");
  EXPECT_EQ(duration_text(36h), "36h");
  EXPECT_EQ(duration_text(168h), "7d");
}

TEST(SpokenSeconds, AreSaidInTheirTwoLargestUnits) {
  EXPECT_EQ(spoken_seconds(-1), "0s");
  EXPECT_EQ(spoken_seconds(0), "0s");
  EXPECT_EQ(spoken_seconds(3.21), "3.2s");
  EXPECT_EQ(spoken_seconds(12.4), "12s");
  EXPECT_EQ(spoken_seconds(288), "4m 48s");
  EXPECT_EQ(spoken_seconds(300), "5m");
  EXPECT_EQ(spoken_seconds(7260), "2h 1m");
  EXPECT_EQ(spoken_seconds(90000), "1d 1h");
}

}  // namespace
}  // namespace tidegate
