#include "config/suggest.h"

#include <gtest/gtest.h>

#include <array>

#include "config/workers.h"

namespace tidegate::config {
namespace {

constexpr std::array<std::string_view, 4> kKeys{"weight", "timeout", "old", "max_error_rate"};

TEST(Suggestion, IsTheNearestKeyForASlip) {
  EXPECT_EQ(suggestion("wieght", kKeys), "; did you mean \"weight\"?");
  EXPECT_EQ(suggestion("weights", kKeys), "; did you mean \"weight\"?");
  EXPECT_EQ(suggestion("maxErrorRate", kKeys), "; did you mean \"max_error_rate\"?");
  EXPECT_EQ(suggestion("max-error-rate", kKeys), "; did you mean \"max_error_rate\"?");
  EXPECT_EQ(suggestion("Old", kKeys), "; did you mean \"old\"?");
}

TEST(Suggestion, IsNothingForAnotherWord) {
  EXPECT_EQ(suggestion("frobnicate", kKeys), "");
  EXPECT_EQ(suggestion("", kKeys), "");
  EXPECT_EQ(suggestion(std::string(100'000, 'w'), kKeys), "");
}

TEST(EditDistance, CountsASwapOnce) {
  EXPECT_EQ(edit_distance("", "abc"), 3u);
  EXPECT_EQ(edit_distance("abc", "abc"), 0u);
  EXPECT_EQ(edit_distance("abcd", "abdc"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
}

TEST(Workers, AreOneACpuWithinTheQuota) {
  EXPECT_EQ(workers_for(8, std::nullopt), 8u);
  EXPECT_EQ(workers_for(8, 2.5), 2u);
  EXPECT_EQ(workers_for(8, 0.5), 1u);
  EXPECT_EQ(workers_for(8, 64.0), 8u);
  EXPECT_EQ(workers_for(0, std::nullopt), 1u);
  EXPECT_EQ(workers_for(1000, std::nullopt), kMostWorkers);
  EXPECT_GE(automatic_workers(), 1u);
}

TEST(Workers, ReadTheQuotaOfCgroupV2) {
  EXPECT_EQ(parse_cpu_max("150000 100000"), 1.5);
  EXPECT_EQ(parse_cpu_max("max 100000"), std::nullopt);
  for (const char* text : {"", "x", "100", "100 ", "100 0", " 1 1"}) EXPECT_EQ(parse_cpu_max(text), std::nullopt)
      << text;
}

}  // namespace
}  // namespace tidegate::config
