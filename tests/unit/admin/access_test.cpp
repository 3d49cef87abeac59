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

const std::string kThree = "viewers-token-0001 viewer\noperators-token-01 operator ci\nadmins-token-00001 admin alice\n";

TEST_F(Access, EachRoleMayDoWhatItIsForAndNoMore) {
  Handler guarded = handler(kThree);
  struct Case {
    const char* method;
    const char* target;
    int least;  // of the three
  };
  const std::vector<std::string> tokens{"viewers-token-0001", "operators-token-01", "admins-token-00001"};
  for (const Case& one : std::vector<Case>{{"GET", "/api/v1/status", 0},
                                           {"HEAD", "/api/v1/routes/api", 0},
                                           {"GET", "/metrics", 0},
                                           {"GET", "/api/v1/config", 0},
                                           {"GET", "/api/v1/history", 0},
                                           {"PUT", "/api/v1/routes/api/weight", 1},
                                           {"PUT", "/api/v1/routes/api/mirror", 1},
                                           {"POST", "/api/v1/routes/api/revert", 1},
                                           {"POST", "/api/v1/routes/api/rearm", 1},
                                           {"POST", "/api/v1/routes/api/rollout/start", 1},
                                           {"POST", "/api/v1/routes/api/rollout/undo", 1},
                                           {"POST", "/api/v1/revert", 1},
                                           {"POST", "/api/v1/reload", 2},
                                           {"POST", "/api/v1/drain", 2}}) {
    for (int role = 0; role < 3; ++role) {
      const std::string body = one.method[1] == 'U' ? R"({"percent": 0})" : "";
      const Response response = ask(guarded, request(one.method, one.target, body, {{"Authorization", "Bearer " + tokens[static_cast<std::size_t>(role)]}}));
      EXPECT_EQ(response.status == 403, role < one.least) << one.method << ' ' << one.target << " role " << role << ' ' << response.body;
      EXPECT_NE(response.status, 401u);
    }
  }
}

TEST_F(Access, ARoleThatIsTooSmallIsNamedBesideTheOneThatIsNeeded) {
  Handler guarded = handler(kThree);
  const auto refused = [&](const char* token, const char* target) {
    return ask(guarded, request("POST", target, "", {{"Authorization", token}}));
  };
  const Response response = refused("Bearer viewers-token-0001", "/api/v1/routes/api/revert?x=1");
  EXPECT_EQ(error_code(response), "forbidden");
  EXPECT_EQ(body(response).at("error").at("message"), "POST /api/v1/routes/api/revert needs the role operator; the token has the role viewer");
  EXPECT_EQ(effective(0), Weight::of_units(500));
  EXPECT_EQ(body(refused("Bearer operators-token-01", "/api/v1/drain")).at("error").at("message"),
            "POST /api/v1/drain needs the role admin; the token has the role operator");
  EXPECT_EQ(world_.drains, 0);
}

TEST_F(Access, ADecisionIsSignedWithTheNameOfTheTokenAndWhatWasSaidAfterIt) {
  Handler guarded = handler(kThree + "nameless-token-001 operator\n");
  const auto signs = [&](const char* token, const char* members) {
    EXPECT_EQ(ask(guarded, request("PUT", "/api/v1/routes/api/mirror", members, {{"Authorization", token}})).status, 200u);
    const auto rows = world_.store.history("api", 1);
    return rows->empty() ? "" : rows->front().actor;
  };
  EXPECT_EQ(signs("Bearer operators-token-01", R"({"percent": 1})"), "ci");
  EXPECT_EQ(signs("Bearer operators-token-01", R"({"percent": 2, "actor": "bob"})"), "ci (bob)");
  EXPECT_EQ(signs("Bearer admins-token-00001", R"({"percent": 3, "actor": "alice"})"), "alice");
  EXPECT_EQ(signs("Bearer nameless-token-001", R"({"percent": 4, "actor": "alice"})"), "operator (alice)") << "nobody takes another's name";
}

TEST_F(Access, TokensThatWereReplacedCountFromTheNextRequestOn) {
  Handler guarded = handler(kThree);
  const Request asked = request("GET", "/api/v1/status", "", {{"Authorization", "Bearer viewers-token-0001"}});
  EXPECT_EQ(ask(guarded, asked).status, 200u);
  guarded.set_tokens({{"another-token-0001", config::Role::Viewer, "viewer"}});
  EXPECT_EQ(ask(guarded, asked).status, 401u);
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
