#include <gtest/gtest.h>

#include "control/rollout_record.h"
#include "fixture.h"

namespace tidegate::control {
namespace {

using namespace std::chrono_literals;
using rollout::Event;
using rollout::State;

rollout::Step weight_step(double percent, std::optional<Duration> time = std::nullopt) {
  rollout::Step step;
  step.percent = *Weight::from_percent(percent);
  step.time = time;
  return step;
}

rollout::Step pause_step() {
  rollout::Step step;
  step.kind = rollout::Step::Kind::Pause;
  return step;
}

config::Config with_plan(std::vector<rollout::Step> steps, double weight = 0) {
  config::Config config = one_route(weight, true);
  config.routes.front().policy.mirror->percent = Weight::none();
  config.routes.front().rollout.emplace();
  config.routes.front().rollout->steps = std::move(steps);
  config.routes.front().rollout->advance = rollout::Advance::Time;
  return config;
}

class EngineRolloutTest : public EngineTest {
 protected:
  Outcome rollout(Event verb, Command command = {}, bool full = false) {
    return ask([&](Reply reply) { engine_->rollout("all", verb, full, command, std::move(reply)); });
  }
  RolloutStatus now() { return *status().routes.front().rollout; }
  /// Waits until the rollout is in that state, and returns it.
  RolloutStatus wait_until(State state) {
    for (;;) {
      RolloutStatus seen = now();
      if (seen.rollout.state == state) return seen;
      std::this_thread::yield();
    }
  }
  /// Requests to both sides from now on; none fails.
  void healthy_traffic() {
    ends_ = false;
    traffic_ = std::thread([this] {
      while (!ends_) {
        const std::uint32_t step = snapshot_->routes().front().live->split().step;
        for (const Side side : {Side::New, Side::Old}) ledger_.dispatched(side, step);
        std::this_thread::yield();
      }
    });
  }
  void TearDown() override {
    ends_ = true;
    if (traffic_.joinable()) traffic_.join();
    EngineTest::TearDown();
  }
  std::string actions() {
    std::string out;
    for (const store::Decision& made : decisions()) out += std::string(store::name(made.action)) + " ";
    return out;
  }

 private:
  std::atomic<bool> ends_{false};
  std::thread traffic_;
};

TEST_F(EngineRolloutTest, WalksItsStepsByItselfAndEveryMoveIsDurableBeforeItIsInForce) {
  start(with_plan({weight_step(10), weight_step(50), weight_step(100)}));
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start, {"anna", "go", {}}).has_value());
  wait_until(State::Completed);
  EXPECT_EQ(in_force(), Weight::whole());
  EXPECT_EQ(actions(), "rollout_start step step rollout_completed ");
  const auto saved = store_.saved();
  ASSERT_EQ(saved.size(), 4u);
  EXPECT_EQ(saved[0].decision.reason, "go (step 1 of 3: weight 10 %)");
  EXPECT_EQ(saved[1].decision.from, "10");
  EXPECT_EQ(saved[1].decision.to, "50");
  for (std::size_t i = 0; i < 3; ++i) {
    const auto record = read_rollout_record(saved[i].route.rollout);
    ASSERT_TRUE(record.has_value());
    EXPECT_EQ(record->step, i + 1) << "a step is durable with its weight, in one piece";
    EXPECT_EQ(saved[i].route.weight, record->current().percent);
  }
}

TEST_F(EngineRolloutTest, WithoutTrafficItNeverAdvances) {
  start(with_plan({weight_step(10), weight_step(100)}));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  for (int i = 0; i < 50; ++i) {
    const RolloutStatus seen = now();
    ASSERT_EQ(seen.rollout.step, 1u);
    ASSERT_FALSE(seen.waiting.empty());
    EXPECT_EQ(seen.waiting.front().sentence, "0 of 1 request of new seen");
  }
}

TEST_F(EngineRolloutTest, AStoreThatCannotWriteHoldsTheStepAndMovesNoWeight) {
  start(with_plan({weight_step(10), weight_step(100)}));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  store_.fail(true);
  healthy_traffic();
  for (;;) {
    const RolloutStatus seen = now();
    ASSERT_EQ(seen.rollout.step, 1u);
    ASSERT_EQ(in_force().text(), "10");
    const bool told = !seen.waiting.empty() && seen.waiting.back().reason == rollout::WaitFor::Store;
    if (told) {
      EXPECT_NE(seen.waiting.back().sentence.find("disk full"), std::string::npos);
      break;
    }
  }
  const Outcome refused = rollout(Event::Promote);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code, CommandError::Code::Store);
  EXPECT_EQ(in_force().text(), "10");
  store_.fail(false);
  ASSERT_TRUE(rollout(Event::Promote).has_value());
  EXPECT_EQ(in_force(), Weight::whole());
}

