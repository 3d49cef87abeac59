#include "admin/admin_fixture.h"
#include "control/decision_record.h"

namespace tidegate::admin::test {
namespace {

using Reads = HandlerTest;

TEST_F(Reads, ProbesAnswerInWords) {
  EXPECT_EQ(get("/healthz").status, 200u);
  EXPECT_EQ(get("/readyz").status, 200u);
  world_.ready = false;
  EXPECT_EQ(get("/readyz").status, 503u);
  EXPECT_EQ(get("/healthz").status, 200u);
}

TEST_F(Reads, MetricsAreTheTextOfTheServices) {
  const Response response = get("/metrics?collect%5B%5D=all");
  EXPECT_EQ(response.body, "# routes 2\n");
  EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
}

TEST_F(Reads, TheStatusHasEveryRoute) {
  const json::value status = body(get("/api/v1/status"));
  EXPECT_EQ(status.at("version"), "9.9.9");
  EXPECT_EQ(status.at("ready"), true);
  EXPECT_EQ(status.at("started_at"), "2023-11-14T22:13:20.250Z");
  ASSERT_EQ(status.at("routes").as_array().size(), 2u);
  EXPECT_EQ(status.at_pointer("/routes/0/name"), "api");
  EXPECT_EQ(status.at_pointer("/routes/0/traffic/new/requests").to_number<int>(), 100);
  EXPECT_EQ(status.at_pointer("/routes/1/traffic/new/requests").to_number<int>(), 0);
  EXPECT_TRUE(status.at_pointer("/routes/1/mirror").is_null());
}

TEST_F(Reads, ARouteCarriesItsEpochAsETag) {
  ASSERT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 4})").status, 200u);
  const Response response = get("/api/v1/routes/api");
  EXPECT_EQ(field(response, "ETag"), "\"1\"");
  EXPECT_EQ(body(response).at_pointer("/weight/effective"), 4);
  EXPECT_EQ(body(response).at_pointer("/weight/file"), 5);
  EXPECT_EQ(get("/api/v1/routes/nope").status, 404u);
  EXPECT_EQ(body(get("/api/v1/routes")).at("routes").as_array().size(), 2u);
}

TEST_F(Reads, TheConfigurationShowsNoSecret) {
  const Response response = get("/api/v1/config");
  EXPECT_EQ(response.body.find("hunter2"), std::string::npos);
  const json::value config = body(response);
  EXPECT_EQ(config.at_pointer("/routes/0/request_headers/set/x-origin-verify"), "(hidden)");
  EXPECT_EQ(config.at_pointer("/routes/0/old"), "old");
  EXPECT_EQ(config.at_pointer("/listeners/0/timeouts/idle"), "1m");
  EXPECT_EQ(config.at_pointer("/routes/0/gate/budget_period"), "1d");
  EXPECT_EQ(config.at_pointer("/routes/0/gate/breaker/for"), "200ms");
  EXPECT_EQ(config.at_pointer("/admin/address"), "127.0.0.1:9900");
}

TEST_F(Reads, TheHistoryIsNewestFirstAndCanBeCut) {
  ASSERT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 4, "reason": "less", "actor": "anna"})").status, 200u);
  ASSERT_EQ(post("/api/v1/routes/web%2Fall/revert").status, 200u);
  const json::value all = body(get("/api/v1/history"));
  ASSERT_EQ(all.at("decisions").as_array().size(), 2u);
  EXPECT_EQ(all.at_pointer("/decisions/0/action"), "revert");
  EXPECT_EQ(all.at_pointer("/decisions/0/actor"), "operator");
  EXPECT_EQ(all.at_pointer("/decisions/1/actor"), "anna");
  EXPECT_EQ(all.at_pointer("/decisions/1/from"), "5");
  EXPECT_EQ(all.at_pointer("/decisions/1/reason"), "less");
  EXPECT_EQ(body(get("/api/v1/history?limit=1")).at("decisions").as_array().size(), 1u);
  EXPECT_EQ(body(get("/api/v1/history?route=web%2Fall")).at("decisions").as_array().size(), 1u);
}

/// A decision of the gate with its record, as the engine makes it.
store::Decision reverted_by_the_gate(std::uint64_t epoch) {
  gate::RouteGate gate({}, std::nullopt, 0.5);
  std::optional<control::GateTick> tick;
  gate::Ruling ruling;
  for (int i = 0; i < 500 && ruling.decision != gate::Decision::Revert; ++i) {
    tick.emplace(control::GateTick{gate, {{10, 3, 10, 0}, {}}, 0.02});
    ruling = gate.tick(tick->counts, tick->dt_s);
  }
  store::Decision out;
  out.epoch = epoch;
  out.route = "api";
  out.action = store::Action::Revert;
  out.actor = "gate";
  out.record = control::decision_record(*tick, gate, ruling, Weight::of_units(5000), Weight::none());
  return out;
}

