// When a name is asked for again, what of its answers is kept, and what there is to tell.
#include "upstream/resolution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace tidegate::upstream {
namespace {

using namespace std::chrono_literals;
using Addresses = std::vector<net::Address>;

constexpr TimePoint kNow{1000h};
constexpr double kEven = 0.5;  // no jitter

Addresses addresses(std::initializer_list<const char*> literals) {
  Addresses out;
  for (const char* one : literals) out.push_back(*net::make_address(one, 0));
  return out;
}

Duration asked_after(Duration ttl, double chance = kEven) {
  Resolution name;
  name.answered(addresses({"10.0.0.1"}), ttl, kNow, chance);
  return name.due() - kNow;
}

TEST(Resolution, IsAskedAgainWhenTheTtlEnds) {
  EXPECT_EQ(asked_after(30s), 30s);
  EXPECT_EQ(asked_after(5min), 5min);
}

TEST(Resolution, HasAFloorAndACeiling) {
  EXPECT_EQ(asked_after(0s), 1s);
  EXPECT_EQ(asked_after(0s, 0.0), 1s) << "jitter does not go below it";
  EXPECT_EQ(asked_after(7 * 24h), 5min);
}

TEST(Resolution, IsAskedUpToATenthEarlierOrLater) {
  EXPECT_EQ(asked_after(100s, 0.0), 90s);
  EXPECT_NEAR(seconds(asked_after(100s, 0.999999)), 110.0, 0.001);
  EXPECT_NEAR(seconds(asked_after(100s, 0.25)), 95.0, 0.001);
}

TEST(Resolution, ANewNameIsDueAtOnce) { EXPECT_LE(Resolution().due(), kNow); }

TEST(Resolution, FailuresBackOffFromOneSecondToThirtyAndBeginAnewAfterAnAnswer) {
  Resolution name;
  for (const int expected : {1, 2, 4, 8, 16, 30, 30, 30}) {
    name.failed(Resolved::Timeout, kNow, kEven);
    EXPECT_EQ(name.due() - kNow, std::chrono::seconds(expected));
  }
  name.answered(addresses({"10.0.0.1"}), 10s, kNow, kEven);
  name.failed(Resolved::Timeout, kNow, kEven);
  EXPECT_EQ(name.due() - kNow, 1s);
}

TEST(Resolution, WhateverFailsTheLastGoodAnswerStays) {
  for (const Resolved why : {Resolved::Empty, Resolved::NoSuchName, Resolved::Timeout, Resolved::Error}) {
    Resolution name;
    name.answered(addresses({"10.0.0.1", "10.0.0.2"}), 10s, kNow, kEven);
    const Resolution::News news = name.failed(why, kNow + 10s, kEven);
    EXPECT_TRUE(news.failed);
    EXPECT_FALSE(news.changed);
    EXPECT_EQ(name.addresses(), addresses({"10.0.0.1", "10.0.0.2"}));
  }
}

TEST(Resolution, AFailureIsToldOnceUntilItChangesOrEnds) {
  Resolution name;
  EXPECT_TRUE(name.failed(Resolved::Timeout, kNow, kEven).failed);
  EXPECT_FALSE(name.failed(Resolved::Timeout, kNow, kEven).failed);
  EXPECT_TRUE(name.failed(Resolved::NoSuchName, kNow, kEven).failed);
  const Resolution::News first = name.answered(addresses({"10.0.0.1"}), 1s, kNow, kEven);
  EXPECT_TRUE(first.recovered && first.changed);
  EXPECT_FALSE(name.answered(addresses({"10.0.0.1"}), 1s, kNow, kEven).recovered);
  EXPECT_TRUE(name.failed(Resolved::NoSuchName, kNow, kEven).failed);
}

TEST(Resolution, RotatedAndRepeatedAddressesAreNoChange) {
  Resolution name;
  EXPECT_TRUE(name.answered(addresses({"10.0.0.1", "10.0.0.2", "::1"}), 1s, kNow, kEven).changed);
  EXPECT_FALSE(name.answered(addresses({"::1", "10.0.0.2", "10.0.0.1", "10.0.0.2"}), 1s, kNow, kEven).changed);
  EXPECT_TRUE(name.answered(addresses({"10.0.0.2", "10.0.0.1"}), 1s, kNow, kEven).changed) << "one has gone";
  EXPECT_TRUE(name.answered(addresses({"10.0.0.2", "10.0.0.3"}), 1s, kNow, kEven).changed) << "one is another";
}

TEST(Resolution, OfTooManyAddressesEveryRotationGivesTheSame) {
  Addresses many;
  for (int i = 0; i < 300; ++i) many.push_back(*net::make_address("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250), 0));
  Resolution name;
  EXPECT_TRUE(name.answered(many, 1s, kNow, kEven).changed);
  EXPECT_EQ(name.addresses().size(), kMostAddresses);
  for (const int by : {1, 100, 299}) {
    std::rotate(many.begin(), many.begin() + by, many.end());
    EXPECT_FALSE(name.answered(many, 1s, kNow, kEven).changed) << by;
  }
}

}  // namespace
}  // namespace tidegate::upstream