TEST_F(EngineRolloutTest, ARevertEndsItAndOnlyAnOpenGateLetsItBeginAgain) {
  start(with_plan({weight_step(50, 1h), weight_step(100)}));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  fail_new();
  wait_for(store::Action::Revert);
  stop_traffic();
  EXPECT_EQ(now().rollout.state, State::Reverted);
  EXPECT_EQ(in_force(), Weight::none());
  while (store_.saved().back().decision.action != store::Action::Revert) std::this_thread::yield();
  const auto record = read_rollout_record(store_.saved().back().route.rollout);
  ASSERT_TRUE(record.has_value());
  EXPECT_EQ(record->state, State::Reverted) << "latch and rollout are one record";
  for (const Event verb : {Event::Start, Event::Retry}) {
    const Outcome refused = rollout(verb);
    ASSERT_TRUE(refused.has_error());
    EXPECT_NE(refused.error().message.find("re-arm it first: tidegate rearm all"), std::string::npos);
  }
  ASSERT_TRUE(rearm().has_value());
  ASSERT_TRUE(rollout(Event::Retry).has_value());
  EXPECT_EQ(now().rollout.step, 1u);
  EXPECT_EQ(in_force().text(), "50");
}

TEST_F(EngineRolloutTest, WithOnFailPauseAnAlarmPausesItAndKeepsTheWeight) {
  config::Config config = with_plan({weight_step(50, 1h), weight_step(100)});
  config.routes.front().on_fail = gate::OnFail::Pause;
  start(config);
  ASSERT_TRUE(rollout(Event::Start).has_value());
  fail_new();
  const RolloutStatus seen = wait_until(State::Paused);
  stop_traffic();
  EXPECT_EQ(seen.rollout.pause->by, rollout::Pause::By::Gate);
  EXPECT_EQ(in_force().text(), "50");
}

TEST_F(EngineRolloutTest, AWeightThatIsSetByHandPausesItAndResumePutsTheStepsWeightBack) {
  start(with_plan({weight_step(50, 1h), weight_step(100)}));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  ASSERT_TRUE(set_weight(5, {"bob", {}, {}}).has_value());
  EXPECT_EQ(now().rollout.state, State::Paused);
  EXPECT_EQ(now().rollout.pause->sentence, "the weight was set to 5 % by bob");
  EXPECT_EQ(in_force().text(), "5");
  ASSERT_TRUE(rollout(Event::Resume).has_value());
  EXPECT_EQ(now().rollout.state, State::Running);
  EXPECT_EQ(in_force().text(), "50");
}

TEST_F(EngineRolloutTest, AbortGivesEverythingToOldEvenWhenTheStoreCannotWrite) {
  start(with_plan({weight_step(50, 1h), weight_step(100)}, 5));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  store_.fail(true);
  const Outcome done = rollout(Event::Abort, {"anna", "no", {}});
  ASSERT_TRUE(done.has_value());
  EXPECT_EQ(in_force(), Weight::none());
  EXPECT_EQ(now().rollout.state, State::Aborted);
  EXPECT_FALSE(status().routes.front().latched);
  store_.fail(false);
}

TEST_F(EngineRolloutTest, UndoGoesBackToTheWeightOfBefore) {
  start(with_plan({weight_step(100)}, 5));
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start).has_value());
  wait_until(State::Completed);
  ASSERT_TRUE(rollout(Event::Undo).has_value());
  EXPECT_EQ(in_force().text(), "5");
  EXPECT_EQ(now().rollout.state, State::Idle);
}

TEST_F(EngineRolloutTest, PromoteSkipsWhatTheStepWaitsForAndInFullAllSteps) {
  start(with_plan({weight_step(10, 1h), weight_step(50, 1h), weight_step(90, 1h)}));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  ASSERT_TRUE(rollout(Event::Promote).has_value());
  EXPECT_EQ(in_force().text(), "50");
  ASSERT_TRUE(rollout(Event::Promote, {}, true).has_value());
  EXPECT_EQ(in_force().text(), "90");
  EXPECT_EQ(now().rollout.step, 3u);
}

