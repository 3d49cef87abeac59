#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "fixture.h"

namespace tidegate::control {
namespace {

TEST_F(EngineTest, AWeightIsInForceAndDurableWhenTheAnswerComes) {
  start(one_route(10));
  const Outcome outcome = set_weight(25, {"anna", "step 2", {}});
  ASSERT_TRUE(outcome.has_value());
  EXPECT_TRUE(outcome->durable);
  EXPECT_EQ(in_force().text(), "25");
  ASSERT_EQ(store_.saved().size(), 1u);
  const store::Change saved = store_.saved().front();
  EXPECT_EQ(saved.route.weight.text(), "25");
  EXPECT_EQ(saved.route.file_weight.text(), "10");
  EXPECT_EQ(saved.decision.actor, "anna");
  EXPECT_EQ(saved.decision.reason, "step 2");
  EXPECT_EQ(saved.decision.from, "10");
  EXPECT_EQ(saved.decision.to, "25");
  EXPECT_EQ(saved.decision.epoch, outcome->epoch);
}

TEST_F(EngineTest, EpochsGrowFromTheOneThatWasSaved) {
  store::State saved;
  saved.epoch = 41;
  start(one_route(10), saved);
  EXPECT_EQ(set_weight(5)->epoch, 42u);
  EXPECT_EQ(set_weight(6)->epoch, 43u);
}

TEST_F(EngineTest, ADeadNewSideIsRevertedLatchedAndRecorded) {
  start(one_route(50));
  fail_new();
  const store::Decision made = wait_for(store::Action::Revert);
  stop_traffic();
  EXPECT_EQ(in_force(), Weight::none());
  EXPECT_EQ(made.actor, "gate");
  EXPECT_EQ(made.from, "50");
  EXPECT_EQ(made.to, "0");
  EXPECT_NE(made.reason.find("new failed"), std::string::npos) << made.reason;
  const boost::json::value record = boost::json::parse(made.record);
  EXPECT_EQ(record.at("reason").as_string(), "hard_breaker");
  EXPECT_GE(record.at("window").at("new").at("failures").to_number<int>(), 20);
  const Status now = status();
  EXPECT_TRUE(now.routes.front().latched);
  EXPECT_EQ(now.routes.front().reverts[static_cast<std::size_t>(RevertReason::HardBreaker)], 1u);
}

TEST_F(EngineTest, WithPauseAnAlarmLeavesTheWeightAndIsRecordedOnce) {
  config::Config config = one_route(50);
  config.routes.front().on_fail = gate::OnFail::Pause;
  start(config);
  fail_new();
  const store::Decision made = wait_for(store::Action::Hold);
  EXPECT_EQ(made.actor, "gate");
  EXPECT_EQ(made.from, "50");
  EXPECT_EQ(made.to, "50");
  EXPECT_NE(made.reason.find("the weight stays (on_fail: pause)"), std::string::npos) << made.reason;
  EXPECT_EQ(made.epoch, 1u);
  EXPECT_EQ(in_force().text(), "50");
  RouteStatus route = status().routes.front();
  EXPECT_FALSE(route.latched);
  EXPECT_EQ(gate::verdict(route.gate.ruling), gate::Verdict::Fail);
  EXPECT_EQ(route.gate.ruling.decision, gate::Decision::Hold);
  EXPECT_EQ(route.holds[static_cast<std::size_t>(HoldReason::Pause)], 1u);
  EXPECT_EQ(route.epoch, 0u) << "what a person has seen of the route is still true";
  EXPECT_EQ(route.reverts, (std::array<std::uint64_t, kRevertReasonCount>{}));
  // Another weight is another step: the alarm that stands there is recorded again.
  ASSERT_TRUE(set_weight(25).has_value());
  while (status().routes.front().holds[static_cast<std::size_t>(HoldReason::Pause)] < 2) std::this_thread::yield();
  EXPECT_EQ(decisions().back().from, "25");
}

TEST_F(EngineTest, WithNotifyAnAlarmIsOnlySaid) {
  config::Config config = one_route(50);
  config.routes.front().on_fail = gate::OnFail::Notify;
  start(config);
  fail_new();
  const store::Decision made = wait_for(store::Action::WouldRevert);
  EXPECT_EQ(made.to, "50");
  EXPECT_EQ(made.reason.find("would have reverted: new failed"), 0u) << made.reason;
  EXPECT_EQ(in_force().text(), "50");
  EXPECT_EQ(status().routes.front().holds[static_cast<std::size_t>(HoldReason::Notify)], 1u);
}

TEST_F(EngineTest, ASharedDegradationIsADecisionOfTheGateAndHoldsTheWeight) {
  start(one_route(50));
  fail_new(true);
  const store::Decision made = wait_for(store::Action::Hold);
  EXPECT_NE(made.reason.find("shared degradation: "), std::string::npos) << made.reason;
  EXPECT_EQ(made.from, made.to);
  EXPECT_EQ(in_force().text(), "50");
  EXPECT_EQ(status().routes.front().holds[static_cast<std::size_t>(HoldReason::SharedDegradation)], 1u);
}

TEST_F(EngineTest, ARaiseOnALatchedRouteIsAConflictThatNamesTheWayOut) {
  start(one_route(10));
  ASSERT_TRUE(revert().has_value());
  const Outcome outcome = set_weight(10);
  ASSERT_TRUE(outcome.has_error());
  EXPECT_EQ(outcome.error().code, CommandError::Code::Conflict);
  EXPECT_NE(outcome.error().message.find("tidegate rearm all"), std::string::npos);
  EXPECT_EQ(in_force(), Weight::none());
}

TEST_F(EngineTest, RearmOpensAtWeightZero) {
  start(one_route(10));
  ASSERT_TRUE(revert().has_value());
  ASSERT_TRUE(rearm().has_value());
  EXPECT_EQ(in_force(), Weight::none());
  EXPECT_FALSE(status().routes.front().latched);
  ASSERT_TRUE(set_weight(10).has_value());
  EXPECT_EQ(in_force().text(), "10");
}

TEST_F(EngineTest, RearmOfAnOpenRouteIsAConflict) {
  start(one_route(10));
  ASSERT_TRUE(rearm().has_error());
  EXPECT_EQ(rearm().error().code, CommandError::Code::Conflict);
}

TEST_F(EngineTest, AStaleEpochIsRefused) {
  start(one_route(10));
  const std::uint64_t epoch = set_weight(11)->epoch;
  ASSERT_TRUE(set_weight(12, {"a", "", epoch}).has_value());
  const Outcome second = set_weight(13, {"b", "", epoch});
  ASSERT_TRUE(second.has_error());
  EXPECT_EQ(second.error().code, CommandError::Code::Stale);
  EXPECT_EQ(in_force().text(), "12");
}

TEST_F(EngineTest, AnUnknownRouteIsNamedWithThoseThatExist) {
  start(one_route(10));
  const Outcome outcome = ask([&](Reply reply) { engine_->revert("al", {}, std::move(reply)); });
  ASSERT_TRUE(outcome.has_error());
  EXPECT_EQ(outcome.error().code, CommandError::Code::NotFound);
  EXPECT_NE(outcome.error().message.find("routes: all"), std::string::npos);
}

TEST_F(EngineTest, ARaiseThatCannotBeMadeDurableIsNotDone) {
  start(one_route(10));
  store_.fail(true);
  const Outcome outcome = set_weight(50);
  ASSERT_TRUE(outcome.has_error());
  EXPECT_EQ(outcome.error().code, CommandError::Code::Store);
  EXPECT_EQ(in_force().text(), "10");
}

TEST_F(EngineTest, TheWeightThatIsSetAlreadyIsNoDecision) {
  start(one_route(10));
  const Outcome outcome = set_weight(10);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_EQ(outcome->epoch, 0u);
  EXPECT_TRUE(store_.saved().empty());
}

TEST_F(EngineTest, ARearmThatIsNotDoneIsNoRevertOfItsOwn) {
  start(one_route(50));
  ASSERT_TRUE(revert().has_value());
  store_.fail(true);
  ASSERT_TRUE(rearm().has_error());
  EXPECT_EQ(status().routes.front().reverts[static_cast<std::size_t>(RevertReason::Operator)], 1u);
}

TEST_F(EngineTest, TwoRaisesThatCannotBeMadeDurableLeaveTheWeightAsItWas) {
  start(one_route(10));
  store_.fail(true);
  std::promise<void> first;
  std::promise<void> second;
  const auto answered = [](std::promise<void>& to) {
    return [&to](const Outcome& outcome) {
      EXPECT_TRUE(outcome.has_error());
      to.set_value();
    };
  };
  engine_->set_weight("all", *Weight::from_percent(25), {}, answered(first));
  engine_->set_weight("all", *Weight::from_percent(50), {}, answered(second));
  first.get_future().wait();
  second.get_future().wait();
  EXPECT_EQ(status().routes.front().effective.text(), "10");
}

TEST_F(EngineTest, ARaiseIsDurableBeforeItIsInForce) {
  start(one_route(10));
  store_.block(true);
  std::future<Outcome> raise = begin_weight(50);
  EXPECT_EQ(status().routes.front().effective.text(), "10");
  const Outcome again = set_weight(50);
  ASSERT_TRUE(again.has_error()) << "it is not in force, and may never be";
  EXPECT_EQ(again.error().code, CommandError::Code::Conflict);
  store_.block(false);
  ASSERT_TRUE(raise.get().has_value());
  EXPECT_EQ(in_force().text(), "50");
}

TEST_F(EngineTest, WhatProtectsOvertakesARaiseThatIsBeingWrittenWhichIsToldNotToBeDone) {
  for (const bool reverts : {false, true}) {
    start(one_route(10));
    store_.block(true);
    std::future<Outcome> raise = begin_weight(50);
    std::promise<void> protected_;
    const auto done = [&protected_](const Outcome&) { protected_.set_value(); };
    if (reverts) {
      engine_->revert("all", {}, done);
    } else {
      engine_->set_weight("all", *Weight::from_percent(10), {}, done);  // what is in force is what is wanted
    }
    (void)status();
    store_.block(false);
    const Outcome outcome = raise.get();
    ASSERT_TRUE(outcome.has_error());
    EXPECT_EQ(outcome.error().code, CommandError::Code::Conflict);
    protected_.get_future().wait();
    EXPECT_EQ(in_force().text(), reverts ? "0" : "10");
    EXPECT_EQ(store_.saved().back().route.weight.text(), reverts ? "0" : "10");
    EXPECT_NE(store_.saved().back().decision.reason.find("(a move to 50 % was being written, and was never in force)"), std::string::npos);
    TearDown();
  }
}

TEST_F(EngineTest, ARevertOvertakesARearmThatIsBeingWritten) {
  start(one_route(10));
  ASSERT_TRUE(revert());
  for (const bool by_weight : {false, true}) {
    store_.block(true);
    std::promise<Outcome> rearmed;
    engine_->rearm("all", {}, [&rearmed](const Outcome& outcome) { rearmed.set_value(outcome); });
    std::promise<Outcome> stays;
    const auto done = [&stays](const Outcome& outcome) { stays.set_value(outcome); };
    if (by_weight) {
      engine_->set_weight("all", Weight::none(), {}, done);
    } else {
      engine_->revert("all", {}, done);
    }
    (void)status();
    store_.block(false);
    EXPECT_TRUE(rearmed.get_future().get().has_error());
    EXPECT_TRUE(stays.get_future().get().has_value());
    EXPECT_TRUE(status().routes.front().latched);
    EXPECT_TRUE(store_.saved().back().route.latched);
  }
}

TEST_F(EngineTest, WhatIsAskedForAgainIsDurableOnlyOnceItIs) {
  start(one_route(10, true));
  store_.fail(true);
  ASSERT_TRUE(revert());
  const Outcome again = revert();
  ASSERT_TRUE(again.has_value());
  EXPECT_FALSE(again->durable);
  EXPECT_NE(again->note.find("reverted already"), std::string::npos);
  EXPECT_FALSE(set_weight(0)->durable);
  store_.fail(false);
  while (!revert()->durable) std::this_thread::yield();
}

store::State saved_with(double file_weight, double weight, std::optional<double> file_mirror = {}, std::optional<double> mirror = {}) {
  store::State saved;
  store::RouteRecord& record = saved.routes.emplace_back();
  record.route = "all";
  record.file_weight = *Weight::from_percent(file_weight);
  record.weight = *Weight::from_percent(weight);
  if (file_mirror) record.file_mirror = *Weight::from_percent(*file_mirror);
  if (mirror) record.mirror = *Weight::from_percent(*mirror);
  return saved;
}

/// Else the file that says what it said before, a rollback, would be taken for unchanged.
TEST_F(EngineTest, AFileThatSaysWhatIsInForceAlreadyIsKeptAsTheFilesValue) {
  start(one_route(50), saved_with(10, 50));
  while (store_.saved().empty()) std::this_thread::yield();
  EXPECT_EQ(store_.saved().back().route.file_weight.text(), "50");
  EXPECT_EQ(in_force().text(), "50");
}

TEST_F(EngineTest, AMirrorThatChangedInTheFileAtARestartEndsWhatWasSetAtRunTime) {
  start(one_route(10, true), saved_with(10, 10, 10, 100));
  while (store_.saved().empty()) std::this_thread::yield();
  const store::Change last = store_.saved().back();
  EXPECT_EQ(last.route.file_mirror->text(), snapshot_->routes().front().live->mirror().text());
  EXPECT_FALSE(last.route.mirror);
  EXPECT_EQ(last.decision.action, store::Action::Mirror);
  EXPECT_EQ(last.decision.from, "100");
}

TEST_F(EngineTest, AMirrorThatTheFileHasNoMoreAtARestartDoesNotComeBackAsItWasSet) {
  start(one_route(10), saved_with(10, 10, 10, 100));
  while (store_.saved().empty()) std::this_thread::yield();
  EXPECT_FALSE(store_.saved().back().route.mirror);
  EXPECT_FALSE(store_.saved().back().route.file_mirror);
}

/// A new process takes over what is durable; what is not must become so first, and new may fail meanwhile.
TEST_F(EngineTest, TheGateRevertsWhileAnUpgradeWaitsForTheStore) {
  start(one_route(50));
  store_.block(true);
  engine_->set_weight("all", *Weight::from_percent(40), {}, [](const Outcome&) {});
  std::promise<boost::json::object> held;
  engine_->hold([&held](boost::json::object answer) { held.set_value(std::move(answer)); });
  fail_new();
  wait_for(store::Action::Revert);
  EXPECT_EQ(in_force(), Weight::none());
  store_.block(false);
  (void)held.get_future().get();
}

TEST_F(EngineTest, AFileWhoseWeightChangedIsADecisionWithAHistoryLine) {
  store::State saved;
  saved.epoch = 7;
  store::RouteRecord record;
  record.route = "all";
  record.file_weight = *Weight::from_percent(10);
  record.weight = *Weight::from_percent(75);
  record.epoch = 7;
  saved.routes.push_back(record);
  start(one_route(20), saved);
  const store::Decision made = wait_for(store::Action::Weight);
  EXPECT_EQ(made.actor, "file");
  EXPECT_EQ(made.from, "75");
  EXPECT_EQ(made.to, "20");
  EXPECT_EQ(made.epoch, 8u);
}

TEST_F(EngineTest, ARevertHoldsWhileTheStoreFailsAndIsWrittenWhenItWorksAgain) {
  start(one_route(50));
  store_.fail(true);
  const Outcome outcome = revert();
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->durable);
  EXPECT_EQ(in_force(), Weight::none());
  EXPECT_FALSE(status().store.healthy);
  store_.fail(false);
  while (store_.saved().empty()) std::this_thread::yield();
  EXPECT_TRUE(store_.saved().front().route.latched);
}

TEST_F(EngineTest, LoweringHoldsWhileTheStoreFails) {
  start(one_route(50));
  store_.fail(true);
  const Outcome outcome = set_weight(5);
  ASSERT_TRUE(outcome.has_value());
  EXPECT_FALSE(outcome->durable);
  EXPECT_EQ(in_force().text(), "5");
}

TEST_F(EngineTest, ARearmThatCannotBeMadeDurableStaysLatched) {
  start(one_route(50));
  ASSERT_TRUE(revert().has_value());
  store_.fail(true);
  ASSERT_TRUE(rearm().has_error());
  EXPECT_TRUE(status().routes.front().latched);
}

TEST_F(EngineTest, AMirrorPercentNeedsAMirrorInTheConfiguration) {
  start(one_route(10));
  ASSERT_TRUE(set_mirror(50).has_error());
  EXPECT_EQ(set_mirror(50).error().code, CommandError::Code::Invalid);
}

TEST_F(EngineTest, AMirrorPercentIsInForceWithoutANewGateStep) {
  start(one_route(10, true));
  const std::uint32_t step = snapshot_->routes().front().live->split().step;
  ASSERT_TRUE(set_mirror(50).has_value());
  EXPECT_EQ(snapshot_->routes().front().live->mirror().text(), "50");
  EXPECT_EQ(snapshot_->routes().front().live->split().step, step);
}

}  // namespace
}  // namespace tidegate::control
