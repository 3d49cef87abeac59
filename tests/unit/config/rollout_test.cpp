#include "load_fixture.h"

namespace tidegate::config {
namespace {

using namespace std::chrono_literals;
using rollout::Advance;

constexpr const char* kChecks = "checks: {smoke: {http: [{path: /health}]}}\n";

const rollout::Plan& plan_of(const Config& config) { return *config.routes.at(0).rollout; }
Config with_rollout(const std::string& keys) { return good(with_route("mirror: {percent: 0}, rollout: {" + keys + "}") + kChecks); }
std::string bad_rollout(const std::string& keys) { return bad(with_route("rollout: {" + keys + "}") + kChecks); }

TEST(Rollout, ItsStepsAreReadAsTheyAreWritten) {
  const Config config = with_rollout(
      "steps: [{mirror: 100, for: 10m}, {check: smoke}, {weight: 10, for: 5m}, {pause: {}}, {pause: 1h}, {weight: 100}], "
      "advance: time, min_requests: 7, bake: 1h, checks: [smoke]");
  const rollout::Plan& plan = plan_of(config);
  std::string seen;
  for (const rollout::Step& step : plan.steps) seen += text(step) + "; ";
  EXPECT_EQ(seen, "mirror 100 % for 10m; check smoke; weight 10 % for 5m; pause until resumed; pause for 1h; weight 100 %; ");
  EXPECT_EQ(plan.advance, Advance::Time);
  EXPECT_EQ(plan.min_requests, 7u);
  EXPECT_EQ(plan.bake, 1h);
  EXPECT_EQ(plan.checks, std::vector<std::string>{"smoke"});
}

TEST(Rollout, WithoutStepsItIsAPreset) {
  EXPECT_EQ(plan_of(with_rollout("")).steps, rollout::canary_steps(5min));
  EXPECT_EQ(plan_of(with_rollout("")).advance, Advance::Proven);
  EXPECT_EQ(plan_of(with_rollout("preset: rolling, for: 1m")).steps, rollout::rolling_steps(1min));
  EXPECT_EQ(plan_of(with_rollout("preset: blue-green")).steps, rollout::blue_green_steps());
  EXPECT_FALSE(good(with_route("weight: 5")).routes.at(0).rollout.has_value());
}

TEST(Rollout, ItsShortestStepShortensWhatTheGateWaitsForBeforeAProof) {
  EXPECT_EQ(with_rollout("steps: [{weight: 10, for: 5s}, {weight: 100}]").routes.at(0).gate.min_dwell_s, 5.0);
  EXPECT_EQ(with_rollout("").routes.at(0).gate.min_dwell_s, 60.0);
}

TEST(Rollout, WhatMakesNoSenseIsRefusedWithItsPlace) {
  for (const auto& [keys, says] : std::vector<std::pair<std::string, std::string>>{
           {"steps: [{weight: 50}, {weight: 10}]", "routes[0].rollout.steps[1]: the weight falls from 50 to 10"},
           {"steps: [{mirror: 100}]", "routes[0].rollout.steps[0]: the route has no mirror"},
           {"steps: [{check: smok}]", "no check is named \"smok\"; did you mean \"smoke\"?"},
           {"checks: [nope]", "routes[0].rollout.checks[0]: no check is named"},
           {"steps: [{weight: 10, mirror: 5}]", "a step is one of weight, mirror, pause, check"},
           {"steps: [{for: 5m}]", "a step is one of weight, mirror, pause, check"},
           {"steps: [{pause: {}, for: 5m}]", "a pause says its time itself"},
           {"steps: [{check: smoke, for: 5m}]", "a check has no `for`"},
           {"steps: [{pause: {for: 1h}}]", "expects {}"},
           {"steps: [{weight: 10}], preset: canary", "either steps or a preset, not both"},
           {"steps: [{weight: 10}], for: 5m", "`for` is the time of a preset's steps"},
           {"steps: [{weight: 10, for: 0s}]", "routes[0].rollout.steps[0].for"},
           {"steps: [{wait: 10}]", "unknown key"},
           {"steps: [{cutover: writes}]", "not supported by this version yet"},
           {"advance: fast", "is not one of proven, time"}}) {
    EXPECT_TRUE(contains(bad_rollout(keys), says)) << keys << ": " << bad_rollout(keys);
  }
}

std::string bad_check(const std::string& keys) { return bad(with("checks: {x: {" + keys + "}}\n")); }

TEST(Checks, EachKindIsReadWithItsDefaults) {
  const Config config = good(with(R"(checks:
  smoke: {http: [{path: /health}, {path: "/s?x=1", method: POST, expect: [201], contains: ok}], side: old, host: api.example.com}
  errors: {prometheus: {url: "http://prometheus:9090", query: up, max: -0.5, min: -1e3}, interval: 30s, failures: 1, on_fail: pause}
  approve: {webhook: {url: "https://hooks.example.com/x", type: confirm-promotion, timeout: 20s, metadata: {a: b}}}
)"));
  const auto& http = std::get<check::HttpCheck>(config.checks.at(0).what);
  ASSERT_EQ(http.requests.size(), 2u);
  EXPECT_EQ(http.requests[0].method, "GET");
  EXPECT_TRUE(http.requests[0].expect.empty());
  EXPECT_EQ(http.requests[1].expect, std::vector<unsigned>{201});
  EXPECT_EQ(http.side, Side::Old);
  EXPECT_EQ(config.checks[0].interval, 10s);
  EXPECT_EQ(config.checks[0].timeout, 5s);
  EXPECT_EQ(config.checks[0].failures, 3u);
  EXPECT_EQ(config.checks[0].on_fail, check::OnFail::Revert);
  const auto& prometheus = std::get<check::PrometheusCheck>(config.checks.at(1).what);
  EXPECT_EQ(prometheus.max, -0.5);
  EXPECT_EQ(prometheus.min, -1000.0);
  EXPECT_EQ(config.checks[1].on_fail, check::OnFail::Pause);
  const auto& webhook = std::get<check::WebhookCheck>(config.checks.at(2).what);
  EXPECT_EQ(webhook.type, check::WebhookType::ConfirmPromotion);
  EXPECT_EQ(config.checks[2].timeout, 20s);
  EXPECT_EQ(webhook.metadata.at(0).second, "b");
}

TEST(Checks, WhatCannotBeAskedIsRefused) {
  for (const auto& [keys, says] : std::vector<std::pair<std::string, std::string>>{
           {"interval: 10s", "a check is one of http, prometheus, webhook"},
           {"http: [{path: /a}], webhook: {url: 'http://a'}", "a check is one of"},
           {"http: [{path: health}]", "is not a path"},
           {"http: [{method: GET}]", "\"path\" is missing"},
           {"http: []", "checks.x.http"},
           {"http: [{path: /a, expect: [99]}]", "checks.x.http[0].expect[0]"},
           {"prometheus: {url: 'http://p', query: up}", "max or min is missing"},
           {"prometheus: {url: 'http://p', query: up, max: NaN}", "is not a number"},
           {"prometheus: {url: 'ftp://p', query: up, max: 1}", "checks.x.prometheus.url"},
           {"webhook: {url: 'http://user:secret@h/'}", "checks.x.webhook.url"},
           {"webhook: {url: 'http://h', type: confirm}", "is not one of confirm-rollout"},
           {"webhook: {url: 'http://h', tls: {cert: a}}", "cert and key belong together"},
           {"webhook: {url: 'http://h'}, side: new", "side and host are for http checks only"}}) {
    EXPECT_TRUE(contains(bad_check(keys), says)) << keys << ": " << bad_check(keys);
  }
  EXPECT_FALSE(contains(bad_check("webhook: {url: 'http://user:secret@h/'}"), "secret"));
}

TEST(Notify, IsToldOfEverythingUnlessItSaysOtherwise) {
  const Config config = good(with(R"(notify:
  - webhook: {url: "https://hooks.slack.com/services/T/B/X", format: slack}
    on: [reverted, held]
  - webhook: {url: "http://127.0.0.1:1/"}
)"));
  EXPECT_EQ(config.notify.at(0).format, notify::Format::Slack);
  EXPECT_TRUE(config.notify[0].on[static_cast<std::size_t>(notify::Event::Reverted)]);
  EXPECT_FALSE(config.notify[0].on[static_cast<std::size_t>(notify::Event::Step)]);
  for (const bool on : config.notify.at(1).on) EXPECT_TRUE(on);
  EXPECT_TRUE(contains(bad(with("notify: [{webhook: {url: 'http://h'}, on: [reverts]}]\n")), "did you mean \"reverted\"?"));
  EXPECT_TRUE(contains(bad(with("notify: [{on: [reverted]}]\n")), "\"webhook\" is missing"));
}

}  // namespace
}  // namespace tidegate::config
