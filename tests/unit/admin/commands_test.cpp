#include "admin/admin_fixture.h"

namespace tidegate::admin::test {
namespace {

using Commands = HandlerTest;

TEST_F(Commands, AWeightIsInForceWhenTheAnswerComes) {
  const Response response = put("/api/v1/routes/api/weight", R"({"percent": 25, "reason": "canary"})");
  EXPECT_EQ(response.status, 200u) << response.body;
  EXPECT_EQ(effective(0), Weight::of_units(2500));
  EXPECT_EQ(body(response), json::parse(R"({"epoch": 1, "durable": true, "note": null})"));
  EXPECT_EQ(field(response, "ETag"), "\"1\"");
}

TEST_F(Commands, ARouteNameMayBeEncoded) {
  EXPECT_EQ(put("/api/v1/routes/web%2Fall/weight", R"({"percent": 7.25})").status, 200u);
  EXPECT_EQ(effective(1), Weight::of_units(725));
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST_F(Commands, APercentOutsideItsStepsIsRefusedByName) {
  for (const char* percent : {"-1", "100.01", "0.001", "1e9", "\"25\"", "true", "null"}) {
    const Response response = put("/api/v1/routes/api/weight", std::string(R"({"percent": )") + percent + "}");
    EXPECT_EQ(response.status, 400u) << percent;
    EXPECT_EQ(error_code(response), "invalid");
    EXPECT_EQ(error_field(response), "percent");
    EXPECT_NE(response.body.find("0 to 100 in steps of 0.01"), std::string::npos);
  }
  EXPECT_EQ(error_field(put("/api/v1/routes/api/weight", "{}")), "percent");
  EXPECT_EQ(error_field(put("/api/v1/routes/api/weight", "")), "percent");
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST_F(Commands, UnknownRepeatedAndNestedMembersAreRefusedByName) {
  const auto refused = [this](const std::string& text) {
    const Response response = put("/api/v1/routes/api/weight", text);
    EXPECT_EQ(response.status, 400u) << text;
    return error_field(response);
  };
  EXPECT_EQ(refused(R"({"percent": 25, "resaon": "x"})"), "resaon");
  EXPECT_EQ(refused(R"({"percent": 1, "percent": 100})"), "percent");
  EXPECT_EQ(refused(R"({"percent": {"new": 5}})"), "percent");
  EXPECT_EQ(refused(R"({"percent": [5]})"), "percent");
  EXPECT_EQ(refused(R"({"percent": 5, "reason": 12})"), "reason");
  EXPECT_EQ(refused(R"({"percent": 5, "reason": ")" + std::string(1001, 'x') + R"("})"), "reason");
  EXPECT_EQ(refused(R"({"percent": 5, "reason": "a\u001b[2J"})"), "reason");
  EXPECT_EQ(refused(R"({"percent": 5, "actor": "gate"})"), "actor");
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST_F(Commands, WhatIsNotAJsonObjectIsRefused) {
  for (const char* text : {"[]", "5", "\"x\"", "null", "{", R"({"percent": 5} {})", R"({"percent": 5,})",
                           "{'percent': 5}", "\xff", R"({"percent": 05})"}) {
    const Response response = put("/api/v1/routes/api/weight", text);
    EXPECT_EQ(response.status, 400u) << text;
    EXPECT_EQ(error_code(response), "invalid") << text;
  }
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST_F(Commands, ABodyMustSayThatItIsJson) {
  const Response response = put("/api/v1/routes/api/weight", R"({"percent": 25})", {{"Content-Type", "text/plain"}});
  EXPECT_EQ(response.status, 415u);
  EXPECT_EQ(error_code(response), "unsupported_media_type");
  EXPECT_EQ(
      put("/api/v1/routes/api/weight", R"({"percent": 25})", {{"Content-Type", "Application/JSON ; charset=utf-8"}})
          .status,
      200u);
}

TEST_F(Commands, AnEpochThatIsNoLongerTheRoutesIsStale) {
  ASSERT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 10})").status, 200u);
  for (const char* stale : {"\"0\"", "0", "\"2\""}) {
    const Response response = put("/api/v1/routes/api/weight", R"({"percent": 20})", {{"If-Match", stale}});
    EXPECT_EQ(response.status, 412u) << stale;
    EXPECT_EQ(error_code(response), "stale");
  }
  EXPECT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 20})", {{"If-Match", "\"1\""}}).status, 200u);
  EXPECT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 30})", {{"If-Match", "2"}}).status, 200u);
  EXPECT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 40})", {{"If-Match", "*"}}).status, 200u);
  EXPECT_EQ(effective(0), Weight::of_units(4000));
}

