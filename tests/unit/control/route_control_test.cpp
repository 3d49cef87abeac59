#include "control/route_control.h"

#include <gtest/gtest.h>

#include "fixture.h"

namespace tidegate::control {
namespace {

using State = RouteControl::State;
using Event = RouteControl::Event;
using Action = RouteControl::Action;

TEST(RouteControl, EveryPairOfStateAndEventIsDecided) {
  EXPECT_EQ(RouteControl::allowed(State::Open, Event::Lower), Action::Apply);
  EXPECT_EQ(RouteControl::allowed(State::Open, Event::Raise), Action::Apply);
  EXPECT_EQ(RouteControl::allowed(State::Open, Event::Revert), Action::Apply);
  EXPECT_EQ(RouteControl::allowed(State::Open, Event::Rearm), Action::Refuse);
  EXPECT_EQ(RouteControl::allowed(State::Open, Event::Mirror), Action::Apply);
  EXPECT_EQ(RouteControl::allowed(State::Latched, Event::Lower), Action::Nothing);
  EXPECT_EQ(RouteControl::allowed(State::Latched, Event::Raise), Action::Refuse);
  EXPECT_EQ(RouteControl::allowed(State::Latched, Event::Revert), Action::Nothing);
  EXPECT_EQ(RouteControl::allowed(State::Latched, Event::Rearm), Action::Apply);
  EXPECT_EQ(RouteControl::allowed(State::Latched, Event::Mirror), Action::Apply);
}

struct Restarted {
  explicit Restarted(double file_weight, const store::RouteRecord& record)
      : config(one_route(file_weight)),
        snapshot(snapshot_of(config)),
        control(config.routes.front(), snapshot.routes().front(), {}, config.checks, &record) {}
  config::Config config;
  route::Snapshot snapshot;
  RouteControl control;
};

store::RouteRecord record(double file_weight, double weight, bool latched) {
  store::RouteRecord out;
  out.route = "all";
  out.file_weight = *Weight::from_percent(file_weight);
  out.weight = *Weight::from_percent(weight);
  out.latched = latched;
  out.latch_reason = latched ? "new failed" : "";
  out.epoch = 7;
  return out;
}

TEST(RouteControl, AWeightSetAtRunTimeWinsOverTheFileAfterARestart) {
  const Restarted after(10, record(10, 35, false));
  EXPECT_EQ(after.control.weight().text(), "35");
  EXPECT_EQ(after.snapshot.routes().front().live->split().weight.text(), "35");
  EXPECT_EQ(after.snapshot.routes().front().live->split().epoch, 7u);
}

TEST(RouteControl, AFileWhoseOwnValueChangedWinsOverTheWeightSetAtRunTime) {
  const Restarted after(20, record(10, 35, false));
  EXPECT_EQ(after.control.weight().text(), "20");
}

TEST(RouteControl, ALatchSurvivesARestartAndAChangedFile) {
  for (const double file_weight : {10.0, 20.0}) {
    const Restarted after(file_weight, record(10, 0, true));
    EXPECT_EQ(after.control.state(), State::Latched);
    EXPECT_EQ(after.snapshot.routes().front().live->split().weight, Weight::none());
    EXPECT_EQ(after.control.latch_reason(), "new failed");
  }
}

struct Watched {
  explicit Watched(gate::OnFail on_fail) : config(one_route(50)), snapshot(snapshot_of(config)) {
    config.routes.front().on_fail = on_fail;
    control.emplace(config.routes.front(), snapshot.routes().front(), std::vector<const gate::Ledger*>{&ledger}, config.checks,
                    nullptr);
  }
  /// A tick of 20 ms in which new fails and old does not.
  RouteControl::Ticked fail() {
    for (int i = 0; i < 20; ++i) {
      ledger.dispatched(Side::New, 0);
      ledger.failed(Side::New, 0, 0);
      ledger.dispatched(Side::Old, 0);
    }
    return control->tick(0.02);
  }
  config::Config config;
  route::Snapshot snapshot;
  gate::Ledger ledger;
  std::optional<RouteControl> control;
};

TEST(RouteControl, ARevertIsAskedForUntilItIsDone) {
  Watched route(gate::OnFail::Revert);
  RouteControl::Ticked last;
  for (int i = 0; i < 50 && !last.order; ++i) last = route.fail();
  ASSERT_TRUE(last.order);
  EXPECT_EQ(last.order->action, store::Action::Revert);
  EXPECT_FALSE(last.order->record.empty());
  EXPECT_TRUE(route.fail().order);
}

TEST(RouteControl, AHeldAlarmIsOneOrderAndWaitsForAMoveThatIsBeingWritten) {
  Watched route(gate::OnFail::Pause);
  route.control->set_written(RouteControl::Written{"a move", {}});
  for (int i = 0; i < 50; ++i) ASSERT_FALSE(route.fail().order) << "it would make the weight durable";
  route.control->set_written(std::nullopt);
  const RouteControl::Ticked now = route.fail();
  ASSERT_TRUE(now.order);
  EXPECT_EQ(now.order->action, store::Action::Hold);
  for (int i = 0; i < 50; ++i) ASSERT_FALSE(route.fail().order) << "once an alarm";
}

TEST(RouteControl, TheLogIsToldOfAnotherReasonOnce) {
  Watched route(gate::OnFail::Notify);
  int told = 0;
  for (int i = 0; i < 600; ++i) {  // twelve seconds of silence of new: no_data after ten
    route.ledger.dispatched(Side::Old, 0);
    told += route.control->tick(0.02).news.has_value();
  }
  EXPECT_EQ(told, 1);
}

/// 20 requests of new, of which all failed.
gate::StreamCounts failures() { return {{20, 20, 0, 0}, {20, 0, 0, 0}}; }

TEST(RouteControl, WhatIsCountedInAnotherProcessIsJudgedAsIfItWasHere) {
  Watched route(gate::OnFail::Revert);
  const std::uint32_t step = route.control->in_force().step;
  route.control->add_late(step, failures());
  route.control->add_late(step + 1, failures());  // of a step that is not in force
  (void)route.control->tick(0.02);
  EXPECT_EQ(route.control->gate_status().streams.front().ruling.step.counts, (gate::Counts{20, 20, 0, 0}));
  (void)route.control->tick(0.02);
  EXPECT_EQ(route.control->gate_status().streams.front().ruling.step.counts, (gate::Counts{20, 20, 0, 0})) << "once";
}

TEST(RouteControl, WhatWasCountedElsewhereForAStepThatIsOverIsForgotten) {
  Watched route(gate::OnFail::Revert);
  route.control->add_late(route.control->in_force().step, failures());
  route.control->set_weight(*Weight::from_percent(20), 8);
  (void)route.control->tick(0.02);
  EXPECT_EQ(route.control->gate_status().streams.front().ruling.step.counts, gate::Counts{});
}

TEST(RouteControl, WhoFollowsAnotherProcessBeginsAStepWhereThatOneDid) {
  Watched leads(gate::OnFail::Revert), follows(gate::OnFail::Revert);
  leads.control->go_on_with(follows.control->evidence_json());
  const auto live = [&] { return follows.snapshot.routes().front().live->split(); };
  const std::uint32_t step = live().step;
  EXPECT_TRUE(leads.control->in_force().is_step_of_before);
  follows.control->follow(leads.control->in_force());
  EXPECT_EQ(live().step, step) << "what is counted goes on";
  leads.control->revert(RevertReason::Operator, "by hand", 9);
  EXPECT_FALSE(leads.control->in_force().is_step_of_before);
  follows.control->follow(leads.control->in_force());
  EXPECT_EQ(live().step, step + 1);
  EXPECT_EQ(live().weight, Weight::none());
  EXPECT_EQ(live().epoch, 9u);
}

TEST(RouteControl, EachWeightChangeIsANewStepOfTheGate) {
  Restarted route(10, record(10, 10, false));
  const auto step = [&] { return route.snapshot.routes().front().live->split().step; };
  const std::uint32_t before = step();
  route.control.set_weight(*Weight::from_percent(20), 8);
  EXPECT_EQ(step(), before + 1);
  route.control.revert(RevertReason::Operator, "by hand", 9);
  EXPECT_EQ(step(), before + 2);
}

}  // namespace
}  // namespace tidegate::control
