#include "base/duration_text.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

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
