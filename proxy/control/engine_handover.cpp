// The part of the engine that another process goes on with: each gate with its evidence, and how long each step lasts already.
// Weights, latches and rollouts are not in it: they are in the store, which both can read.
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <utility>

#include "control/engine.h"

namespace tidegate::control {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {
constexpr Duration kForTheStore = std::chrono::seconds(2);
constexpr Duration kLook = std::chrono::milliseconds(5);
}  // namespace

void Engine::hold(std::function<void(json::object)> answer) {
  asio::post(io_, [this, answer = std::move(answer)]() mutable {
    held_ = true;
    tick();  // what was counted until now is evidence
    hold_on_control(Clock::now() + kForTheStore, std::move(answer));
  });
}

/// A decision that is being written could still be taken back; one that cannot be written would be forgotten.
void Engine::hold_on_control(TimePoint until, std::function<void(json::object)> answer) {
  if (setup_.writer.pending() > 0) {
    if (Clock::now() >= until) {
      const std::string error = setup_.writer.last_error();
      go_on();
      return answer({{"problem", "a decision is not durable: " + (error.empty() ? "the store is slow" : error)}});
    }
    auto again = std::make_shared<asio::steady_timer>(io_, kLook);
    again->async_wait([this, until, answer = std::move(answer), again](const boost::system::error_code&) mutable {
      hold_on_control(until, std::move(answer));
    });
    return;
  }
  json::array routes;
  for (const auto& route : routes_) {
    json::object one = route->evidence_json();
    one["name"] = route->name();
    one["sides"] = sides_text(*route);
    routes.push_back(std::move(one));
  }
  answer({{"kind", "state"}, {"routes", std::move(routes)}});
}

void Engine::go_on() {
  asio::post(io_, [this] {
    if (!std::exchange(held_, false)) return;
    last_tick_ = Clock::now();
    schedule_tick();
  });
}

void Engine::go_on_with(const json::object& state) {
  const json::value* const routes = state.if_contains("routes");
  if (routes == nullptr || !routes->is_array()) return;
  for (const json::value& value : routes->get_array()) {
    if (!value.is_object()) continue;
    const json::object& one = value.get_object();
    const json::value* const name = one.if_contains("name");
    const json::value* const sides = one.if_contains("sides");
    for (const auto& route : routes_) {
      const bool same = name != nullptr && sides != nullptr && *name == json::string_view(route->name()) &&
                        *sides == json::string_view(sides_text(*route));
      if (same) route->go_on_with(one);
    }
  }
}

/// Where requests go and what is a failure: evidence is of that.
std::string Engine::sides_text(const RouteControl& route) const {
  const gate::ErrorRule& errors = route.configured().errors;
  std::string out = "errors " + std::to_string(errors.server_errors) + std::to_string(errors.connect) + std::to_string(errors.timeout) +
                    std::to_string(errors.reset) + " " + std::to_string(errors.grpc) + "\n";
  for (const Side side : {Side::Old, Side::New}) {
    for (const upstream::ClusterPolicy& cluster : config_->clusters) {
      if (cluster.name != route.configured().policy.clusters[side]) continue;
      out += std::string(tidegate::name(side)) + " " + cluster.host.value_or("") + " " + std::to_string(static_cast<int>(cluster.protocol));
      if (cluster.tls) out += " tls " + cluster.tls->sni + " " + cluster.tls->ca + (cluster.tls->verify ? " verified" : "");
      for (const upstream::EndpointAddress& endpoint : cluster.endpoints) out += " " + endpoint.text;
      out += "\n";
    }
  }
  return out;
}

}  // namespace tidegate::control
