#include "cli/time_text.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <time.h>

#include <limits>

namespace tidegate::cli {
namespace {

TEST(TimeText, ASpanHasItsTwoLargestUnits) {
  EXPECT_EQ(span_text(0.9), "0s");
  EXPECT_EQ(span_text(59.99), "59s");
  EXPECT_EQ(span_text(288), "4m 48s");
  EXPECT_EQ(span_text(300), "5m");
  EXPECT_EQ(span_text(7'500), "2h 5m");
  EXPECT_EQ(span_text(3 * 86'400 + 4 * 3'600), "3d 4h");
  EXPECT_EQ(span_text(-5), "0s");
  EXPECT_NO_THROW(span_text(1e300));
}

TEST(TimeText, AMomentOfTheApiIsReadToTheMillisecond) {
  EXPECT_EQ(wall_ms_of("2023-11-14T22:13:20.250Z"), 1'700'000'000'250);
  for (const char* bad : {"", "2023-11-14", "2023-11-14T22:13:20Z", "2023-11-14T22:13:20.250Z and more", "x"}) {
    EXPECT_FALSE(wall_ms_of(bad)) << bad;
  }
}

TEST(TimeText, AMomentIsLocalWithItsZone) {
  ::setenv("TZ", "IST-5:30", 1);
  ::tzset();
  EXPECT_EQ(moment_text(1'700'000'000'250), "2023-11-15T03:43:20+05:30");
  ::setenv("TZ", "UTC", 1);
  ::tzset();
  EXPECT_EQ(moment_text(1'700'000'000'250), "2023-11-14T22:13:20+00:00");
}

}  // namespace
}  // namespace tidegate::cli