TEST_F(EngineRolloutTest, ARestartContinuesInTheSameStepWithTheSameWeight) {
  start(with_plan({weight_step(10), pause_step(), weight_step(100)}));
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start).has_value());
  wait_until(State::Paused);
  const store::Change last = store_.saved().back();
  TearDown();
  store::State saved;
  saved.epoch = last.decision.epoch;
  saved.routes = {last.route};
  config::Config changed = with_plan({weight_step(20), weight_step(30)});
  start(changed, saved);
  const RolloutStatus seen = now();
  EXPECT_EQ(seen.rollout.state, State::Paused);
  EXPECT_EQ(seen.rollout.step, 2u);
  EXPECT_EQ(in_force().text(), "10");
  EXPECT_TRUE(seen.file_differs) << "the file's new plan is for the next start";
  ASSERT_TRUE(rollout(Event::Resume).has_value());
  while (now().rollout.step < 3) std::this_thread::yield();
  EXPECT_EQ(in_force(), Weight::whole()) << "the plan that was begun";
}

TEST_F(EngineRolloutTest, AFileWhoseWeightChangedPausesIt) {
  start(with_plan({weight_step(10, 1h), weight_step(100)}));
  ASSERT_TRUE(rollout(Event::Start).has_value());
  const store::Change last = store_.saved().back();
  TearDown();
  store::State saved;
  saved.epoch = last.decision.epoch;
  saved.routes = {last.route};
  start(with_plan({weight_step(10, 1h), weight_step(100)}, 3), saved);
  EXPECT_EQ(in_force().text(), "3");
  EXPECT_EQ(now().rollout.state, State::Paused);
  EXPECT_EQ(now().rollout.pause->by, rollout::Pause::By::Hand);
}

TEST_F(EngineRolloutTest, ARevertOfACompletedOneIsNotUndoneIntoALatchedRoute) {
  start(with_plan({weight_step(100)}, 5));
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start).has_value());
  wait_until(State::Completed);
  ASSERT_TRUE(revert().has_value());
  EXPECT_EQ(now().rollout.state, State::Reverted);
  EXPECT_TRUE(rollout(Event::Undo).has_error());
  EXPECT_EQ(in_force(), Weight::none());
  EXPECT_TRUE(status().routes.front().latched);
}

TEST_F(EngineRolloutTest, ASecondOneProvesAnewWhatTheFirstHadProven) {
  start(with_plan({weight_step(100)}, 5));
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start).has_value());
  wait_until(State::Completed);
  const std::uint32_t step = snapshot_->routes().front().live->split().step;
  ASSERT_TRUE(rollout(Event::Start).has_value());
  EXPECT_NE(snapshot_->routes().front().live->split().step, step);
}

/// Every check answers with what the test says.
class EngineChecksTest : public EngineRolloutTest {
 protected:
  void start_asking(config::Config config, gate::Verdict verdict, check::OnFail on_fail = check::OnFail::Revert) {
    check::CheckPolicy policy;
    policy.name = "smoke";
    policy.failures = 2;
    policy.interval = 1ms;
    policy.on_fail = on_fail;
    config.checks = {policy};
    config.routes.front().rollout->checks = {"smoke"};
    verdict_ = verdict;
    ask_ = [this](const CheckQuestion& question, std::function<void(const check::Answer&)> answered) {
      ++asked_;
      phases_ += question.phase + " ";  // on the control thread only
      answered({verdict_.load(), "as told", {}});
    };
    start(std::move(config));
  }
  std::atomic<gate::Verdict> verdict_{gate::Verdict::Pass};
  std::atomic<int> asked_{0};
  std::string phases_;
};

TEST_F(EngineChecksTest, NothingButPassLetsTheFirstStepBegin) {
  for (const auto verdict : {gate::Verdict::Inconclusive, gate::Verdict::Error}) {
    start_asking(with_plan({weight_step(10), weight_step(100)}), verdict);
    healthy_traffic();
    ASSERT_TRUE(rollout(Event::Start).has_value());
    const int before = asked_;
    while (asked_ < before + 5) std::this_thread::yield();
    EXPECT_EQ(now().rollout.step, 0u);
    EXPECT_EQ(in_force(), Weight::none());
    verdict_ = gate::Verdict::Pass;
    wait_until(State::Completed);
    TearDown();
  }
}

TEST_F(EngineChecksTest, OneThatFailsAsOftenAsItMayNotReverts) {
  start_asking(with_plan({weight_step(10, 1h), weight_step(100)}), gate::Verdict::Pass);
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start).has_value());
  while (now().rollout.step < 1) std::this_thread::yield();
  verdict_ = gate::Verdict::Fail;
  const store::Decision made = wait_for(store::Action::Revert);
  EXPECT_EQ(made.actor, "check smoke");
  EXPECT_EQ(in_force(), Weight::none());
  const RouteStatus route = status().routes.front();
  EXPECT_TRUE(route.latched);
  EXPECT_EQ(route.latch_reason, "check smoke failed: as told");
  EXPECT_EQ(route.reverts[static_cast<std::size_t>(RevertReason::Check)], 1u);
}

