#include "cli/rollout_text.h"

#include <gtest/gtest.h>

#include "cli/rollout_sample.h"
#include "cli/status_view.h"

namespace tidegate::cli {
namespace {

namespace json = boost::json;

RolloutFacts facts(const json::value& route) { return *read_rollout(route); }
std::string line(const json::value& route) { return rollout_line(facts(route)); }
std::string progress(const json::value& route) { return progress_line(facts(route)).text; }

TEST(RolloutFacts, ARouteWithoutOneHasNone) {
  EXPECT_FALSE(read_rollout(json::parse(R"({"name": "api", "rollout": null})")));
  EXPECT_FALSE(read_rollout(json::parse(R"({"name": "api"})")));
  EXPECT_FALSE(read_rollout(json::value(5)));
}

TEST(RolloutFacts, AnAnswerOfAnotherVersionCostsWordsAndNothingElse) {
  for (const char* rollout : {"{}", R"({"state": 5, "step": -1, "steps": 3, "waiting": {}, "checks": [5]})",
                              R"({"state": "running", "step": 99, "steps": [null]})", R"({"state": "draining"})"}) {
    const auto read = read_rollout(json::parse(R"({"rollout": )" + std::string(rollout) + '}'));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->current(), nullptr);
    EXPECT_EQ(exit_of(*read), Exit::Ok);
    EXPECT_NO_THROW(rollout_line(*read));
  }
}

TEST(RolloutFacts, TheClockRunsOnBetweenTwoAnswers) {
  EXPECT_EQ(to_go(aged(facts(sample_route()), 0.9)), "4m 47s to go");
  EXPECT_EQ(to_go(aged(facts(sample_route()), 1000)), "");
  json::value baking = sample_in("baking");
  EXPECT_EQ(to_go(aged(facts(baking), 60)), "59m to go");
}

TEST(RolloutFacts, AClockThatAPersonStoppedStands) {
  const RolloutFacts paused = aged(facts(sample_paused_by("person", "paused by anna")), 60);
  EXPECT_DOUBLE_EQ(paused.step_elapsed_s, 12.3);
  json::value timed = sample_paused_by("step", "");
  EXPECT_DOUBLE_EQ(aged(facts(timed), 60).step_elapsed_s, 72.3);
}

TEST(RolloutLine, SaysWhereARunningOneIsAndWhatItWaitsFor) {
  EXPECT_EQ(line(sample_route()), "running, step 2 of 6 (weight 25 %), 4m 48s to go; waits for proof");
  EXPECT_EQ(progress(sample_route()), "step 2 of 6: weight 25 %, 4m 48s to go; waits for proof");
}

TEST(RolloutLine, EveryKindOfStepHasItsName) {
  json::value route = sample_route();
  rollout(route)["waiting"] = json::array();
  const char* const names[] = {"weight 10 %", "weight 25 %", "mirror 100 %", "pause", "check smoke", "weight 100 %"};
  for (std::size_t i = 0; i < 6; ++i) {
    rollout(route)["step"] = i + 1;
    EXPECT_EQ(progress(route).find("step " + std::to_string(i + 1) + " of 6: " + names[i]), 0u) << progress(route);
  }
}

TEST(RolloutLine, EveryReasonToWaitIsNamed) {
  json::value route = sample_route();
  rollout(route)["step_elapsed_s"] = 301;
  const auto with = [&route](const char* reason) {
    rollout(route)["waiting"] = json::array{json::object{{"reason", reason}, {"sentence", "as the server says"}}};
    return progress(route);
  };
  EXPECT_EQ(with("time"), "step 2 of 6: weight 25 %");
  EXPECT_EQ(with("gate"), "step 2 of 6: weight 25 %, waits for the gate");
  EXPECT_EQ(with("check"), "step 2 of 6: weight 25 %, waits for a check");
  EXPECT_EQ(with("person"), "step 2 of 6: weight 25 %, waits for a person");
  EXPECT_EQ(with("store"), "step 2 of 6: weight 25 %, waits for the store");
  EXPECT_EQ(with("tide"), "step 2 of 6: weight 25 %, waits for as the server says");
  rollout(route)["min_requests"] = 2000;
  EXPECT_EQ(with("evidence"), "step 2 of 6: weight 25 %, waits for 766 more requests of new");
  rollout(route)["min_requests"] = 0;
  rollout(route)["advance"] = "time";
  EXPECT_EQ(with("evidence"), "step 2 of 6: weight 25 %, waits for evidence");
  rollout(route)["checks"].as_array()[0].as_object()["verdict"] = "inconclusive";
  EXPECT_EQ(with("check"), "step 2 of 6: weight 25 %, waits for check smoke");
}

TEST(RolloutLine, EveryStateHasItsSentence) {
  EXPECT_EQ(line(sample_in("idle")), "idle, 6 steps; begins with: tidegate rollout start api");
  EXPECT_EQ(line(sample_in("baking")), "baking at weight 25 %, 1h to go");
  EXPECT_EQ(line(sample_in("completed")), "completed, weight 25 %");
  EXPECT_EQ(line(sample_in("reverted")), "reverted, step 2 of 6 (weight 25 %)");
  EXPECT_EQ(line(sample_in("aborted")), "aborted, step 2 of 6 (weight 25 %)");
  EXPECT_EQ(line(sample_in("draining")), "draining, step 2 of 6 (weight 25 %)");
  EXPECT_EQ(line(sample_paused_by("person", "paused by anna: ticket 4711")),
            "paused, step 2 of 6 (weight 25 %): paused by anna: ticket 4711");
}

TEST(RolloutLine, ARevertSaysWhyInALog) {
  json::value route = sample_in("reverted");
  route.as_object()["latched"] = true;
  route.as_object()["latch_reason"] = "new failed 12 of 60 requests in 0.6 s";
  EXPECT_EQ(progress(route), "reverted, step 2 of 6 (weight 25 %): new failed 12 of 60 requests in 0.6 s");
}

TEST(RolloutLine, ClocksAndCountsAreNoChange) {
  json::value route = sample_route();
  const std::string key = progress_line(facts(route)).key;
  rollout(route)["step_elapsed_s"] = 100;
  rollout(route)["requests_new"] = 5000;
  EXPECT_EQ(progress_line(facts(route)).key, key);
  rollout(route)["waiting"].as_array().pop_back();
  EXPECT_NE(progress_line(facts(route)).key, key);
}

TEST(RolloutExit, EveryStateHasItsCode) {
  EXPECT_EQ(exit_of(facts(sample_in("idle"))), Exit::Ok);
  EXPECT_EQ(exit_of(facts(sample_route())), Exit::Ok);
  EXPECT_EQ(exit_of(facts(sample_in("baking"))), Exit::Ok);
  EXPECT_EQ(exit_of(facts(sample_in("completed"))), Exit::Ok);
  EXPECT_EQ(exit_of(facts(sample_in("reverted"))), Exit::Reverted);
  EXPECT_EQ(exit_of(facts(sample_in("aborted"))), Exit::Aborted);
}

TEST(RolloutExit, APauseNeedsAPersonUnlessAStepsTimeEndsIt) {
  for (const char* by : {"person", "gate", "check", "file"}) {
    EXPECT_EQ(exit_of(facts(sample_paused_by(by, ""))), Exit::Paused) << by;
  }
  json::value route = sample_paused_by("step", "");
  EXPECT_EQ(exit_of(facts(route)), Exit::Ok) << "a pause of 5m goes on by itself";
  EXPECT_EQ(line(route), "paused, step 2 of 6 (weight 25 %), 4m 48s to go");
  rollout(route)["step"] = 4;  // pause: {}
  EXPECT_EQ(exit_of(facts(route)), Exit::Paused);
}

TEST(RolloutExit, InconclusiveIsWhatLacksNothingButEvidence) {
  json::value route = sample_route();
  EXPECT_FALSE(inconclusive(facts(route))) << "its time is not over";
  rollout(route)["waiting"] = json::parse(R"([{"reason": "evidence", "sentence": ""}])");
  EXPECT_TRUE(inconclusive(facts(route)));
  rollout(route)["waiting"] = json::parse(R"([{"reason": "store", "sentence": ""}])");
  EXPECT_FALSE(inconclusive(facts(route)));
}

TEST(StatusView, ARolloutIsOneLineOfItsRoute) {
  EXPECT_NE(route_view(sample_route(), {}).find(
                "  rollout running, step 2 of 6 (weight 25 %), 4m 48s to go; waits for proof\n"),
            std::string::npos)
      << route_view(sample_route(), {});
  json::value without = sample_route();
  without.as_object()["rollout"] = nullptr;
  EXPECT_EQ(route_view(without, {}).find("rollout"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::cli
