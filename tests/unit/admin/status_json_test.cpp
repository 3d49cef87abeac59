#include "admin/status_json.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "admin/config_json.h"

namespace tidegate::admin {
namespace {

namespace json = boost::json;
using namespace std::chrono_literals;

control::RouteStatus reverted() {
  control::RouteStatus route;
  route.name = "api";
  route.clusters = {{"dc1", "eks"}};
  route.file_weight = Weight::of_units(1000);
  route.wanted = Weight::none();
  route.latched = true;
  route.latch_reason = "new failed 12 of 60 requests";
  route.has_mirror = true;
  route.mirror = Weight::of_units(1250);
  route.epoch = 7;
  route.gate.ruling.decision = gate::Decision::Revert;
  route.gate.ruling.reason = gate::Reason::ErrorRate;
  route.gate.ruling.statistics.s_new = 9.5;
  route.gate.ruling.window = gate::Window{{60, 12, 60, 0}, 0.5};
  route.gate.thresholds = {9.0, 8.0, 3.0};
  route.gate.sentence = route.latch_reason;
  route.reverts[0] = 1;
  route.attempts[Side::New] = {12, 12};
  return route;
}

TEST(StatusJson, ARouteSaysEverythingThatWasPromised) {
  RouteTraffic traffic{"api", {}, 3, {}};
  traffic.sides[Side::Old] = {5, 1, 1.5, {}};
  traffic.mirror = {10, 7, {}, 1};
  traffic.mirror.dropped[static_cast<std::size_t>(observe::MirrorDrop::Rate)] = 2;
  json::value got = route_json(reverted(), {RouteTraffic{"other", {}, 0, {}}, traffic});
  json::object dropped;
  std::swap(dropped, got.at("mirror").as_object()["dropped"].as_object());
  EXPECT_EQ(dropped.at("rate"), 2);
  EXPECT_EQ(dropped.size(), observe::kMirrorDropCount);
  EXPECT_EQ(got, json::parse(R"({
    "name": "api", "clusters": {"old": "dc1", "new": "eks"},
    "weight": {"file": 10, "wanted": 0, "effective": 0},
    "latched": true, "latch_reason": "new failed 12 of 60 requests", "epoch": 7,
    "mirror": {"file": 0, "percent": 12.5, "received": 10, "mirrored": 7, "dropped": {}, "in_flight": 1},
    "gate": {"verdict": "fail", "decision": "revert", "reason": "error_rate", "sentence": "new failed 12 of 60 requests",
             "statistics": {"s_new": 9.5, "s_old": 0.0, "s_rel": null, "s_prom": 0.0},
             "thresholds": {"h_new": 9.0, "h_old": 6.0, "h_rel": 8.0, "h_prom": 3.0},
             "window": {"seconds": 0.5, "old": {"requests": 60, "failures": 0}, "new": {"requests": 60, "failures": 12}},
             "step": {"seconds": 0.0, "old": {"requests": 0, "failures": 0}, "new": {"requests": 0, "failures": 0}},
             "silent_s": 0.0, "old_suspect": false, "stream": "errors",
             "on_fail": "revert", "streams": {}},
    "rollout": null,
    "reverts": {"error_rate": 1, "hard_breaker": 0, "operator": 0, "slow_rate": 0, "check": 0},
    "holds": {"shared_degradation": 0, "pause": 0, "notify": 0}, "in_flight": 3,
    "traffic": {"old": {"requests": 5, "failures": 1, "attempts": 0, "failed_attempts": 0, "p50_ms": 1.5, "p99_ms": null},
                "new": {"requests": 0, "failures": 0, "attempts": 12, "failed_attempts": 12, "p50_ms": null, "p99_ms": null}}})"))
      << got;
}

TEST(StatusJson, AnAddressIsHealthyUnlessItsChecksOrItsRequestsFail) {
  const ClusterHealth cluster{"eks", true,
                              {{"a:1", "10.0.0.1:1"},
                               {"b:1", "10.0.0.2:1", false, true, "refused", 1'000},
                               {"c:1", "10.0.0.3:1", true, true, "5 failures in a row", 2'000},
                               {"d:1", ""}}};
  EXPECT_EQ(json::value(clusters_json({cluster})), json::parse(R"([{"name": "eks", "checked": true, "endpoints": [
    {"endpoint": "a:1", "address": "10.0.0.1:1", "state": "healthy", "why": null, "since": null},
    {"endpoint": "b:1", "address": "10.0.0.2:1", "state": "unhealthy", "why": "refused", "since": "1970-01-01T00:00:01.000Z"},
    {"endpoint": "c:1", "address": "10.0.0.3:1", "state": "ejected", "why": "5 failures in a row", "since": "1970-01-01T00:00:02.000Z"},
    {"endpoint": "d:1", "address": null, "state": "unresolved", "why": null, "since": null}]}])"));
}

TEST(StatusJson, EachStreamOfTheGateIsShownWithItsOwnNumbers) {
  control::RouteStatus route = reverted();
  control::StreamStatus errors, slow;
  errors.sentence = "observing: new failed 0 of 100 requests";
  slow.ruling = route.gate.ruling;
  slow.ruling.stream = gate::Stream::Slow;
  slow.ruling.reason = gate::Reason::SlowRate;
  slow.thresholds = {10.3, 9.9, 4.4};
  route.gate.ruling = slow.ruling;
  route.gate.streams = {errors, slow};
  const json::value got = route_json(route, {});
  EXPECT_EQ(got.at_pointer("/gate/stream"), "slow");
  EXPECT_EQ(got.at_pointer("/gate/reason"), "slow_rate");
  EXPECT_EQ(got.at_pointer("/gate/streams/errors/verdict"), "inconclusive");
  EXPECT_EQ(got.at_pointer("/gate/streams/errors/sentence"), "observing: new failed 0 of 100 requests");
  EXPECT_EQ(got.at_pointer("/gate/streams/slow/verdict"), "fail");
  EXPECT_EQ(got.at_pointer("/gate/streams/slow/thresholds/h_new"), 10.3);
}

TEST(StatusJson, AStoreThatWorksHasNoError) {
  control::Status status;
  status.epoch = 3;
  status.store.path = "t.db";
  const json::value got = status_json(status, {}, {"1.0", false, 0});
  EXPECT_EQ(got, json::parse(R"({"version": "1.0", "started_at": "1970-01-01T00:00:00.000Z", "epoch": 3, "ready": false,
    "store": {"healthy": true, "path": "t.db", "last_error": null, "failures": 0, "pending": 0}, "routes": []})"));
}

TEST(StatusJson, ADecisionCarriesItsRecordAsJsonAndNotAsText) {
  store::Decision decision;
  decision.record = R"({"reason": "error_rate"})";
  EXPECT_EQ(decision_json(decision).at("record").at("reason"), "error_rate");
  decision.record = "not JSON";
  EXPECT_TRUE(decision_json(decision).at("record").is_null());
}

}  // namespace
}  // namespace tidegate::admin
