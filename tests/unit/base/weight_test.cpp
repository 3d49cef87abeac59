// Weights: how they are read, written, and placed among the positions.
#include "base/weight.h"

#include <gtest/gtest.h>

#include <limits>

namespace tidegate {
namespace {

TEST(Weight, ReadsPercentWithAtMostTwoDecimals) {
  struct { const char* text; std::uint32_t units; } const kTable[] = {
      {"0", 0}, {"0%", 0}, {"0.00", 0}, {"0.01", 1}, {"0.1", 10}, {"0.10", 10}, {"1", 100}, {"10", 1'000}, {"10%", 1'000},
      {"12.5", 1'250}, {"12.5%", 1'250}, {"99.99%", 9'999}, {"100", 10'000}, {"100%", 10'000}, {"100.00", 10'000},
      {"007", 700}, {"050", 5'000}};
  for (const auto& row : kTable) {
    const auto weight = Weight::parse(row.text);
    ASSERT_TRUE(weight) << row.text;
    EXPECT_EQ(weight->units(), row.units) << row.text;
  }
}

TEST(Weight, RefusesEverythingElse) {
  for (const char* text : {"", "%", " ", "-1", "+1", "1 ", " 1", "1 %", "1%%", "100.01", "101", "1000", "0100", "1.", ".5",
                           "1.234", "1,5", "1e1", "0x1", "ten", "1.5.5", "nan", "inf", "1.-5", "1.5x", "99999999999"}) {
    EXPECT_EQ(Weight::parse(text), std::nullopt) << text;
  }
}

TEST(Weight, TakesNumbersThatAreHundredths) {
  EXPECT_EQ(Weight::from_percent(0)->units(), 0u);
  EXPECT_EQ(Weight::from_percent(-0.0)->units(), 0u);
  EXPECT_EQ(Weight::from_percent(0.01)->units(), 1u);
  EXPECT_EQ(Weight::from_percent(12.34)->units(), 1'234u);
  EXPECT_EQ(Weight::from_percent(0.1 + 0.2)->units(), 30u);
  EXPECT_EQ(Weight::from_percent(100)->units(), 10'000u);
  for (const double percent : {-0.01, 100.01, 0.001, 0.015, 1e300, std::numeric_limits<double>::infinity(),
                               std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_EQ(Weight::from_percent(percent), std::nullopt) << percent;
  }
}

TEST(Weight, WritesTheShortestTextAndReadsItBack) {
  EXPECT_EQ(Weight::of_units(0).text(), "0");
  EXPECT_EQ(Weight::of_units(1).text(), "0.01");
  EXPECT_EQ(Weight::of_units(10).text(), "0.1");
  EXPECT_EQ(Weight::of_units(1'250).text(), "12.5");
  EXPECT_EQ(Weight::of_units(10'000).text(), "100");
  for (std::uint32_t units = 0; units <= Weight::kWhole; ++units) {
    const Weight weight = Weight::of_units(units);
    ASSERT_EQ(Weight::parse(weight.text()), weight);
    ASSERT_EQ(Weight::from_percent(weight.percent()), weight);
  }
}

TEST(Weight, ThresholdsRiseFromNothingToEverything) {
  EXPECT_EQ(Weight::none().threshold(), 0u);
  EXPECT_EQ(Weight::whole().threshold(), 1ull << 32);
  EXPECT_EQ(Weight::of_units(5'000).threshold(), 1ull << 31);
  EXPECT_EQ(Weight::of_units(2'500).threshold(), 1ull << 30);
  EXPECT_EQ(Weight::of_units(1).threshold(), 429'497u);
  for (std::uint32_t units = 0; units < Weight::kWhole; ++units) {
    const std::uint64_t step = Weight::of_units(units + 1).threshold() - Weight::of_units(units).threshold();
    ASSERT_GE(step, 429'496u);
    ASSERT_LE(step, 429'497u);
  }
}

TEST(Weight, IsNeverMoreThanTheWhole) {
  EXPECT_EQ(Weight::of_units(10'001), Weight::whole());
  EXPECT_EQ(Weight::of_units(0xffffffffu), Weight::whole());
  EXPECT_LT(Weight::of_units(1), Weight::of_units(2));
}

}  // namespace
}  // namespace tidegate
