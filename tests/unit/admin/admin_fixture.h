// What the tests of the admin API share: the real engine with two routes over a store in memory, and a handler that is
// asked without a socket.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <boost/json.hpp>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "admin/handler.h"
#include "admin/services.h"
#include "control/engine.h"
#include "store/writer.h"

namespace tidegate::admin::test {

namespace json = boost::json;

/// Keeps decisions in memory; fails when it is told to.
class MemoryStore : public store::Store {
 public:
  store::Result<store::State> load() override { return store::State{}; }
  store::Result<void> save(const store::Change& change) override {
    const std::lock_guard lock(mutex_);
    if (broken_) return store::Error{"disk full"};
    decisions_.insert(decisions_.begin(), change.decision);
    return {};
  }
  store::Result<std::optional<store::Decision>> decision(std::uint64_t epoch) override {
    const std::lock_guard lock(mutex_);
    if (broken_) return store::Error{"disk full"};
    for (const store::Decision& one : decisions_) {
      if (one.epoch == epoch) return std::optional<store::Decision>(one);
    }
    return std::optional<store::Decision>();
  }
  void keep(store::Decision decision) {
    const std::lock_guard lock(mutex_);
    decisions_.insert(decisions_.begin(), std::move(decision));
  }
  store::Result<std::vector<store::Decision>> history(const std::string& route, std::size_t limit) override {
    const std::lock_guard lock(mutex_);
    if (broken_) return store::Error{"disk full"};
    std::vector<store::Decision> out;
    for (const store::Decision& decision : decisions_) {
      if ((route.empty() || decision.route == route) && out.size() < limit) out.push_back(decision);
    }
    return out;
  }
  void break_down() {
    const std::lock_guard lock(mutex_);
    broken_ = true;
  }

 private:
  std::mutex mutex_;
  bool broken_ = false;
  std::vector<store::Decision> decisions_;
};

inline config::Config two_routes() {
  config::Config config;
  config.workers = 1;
  config::Listener listener;
  listener.name = "web";
  listener.address = {"127.0.0.1", 8080};
  config.listeners.push_back(listener);
  for (const char* name : {"old", "new"}) {
    upstream::ClusterPolicy cluster;
    cluster.name = name;
    cluster.endpoints.push_back({"127.0.0.1", 9001, "127.0.0.1:9001"});
    config.clusters.push_back(cluster);
  }
  for (const char* name : {"api", "web/all"}) {
    config::Route route;
    route.policy.name = name;
    route.policy.weight = Weight::of_units(500);
    config.routes.push_back(route);
  }
  config.routes[0].policy.mirror.emplace().percent = Weight::of_units(1250);
  config.routes[0].policy.request_headers.set.emplace_back("x-origin-verify", "hunter2");
  config.state.path = "memory";
  config.admin.token_file = "/etc/tidegate/token";
  return config;
}

inline route::Snapshot snapshot_of(const config::Config& config) {
  std::vector<route::Route> routes;
  for (const config::Route& configured : config.routes) {
    route::Route route;
    route.policy = configured.policy;
    route.index = routes.size();
    routes.push_back(std::move(route));
  }
  return route::Snapshot(std::move(routes));
}

/// Everything behind the handler.
struct World {
  World()
      : config(two_routes()),
        snapshot(snapshot_of(config)),
        writer(std::make_unique<store::Writer>(store)),
        engine(std::make_unique<control::Engine>(
            control::EngineSetup{config, snapshot, {{}, {}}, *writer, {}, nullptr, nullptr})) {
    engine->start();
  }
  ~World() {
    engine->stop();
    writer.reset();
  }

