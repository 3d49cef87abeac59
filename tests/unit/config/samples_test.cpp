// The samples and the reference in config/ are held against the tables that the loader reads with.
#include <set>

#include "config/keys.h"
#include "config/load_fixture.h"
#include "config/parse.h"

namespace tidegate::config {
namespace {

using namespace std::chrono_literals;

const std::string kFolder = std::string(TIDEGATE_SOURCE_DIR) + "/config/";

/// Paths of a tree with indices and chosen names replaced, as known_keys() writes them.
void collect(const Node& node, const std::string& path, std::set<std::string>& out) {
  // Their keys are chosen by who writes the file.
  if (path == "routes[].request_headers.set" || path.ends_with(".webhook.metadata")) return;
  if (path.ends_with(".webhook.headers") || path.ends_with(".prometheus.headers")) return;
  for (const Node& item : node.items) collect(item, path + "[]", out);
  const bool named = path == "clusters" || path == "checks" || path == "routes[].match.headers";
  for (const Entry& entry : node.entries) {
    const std::string inner = path + (path.empty() ? "" : ".") + (named ? "NAME" : entry.key.text);
    if (!named) out.insert(inner);
    collect(entry.value, inner, out);
  }
}

TEST(Minimal, IsTheSmallestThatWorks) {
  const Config config = good(file_text(kFolder + "minimal.yaml"));
  ASSERT_EQ(config.listeners.size(), 1u);
  EXPECT_EQ(config.listeners[0].name, "listener-1");
  EXPECT_EQ(config.listeners[0].address.host, "127.0.0.1");
  EXPECT_EQ(config.listeners[0].address.port, 8080);
  ASSERT_EQ(config.clusters.size(), 2u);
  EXPECT_EQ(config.clusters[1].name, "new");
  EXPECT_EQ(config.clusters[1].endpoints.at(0).text, "127.0.0.1:9002");
  ASSERT_EQ(config.routes.size(), 1u);
  EXPECT_EQ(config.routes[0].policy.name, "all");
  EXPECT_EQ(config.routes[0].policy.weight, Weight::of_units(1000));
  EXPECT_EQ(config.routes[0].policy.clusters[Side::Old], "old");
  EXPECT_EQ(config.routes[0].policy.clusters[Side::New], "new");
  EXPECT_GE(config.workers, 1u);
}

TEST(Minimal, HasTheDefaultsOfTheReference) {
  const Config config = good(with(""));
  const Listener& listener = config.listeners[0];
  EXPECT_EQ(listener.session.head.bytes, 65536u);
  EXPECT_EQ(listener.session.head.fields, 100u);
  EXPECT_EQ(listener.session.head.uri_bytes, 16384u);
  EXPECT_EQ(listener.session.body_bytes, 0u);
  EXPECT_EQ(listener.connections, 20'000u);
  EXPECT_EQ(listener.connections_per_client, 0u);
  EXPECT_EQ(listener.session.min_request_rate + listener.session.min_response_rate, 0u);
  EXPECT_EQ(listener.session.rate_grace, 10s);
  EXPECT_EQ(listener.session.path.dot_segments, http::DotSegments::Reject);
  EXPECT_EQ(listener.session.path.escaped_slashes, http::EscapedSlashes::Keep);
  EXPECT_FALSE(listener.session.path.merge_slashes || listener.session.path.decode_unreserved);
  EXPECT_EQ(listener.session.header_timeout, 10s);
  EXPECT_EQ(listener.session.idle_timeout, 60s);
  EXPECT_EQ(listener.session.body_idle_timeout, 30s);
  const upstream::ClusterPolicy& cluster = config.clusters[0];
  EXPECT_FALSE(cluster.host.has_value());
  EXPECT_EQ(cluster.pool.connections, 1024u);
  EXPECT_EQ(cluster.pool.pending, 1024u);
  EXPECT_EQ(cluster.pool.idle_timeout, 60s);
  EXPECT_EQ(cluster.pool.requests_per_connection, 0u);
  EXPECT_EQ(cluster.timeouts.connect, 1s);
  EXPECT_EQ(cluster.timeouts.response_header, 30s);
  EXPECT_EQ(cluster.timeouts.idle, 60s);
  EXPECT_TRUE(config.trusted_proxies.empty());
  EXPECT_EQ(config.admin.address.host, "127.0.0.1");
  EXPECT_EQ(config.admin.address.port, 9900);
  EXPECT_FALSE(config.metrics.has_value());
  EXPECT_EQ(config.log.access.path, "off");
  EXPECT_EQ(config.log.access.sample, 1.0);
  EXPECT_EQ(config.log.level, LogLevel::Info);
  EXPECT_EQ(config.drain.timeout, 30s);
}

TEST(Minimal, HasTheDefaultsOfTheReferenceForRoutes) {
  const Config config = good(with_route("mirror: {}"));
  const route::RoutePolicy& route = config.routes[0].policy;
  EXPECT_EQ(route.weight, Weight::none());
  EXPECT_EQ(route.timeout, 0s);
  EXPECT_EQ(route.retry.retries, 1u);
  EXPECT_TRUE(route.retry.on_connect && route.retry.on_reset && !route.retry.on_timeout);
  EXPECT_TRUE(route.retry.on_statuses.empty());
  EXPECT_EQ(route.retry.methods, route::RetryPolicy::Methods::Safe);
  EXPECT_DOUBLE_EQ(route.retry.budget, 0.2);
  EXPECT_TRUE(route.retry.other_side);
  EXPECT_EQ(route.retry.per_try_timeout, Duration::zero());
  EXPECT_EQ(route.retry.buffer, 64u * 1024);
  EXPECT_EQ(route.retry.backoff.base, std::chrono::milliseconds(25));
  EXPECT_EQ(route.retry.backoff.most, std::chrono::milliseconds(250));
  ASSERT_TRUE(route.mirror.has_value());
  EXPECT_EQ(route.mirror->percent, Weight::whole());
  EXPECT_EQ(route.mirror->methods, (std::vector<std::string>{"GET", "HEAD"}));
  EXPECT_EQ(route.mirror->rate, 0);
  EXPECT_EQ(route.mirror->concurrency, 200u);
  EXPECT_EQ(route.mirror->buffer, 64u << 20);
  EXPECT_EQ(route.mirror->timeout, 10s);
  EXPECT_EQ(route.mirror->host.kind, route::MirrorHost::Kind::Preserve);
  EXPECT_FALSE(good(with("")).routes[0].policy.mirror.has_value());
}

TEST(Minimal, HasTheDefaultsOfTheReferenceForTheGate) {
  const Config config = good(with_route("gate: {}"));
  const gate::Parameters& gate = config.routes[0].gate;
  EXPECT_DOUBLE_EQ(gate.max_error_rate, 0.01);
  EXPECT_DOUBLE_EQ(gate.comparison_margin, 0.005);
  EXPECT_DOUBLE_EQ(gate.baseline_factor, 2);
  EXPECT_DOUBLE_EQ(gate.false_revert_budget, 0.001);
  EXPECT_DOUBLE_EQ(gate.budget_period_s, 86'400);
  EXPECT_DOUBLE_EQ(gate.burst_tolerance_s, 2);
  EXPECT_DOUBLE_EQ(gate.breaker.share, 0.95);
  EXPECT_EQ(gate.breaker.requests, 20u);
  EXPECT_DOUBLE_EQ(gate.breaker.for_s, 0.2);
  EXPECT_DOUBLE_EQ(gate.attribution_grace_s, 5);
  EXPECT_EQ(gate.min_requests, 5u);
  EXPECT_DOUBLE_EQ(gate.promote_error, 0.05);
  EXPECT_DOUBLE_EQ(gate.no_data_s, 10);
  const gate::ErrorRule& errors = config.routes[0].errors;
  EXPECT_TRUE(errors.server_errors && errors.connect && errors.timeout && errors.reset);
}

TEST(Samples, TheRolloutOfTheGuideIsGoodAndSaysNothing) {
  EXPECT_EQ(warned(file_text(kFolder + "rollout.yaml")), "");
}

TEST(Full, IsGoodAndSaysNothing) { EXPECT_EQ(warned(file_text(kFolder + "full.yaml")), ""); }

TEST(Full, HasEveryKeyThatTheLoaderKnows) {
  Problems problems("full.yaml");
  const std::optional<Node> root = parse(file_text(kFolder + "full.yaml"), problems);
  ASSERT_TRUE(root.has_value());
  std::set<std::string> shown;
  collect(*root, "", shown);
  const std::vector<std::string> keys = known_keys();
  EXPECT_EQ(shown, std::set<std::string>(keys.begin(), keys.end()));
  EXPECT_EQ(std::set<std::string>(keys.begin(), keys.end()).size(), keys.size()) << "a key is in two tables";
}

TEST(Full, ReadsWhatItSays) {
  const Config config = good(file_text(kFolder + "full.yaml"), {{"OLD_ENDPOINT", "10.1.1.1:81"}});
  EXPECT_EQ(config.clusters[0].endpoints[0].text, "10.1.1.1:81");
  EXPECT_EQ(config.clusters[1].endpoints[0].host, "new-lb.example.com");
  EXPECT_EQ(config.clusters[1].host, "api.example.com");
  EXPECT_EQ(config.listeners[1].address.host, "::1");
  EXPECT_EQ(config.trusted_proxies.at(1).prefix, 8);
  const route::RoutePolicy& api = config.routes[0].policy;
  EXPECT_EQ(api.match.hosts, (std::vector<std::string>{"api.example.com", "*.example.org"}));
  EXPECT_EQ(api.match.path.kind, route::PathMatch::Kind::Prefix);
  EXPECT_EQ(api.match.path.value, "/api");
  ASSERT_EQ(api.match.headers.size(), 3u);
  EXPECT_EQ(api.match.headers[2].kind, route::HeaderMatch::Kind::Present);
  EXPECT_EQ(api.timeout, 30s);
  EXPECT_EQ(api.mirror->rate, 500);
  EXPECT_EQ(api.mirror->host.kind, route::MirrorHost::Kind::Suffix);
  EXPECT_EQ(api.mirror->host.value, "-shadow");
  EXPECT_EQ(api.request_headers.set.at(0).second, "tidegate");
  EXPECT_EQ(api.request_headers.remove.at(0), "x-debug");
  EXPECT_EQ(config.metrics->port, 9902);
  EXPECT_EQ(config.state.path, "/var/lib/tidegate/tidegate.db");
  EXPECT_EQ(config.log.access.path, "stdout");
  EXPECT_EQ(config.drain.delay, 5s);
}

TEST(Reference, HasARowForEveryKey) {
  const std::string reference = file_text(kFolder + "README.md");
  for (const std::string& key : known_keys()) {
    const bool inner_rows = reference.find("`" + key + ".") != std::string::npos;  // a section is shown by its keys
    EXPECT_TRUE(inner_rows || reference.find("\n| `" + key + "` |") != std::string::npos) << key;
  }
}

TEST(Reference, HasNoRowForAKeyThatNobodyReads) {
  const std::vector<std::string> keys = known_keys();
  std::istringstream reference(file_text(kFolder + "README.md"));
  for (std::string line; std::getline(reference, line);) {
    if (!line.starts_with("| `")) continue;
    const std::string key = line.substr(3, line.find('`', 3) - 3);
    EXPECT_NE(std::find(keys.begin(), keys.end(), key), keys.end()) << key;
  }
}

TEST(Load, ReadsAFileFromDisk) {
  EXPECT_TRUE(load_file(kFolder + "minimal.yaml").config.has_value());
  EXPECT_EQ(text_of(load_file("/nonexistent/t.yaml")),
            "/nonexistent/t.yaml: cannot be read: No such file or directory\n");
  EXPECT_EQ(text_of(load_file("/")), "/: cannot be read: Is a directory\n");
}

}  // namespace
}  // namespace tidegate::config