TEST_F(Reads, ADecisionOfTheGateIsReplayedAndGivesTheSameAnswer) {
  world_.store.keep(reverted_by_the_gate(41));
  const json::value got = body(get("/api/v1/history/41"));
  EXPECT_EQ(got.at("route"), "api");
  EXPECT_EQ(got.at_pointer("/replay/possible"), true);
  EXPECT_EQ(got.at_pointer("/replay/same"), true);
  EXPECT_EQ(got.at_pointer("/replay/decision"), "revert");
  EXPECT_EQ(got.at_pointer("/replay/tick/errors/new/failures").to_number<int>(), 3);
  EXPECT_EQ(got.at_pointer("/record/weight_before").to_number<double>(), 50);
  EXPECT_EQ(got.at_pointer("/record/weight_after").to_number<double>(), 0);
  EXPECT_TRUE(got.at_pointer("/record/replay").is_object());
  const json::value listed = body(get("/api/v1/history"));
  EXPECT_TRUE(listed.at_pointer("/decisions/0/record/window").is_object());
  EXPECT_EQ(listed.at_pointer("/decisions/0/record").as_object().if_contains("replay"), nullptr) << "for machines";
}

TEST_F(Reads, ADecisionThatCannotBeReplayedSaysWhy) {
  ASSERT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 4, "actor": "anna"})").status, 200u);
  const json::value by_anna = body(get("/api/v1/history/1"));
  EXPECT_EQ(by_anna.at_pointer("/replay/possible"), false);
  EXPECT_TRUE(by_anna.at_pointer("/replay/same").is_null());
  EXPECT_EQ(by_anna.at_pointer("/replay/why"), "a decision of anna, not of the gate: nothing to replay");
  EXPECT_EQ(by_anna.at_pointer("/record/gate/verdict"), "inconclusive");

  store::Decision old = reverted_by_the_gate(2);
  old.record = R"({"reason": "error_rate", "window": {}})";
  world_.store.keep(old);
  const json::value of_old = body(get("/api/v1/history/2"));
  EXPECT_TRUE(of_old.at_pointer("/replay/same").is_null());
  EXPECT_NE(of_old.at_pointer("/replay/why").as_string().find("did not keep the state"), std::string_view::npos);

  store::Decision damaged = reverted_by_the_gate(3);
  damaged.record = R"({"replay": {"format": 1}})";
  world_.store.keep(damaged);
  EXPECT_EQ(body(get("/api/v1/history/3")).at_pointer("/replay/same"), false);
}

TEST_F(Reads, ADecisionThatIsNotThereIsNotFound) {
  EXPECT_EQ(get("/api/v1/history/17").status, 404u);
  EXPECT_EQ(error_field(get("/api/v1/history/x")), "id");
  EXPECT_EQ(get("/api/v1/history/-1").status, 400u);
  EXPECT_EQ(get("/api/v1/history/1?x=1").status, 400u);
}

TEST_F(Reads, QueriesAreStrict) {
  for (const char* query : {"limit=0", "limit=1001", "limit=x", "limit=", "limit=-1", "limit=1&limit=2", "rows=3"}) {
    const Response response = get(std::string("/api/v1/history?") + query);
    EXPECT_EQ(response.status, 400u) << query;
    EXPECT_EQ(error_code(response), "invalid");
  }
  EXPECT_EQ(get("/api/v1/status?x=1").status, 400u);
}

TEST_F(Reads, AStoreThatFailsIsSaid) {
  world_.store.break_down();
  const Response response = get("/api/v1/history");
  EXPECT_EQ(response.status, 503u);
  EXPECT_EQ(error_code(response), "unavailable");
}

TEST_F(Reads, AGetNeverChangesAnything) {
  for (const char* path : {"/api/v1/routes/api/weight", "/api/v1/routes/api/mirror", "/api/v1/routes/api/revert",
                           "/api/v1/routes/api/rearm", "/api/v1/revert", "/api/v1/drain"}) {
    for (const char* method : {"GET", "HEAD", "OPTIONS", "DELETE", "BREW"}) {
      const Response response = ask(request(method, path, R"({"percent": 100})"));
      EXPECT_EQ(response.status, 405u) << method << ' ' << path;
      EXPECT_EQ(error_code(response), "method_not_allowed");
    }
  }
  EXPECT_EQ(effective(0), Weight::of_units(500));
  EXPECT_EQ(world_.drains, 0);
}

TEST_F(Reads, AMethodThatAnEndpointDoesNotTakeIsAnsweredWithThoseThatItTakes) {
  EXPECT_EQ(field(post("/api/v1/status"), "Allow"), "GET, HEAD");
  EXPECT_EQ(field(get("/api/v1/routes/api/weight"), "Allow"), "PUT");
  EXPECT_EQ(ask(request("HEAD", "/api/v1/status")).status, 200u);
}

TEST_F(Reads, WhatIsNotThereIsNotFound) {
  for (const char* path : {"/", "/api/v1", "/api/v1/status/", "/api/v1/routes/", "/api/v1/routes//weight",
                           "/api/v2/status", "//api/v1/status", "/api/v1/routes/api/weight/x"}) {
    EXPECT_EQ(get(path).status, 404u) << path;
  }
  EXPECT_EQ(get("http://127.0.0.1:9900/api/v1/status").status, 400u);
  EXPECT_EQ(get("*").status, 400u);
  EXPECT_EQ(get("/%zz").status, 400u);
}

}  // namespace
}  // namespace tidegate::admin::test
