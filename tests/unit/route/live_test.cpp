// The live word of a route: what is published is what is read, to the last bit, also while another thread publishes.
#include "route/live.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

namespace tidegate::route {
namespace {

TEST(LiveRoute, BeginsWithEverythingOnOld) {
  const LiveRoute live;
  EXPECT_EQ(live.split().weight, Weight::none());
  EXPECT_EQ(live.split().step, 0u);
  EXPECT_EQ(live.split().epoch, 0u);
  EXPECT_EQ(live.mirror(), Weight::none());
}

TEST(LiveRoute, ReadsBackWhatWasPublished) {
  LiveRoute live;
  for (const std::uint32_t units : {0u, 1u, 1'000u, 8'191u, 8'192u, 9'999u, 10'000u}) {
    for (const std::uint32_t step : {0u, 1u, 0x15555u, LiveRoute::kSteps - 1}) {
      for (const std::uint32_t epoch : {0u, 1u, 0x80000000u, 0xffffffffu}) {
        live.publish({Weight::of_units(units), step, epoch});
        const SplitState split = live.split();
        ASSERT_EQ(split.weight.units(), units);
        ASSERT_EQ(split.step, step);
        ASSERT_EQ(split.epoch, epoch);
      }
    }
  }
}

TEST(LiveRoute, AStepBeyondItsBitsWrapsAndTouchesNothingElse) {
  LiveRoute live;
  live.publish({Weight::of_units(123), LiveRoute::kSteps + 5, 7});
  EXPECT_EQ(live.split().step, 5u);
  EXPECT_EQ(live.split().weight.units(), 123u);
  EXPECT_EQ(live.split().epoch, 7u);
  live.publish({Weight::whole(), 0xffffffffu, 0});
  EXPECT_EQ(live.split().step, LiveRoute::kSteps - 1);
  EXPECT_EQ(live.split().weight, Weight::whole());
  EXPECT_EQ(live.split().epoch, 0u);
}

TEST(LiveRoute, TheMirrorsWordIsItsOwn) {
  LiveRoute live;
  live.publish_mirror(Weight::of_units(2'500));
  EXPECT_EQ(live.mirror().units(), 2'500u);
  EXPECT_EQ(live.split().weight, Weight::none());
  live.publish({Weight::whole(), 1, 1});
  EXPECT_EQ(live.mirror().units(), 2'500u);
}

TEST(LiveRoute, AReaderNeverSeesHalfOfAPublication) {
  LiveRoute live;
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (std::uint32_t i = 0; i < 200'000; ++i) {
      const std::uint32_t n = i % Weight::kWhole;
      live.publish({Weight::of_units(n), n, n});
    }
    done = true;
  });
  do {
    const SplitState split = live.split();
    ASSERT_EQ(split.weight.units(), split.step);
    ASSERT_EQ(split.step, split.epoch);
  } while (!done);
  writer.join();
}

}  // namespace
}  // namespace tidegate::route