TEST_F(Commands, AnIfMatchThatIsNoEpochIsInvalidAndNotIgnored) {
  for (const char* bad : {"", "\"", "W/\"1\"", "\"1\", \"2\"", "-1", "99999999999999999999999"}) {
    const Response response = put("/api/v1/routes/api/weight", R"({"percent": 20})", {{"If-Match", bad}});
    EXPECT_EQ(response.status, 400u) << bad;
    EXPECT_EQ(error_field(response), "If-Match");
  }
  EXPECT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 20})", {{"If-Match", "0"}, {"If-Match", "0"}}).status,
            400u);
}

TEST_F(Commands, AMirrorIsSetAndARouteWithoutOneSaysSo) {
  EXPECT_EQ(put("/api/v1/routes/api/mirror", R"({"percent": 100})").status, 200u);
  EXPECT_EQ(world_.snapshot.routes()[0].live->mirror(), Weight::whole());
  const Response none = put("/api/v1/routes/web%2Fall/mirror", R"({"percent": 100})");
  EXPECT_EQ(none.status, 400u);
  EXPECT_EQ(error_code(none), "invalid");
}

TEST_F(Commands, ARevertLatchesAndOnlyRearmOpens) {
  EXPECT_EQ(post("/api/v1/routes/api/revert").status, 200u);
  EXPECT_EQ(effective(0), Weight::none());
  const Response refused = put("/api/v1/routes/api/weight", R"({"percent": 10})");
  EXPECT_EQ(refused.status, 409u);
  EXPECT_EQ(error_code(refused), "conflict");
  EXPECT_EQ(post("/api/v1/routes/api/rearm", R"({"reason": "fixed"})").status, 200u);
  EXPECT_EQ(post("/api/v1/routes/api/rearm").status, 409u);
  EXPECT_EQ(put("/api/v1/routes/api/weight", R"({"percent": 10})").status, 200u);
}

TEST_F(Commands, RevertingAllRoutesAnswersOnceForAll) {
  const Response response = post("/api/v1/revert", R"({"reason": "incident"})");
  ASSERT_EQ(response.status, 200u) << response.body;
  EXPECT_EQ(effective(0), Weight::none());
  EXPECT_EQ(effective(1), Weight::none());
  EXPECT_EQ(body(response).at("epoch").as_int64(), 2);
  EXPECT_EQ(body(response).at("durable"), true);
  EXPECT_EQ(body(response).at("routes").as_array().size(), 2u);
  EXPECT_EQ(post("/api/v1/revert", "", {{"If-Match", "1"}}).status, 400u);
}

TEST_F(Commands, ARaiseThatCannotBeMadeDurableIsNotDone) {
  world_.store.break_down();
  const Response response = put("/api/v1/routes/api/weight", R"({"percent": 50})");
  EXPECT_EQ(response.status, 503u);
  EXPECT_EQ(error_code(response), "store_failed");
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST_F(Commands, DrainIsAnsweredAndBegun) {
  const Response response = post("/api/v1/drain");
  EXPECT_EQ(response.status, 202u);
  EXPECT_EQ(body(response).at("draining"), true);
  EXPECT_EQ(world_.drains, 1);
}

TEST_F(Commands, ReloadAnswersWhatIsAnother) {
  world_.reload_answer = {{}, {"route api: changed"}};
  const Response response = post("/api/v1/reload");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(body(response).at("changed"), boost::json::array{"route api: changed"});
}

TEST_F(Commands, ReloadOfABadFileIs422WithEveryProblem) {
  world_.reload_answer = {{"t.yaml:1:1: one", "t.yaml:2:1: two"}, {}};
  const Response response = post("/api/v1/reload");
  EXPECT_EQ(response.status, 422u);
  EXPECT_EQ(error_code(response), "invalid");
}

TEST_F(Commands, AnUnknownRouteIsNotFound) {
  for (const char* what : {"revert", "rearm"}) {
    const Response response = post(std::string("/api/v1/routes/nope/") + what);
    EXPECT_EQ(response.status, 404u);
    EXPECT_EQ(error_code(response), "not_found");
    EXPECT_EQ(error_field(response), "route");
  }
}

}  // namespace
}  // namespace tidegate::admin::test
