// Which route a request takes: hosts, paths, methods, headers, and the first match wins.
#include "route/match.h"

#include <gtest/gtest.h>

#include <string>

#include "http/h1_head.h"
#include "route/snapshot.h"

namespace tidegate::route {
namespace {

TEST(HostMatch, IgnoresCaseAndTakesSubdomainsForAStar) {
  struct { const char* pattern; const char* host; bool expected; } const kTable[] = {
      {"example.org", "example.org", true},       {"example.org", "EXAMPLE.Org", true},
      {"example.org", "www.example.org", false},  {"example.org", "example.org.", false},
      {"example.org", "example.orgx", false},     {"example.org", "", false},
      {"*.example.org", "www.example.org", true}, {"*.example.org", "a.b.EXAMPLE.org", true},
      {"*.example.org", "example.org", false},    {"*.example.org", ".example.org", false},
      {"*.example.org", "wwwexample.org", false}, {"*.example.org", "www.example.org.evil", false},
      {"[::1]", "[::1]", true},                   {"10.0.0.1", "10.0.0.1", true},
  };
  for (const auto& row : kTable) EXPECT_EQ(host_matches(row.pattern, row.host), row.expected) << row.pattern << " " << row.host;
}

TEST(PathMatch, APrefixTakesWholeSegments) {
  using Kind = PathMatch::Kind;
  struct { Kind kind; const char* value; const char* path; bool expected; } const kTable[] = {
      {Kind::Any, "", "/", true},             {Kind::Any, "", "*", true},
      {Kind::Exact, "/a", "/a", true},        {Kind::Exact, "/a", "/a/", false},
      {Kind::Exact, "/a", "/A", false},       {Kind::Exact, "/", "/", true},
      {Kind::Prefix, "/api", "/api", true},   {Kind::Prefix, "/api", "/api/", true},
      {Kind::Prefix, "/api", "/api/x", true}, {Kind::Prefix, "/api", "/apis", false},
      {Kind::Prefix, "/api", "/ap", false},   {Kind::Prefix, "/api", "/API/x", false},
      {Kind::Prefix, "/api/", "/api", true},  {Kind::Prefix, "/api/", "/api/x", true},
      {Kind::Prefix, "/api/", "/apis", false}, {Kind::Prefix, "/", "/", true},
      {Kind::Prefix, "/", "/anything", true}, {Kind::Prefix, "/", "*", false},
      {Kind::Prefix, "/a/b", "/a/bc", false}, {Kind::Prefix, "/a/b", "/a/b/c", true},
      {Kind::Prefix, "/api", "//api", false}, {Kind::Prefix, "/api", "", false},
  };
  for (const auto& row : kTable) {
    EXPECT_EQ(path_matches({row.kind, row.value}, row.path), row.expected) << row.value << " " << row.path;
  }
}

struct Request {
  explicit Request(const std::string& text) : bytes(text + "\r\n") {
    http::RequestHeadDecoder decoder({});
    decoder.reset();
    EXPECT_EQ(decoder.feed(bytes, head), http::HeadState::Done) << decoder.refusal().reason;
  }
  std::string bytes;
  http::RequestHead head;
};

TEST(Match, AnEmptyConditionHoldsForEverything) {
  EXPECT_TRUE(matches({}, Request("GET / HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_TRUE(matches({}, Request("OPTIONS * HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_TRUE(matches({}, Request("BREW / HTTP/1.0\r\n").head));
}

TEST(Match, TheHostIsTheAuthorityWithoutItsPort) {
  MatchPolicy match;
  match.hosts = {"a.example", "*.b.example"};
  EXPECT_TRUE(matches(match, Request("GET / HTTP/1.1\r\nHost: A.example:8080\r\n").head));
  EXPECT_TRUE(matches(match, Request("GET / HTTP/1.1\r\nHost: x.b.example\r\n").head));
  EXPECT_FALSE(matches(match, Request("GET / HTTP/1.1\r\nHost: b.example\r\n").head));
  EXPECT_TRUE(matches(match, Request("GET http://a.example/ HTTP/1.1\r\nHost: other\r\n").head));
  EXPECT_FALSE(matches(match, Request("GET http://other/ HTTP/1.1\r\nHost: a.example\r\n").head));
  EXPECT_FALSE(matches(match, Request("GET / HTTP/1.0\r\n").head));
}

TEST(Match, ThePathIsWithoutItsQuery) {
  MatchPolicy match;
  match.path = {PathMatch::Kind::Exact, "/a"};
  EXPECT_TRUE(matches(match, Request("GET /a?b=/c HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_FALSE(matches(match, Request("GET /b?/a HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_TRUE(matches(match, Request("GET http://h/a HTTP/1.1\r\nHost: h\r\n").head));
}

TEST(Match, MethodsAreExact) {
  MatchPolicy match;
  match.methods = {"GET", "PROPFIND"};
  EXPECT_TRUE(matches(match, Request("GET / HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_TRUE(matches(match, Request("PROPFIND / HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_FALSE(matches(match, Request("get / HTTP/1.1\r\nHost: h\r\n").head));
  EXPECT_FALSE(matches(match, Request("POST / HTTP/1.1\r\nHost: h\r\n").head));
}

TEST(Match, HeadersHoldWhenOneFieldOfThatNameFits) {
  using Kind = HeaderMatch::Kind;
  const Request request("GET / HTTP/1.1\r\nHost: h\r\nX-Tenant: a\r\nx-tenant: bcd\r\nx-empty:\r\n");
  const auto holds = [&](const char* name, Kind kind, const char* value) {
    MatchPolicy match;
    match.headers = {{name, kind, value}};
    return matches(match, request.head);
  };
  EXPECT_TRUE(holds("x-tenant", Kind::Exact, "a"));
  EXPECT_TRUE(holds("x-tenant", Kind::Exact, "bcd"));
  EXPECT_FALSE(holds("x-tenant", Kind::Exact, "A"));
  EXPECT_FALSE(holds("x-tenant", Kind::Exact, "a, bcd"));
  EXPECT_TRUE(holds("x-tenant", Kind::Prefix, "bc"));
  EXPECT_FALSE(holds("x-tenant", Kind::Prefix, "c"));
  EXPECT_TRUE(holds("x-empty", Kind::Present, ""));
  EXPECT_TRUE(holds("x-empty", Kind::Exact, ""));
  EXPECT_FALSE(holds("x-absent", Kind::Present, ""));
}

TEST(Match, EveryPartMustHold) {
  MatchPolicy match;
  match.hosts = {"h"};
  match.path = {PathMatch::Kind::Prefix, "/a"};
  match.methods = {"GET"};
  match.headers = {{"x", HeaderMatch::Kind::Present, ""}, {"y", HeaderMatch::Kind::Present, ""}};
  EXPECT_TRUE(matches(match, Request("GET /a HTTP/1.1\r\nHost: h\r\nx: 1\r\ny: 2\r\n").head));
  for (const char* text : {"GET /a HTTP/1.1\r\nHost: i\r\nx: 1\r\ny: 2\r\n", "GET /b HTTP/1.1\r\nHost: h\r\nx: 1\r\ny: 2\r\n",
                           "PUT /a HTTP/1.1\r\nHost: h\r\nx: 1\r\ny: 2\r\n", "GET /a HTTP/1.1\r\nHost: h\r\nx: 1\r\n"}) {
    EXPECT_FALSE(matches(match, Request(text).head)) << text;
  }
}

Route route_for(const char* name, const char* prefix) {
  Route route;
  route.policy.name = name;
  route.policy.match.path = {PathMatch::Kind::Prefix, prefix};
  return route;
}

TEST(Snapshot, TheFirstMatchWinsAndNoMatchIsNoRoute) {
  std::vector<Route> routes;
  routes.push_back(route_for("special", "/api/v2"));
  routes.push_back(route_for("api", "/api"));
  routes.push_back(route_for("never", "/api/v2/x"));
  const Snapshot snapshot(std::move(routes));
  const auto found = [&](const char* path) -> std::string {
    const Route* route = snapshot.find(Request("GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n").head);
    return route == nullptr ? "none" : route->policy.name;
  };
  EXPECT_EQ(found("/api/v2/x"), "special");
  EXPECT_EQ(found("/api/v1"), "api");
  EXPECT_EQ(found("/"), "none");
  EXPECT_EQ(Snapshot({}).find(Request("GET / HTTP/1.1\r\nHost: h\r\n").head), nullptr);
}

}  // namespace
}  // namespace tidegate::route
