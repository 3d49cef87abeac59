// The index finds what asking every route in order finds.
#include "route/index.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "route/match.h"

namespace tidegate::route {
namespace {

struct Table {
  std::vector<MatchPolicy> matches;
  RouteIndex index() const {
    std::vector<const MatchPolicy*> out;
    for (const MatchPolicy& match : matches) out.push_back(&match);
    return RouteIndex(out);
  }
  std::size_t in_order(const http::RequestHead& request) const {
    for (std::size_t i = 0; i < matches.size(); ++i) {
      if (route::matches(matches[i], request)) return i;
    }
    return RouteIndex::kNone;
  }
};

http::RequestHead request(std::string_view host, std::string_view target, std::string_view method = "GET") {
  http::RequestHead head;
  head.authority = host;
  head.target = target;
  head.method_token = method;
  head.method = http::method_of(method);
  return head;
}

MatchPolicy match(std::vector<std::string> hosts, PathMatch::Kind kind, std::string path, std::vector<std::string> methods = {}) {
  MatchPolicy out;
  out.hosts = std::move(hosts);
  out.path = {kind, std::move(path)};
  out.methods = std::move(methods);
  return out;
}

using Kind = PathMatch::Kind;

TEST(RouteIndex, TheFirstOfSeveralThatMatchWinsWhereverItIsFiled) {
  const Table table{{
      match({"api.example.org"}, Kind::Prefix, "/v1", {"POST"}),
      match({}, Kind::Exact, "/v1/health"),
      match({"*.example.org"}, Kind::Prefix, "/v1/"),
      match({"api.example.org"}, Kind::Any, ""),
      match({}, Kind::Any, ""),
  }};
  const RouteIndex index = table.index();
  EXPECT_EQ(index.find(request("api.example.org", "/v1/x", "POST")), 0u);
  EXPECT_EQ(index.find(request("api.example.org", "/v1/health")), 1u);
  EXPECT_EQ(index.find(request("API.EXAMPLE.ORG:8080", "/v1?q=/v2")), 2u);
  EXPECT_EQ(index.find(request("api.example.org", "/v10")), 3u);
  EXPECT_EQ(index.find(request("example.org", "/v1/x")), 4u);
}

TEST(RouteIndex, NothingMatchesInAnEmptyTableNorWhereNoConditionHolds) {
  EXPECT_EQ(Table{}.index().find(request("a", "/")), RouteIndex::kNone);
  const Table table{{match({"a"}, Kind::Prefix, "/a"), match({"*.b"}, Kind::Exact, "/b")}};
  const RouteIndex index = table.index();
  EXPECT_EQ(index.find(request("b", "/b")), RouteIndex::kNone);
  EXPECT_EQ(index.find(request(".b", "/b")), RouteIndex::kNone);
  EXPECT_EQ(index.find(request("", "/a")), RouteIndex::kNone);
  EXPECT_EQ(index.find(request(std::string(300, 'a'), "/a")), RouteIndex::kNone);
}

TEST(RouteIndex, FindsWhatAskingEveryRouteInOrderFinds) {
  const auto seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  const auto pick = [&](const std::vector<std::string>& from) { return from[random() % from.size()]; };
  const std::vector<std::string> patterns{"a.org", "b.org", "*.org", "*.a.org", "x.a.org", "*.b", "[::1]", "10.0.0.1"};
  const std::vector<std::string> hosts{"a.org", "A.org:80", "x.a.org", "y.x.a.org", "b.org", "org", ".org", "a..org", "[::1]", "[::1]:80",
                                       "10.0.0.1", "", "c.b", "x.a.org."};
  const std::vector<std::string> paths{"/", "/a", "/a/", "/a/b", "/a/b/", "/ab", "//", "/a//b", "*", "/a/b/c/d", "/%61"};
  for (int round = 0; round < 300; ++round) {
    Table table;
    for (std::size_t i = random() % 12; i > 0; --i) {
      std::vector<std::string> of;
      for (std::size_t h = random() % 3; h > 0; --h) of.push_back(pick(patterns));
      const auto kind = static_cast<Kind>(random() % 3);
      std::vector<std::string> methods;
      if (random() % 3 == 0) methods.push_back("POST");
      table.matches.push_back(match(of, kind, pick(paths), methods));
    }
    const RouteIndex index = table.index();
    for (const std::string& host : hosts) {
      for (const std::string& path : paths) {
        for (const char* method : {"GET", "POST"}) {
          const std::string target = path + (random() % 2 == 0 ? "?x=/a" : "");
          const http::RequestHead asked = request(host, target, method);
          ASSERT_EQ(index.find(asked), table.in_order(asked)) << method << " " << host << " " << target;
        }
      }
    }
  }
}

}  // namespace
}  // namespace tidegate::route
