// The engine goes on with another configuration.
#include "fixture.h"

namespace tidegate::control {
namespace {

/// A configuration with what is made from it, as the composition root keeps them.
struct Loaded {
  explicit Loaded(config::Config from) : config(std::move(from)), snapshot(snapshot_of(config)) {}
  config::Config config;
  route::Snapshot snapshot;
};

class EngineReload : public EngineTest {
 protected:
  /// The engine has it, and nobody has changed over.
  std::shared_ptr<const Loaded> begin_to_adopt(config::Config config) {
    auto next = std::make_shared<const Loaded>(std::move(config));
    std::promise<void> done;
    std::vector<std::vector<const gate::Ledger*>> ledgers(next->config.routes.size(), {&ledger_});
    engine_->adopt({next->config, next->snapshot, std::move(ledgers), next, ask_, {}, copies_}, [&done] { done.set_value(); });
    done.get_future().get();
    return next;
  }
  std::shared_ptr<const Loaded> adopt(config::Config config) {
    auto next = begin_to_adopt(std::move(config));
    engine_->publish_everywhere();
    (void)status();  // comes after it
    return next;
  }
  static route::SplitState split(const Loaded& of, std::size_t route = 0) { return of.snapshot.routes()[route].live->split(); }
};

config::Config without_routes() {
  config::Config config = one_route(0);
  config.routes.front().policy.name = "another";
  return config;
}

TEST_F(EngineReload, AWeightSetAtRunTimeStaysWhileTheFilesOwnIsTheSame) {
  start(one_route(10));
  ASSERT_TRUE(set_weight(35));
  config::Config next = one_route(10);
  next.routes.front().policy.timeout = std::chrono::seconds(7);
  const auto after = adopt(std::move(next));
  EXPECT_EQ(split(*after).weight.text(), "35");
  EXPECT_EQ(split(*after).epoch, 1u);
  EXPECT_EQ(status().routes.front().wanted.text(), "35");
}

TEST_F(EngineReload, AWeightThatChangedInTheFileIsADecisionOfTheFile) {
  start(one_route(10));
  ASSERT_TRUE(set_weight(35));
  const auto after = adopt(one_route(20));
  EXPECT_EQ(split(*after).weight.text(), "20");
  EXPECT_EQ(decisions().back().actor, "file");
  EXPECT_EQ(decisions().back().from, "35");
  EXPECT_EQ(decisions().back().to, "20");
}

TEST_F(EngineReload, ALatchStaysWhateverTheFileSays) {
  start(one_route(10));
  ASSERT_TRUE(revert());
  const auto after = adopt(one_route(50));
  EXPECT_EQ(split(*after).weight, Weight::none());
  EXPECT_TRUE(status().routes.front().latched);
}

TEST_F(EngineReload, WhoStillServesByTheConfigurationOfBeforeSeesEveryDecision) {
  start(one_route(10));
  const auto second = adopt(one_route(20));
  EXPECT_EQ(in_force().text(), "20");  // once everybody has changed over
  const auto third = adopt(one_route(30));
  ASSERT_TRUE(revert());
  EXPECT_EQ(in_force(), Weight::none());
  EXPECT_EQ(split(*second).weight, Weight::none());
  EXPECT_EQ(split(*third).weight, Weight::none());
}

TEST_F(EngineReload, ARouteThatIsGoneForATimeComesBackAsItWas) {
  start(one_route(10));
  ASSERT_TRUE(revert());
  adopt(without_routes());
  EXPECT_EQ(status().routes.front().name, "another");
  const auto after = adopt(one_route(10));
  EXPECT_TRUE(status().routes.front().latched);
  EXPECT_EQ(split(*after).weight, Weight::none());
}

TEST_F(EngineReload, ADecisionThatIsBeingWrittenSurvivesTheEndOfItsRoute) {
  start(one_route(10));
  store_.fail(true);
  std::promise<Outcome> answer;
  engine_->set_weight("all", *Weight::from_percent(50), {}, [&answer](const Outcome& outcome) { answer.set_value(outcome); });
  adopt(without_routes());
  EXPECT_FALSE(answer.get_future().get());
}

TEST_F(EngineReload, ARaiseThatIsBeingWrittenIsNotDoneWhenTheFileChangesTheRouteMeanwhile) {
  start(one_route(10, true));
  store_.block(true);
  std::future<Outcome> raise = begin_weight(50);
  (void)status();
  config::Config next = one_route(10, true);
  next.routes.front().policy.mirror->percent = *Weight::from_percent(70);
  const auto after = adopt(std::move(next));
  store_.block(false);
  EXPECT_TRUE(raise.get().has_error());
  EXPECT_EQ(split(*after).weight.text(), "10");
  while (store_.saved().size() < 2) std::this_thread::yield();
  EXPECT_EQ(store_.saved().back().route.weight.text(), "10");
}

TEST_F(EngineReload, ARaiseThatIsBeingWrittenIsNotDoneWhenTheFileComesToSayWhatIsInForce) {
  start(one_route(10));
  ASSERT_TRUE(set_weight(25));
  store_.block(true);
  std::future<Outcome> raise = begin_weight(50);
  (void)status();
  const auto after = adopt(one_route(25));
  store_.block(false);
  EXPECT_TRUE(raise.get().has_error());
  EXPECT_EQ(split(*after).weight.text(), "25");
  while (store_.saved().size() < 3) std::this_thread::yield();
  EXPECT_EQ(store_.saved().back().route.weight.text(), "25");
  EXPECT_EQ(store_.saved().back().route.epoch, status().routes.front().epoch) << "or an upgrade would miss a decision";
}

TEST_F(EngineReload, ARearmThatIsBeingWrittenIsNotDoneWhenTheFileChangesTheWeight) {
  start(one_route(10));
  ASSERT_TRUE(revert());
  store_.block(true);
  std::promise<Outcome> rearmed;
  engine_->rearm("all", {}, [&rearmed](const Outcome& outcome) { rearmed.set_value(outcome); });
  (void)status();
  adopt(one_route(40));
  store_.block(false);
  EXPECT_TRUE(rearmed.get_future().get().has_error());
  while (store_.saved().size() < 3) std::this_thread::yield();
  EXPECT_TRUE(store_.saved().back().route.latched);
}

TEST_F(EngineReload, ARaiseOfARouteThatIsGoneMeanwhileIsNotDoneWhenItIsBack) {
  start(one_route(10));
  store_.block(true);
  std::future<Outcome> raise = begin_weight(50);
  (void)status();
  adopt(without_routes());
  store_.block(false);
  EXPECT_TRUE(raise.get().has_error());
  while (store_.saved().size() < 2) std::this_thread::yield();
  EXPECT_EQ(store_.saved().back().route.weight.text(), "10");
  EXPECT_EQ(split(*adopt(one_route(10))).weight.text(), "10");
}

TEST_F(EngineReload, OfARouteThatWentAndCameBackTheLastThatWasToldDurableIs) {
  start(one_route(10));
  store_.block(true);
  std::future<Outcome> raise = begin_weight(50);
  (void)status();
  adopt(without_routes());
  const auto back = adopt(one_route(10));
  std::future<Outcome> another = begin_weight(60);
  (void)status();
  store_.block(false);
  EXPECT_TRUE(raise.get().has_error());
  const bool done = another.get().has_value();
  while (store_.saved().size() < 3) std::this_thread::yield();
  EXPECT_EQ(store_.saved().back().route.weight.text(), split(*back).weight.text()) << done;
}

TEST_F(EngineReload, OfALatchThatGoesWithItsRouteItSaysSo) {
  start(one_route(10));
  ASSERT_TRUE(revert());
  adopt(without_routes());
  ASSERT_EQ(notices().size(), 1u);
  EXPECT_NE(notices().front().find("route all is gone from the configuration, and with it its latch"), std::string::npos);
}

TEST_F(EngineReload, TheGateKeepsItsEvidenceWhenOnlySomethingElseChanges) {
  start(one_route(50));
  const std::uint32_t step = snapshot_->routes().front().live->split().step;
  const auto fail_some = [&](std::uint32_t tag) {
    for (int i = 0; i < 4; ++i) {
      ledger_.dispatched(Side::New, tag);
      ledger_.failed(Side::New, tag, tag);
      ledger_.dispatched(Side::Old, tag);
    }
  };
  fail_some(step);
  const auto counted = [&] { return status().routes.front().gate.streams.front().ruling.step.counts.new_total; };
  while (counted() < 4) std::this_thread::yield();
  config::Config next = one_route(50);
  next.routes.front().policy.timeout = std::chrono::seconds(7);
  const auto after = adopt(std::move(next));
  EXPECT_EQ(split(*after).step, step);
  fail_some(step);
  while (counted() < 8) std::this_thread::yield();
}

TEST_F(EngineReload, TheGateBeginsAnewWhenItsRuleOrWhatItWatchesIsAnother) {
  start(one_route(50));
  const std::uint32_t step = snapshot_->routes().front().live->split().step;
  config::Config other_rule = one_route(50);
  other_rule.routes.front().gate.max_error_rate = 0.05;
  const std::uint32_t second = split(*adopt(std::move(other_rule))).step;
  EXPECT_NE(second, step);
  config::Config other_side = one_route(50);
  other_side.routes.front().gate.max_error_rate = 0.05;
  other_side.clusters[1].endpoints.push_back({"127.0.0.1", 81, "127.0.0.1:81"});
  EXPECT_NE(split(*adopt(std::move(other_side))).step, second);
}

/// The counters of two steps are kept, by parity; requests of the configuration of before go on in the step that they know.
TEST_F(EngineReload, AReloadThatRaisesTheWeightUnderAnotherRuleBeginsOneStepAndNotTwo) {
  start(one_route(10));
  const std::uint32_t step = split(*adopt(one_route(20))).step;
  config::Config next = one_route(50);
  next.routes.front().gate.max_error_rate = 0.05;
  EXPECT_EQ(split(*begin_to_adopt(std::move(next))).step, step + 1);
}

TEST_F(EngineReload, AMirrorPercentageThatChangedInTheFileWins) {
  start(one_route(10, true));
  ASSERT_TRUE(set_mirror(40));
  config::Config same = one_route(10, true);
  same.routes.front().policy.timeout = std::chrono::seconds(7);
  EXPECT_EQ(adopt(std::move(same))->snapshot.routes().front().live->mirror().text(), "40");
  config::Config other = one_route(10, true);
  other.routes.front().policy.mirror->percent = *Weight::from_percent(5);
  EXPECT_EQ(adopt(std::move(other))->snapshot.routes().front().live->mirror().text(), "5");
}

TEST_F(EngineReload, AHigherWeightOfTheFileIsNotSeenByWhoHasNotChangedOverAndALowerOneIs) {
  start(one_route(10));
  const auto raised = begin_to_adopt(one_route(80));
  EXPECT_EQ(split(*raised).weight.text(), "80");
  EXPECT_EQ(in_force().text(), "10");
  ASSERT_TRUE(revert());
  EXPECT_EQ(in_force(), Weight::none());
}

TEST_F(EngineReload, WhatAPersonDecidesMeanwhileIsInForceForEverybody) {
  start(one_route(10));
  const auto next = begin_to_adopt(one_route(10));
  ASSERT_TRUE(set_weight(80));
  EXPECT_EQ(split(*next).weight.text(), "80");
  EXPECT_EQ(in_force().text(), "80");
}

TEST_F(EngineReload, WhatTheFileSaysNowIsKeptForARestartAlsoWhereItIsInForceAlready) {
  start(one_route(10, true));
  ASSERT_TRUE(set_weight(50));
  ASSERT_TRUE(set_mirror(30));
  config::Config next = one_route(50, true);
  next.routes.front().policy.mirror->percent = *Weight::from_percent(70);
  adopt(std::move(next));
  const auto last = [this] { return store_.saved().back().route; };
  while (store_.saved().size() < 4) std::this_thread::yield();
  EXPECT_EQ(last().file_weight.text(), "50");
  EXPECT_EQ(last().file_mirror->text(), "70");
  EXPECT_FALSE(last().mirror);
}

config::Config with_mirror_step(bool has_mirror, double percent = 0) {
  config::Config config = one_route(0, true);
  config::Route& route = config.routes.front();
  route.policy.mirror->percent = *Weight::from_percent(percent);
  if (!has_mirror) route.policy.mirror.reset();
  rollout::Step step;
  step.kind = rollout::Step::Kind::Mirror;
  step.percent = *Weight::from_percent(50);
  rollout::Step weight;
  weight.percent = *Weight::from_percent(10);
  weight.time = std::chrono::hours(1);
  route.rollout.emplace();
  route.rollout->steps = {step, weight};
  route.rollout->min_requests = 5;
  route.rollout->advance = rollout::Advance::Time;
  return config;
}

/// In a mirror step that needs five copies; there were a thousand before it.
class EngineReloadInMirrorStep : public EngineReload {
 protected:
  void start_step() {
    copies_ = [this](std::size_t) {
      ++looks_;
      return copies_made_.load();
    };
    start(with_mirror_step(true));
    look();
    ASSERT_TRUE(ask([&](Reply reply) { engine_->rollout("all", rollout::Event::Start, false, {}, std::move(reply)); }));
  }
  void look() {
    const int before = looks_;
    while (looks_ < before + 2) std::this_thread::yield();
  }
  RolloutStatus now() { return *status().routes.front().rollout; }
  /// Two ticks later.
  std::string needed() {
    const double before = now().step_s;
    for (double seen = before; seen < before + 0.03;) seen = now().step_s;
    const RolloutStatus at = now();
    EXPECT_EQ(at.rollout.step, 1u);
    return at.waiting.empty() ? "nothing" : at.waiting.front().sentence;
  }
  std::atomic<std::uint64_t> copies_made_{1000};
  std::atomic<int> looks_{0};
};

TEST_F(EngineReloadInMirrorStep, ItWaitsForCopiesThatWereMadeSinceItBegan) {
  start_step();
  EXPECT_EQ(needed(), "0 of 5 copies seen");
  copies_made_ = 1003;
  look();
  EXPECT_EQ(needed(), "3 of 5 copies seen");
  adopt(with_mirror_step(true, 1));
  EXPECT_EQ(needed(), "3 of 5 copies seen");
}

TEST_F(EngineReloadInMirrorStep, WithoutItsMirrorItDoesNotGoOn) {
  start_step();
  adopt(with_mirror_step(false));
  EXPECT_EQ(needed(), "0 of 5 copies seen");
  copies_made_ = 1002;
  adopt(with_mirror_step(true));
  look();
  EXPECT_EQ(needed(), "2 of 5 copies seen");
}

TEST_F(EngineReloadInMirrorStep, OfARouteThatCameBackCopiesOfBeforeCountForNothing) {
  start_step();
  adopt(without_routes());
  adopt(with_mirror_step(true));
  look();
  EXPECT_EQ(needed(), "0 of 5 copies seen");
}

TEST_F(EngineReloadInMirrorStep, TimeAndCopiesOfOtherServersDoNotCountForTheStep) {
  start_step();
  copies_made_ = 1003;
  look();
  EXPECT_EQ(needed(), "3 of 5 copies seen");
  const double before = now().step_s;
  config::Config next = with_mirror_step(true);
  next.clusters[1].endpoints.push_back({"127.0.0.1", 81, "127.0.0.1:81"});
  begin_to_adopt(std::move(next));
  EXPECT_LT(now().step_s, before);
  EXPECT_EQ(needed(), "0 of 5 copies seen");
}

/// What the first configuration refers to is used until the last answer that somebody waits for has come.
TEST_F(EngineReload, TheFirstConfigurationLivesUntilWhatItsRoutesAskedIsAnswered) {
  std::promise<std::function<void(const check::Answer&)>> asked;
  bool once = false;
  ask_ = [&](const CheckQuestion&, std::function<void(const check::Answer&)> answered) {
    if (!std::exchange(once, true)) asked.set_value(std::move(answered));
  };
  config::Config config = with_mirror_step(true);
  check::CheckPolicy& check = config.checks.emplace_back();
  check.name = "smoke";
  config.routes.front().rollout->checks = {"smoke"};
  auto first = std::make_shared<const Loaded>(std::move(config));
  const std::weak_ptr<const Loaded> seen = first;
  writer_.emplace(store_, store::Writer::Limits{16, std::chrono::milliseconds(1), std::chrono::milliseconds(5), std::chrono::milliseconds(50)});
  engine_.emplace(EngineSetup{.config = first->config, .snapshot = first->snapshot, .ledgers = {{&ledger_}}, .writer = *writer_, .saved = {},
                              .on_decision = {}, .on_store_error = {}, .ask = ask_, .keep = first});
  first.reset();
  engine_->start();
  ASSERT_TRUE(ask([&](Reply reply) { engine_->rollout("all", rollout::Event::Start, false, {}, std::move(reply)); }));
  std::function<void(const check::Answer&)> answered = asked.get_future().get();
  const auto next = adopt(without_routes());
  EXPECT_FALSE(seen.expired());
  answered({});
  answered = {};
  while (!seen.expired()) (void)status();
}

}  // namespace
}  // namespace tidegate::control
