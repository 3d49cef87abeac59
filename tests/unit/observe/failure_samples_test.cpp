#include "observe/failure_samples.h"

#include <gtest/gtest.h>

namespace tidegate::observe {
namespace {

using namespace std::chrono_literals;

FailureSample at(Duration moment) {
  FailureSample sample;
  sample.at = TimePoint(moment);
  sample.after_ms = static_cast<std::uint32_t>(moment / 1ms);
  return sample;
}

TEST(FailureSamples, KeepTheFirstOfAnOutageAndNotTheLast) {
  FailureSamples samples;
  for (int i = 0; i < 1000; ++i) samples.note(at(i * 1ms));
  const auto kept = samples.since(TimePoint(0ms));
  ASSERT_EQ(kept.size(), FailureSamples::kOfASecond);
  EXPECT_EQ(kept.front().after_ms, 0u);
  EXPECT_EQ(kept.back().after_ms, FailureSamples::kOfASecond - 1);
}

TEST(FailureSamples, ABackgroundOfFailuresDoesNotHideHowAnOutageBegan) {
  FailureSamples samples;
  for (int i = 0; i < 600; ++i) samples.note(at(i * 300ms));  // three a second for three minutes
  for (int i = 0; i < 1000; ++i) samples.note(at(180s + i * 1ms));
  const auto kept = samples.since(TimePoint(180s));
  ASSERT_EQ(kept.size(), FailureSamples::kOfASecond);
  EXPECT_EQ(kept.front().after_ms, 180'000u);
}

TEST(FailureSamples, AreBoundedHoweverLongTheyCome) {
  FailureSamples samples;
  for (int i = 0; i < 100'000; ++i) samples.note(at(i * 10ms));
  EXPECT_EQ(samples.since(TimePoint(0ms)).size(), FailureSamples::kOfASecond * FailureSamples::kSeconds);
}

TEST(FailureSamples, WhatWouldNotBeKeptIsNotWanted) {
  FailureSamples samples;
  for (std::size_t i = 0; i < FailureSamples::kOfASecond; ++i) {
    EXPECT_TRUE(samples.wants(TimePoint(1s)));
    samples.note(at(1s));
  }
  EXPECT_FALSE(samples.wants(TimePoint(1s)));
  EXPECT_TRUE(samples.wants(TimePoint(2s)));
}

TEST(RedactedPath, ShowsWordsOfAnApiAndNothingThatMayBeASecretOrAPerson) {
  EXPECT_EQ(redacted_path("/api/v1/orders/4711?token=abc"), "/api/v1/orders/*");
  EXPECT_EQ(redacted_path("/users/jane.doe/reset"), "/users/*/reset");
  EXPECT_EQ(redacted_path("/users/anna@example.com"), "/users/*");
  EXPECT_EQ(redacted_path("/users/anna%2540example.com"), "/users/*");
  EXPECT_EQ(redacted_path("/reset/3fa85f64-5717-4562-b3fc-2c963f66afa6"), "/reset/*");
  EXPECT_EQ(redacted_path("/reset/QwErTyUiOp"), "/reset/*");
  EXPECT_EQ(redacted_path("/a;key=1/db-check"), "/*/db-check");
  EXPECT_EQ(redacted_path("/averylongwordwithoutanydigit/b"), "/*/b");
  EXPECT_EQ(redacted_path("/"), "/");
  EXPECT_EQ(redacted_path("*"), "*");
  EXPECT_LE(redacted_path("/" + std::string(10'000, '/')).size(), 200u);
  EXPECT_EQ(redacted_path(""), "");
}

TEST(RedactedId, IsKeptWhenItIsAUuid) {
  EXPECT_EQ(redacted_id("3fa85f64-5717-4562-b3fc-2c963f66afa6"), "3fa85f64-5717-4562-b3fc-2c963f66afa6");
  EXPECT_EQ(redacted_id("anna@example.com"), "");
  EXPECT_EQ(redacted_id("3fa85f64x5717-4562-b3fc-2c963f66afa6"), "");
}

}  // namespace
}  // namespace tidegate::observe
