#include "control/rollout_record.h"

#include <gtest/gtest.h>

namespace tidegate::control {
namespace {

using namespace std::chrono_literals;

rollout::Rollout everything() {
  rollout::Rollout out;
  out.state = rollout::State::Paused;
  out.step = 2;
  out.pause = rollout::Pause{rollout::Pause::By::Check, "check smoke: \"500\""};
  out.weight_before = Weight::of_units(550);
  out.mirror_before = Weight::of_units(1);
  out.started_by = "anna";
  out.started_at_ms = 1'234'567'890'123;
  rollout::Step weight, mirror, pause, check;
  weight.percent = Weight::of_units(1025);
  weight.time = 90s;
  mirror.kind = rollout::Step::Kind::Mirror;
  mirror.percent = Weight::whole();
  pause.kind = rollout::Step::Kind::Pause;
  check.kind = rollout::Step::Kind::Check;
  check.check = "smoke";
  out.plan.steps = {weight, mirror, pause, check};
  out.plan.advance = rollout::Advance::Time;
  out.plan.min_requests = 7;
  out.plan.bake = 1h;
  out.plan.checks = {"smoke", "errors"};
  return out;
}

TEST(RolloutRecord, ReadsBackWhatWasWritten) {
  const auto read = read_rollout_record(rollout_record(everything()));
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(*read, everything());
  for (std::size_t s = 0; s < rollout::kStateCount; ++s) {
    rollout::Rollout one = everything();
    one.state = static_cast<rollout::State>(s);
    if (one.state != rollout::State::Paused) one.pause.reset();
    EXPECT_EQ(read_rollout_record(rollout_record(one)), one);
  }
}

TEST(RolloutRecord, OneThatNeverStartedIsNothing) { EXPECT_EQ(rollout_record({}), ""); }

TEST(RolloutRecord, WhatIsDamagedIsRefusedWhole) {
  const std::string good = rollout_record(everything());
  for (std::size_t cut = 0; cut < good.size(); ++cut) EXPECT_FALSE(read_rollout_record(good.substr(0, cut)));
  const auto broken = [&](std::string_view from, std::string_view to) {
    std::string text = good;
    text.replace(text.find(from), from.size(), to);
    return read_rollout_record(text).has_value();
  };
  EXPECT_FALSE(broken("\"paused\"", "\"walking\""));
  EXPECT_FALSE(broken("\"paused\"", "\"running\"")) << "a running one has no pause";
  EXPECT_FALSE(broken("\"step\":2", "\"step\":5")) << "there are four";
  EXPECT_FALSE(broken("\"step\":2", "\"step\":-1"));
  EXPECT_FALSE(broken("\"kind\":\"mirror\"", "\"kind\":\"cutover\""));
  EXPECT_FALSE(read_rollout_record("[]"));
  EXPECT_FALSE(read_rollout_record("{}"));
}

}  // namespace
}  // namespace tidegate::control
