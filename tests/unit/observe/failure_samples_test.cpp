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

TEST(FailureSamples, KeepsTheFirstOfAnOutageAndNotTheLast) {
  FailureSamples samples;
  for (int i = 0; i < 1000; ++i) samples.note(at(i * 1ms));
  const auto kept = samples.since(TimePoint(0ms));
  ASSERT_EQ(kept.size(), FailureSamples::kKept);
  EXPECT_EQ(kept.front().after_ms, 0u);
  EXPECT_EQ(kept.back().after_ms, FailureSamples::kKept - 1);
}

TEST(FailureSamples, OldOnesMakeRoom) {
  FailureSamples samples;
  for (std::size_t i = 0; i < FailureSamples::kKept; ++i) samples.note(at(0ms));
  samples.note(at(2min));
  EXPECT_EQ(samples.since(TimePoint(0ms)).size(), FailureSamples::kKept);
  ASSERT_EQ(samples.since(TimePoint(1min)).size(), 1u);
}

TEST(RedactedPath, HasNoQueryAndNoSegmentThatMayBeASecretOrAPerson) {
  EXPECT_EQ(redacted_path("/api/v1/orders/4711?token=abc"), "/api/v1/orders/4711");
  EXPECT_EQ(redacted_path("/users/anna@example.com/reset"), "/users/*/reset");
  EXPECT_EQ(redacted_path("/users/anna%40example.com"), "/users/*");
  EXPECT_EQ(redacted_path("/reset/3fa85f64-5717-4562-b3fc-2c963f66afa6"), "/reset/*");
  EXPECT_EQ(redacted_path("/a;key=1/b"), "/*/b");
  EXPECT_EQ(redacted_path("/a-long-name-without-any-number/b"), "/a-long-name-without-any-number/b");
  EXPECT_EQ(redacted_path("/"), "/");
  EXPECT_EQ(redacted_path("*"), "*");
  EXPECT_EQ(redacted_path(std::string(10'000, 'a')).size(), 200u);
  EXPECT_EQ(redacted_path(""), "");
}

}  // namespace
}  // namespace tidegate::observe