TEST_F(EngineChecksTest, WithOnFailPauseItPausesInTheBakeTimeToo) {
  config::Config config = with_plan({weight_step(100)});
  config.routes.front().rollout->bake = 1h;
  start_asking(config, gate::Verdict::Pass, check::OnFail::Pause);
  healthy_traffic();
  ASSERT_TRUE(rollout(Event::Start).has_value());
  wait_until(State::Baking);
  verdict_ = gate::Verdict::Fail;
  const RolloutStatus seen = wait_until(State::Paused);
  EXPECT_EQ(seen.rollout.pause->by, rollout::Pause::By::Check);
  EXPECT_EQ(in_force(), Weight::whole());
  verdict_ = gate::Verdict::Pass;
  ASSERT_TRUE(rollout(Event::Resume).has_value());
  EXPECT_EQ(now().rollout.state, State::Baking);
}

TEST_F(EngineRolloutTest, WhatDoesNotFitTheStateIsAConflictThatSaysWhatToDo) {
  start(with_plan({weight_step(10, 1h)}, 20));
  const Outcome lowers = rollout(Event::Start);
  ASSERT_TRUE(lowers.has_error());
  EXPECT_EQ(lowers.error().code, CommandError::Code::Conflict);
  EXPECT_NE(lowers.error().message.find("tidegate weight all 10"), std::string::npos) << lowers.error().message;
  const Outcome idle = rollout(Event::Pause);
  ASSERT_TRUE(idle.has_error());
  EXPECT_NE(idle.error().message.find("tidegate rollout start all"), std::string::npos) << idle.error().message;
  Command stale;
  stale.if_epoch = 7;
  EXPECT_EQ(rollout(Event::Start, stale).error().code, CommandError::Code::Stale);
}

TEST_F(EngineRolloutTest, ARouteWithoutOneSaysHowToGetOne) {
  start(one_route(10));
  const Outcome none = rollout(Event::Start);
  ASSERT_TRUE(none.has_error());
  EXPECT_EQ(none.error().code, CommandError::Code::Invalid);
  EXPECT_FALSE(status().routes.front().rollout.has_value());
}

TEST_F(EngineRolloutTest, AWeightThatAPersonSetsPausesItAndThatIsADecisionOfItsOwn) {
  start(with_plan({weight_step(10, 1h), weight_step(50)}));
  ASSERT_TRUE(rollout(Event::Start));
  for (const double percent : {5.0, 20.0}) {
    const Outcome set = set_weight(percent, {"anna", "", {}});
    ASSERT_TRUE(set.has_value());
    EXPECT_EQ(status().routes.front().epoch, set->epoch) << "what was answered is what If-Match takes";
    EXPECT_EQ(now().rollout.state, State::Paused);
  }
  EXPECT_EQ(actions(), "rollout_start rollout_pause weight weight ");
  EXPECT_EQ(decisions()[1].actor, "anna");
  for (const store::Change& saved : store_.saved()) {
    if (saved.decision.action != store::Action::Weight) continue;
    EXPECT_NE(saved.route.rollout.find("paused"), std::string::npos);
  }
}

TEST_F(EngineRolloutTest, ARaiseThatCannotBeWrittenLeavesItRunning) {
  start(with_plan({weight_step(10, 1h), weight_step(50)}));
  ASSERT_TRUE(rollout(Event::Start));
  store_.fail(true);
  EXPECT_TRUE(set_weight(20).has_error());
  EXPECT_EQ(now().rollout.state, State::Running);
  EXPECT_EQ(actions(), "rollout_start ");
}

TEST_F(EngineRolloutTest, APauseOvertakesThatItGoesOnWhichIsBeingWritten) {
  start(with_plan({weight_step(10, 1h), weight_step(50)}));
  ASSERT_TRUE(rollout(Event::Start));
  ASSERT_TRUE(rollout(Event::Pause));
  store_.block(true);
  std::promise<Outcome> resumed;
  std::promise<Outcome> paused;
  engine_->rollout("all", Event::Resume, false, {}, [&resumed](const Outcome& outcome) { resumed.set_value(outcome); });
  engine_->rollout("all", Event::Pause, false, {}, [&paused](const Outcome& outcome) { paused.set_value(outcome); });
  (void)status();
  store_.block(false);
  EXPECT_TRUE(resumed.get_future().get().has_error());
  EXPECT_TRUE(paused.get_future().get().has_value());
  EXPECT_EQ(now().rollout.state, State::Paused);
}

}  // namespace
}  // namespace tidegate::control
