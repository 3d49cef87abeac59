#include "admin/rollout_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace tidegate::admin {
namespace {

using namespace std::chrono_literals;
namespace json = boost::json;

control::RolloutStatus running() {
  control::RolloutStatus out;
  out.rollout.state = rollout::State::Running;
  out.rollout.step = 1;
  rollout::Step weight, check;
  weight.percent = Weight::of_units(1250);
  weight.time = 5min;
  check.kind = rollout::Step::Kind::Check;
  check.check = "smoke";
  out.rollout.plan.steps = {weight, check};
  out.rollout.plan.bake = 1h;
  out.rollout.started_by = "anna";
  out.rollout.started_at_ms = 1'700'000'000'250;
  out.step_s = 12.5;
  out.requests_new = 7;
  out.waiting = {{rollout::WaitFor::Time, "4m 48s to go"}};
  out.checks = {{"smoke", gate::Verdict::Fail, "500", 1, 3}, {"errors", std::nullopt, "", 0, 3}};
  return out;
}

TEST(RolloutJson, SaysWhereItStandsAndWhatItWaitsFor) {
  EXPECT_EQ(rollout_json(running()), json::parse(R"({
    "state": "running", "step": 1,
    "steps": [{"kind": "weight", "text": "weight 12.5 % for 5m", "weight": 12.5, "mirror": null, "for_s": 300.0, "check": null},
              {"kind": "check", "text": "check smoke", "weight": null, "mirror": null, "for_s": null, "check": "smoke"}],
    "step_elapsed_s": 12.5, "bake_s": 3600.0, "bake_elapsed_s": 0.0, "advance": "proven", "min_requests": 0, "requests_new": 7,
    "waiting": [{"reason": "time", "sentence": "4m 48s to go"}], "pause": null,
    "started_at": "2023-11-14T22:13:20.250Z", "started_by": "anna", "weight_before": 0,
    "checks": [{"name": "smoke", "verdict": "fail", "sentence": "500", "failures": 1, "of": 3},
               {"name": "errors", "verdict": null, "sentence": "", "failures": 0, "of": 3}],
    "file_differs": false})"));
}

TEST(RolloutJson, ARouteWithoutOneIsNull) { EXPECT_TRUE(rollout_json(std::nullopt).is_null()); }

TEST(RolloutJson, WhileBakingTheTimeIsTheBakes) {
  control::RolloutStatus baking = running();
  baking.rollout.state = rollout::State::Baking;
  const json::value out = rollout_json(baking);
  EXPECT_EQ(out.at("bake_elapsed_s"), 12.5);
  EXPECT_EQ(out.at("step_elapsed_s"), 0.0);
}

TEST(ConfigJson, NothingSecretOfAWebhookIsShown) {
  check::CheckPolicy check;
  check::WebhookCheck webhook;
  webhook.destination.url = "https://hooks.example.com/services/SECRET?token=SECRET";
  webhook.destination.headers = {{"authorization", "Bearer SECRET"}};
  check.what = webhook;
  notify::NotifyPolicy notify;
  notify.destination = webhook.destination;
  const std::string shown = json::serialize(check_json(check)) + json::serialize(notify_json(notify));
  EXPECT_EQ(shown.find("SECRET"), std::string::npos) << shown;
  EXPECT_NE(shown.find("https://hooks.example.com"), std::string::npos);
}

}  // namespace
}  // namespace tidegate::admin
