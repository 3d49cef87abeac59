#include "rollout/evidence.h"

#include <gtest/gtest.h>

namespace tidegate::rollout {
namespace {

using namespace std::chrono_literals;

Rollout in_step(Step::Kind kind, Advance advance = Advance::Time) {
  Rollout out;
  out.state = State::Running;
  Step step;
  step.kind = kind;
  step.percent = *Weight::from_percent(10);
  step.time = 60s;
  if (kind == Step::Kind::Check) step.time.reset(), step.check = "smoke";
  out.plan.steps = {step, step};
  out.plan.advance = advance;
  out.step = 1;
  return out;
}

/// Everything that a step can wish for.
Evidence good() {
  Evidence out;
  out.step_s = 60.0;
  out.weight = *Weight::from_percent(10);
  out.ruling.decision = gate::Decision::Promote;
  out.ruling.reason = gate::Reason::Promote;
  out.thresholds.h_prom = 4.0;
  out.requests_new = 100;
  out.mirrored = 100;
  return out;
}

std::string reasons(const Rollout& rollout, const Evidence& evidence) {
  std::string out;
  for (const Waiting& one : waiting(rollout, evidence)) out += std::string(name(one.reason)) + " ";
  return out;
}

TEST(RolloutEvidence, AStepEndsWhenNothingIsMissing) {
  for (const auto kind : {Step::Kind::Weight, Step::Kind::Mirror, Step::Kind::Pause}) {
    EXPECT_EQ(reasons(in_step(kind), good()), "");
  }
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight, Advance::Proven), good()), "");
}

TEST(RolloutEvidence, TimeIsWaitedFor) {
  Evidence early = good();
  early.step_s = 12.0;
  const auto missing = waiting(in_step(Step::Kind::Weight), early);
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].reason, WaitFor::Time);
  EXPECT_EQ(missing[0].sentence, "48s to go");
}

TEST(RolloutEvidence, NoDataNeverAdvancesEvenWhenNothingIsAskedFor) {
  Evidence silent = good();
  silent.requests_new = 0;
  silent.ruling = {};
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), silent), "evidence ");
  silent.requests_new = 7;
  silent.ruling.reason = gate::Reason::NoData;
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), silent), "gate ");
  silent = good();
  silent.mirrored = 0;
  EXPECT_EQ(reasons(in_step(Step::Kind::Mirror), silent), "evidence ");
}

TEST(RolloutEvidence, MinRequestsAreOfNewInTheStep) {
  Rollout rollout = in_step(Step::Kind::Weight);
  rollout.plan.min_requests = 101;
  const auto missing = waiting(rollout, good());
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].sentence, "100 of 101 requests of new seen");
}

TEST(RolloutEvidence, EverythingThatSpeaksAgainstNewHoldsWhateverTheMode) {
  for (const auto reason : {gate::Reason::NoData, gate::Reason::HardBreaker, gate::Reason::ErrorRate, gate::Reason::Attribution,
                            gate::Reason::SharedDegradation, gate::Reason::WorseThanOld, gate::Reason::SlowRate}) {
    for (const auto advance : {Advance::Time, Advance::Proven}) {
      Evidence bad = good();
      bad.ruling.decision = gate::Decision::Hold;
      bad.ruling.reason = reason;
      EXPECT_EQ(reasons(in_step(Step::Kind::Weight, advance), bad), "gate ") << gate::name(reason);
      EXPECT_EQ(reasons(in_step(Step::Kind::Pause, advance), bad), "gate ") << gate::name(reason);
    }
  }
}

TEST(RolloutEvidence, AGateThatOnlyReportsStopsNothingButSilenceDoes) {
  Evidence bad = good();
  bad.gate_only_reports = true;
  bad.ruling.decision = gate::Decision::Revert;
  bad.ruling.reason = gate::Reason::ErrorRate;
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), bad), "");
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight, Advance::Proven), bad), "gate ") << "a proof is still a proof";
  bad.ruling.reason = gate::Reason::NoData;
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), bad), "gate ");
}

TEST(RolloutEvidence, ProvenWaitsForTheProofAndTimeDoesNot) {
  Evidence unproven = good();
  unproven.ruling.decision = gate::Decision::Hold;
  unproven.ruling.reason = gate::Reason::Observing;
  unproven.ruling.statistics.s_prom = 1.0;
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight, Advance::Time), unproven), "");
  const auto missing = waiting(in_step(Step::Kind::Weight, Advance::Proven), unproven);
  ASSERT_EQ(missing.size(), 1u);
  EXPECT_EQ(missing[0].sentence, "the gate has not proven yet that new is as good as old: 25 % of the evidence");
  EXPECT_EQ(reasons(in_step(Step::Kind::Pause, Advance::Proven), unproven), "") << "only a weight asks for a proof";
}

TEST(RolloutEvidence, EveryVerdictOfACheckButPassHolds) {
  Evidence asked = good();
  asked.checks = {{"smoke"}};
  EXPECT_EQ(waiting(in_step(Step::Kind::Weight), asked).at(0).sentence, "check smoke: no answer yet");
  for (const auto verdict : {gate::Verdict::Fail, gate::Verdict::Inconclusive, gate::Verdict::Error}) {
    asked.checks = {{"smoke", verdict, "why"}};
    EXPECT_EQ(waiting(in_step(Step::Kind::Weight), asked).at(0).sentence, "check smoke: why");
  }
  asked.checks = {{"smoke", gate::Verdict::Pass, ""}};
  EXPECT_EQ(reasons(in_step(Step::Kind::Check), asked), "");
}

TEST(RolloutEvidence, HooksAreAskedOnlyWhenEverythingElseHolds) {
  Evidence hooked = good();
  hooked.hooks = {{"approve"}};
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), hooked), "check ");
  EXPECT_TRUE(waiting(in_step(Step::Kind::Weight), hooked, false).empty());
  hooked.step_s = 1.0;
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), hooked), "time ");
}

TEST(RolloutEvidence, AStoreThatCannotWriteHolds) {
  Evidence full = good();
  full.store_trouble = "disk full";
  EXPECT_EQ(reasons(in_step(Step::Kind::Weight), full), "store ");
}

TEST(RolloutEvidence, TheBakeTimeWantsTimeRequestsAndNothingAgainstNew) {
  Rollout rollout = in_step(Step::Kind::Weight);
  rollout.state = State::Baking;
  rollout.step = 2;
  rollout.plan.bake = 1h;
  Evidence baked = good();
  EXPECT_EQ(reasons(rollout, baked), "bake ");
  baked.step_s = 3600.0;
  EXPECT_EQ(reasons(rollout, baked), "");
  baked.requests_new = 0;
  EXPECT_EQ(reasons(rollout, baked), "evidence ");
  baked = good();
  baked.step_s = 3600.0;
  baked.ruling.reason = gate::Reason::WorseThanOld;
  EXPECT_EQ(reasons(rollout, baked), "gate ");
}

TEST(RolloutEvidence, APausedOneWaitsForAPersonAndAnEndedOneForNothing) {
  Rollout rollout = in_step(Step::Kind::Weight);
  rollout.state = State::Paused;
  rollout.pause = Pause{Pause::By::Gate, "new failed"};
  ASSERT_EQ(waiting(rollout, good()).size(), 1u);
  EXPECT_EQ(waiting(rollout, good())[0].sentence, "new failed");
  for (const auto state : {State::Idle, State::Completed, State::Reverted, State::Aborted}) {
    rollout.state = state;
    EXPECT_TRUE(waiting(rollout, {}).empty());
  }
}

}  // namespace
}  // namespace tidegate::rollout
