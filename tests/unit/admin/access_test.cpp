#include "admin/admin_fixture.h"

namespace tidegate::admin::test {
namespace {

using Access = HandlerTest;

TEST_F(Access, WithoutATokenOnlyTheNamesOfThisAddressAreTaken) {
  for (const char* host : {"127.0.0.1:9900", "localhost:9900", "LocalHost:9900", "[::1]:9900"}) {
    EXPECT_EQ(ask(request("GET", "/api/v1/status", "", {{"Host", host}})).status, 200u) << host;
  }
  for (const char* host : {"evil.example", "evil.example:9900", "127.0.0.1", "127.0.0.1:80", "localhost:9901",
                           "127.0.0.2:9900", "localhost:9900.evil.example", ""}) {
    const Response response = ask(request("GET", "/api/v1/status", "", {{"Host", host}}));
    EXPECT_EQ(response.status, 403u) << host;
    EXPECT_EQ(error_code(response), "forbidden");
  }
}

TEST_F(Access, ARequestWithoutHostOrWithTwoIsRefused) {
  Request none = request("GET", "/api/v1/status");
  none.fields.clear();
  EXPECT_EQ(ask(none).status, 400u);
  EXPECT_EQ(ask(request("GET", "/api/v1/status", "", {{"Host", "localhost:9900"}, {"Host", "evil.example"}})).status,
            400u);
}

TEST_F(Access, APageOfAnotherOriginMovesNothing) {
  for (const char* origin :
       {"http://evil.example", "null", "http://127.0.0.1:3000", "http://localhost:9900", "file://"}) {
    const Response response = post("/api/v1/routes/api/revert", "", {{"Origin", origin}});
    EXPECT_EQ(response.status, 403u) << origin;
    EXPECT_EQ(error_field(response), "Origin");
  }
  EXPECT_EQ(effective(0), Weight::of_units(500));
  EXPECT_EQ(post("/api/v1/routes/api/revert", "", {{"Origin", "http://127.0.0.1:9900"}}).status, 200u);
}

TEST_F(Access, ATokenIsAskedForEverywhereButAtTheProbes) {
  Handler guarded = handler("s3cret");
  for (const char* path : {"/api/v1/status", "/metrics", "/api/v1/config", "/nothing"}) {
    const Response response = ask(guarded, request("GET", path));
    EXPECT_EQ(response.status, 401u) << path;
    EXPECT_EQ(error_code(response), "unauthorized");
    EXPECT_EQ(field(response, "WWW-Authenticate"), "Bearer realm=\"tidegate\"");
  }
  EXPECT_EQ(ask(guarded, request("GET", "/healthz")).status, 200u);
  EXPECT_EQ(ask(guarded, request("GET", "/readyz")).status, 200u);
  EXPECT_EQ(ask(guarded, request("POST", "/api/v1/revert")).status, 401u);
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST_F(Access, OnlyTheWholeTokenIsTaken) {
  Handler guarded = handler("s3cret");
  const auto status_with = [&](const char* value) {
    return ask(guarded, request("GET", "/api/v1/status", "", {{"Authorization", value}})).status;
  };
  EXPECT_EQ(status_with("Bearer s3cret"), 200u);
  EXPECT_EQ(status_with("bearer s3cret"), 200u);
  for (const char* wrong : {"Bearer s3cre", "Bearer s3crets", "Bearer s3creT", "Bearer ", "Bearer", "s3cret",
                            "Basic s3cret", "Bearer s3crets3cret", ""}) {
    EXPECT_EQ(status_with(wrong), 401u) << wrong;
  }
  EXPECT_EQ(
      ask(guarded, request("GET", "/api/v1/status", "", {{"Authorization", "Bearer s3cret"}, {"Authorization", "x"}}))
          .status,
      401u);
}

TEST_F(Access, WithATokenAnyHostIsTakenButNoForeignOrigin) {
  Handler guarded = handler("s3cret");
  const Field token{"Authorization", "Bearer s3cret"};
  EXPECT_EQ(ask(guarded, request("GET", "/api/v1/status", "", {{"Host", "edge.example.com"}, token})).status, 200u);
  EXPECT_EQ(ask(guarded, request("GET", "/api/v1/status", "",
                                 {{"Host", "edge.example.com"}, token, {"Origin", "https://edge.example.com"}}))
                .status,
            200u);
  EXPECT_EQ(ask(guarded, request("GET", "/api/v1/status", "",
                                 {{"Host", "edge.example.com"}, token, {"Origin", "https://evil.example"}}))
                .status,
            403u);
}

TEST_F(Access, TheMetricsListenerServesMetricsAndProbesAlone) {
  Handler metrics = handler("s3cret", Handler::Scope::Metrics);
  for (const char* path : {"/metrics", "/healthz", "/readyz"}) {
    EXPECT_EQ(ask(metrics, request("GET", path, "", {{"Host", "10.1.2.3:9902"}})).status, 200u) << path;
  }
  EXPECT_EQ(ask(metrics, request("GET", "/api/v1/status", "", {{"Authorization", "Bearer s3cret"}})).status, 404u);
  EXPECT_EQ(ask(metrics, request("POST", "/api/v1/revert", "", {{"Authorization", "Bearer s3cret"}})).status, 404u);
  EXPECT_EQ(effective(0), Weight::of_units(500));
}

TEST(ConstantTime, OnlyEqualTextsAreEqual) {
  EXPECT_TRUE(equal_in_constant_time("abc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abd", "abc"));
  EXPECT_FALSE(equal_in_constant_time("ab", "abc"));
  EXPECT_FALSE(equal_in_constant_time("abcabc", "abc"));
  EXPECT_FALSE(equal_in_constant_time("", "abc"));
  EXPECT_FALSE(equal_in_constant_time("", ""));  // no token is no secret
}

}  // namespace
}  // namespace tidegate::admin::test
