#include "rollout/rollout.h"

#include <gtest/gtest.h>

namespace tidegate::rollout {
namespace {

using namespace std::chrono_literals;

Weight percent(double value) { return *Weight::from_percent(value); }

Step weight_step(double value, Duration time = 5min) {
  Step step;
  step.percent = percent(value);
  step.time = time;
  return step;
}

Step mirror_step(double value) {
  Step step;
  step.kind = Step::Kind::Mirror;
  step.percent = percent(value);
  return step;
}

Step pause_step(std::optional<Duration> time = std::nullopt) {
  Step step;
  step.kind = Step::Kind::Pause;
  step.time = time;
  return step;
}

Plan plan_of(std::vector<Step> steps) {
  Plan plan;
  plan.steps = std::move(steps);
  return plan;
}

const Present kNow{percent(5), percent(0)};

Moved begun(Plan plan) { return begin(std::move(plan), kNow, "anna", 17); }

TEST(Rollout, BeginsBeforeTheFirstStepWithTheWeightsAsTheyAre) {
  const Moved moved = begun(plan_of({weight_step(10)}));
  EXPECT_EQ(moved.rollout.state, State::Running);
  EXPECT_EQ(moved.rollout.step, 0u);
  EXPECT_EQ(moved.weight, kNow.weight);
  EXPECT_EQ(moved.rollout.started_by, "anna");
  EXPECT_EQ(moved.rollout.started_at_ms, 17);
}

TEST(Rollout, WalksEveryStepInOrderAndSkipsNone) {
  Moved at = begun(plan_of({mirror_step(100), weight_step(10), pause_step(1s), weight_step(100)}));
  std::string seen;
  for (std::size_t i = 1; i <= 4; ++i) {
    at = next(at.rollout, {at.weight, at.mirror});
    EXPECT_EQ(at.rollout.step, i);
    EXPECT_EQ(at.rollout.state, State::Running);
    seen += at.weight.text() + "/" + at.mirror.text() + " ";
  }
  EXPECT_EQ(seen, "5/100 10/100 10/100 100/100 ");
  EXPECT_EQ(next(at.rollout, {at.weight, at.mirror}).rollout.state, State::Completed);
}

TEST(Rollout, WithABakeTimeTheLastStepIsFollowedByIt) {
  Plan plan = plan_of({weight_step(100)});
  plan.bake = 1h;
  const Moved last = next(begun(plan).rollout, kNow);
  const Moved baking = next(last.rollout, {last.weight, last.mirror});
  EXPECT_EQ(baking.rollout.state, State::Baking);
  EXPECT_EQ(baking.weight, percent(100));
  EXPECT_EQ(complete(baking.rollout, {baking.weight, baking.mirror}).rollout.state, State::Completed);
}

TEST(Rollout, APauseStepWithoutATimeWaitsForAPersonAndIsOverThenButForWhatElseHolds) {
  const Moved first = next(begun(plan_of({weight_step(10), pause_step(), weight_step(50)})).rollout, kNow);
  const Moved waits = next(first.rollout, {first.weight, first.mirror});
  EXPECT_EQ(waits.rollout.state, State::Paused);
  EXPECT_EQ(waits.rollout.pause->by, Pause::By::Step);
  EXPECT_EQ(waits.weight, percent(10));
  const Moved on = resume(waits.rollout, {waits.weight, waits.mirror});
  EXPECT_EQ(on.rollout.step, 2u);
  EXPECT_EQ(on.rollout.state, State::Running);
  EXPECT_FALSE(on.rollout.pause);
  EXPECT_EQ(on.weight, percent(10)) << "the next weight comes with its hooks and checks";
}

TEST(Rollout, ResumesInTheSameStepAndPutsItsWeightBack) {
  const Moved first = next(begun(plan_of({weight_step(10), weight_step(50)})).rollout, kNow);
  const Moved stopped = paused(first.rollout, {percent(3), percent(0)}, {Pause::By::Hand, "set to 3 %"});
  EXPECT_EQ(stopped.weight, percent(3));
  const Moved on = resume(stopped.rollout, {percent(3), percent(0)});
  EXPECT_EQ(on.rollout.step, 1u);
  EXPECT_EQ(on.weight, percent(10));
}

TEST(Rollout, ResumesBeforeTheFirstStepWithoutEnteringIt) {
  const Moved stopped = paused(begun(plan_of({weight_step(10)})).rollout, kNow, {});
  const Moved on = resume(stopped.rollout, kNow);
  EXPECT_EQ(on.rollout.step, 0u);
  EXPECT_EQ(on.weight, kNow.weight);
}

TEST(Rollout, AbortGivesEverythingToOldAndTheMirrorBack) {
  Moved at = begun(plan_of({mirror_step(100), weight_step(10)}));
  at = next(at.rollout, kNow);
  at = next(at.rollout, {at.weight, at.mirror});
  const Moved gone = aborted(at.rollout, {at.weight, at.mirror});
  EXPECT_EQ(gone.rollout.state, State::Aborted);
  EXPECT_EQ(gone.weight, Weight::none());
  EXPECT_EQ(gone.mirror, kNow.mirror);
}

TEST(Rollout, AMirrorThatWasSetByHandStaysUntilAStepSetsIt) {
  Moved at = next(begun(plan_of({mirror_step(100), weight_step(10), mirror_step(50)})).rollout, kNow);
  at = next(at.rollout, {at.weight, percent(7)});
  EXPECT_EQ(at.mirror, percent(7));
  EXPECT_EQ(next(at.rollout, {at.weight, at.mirror}).mirror, percent(50));
  EXPECT_EQ(last(begun(plan_of({mirror_step(30), weight_step(10)})).rollout, kNow).mirror, percent(30)) << "skipped, not forgotten";
}

TEST(Rollout, AbortNeverRaisesTheMirror) {
  const Moved at = begin(plan_of({weight_step(10)}), {percent(0), percent(100)}, "anna", 1);
  EXPECT_EQ(aborted(at.rollout, {percent(0), percent(0)}).mirror, percent(0));
}

TEST(Rollout, APauseInTheBakeTimeGoesBackToTheBake) {
  Plan plan = plan_of({weight_step(100)});
  plan.bake = 1h;
  const Moved last = next(begun(plan).rollout, kNow);
  const Moved baking = next(last.rollout, {last.weight, last.mirror});
  const Moved stopped = paused(baking.rollout, {percent(40), percent(0)}, {Pause::By::Hand, "set to 40 %"});
  EXPECT_EQ(stopped.rollout.state, State::Paused);
  const Moved on = resume(stopped.rollout, {percent(40), percent(0)});
  EXPECT_EQ(on.rollout.state, State::Baking);
  EXPECT_EQ(on.weight, percent(100));
}

TEST(Rollout, UndoRestoresTheWeightsOfBefore) {
  const Moved at = next(begun(plan_of({weight_step(100)})).rollout, kNow);
  const Moved back = undone(at.rollout);
  EXPECT_EQ(back.rollout.state, State::Idle);
  EXPECT_EQ(back.weight, kNow.weight);
}

TEST(Rollout, PromoteInFullEntersTheLastStep) {
  const Moved at = last(begun(plan_of({weight_step(10), weight_step(50), weight_step(100)})).rollout, kNow);
  EXPECT_EQ(at.rollout.step, 3u);
  EXPECT_EQ(at.weight, percent(100));
}

TEST(Plan, ItsChecksumChangesWithEverythingInIt) {
  const Plan plan = plan_of({weight_step(10), weight_step(100)});
  std::vector<Plan> others(7, plan);
  others[0].steps[0].percent = percent(11);
  others[1].steps[0].time = 6min;
  others[2].steps.pop_back();
  others[3].advance = Advance::Time;
  others[4].min_requests = 1;
  others[5].bake = 1s;
  others[6].checks = {"smoke"};
  EXPECT_EQ(checksum(plan).size(), 8u);
  for (const Plan& other : others) EXPECT_NE(checksum(other), checksum(plan));
}

TEST(Plan, PresetsEndAtOneHundredPercent) {
  EXPECT_EQ(blue_green_steps().size(), 1u);
  EXPECT_EQ(rolling_steps(1min).size(), 10u);
  EXPECT_EQ(canary_steps(5min).size(), 6u);
  for (const auto& steps : {blue_green_steps(), rolling_steps(1min), canary_steps(5min)}) {
    EXPECT_EQ(steps.back().percent, Weight::whole());
    EXPECT_FALSE(steps.back().time);
  }
}

TEST(Plan, StepsAreSaidAsTheFileSaysThem) {
  EXPECT_EQ(text(weight_step(12.5)), "weight 12.5 % for 5m");
  EXPECT_EQ(text(mirror_step(100)), "mirror 100 %");
  EXPECT_EQ(text(pause_step()), "pause until resumed");
  EXPECT_EQ(text(pause_step(1h)), "pause for 1h");
}

}  // namespace
}  // namespace tidegate::rollout