  Services services() {
    Services out{*engine, store};
    out.config = [this] { return std::shared_ptr<const config::Config>(std::shared_ptr<void>(), &config); };
    out.metrics_text = [](const control::Status& status) { return "# routes " + std::to_string(status.routes.size()) + "\n"; };
    out.ready = [this] { return ready.load(); };
    out.drain = [this] { ++drains; };
    out.reload = [this](std::function<void(const ReloadAnswer&)> answer) { answer(reload_answer); };
    out.traffic = [] {
      RouteTraffic api{"api", {}, 3, {}};
      api.sides[Side::New] = {100, 2, 1.5, 20.0};
      api.mirror = {10, 7, {}, 1};
      api.mirror.dropped[static_cast<std::size_t>(observe::MirrorDrop::Rate)] = 2;
      return std::vector<RouteTraffic>{api};
    };
    out.clusters = [] {
      return std::vector<ClusterHealth>{{"dc1", false, {{"dc1.example:443", "10.0.0.1:443"}, {"dc2.example:443", ""}}},
                                        {"eks", true, {{"10.0.1.1:80", "10.0.1.1:80", false, true, "GET /healthz answered 503", 1'000},
                                                       {"10.0.1.2:80", "10.0.1.2:80", true, true, "5 failures in a row", 2'000}}}};
    };
    out.notifications = [] { return std::vector<notify::TargetStats>{{"https://hooks.example.com", 3, 1, 0, 2, 0, "refused"}}; };
    out.version = "9.9.9";
    out.started_at_ms = 1'700'000'000'250;
    return out;
  }

  ReloadAnswer reload_answer;
  config::Config config;
  route::Snapshot snapshot;
  MemoryStore store;
  std::atomic<bool> ready = true;
  std::atomic<int> drains = 0;
  std::unique_ptr<store::Writer> writer;
  std::unique_ptr<control::Engine> engine;
};

class HandlerTest : public testing::Test {
 protected:
  using Fields = std::vector<Field>;

  /// @param tokens the text of a token file
  Handler handler(const std::string& tokens = {}, Handler::Scope scope = Handler::Scope::Admin) {
    AccessRule::Tokens read;
    if (!tokens.empty()) read = config::parse_tokens(tokens, "tokens").tokens;
    return Handler(world_.services(), AccessRule("127.0.0.1", 9900, std::move(read)), scope,
                   [](const std::function<void()>& work) { work(); });
  }

  static Request request(std::string method, std::string target, std::string body = {}, Fields fields = {}) {
    Request out{std::move(method), std::move(target), std::move(fields), std::move(body)};
    if (out.find("Host") == nullptr) out.fields.push_back({"Host", "127.0.0.1:9900"});
    if (!out.body.empty() && out.find("Content-Type") == nullptr)
      out.fields.push_back({"Content-Type", "application/json"});
    return out;
  }
  static Response ask(Handler& handler, const Request& request) {
    std::promise<Response> promise;
    handler.handle(request, [&](Response response) { promise.set_value(std::move(response)); });
    return promise.get_future().get();
  }
  Response ask(const Request& request) {
    Handler one = handler();
    return ask(one, request);
  }
  Response get(std::string target) { return ask(request("GET", std::move(target))); }
  Response put(std::string target, std::string body, Fields fields = {}) {
    return ask(request("PUT", std::move(target), std::move(body), std::move(fields)));
  }
  Response post(std::string target, std::string body = {}, Fields fields = {}) {
    return ask(request("POST", std::move(target), std::move(body), std::move(fields)));
  }

  Weight effective(std::size_t route) const { return world_.snapshot.routes()[route].live->split().weight; }

  static json::value body(const Response& response) { return json::parse(response.body); }
  static std::string error_code(const Response& response) {
    return std::string(body(response).at("error").at("code").as_string());
  }
  static std::string error_field(const Response& response) {
    const json::value parsed = body(response);
    const json::value& field = parsed.at("error").at("field");
    return field.is_null() ? "" : std::string(field.as_string());
  }
  static std::string field(const Response& response, std::string_view name) {
    for (const Field& one : response.fields) {
      if (one.name == name) return one.value;
    }
    return {};
  }

  World world_;
};

}  // namespace tidegate::admin::test
