#include "observe/latency_totals.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace tidegate::observe {
namespace {

using namespace std::chrono_literals;

TEST(LatencyTotals, FoldBucketsAndSumOfAllWorkers) {
  LatencyHistogram one, two;
  one.add(400us);
  one.add(500us);  // a bound belongs to its bucket
  two.add(501us);
  two.add(60s);
  LatencyTotals totals;
  totals.add(one.view());
  totals.add(two.view());
  EXPECT_EQ(totals.count(), 4u);
  EXPECT_EQ(totals.buckets[0], 2u);
  EXPECT_EQ(totals.buckets[1], 1u);
  EXPECT_EQ(totals.buckets.back(), 1u);
  EXPECT_DOUBLE_EQ(totals.sum_seconds, 60.001401);
}

TEST(LatencyTotals, QuantilesAreInterpolatedInTheirBucket) {
  LatencyTotals totals;
  totals.buckets[4] = 100;  // 5 to 10 ms
  EXPECT_DOUBLE_EQ(*totals.quantile(0.0), 0.005);
  EXPECT_DOUBLE_EQ(*totals.quantile(0.5), 0.0075);
  EXPECT_DOUBLE_EQ(*totals.quantile(0.99), 0.00995);
  totals.buckets[0] = 300;  // up to 0.5 ms
  EXPECT_DOUBLE_EQ(*totals.quantile(0.5), 0.0005 * 200 / 300);
  EXPECT_DOUBLE_EQ(*totals.quantile(0.75), 0.0005);
  EXPECT_DOUBLE_EQ(*totals.quantile(1.0), 0.01);
}

TEST(LatencyTotals, WhatIsAboveAllBoundsIsShownAsTheLastBound) {
  LatencyTotals totals;
  totals.buckets.back() = 1;
  EXPECT_DOUBLE_EQ(*totals.quantile(0.5), 10.0);
}

TEST(LatencyTotals, MoreBoundsComeInBetweenEachOnce) {
  constexpr double kMore[] = {0.3, 0.5, 0.3, 20.0};
  const std::vector<double> bounds = latency_bounds(kMore);
  EXPECT_EQ(bounds.size(), kLatencyBounds.size() + 2);
  EXPECT_TRUE(std::is_sorted(bounds.begin(), bounds.end()));
  LatencyHistogram histogram(bounds);
  histogram.add(300ms);
  histogram.add(301ms);
  histogram.add(30s);
  LatencyTotals totals(bounds);
  totals.add(histogram.view());
  const auto at = static_cast<std::size_t>(std::find(bounds.begin(), bounds.end(), 0.3) - bounds.begin());
  EXPECT_EQ(totals.buckets[at], 1u);
  EXPECT_EQ(totals.buckets[at + 1], 1u);
  EXPECT_EQ(totals.buckets.back(), 1u);
}

TEST(LatencyTotals, OfWorkersWithOtherBoundsNothingIsMissing) {
  const std::vector<double> more = latency_bounds(std::vector<double>{0.3});
  for (const bool finer_first : {false, true}) {
    LatencyHistogram finer(more);
    LatencyHistogram coarser;
    for (const int ms : {1, 270, 290, 310, 100000}) {
      finer.add(std::chrono::milliseconds(ms));
      coarser.add(std::chrono::milliseconds(ms));
    }
    LatencyTotals totals((finer_first ? finer : coarser).view().bounds());
    totals.add(finer.view());
    totals.add(coarser.view());
    totals.add(finer.view());
    LatencyTotals expected;
    for (int i = 0; i < 3; ++i) expected.add(coarser.view());
    EXPECT_EQ(totals.bounds, expected.bounds);
    EXPECT_EQ(totals.buckets, expected.buckets);
    EXPECT_DOUBLE_EQ(totals.sum_seconds, expected.sum_seconds);
  }
}

TEST(LatencyTotals, NoDataHaveNoQuantile) { EXPECT_FALSE(LatencyTotals().quantile(0.5)); }

TEST(LatencyHistogram, OneMoreBoundKeepsEveryCountBelowTheBoundsThatItWasBelow) {
  LatencyHistogram histogram;
  histogram.add(std::chrono::milliseconds(300));
  histogram.add(std::chrono::milliseconds(700));
  histogram.add(std::chrono::seconds(20));
  const LatencyHistogram::View before = histogram.view();
  histogram.add_bound(0.333);
  histogram.add_bound(0.333);
  const LatencyHistogram::View after = histogram.view();
  ASSERT_EQ(after.bounds().size(), before.bounds().size() + 1);
  EXPECT_DOUBLE_EQ(after.sum_seconds(), before.sum_seconds());
  const auto below = [](const LatencyHistogram::View& of, double bound) {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < of.bounds().size() && of.bounds()[i] <= bound; ++i) count += of.bucket(i);
    return count;
  };
  for (const double bound : before.bounds()) EXPECT_EQ(below(after, bound), below(before, bound)) << bound;
  EXPECT_EQ(after.bucket(after.bounds().size()), 1u);
  histogram.add(std::chrono::milliseconds(300));
  EXPECT_EQ(below(histogram.view(), 0.333), 1u);  // what was there before is known to be below 0.5 only
}

}  // namespace
}  // namespace tidegate::observe
