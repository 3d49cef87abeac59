// What only shows when sections are held side by side.
#include "config/load_fixture.h"

namespace tidegate::config {
namespace {

TEST(Reference, ToNoClusterIsAnErrorWithTheNearestName) {
  EXPECT_EQ(bad(with_route("new: nwe")),
            "t.yaml:2:55: warning: clusters.new: no route uses this cluster\n"
            "t.yaml:3:27: routes[0].new: no cluster is named \"nwe\"; did you mean \"new\"?\n");
}

TEST(Reference, OfADefaultPointsAtTheRoute) {
  EXPECT_EQ(bad(std::string(kListeners) + "clusters: {new: {endpoints: ['a:1']}}\n" + std::string(kRoutes)),
            "t.yaml:3:10: routes[0].old: no cluster is named \"old\"\n");
}

TEST(Reference, IsNotJudgedWhenTheClustersCouldNotBeRead) {
  EXPECT_EQ(bad(std::string(kListeners) + "clusters: 5\n" + std::string(kRoutes)),
            "t.yaml:2:11: clusters: expects keys, got a single value\n");
}

TEST(Twice, NamesOfListenersAndRoutes) {
  EXPECT_TRUE(contains(bad(std::string(kListeners) + std::string(kClusters)
      + "routes: [{name: a, match: {methods: [GET]}}, {name: a}]\n"),
                       "t.yaml:3:53: routes[1].name: a second route named \"a\"\n"));
  EXPECT_TRUE(contains(bad("listeners: [{name: listener-2, address: '127.0.0.1:0'}, {address: '127.0.0.1:0'}]\n" +
                           std::string(kClusters) + std::string(kRoutes)),
                       "a second listener named \"listener-2\""));
}

TEST(Twice, AddressesOfListenersAdminAndMetrics) {
  EXPECT_TRUE(contains(bad("listeners: [{address: '127.0.0.1:80'}, {address: '127.0.0.1:80'}]\n"
      + std::string(kClusters) + std::string(kRoutes)),
                       "listeners[1].address: 127.0.0.1:80 is already the address of listeners[0].address"));
  EXPECT_TRUE(contains(bad(with("metrics: {address: '127.0.0.1:9900'}\n")),
                       "metrics.address: 127.0.0.1:9900 is already the address of admin.address"));
  EXPECT_TRUE(contains(bad("listeners: [{address: 'unix:/run/a'}, {address: 'unix:/run/./a'}]\n" + std::string(kClusters) +
                           std::string(kRoutes)),
                       "listeners[1].address: unix:/run/a is already the address of listeners[0].address"));
  EXPECT_TRUE(load(with("admin: {address: '127.0.0.1:0'}\nmetrics: {address: '127.0.0.1:0'}\n")).config.has_value())
      << "port 0 is another one each time";
}

TEST(Admin, BeyondLoopbackNeedsAToken) {
  for (const char* address : {"0.0.0.0:9900", "10.0.0.1:9900", "[::]:9900"}) {
    EXPECT_TRUE(contains(bad(with("admin: {address: '" + std::string(address) + "'}\n")),
                         "t.yaml:4:18: admin.address: "))
        << address;
    EXPECT_TRUE(load(with("admin: {address: '" + std::string(address) + "', token_file: t}\n")).config.has_value())
        << address;
  }
  EXPECT_TRUE(load(with("admin: {address: '[::1]:9900'}\n")).config.has_value());
}

TEST(Check, ThatCannotReachItsSideIsAnErrorOrWarnedAbout) {
  const auto file = [](const std::string& cluster) {
    return std::string(kListeners) + "clusters: {old: {endpoints: ['a:1']}, new: {" + cluster + "}}\n" +
           "routes: [{name: all, rollout: {steps: [{check: smoke}, {weight: 100}], checks: [smoke]}}]\n" +
           "checks: {smoke: {http: [{path: /health}], side: new}}\n";
  };
  const std::string on_unix = bad(file("endpoints: ['a:1', 'unix:/run/a']"));
  EXPECT_TRUE(contains(on_unix, "routes[0].rollout.steps[0]: check \"smoke\" cannot ask cluster \"new\": one of its endpoints is a unix-domain socket"));
  EXPECT_TRUE(contains(on_unix, "routes[0].rollout.checks[0]: check \"smoke\" cannot ask"));
  EXPECT_TRUE(contains(warned(file("endpoints: ['a:1'], proxy_protocol: v1")), "asks the endpoints of cluster \"new\" without a PROXY header"));
  EXPECT_EQ(warned(file("endpoints: ['a:1']")), "");
}

TEST(Warning, ForARouteThatCanNeverMatch) {
  const std::string front = std::string(kListeners) + std::string(kClusters);
  EXPECT_EQ(warned(front + "routes: [{name: a}, {name: b, match: {methods: [GET]}}]\n"),
            "t.yaml:3:21: warning: routes[1]: can never match: the first match wins, and route \"a\" before it takes all of "
            "its requests\n");
  EXPECT_TRUE(contains(warned(front
      + "routes: [{name: a, match: {hosts: [x, y]}}, {name: b, match: {hosts: [Y, x]}}]\n"),
                       "routes[1]: can never match"));
  EXPECT_EQ(warned(front + "routes: [{name: a, match: {hosts: [x]}}, {name: b, match: {hosts: [y]}}, {name: c}]\n"),
            "");
}

TEST(Warning, ForAMirrorOfRequestsThatChangeData) {
  EXPECT_TRUE(contains(warned(with_route("mirror: {methods: [GET, POST, PUT]}")),
                       "t.yaml:3:40: warning: routes[0].mirror.methods: POST, PUT may change data"));
}

TEST(Warning, ForTheSameClusterOnBothSides) {
  EXPECT_EQ(warned(with_route("new: old")),
            "t.yaml:2:55: warning: clusters.new: no route uses this cluster\n"
            "t.yaml:3:10: warning: routes[0]: old and new are the same cluster, \"old\": good for an A/A test, shifts nothing\n");
}

TEST(Message, IsOneLineWhateverTheFileHolds) {
  EXPECT_TRUE(contains(bad("a: \"\\\xC3\xBC\"\n"),
                       "unknown escape character: ?\n")) << "nor half a character of the parser";
  const std::string problems = bad(with("log: {level: \"a\\n\\e[31mb\\\"\"}\n"));
  EXPECT_TRUE(contains(problems, "\"a\\x0a\\x1b[31mb\\\"\" is not one of debug"));
  EXPECT_EQ(in_quotes(std::string(59, 'a') + "\xC3\xBC"), '"' + std::string(59, 'a') + "...\"")
      << "never half a character";
}

}  // namespace
}  // namespace tidegate::config
