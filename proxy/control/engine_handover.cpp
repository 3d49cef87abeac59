// The part of the engine that another process goes on with: each gate with its evidence, and how long each step lasts already.
// Weights, latches and rollouts are not in it: they are in the store, which both can read. And what both tell each other as long
// as the one before still serves what it has begun.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>
#include <future>
#include <stdexcept>
#include <utility>

#include "control/engine.h"
#include "control/replay.h"

namespace tidegate::control {

namespace asio = boost::asio;
namespace json = boost::json;

namespace {
constexpr Duration kForTheStore = std::chrono::seconds(2);
constexpr Duration kLook = std::chrono::milliseconds(5);
constexpr Duration kLookBeside = std::chrono::milliseconds(2);  // a decision of the next process holds here about that late
constexpr Duration kToFollow = std::chrono::milliseconds(100);  // the gate stands still meanwhile
constexpr Duration kFirstWord = std::chrono::seconds(1);        // of the next process, which has it ready

/// What the other process says of one route.
struct OfRoute {
  std::string name;
  std::uint32_t step = 0;
};

std::optional<OfRoute> of_route(const json::object& said) {
  const json::value* const name = said.if_contains("name");
  const json::value* const step = said.if_contains("step");
  if (name == nullptr || !name->is_string() || step == nullptr || !step->is_int64()) return std::nullopt;
  return OfRoute{std::string(name->get_string()), static_cast<std::uint32_t>(step->get_int64())};
}

json::object to_json(const RouteControl::InForce& now) {
  return {{"step", std::int64_t{now.step}}, {"step_of_before", now.is_step_of_before}, {"weight", std::int64_t{now.weight.units()}},
          {"mirror", std::int64_t{now.mirror.units()}}, {"epoch", static_cast<std::int64_t>(now.epoch)}};
}

std::optional<RouteControl::InForce> in_force_of(const json::object& said) {
  const auto number = [&said](std::string_view name) -> std::int64_t {
    const json::value* const found = said.if_contains(name);
    return found != nullptr && found->is_int64() ? found->get_int64() : -1;
  };
  const json::value* const same = said.if_contains("step_of_before");
  const std::int64_t weight = number("weight"), mirror = number("mirror"), epoch = number("epoch"), step = number("step");
  if (weight < 0 || weight > Weight::kWhole || mirror < 0 || mirror > Weight::kWhole) return std::nullopt;
  if (epoch < 0 || step < 0 || same == nullptr || !same->is_bool()) return std::nullopt;
  return RouteControl::InForce{Weight::of_units(static_cast<std::uint32_t>(weight)), Weight::of_units(static_cast<std::uint32_t>(mirror)),
                               static_cast<std::uint64_t>(epoch), static_cast<std::uint32_t>(step), same->get_bool()};
}

bool any(const gate::StreamCounts& counts) noexcept { return counts.errors != gate::Counts{} || counts.slow != gate::Counts{}; }

/// Each object of the array "routes".
template <class F>
void for_each_route(const json::object& said, F f) {
  const json::value* const routes = said.if_contains("routes");
  if (routes == nullptr || !routes->is_array()) return;
  for (const json::value& one : routes->get_array()) {
    if (one.is_object()) f(one.get_object());
  }
}

}  // namespace

void Engine::hold(std::function<void(json::object)> answer) {
  asio::post(io_, [this, answer = std::move(answer)]() mutable {
    held_ = true;
    hold_on_control(Clock::now() + kForTheStore, std::move(answer));
  });
}

/// A decision that is being written may still not be made; one that cannot be written would be forgotten. The gate looks on meanwhile.
void Engine::hold_on_control(TimePoint until, std::function<void(json::object)> answer) {
  if (setup_.writer.pending() == 0) tick();  // what was counted until now is evidence; and it may be a reason to revert
  const bool is_writing = std::any_of(routes_.begin(), routes_.end(), [](const auto& route) { return route->written().has_value(); });
  if (setup_.writer.pending() > 0 || is_writing) {
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
  is_still_ = true;
  json::array routes;
  for (const auto& route : routes_) {
    json::object one = route->evidence_json();
    one["name"] = route->name();
    one["epoch"] = route->epoch();
    one["sides"] = sides_text(*route);
    routes.push_back(std::move(one));
  }
  answer({{"kind", "state"}, {"routes", std::move(routes)}});
}

void Engine::go_on() {
  asio::post(io_, [this] {
    held_ = false;
    if (!std::exchange(is_still_, false)) return;
    last_tick_ = Clock::now();
    schedule_tick();
  });
}

void Engine::go_on_with(const json::object& state) {
  for_each_route(state, [this](const json::object& one) {
    const json::value* const name = one.if_contains("name");
    const json::value* const epoch = one.if_contains("epoch");
    if (name == nullptr || !name->is_string() || epoch == nullptr || !epoch->is_int64()) return;
    const RouteControl* const route = route_named(name->get_string());
    if (route == nullptr || route->epoch() >= static_cast<std::uint64_t>(epoch->get_int64())) return;
    throw std::runtime_error("the state file " + config_->state.path + " does not have the last decision about route " + route->name() +
                             ": it was removed, or is another one");
  });
  for_each_route(state, [this](const json::object& one) {
    if (RouteControl* const route = same_route(one)) route->go_on_with(one);
  });
}

/// What the other process calls by that name, if it is the same there and here.
RouteControl* Engine::same_route(const json::object& said) const {
  const json::value* const name = said.if_contains("name");
  const json::value* const sides = said.if_contains("sides");
  if (name == nullptr || !name->is_string() || sides == nullptr) return nullptr;
  RouteControl* const route = route_named(name->get_string());
  return route != nullptr && *sides == json::string_view(sides_text(*route)) ? route : nullptr;
}

// --- both serve: the process that decides

void Engine::serve_beside(std::shared_ptr<OtherProcess> before) {
  asio::post(io_, [this, before = std::move(before)] {
    beside_.emplace(Beside{before});
    tell_what_is_in_force();
  });
}

void Engine::tell_what_is_in_force() {
  json::array changed;
  for (const auto& route : routes_) {
    const RouteControl::InForce now = route->in_force();
    const auto [told, is_first] = beside_->told.try_emplace(route->name(), now);
    if (!is_first && told->second == now) continue;
    told->second = now;
    json::object one = to_json(now);
    one["name"] = route->name();
    one["sides"] = sides_text(*route);
    changed.push_back(std::move(one));
  }
  if (changed.empty()) return;
  beside_->other->tell({{"kind", "in_force"}, {"number", ++beside_->tellings}, {"routes", std::move(changed)}});
}

/// Who is told that a decision is in force may rely on it for the next request, whoever serves it. Nothing else waits for that.
Reply Engine::when_followed(Reply reply) {
  return [this, reply = std::move(reply)](const Outcome& outcome) {
    asio::post(io_, [this, reply, outcome] {
      if (beside_) tell_what_is_in_force();
      if (!beside_ || beside_->is_silent || beside_->followed >= beside_->tellings) return reply(outcome);
      beside_->waiting.push_back({beside_->tellings, Clock::now() + kToFollow, [reply, outcome] { reply(outcome); }});
      schedule_listening();
    });
  };
}

void Engine::schedule_listening() {
  listening_.expires_after(kLookBeside);
  listening_.async_wait([this](const boost::system::error_code& error) {
    if (error || !beside_) return;
    listen_to_the_one_before();
    if (beside_ && !beside_->waiting.empty()) schedule_listening();
  });
}

void Engine::answer_who_waits() {
  const TimePoint now = Clock::now();
  std::vector<Beside::Waiting> still;
  for (Beside::Waiting& one : std::exchange(beside_->waiting, {})) {
    const bool late = one.number > beside_->followed;
    if (late && now < one.until && !beside_->other->is_gone()) {
      still.push_back(std::move(one));
      continue;
    }
    if (late && !std::exchange(beside_->is_silent, true) && setup_.on_notice && !beside_->other->is_gone()) {
      setup_.on_notice("the process before this one, which still drains, does not follow what is decided");
    }
    one.answer();
  }
  beside_->waiting = std::move(still);
}

void Engine::listen_to_the_one_before() {
  for (const json::object& said : beside_->other->heard()) {
    beside_->is_silent = false;
    if (const json::value* const number = said.if_contains("number"); number != nullptr && number->is_int64()) {
      beside_->followed = number->get_int64();
    }
    for_each_route(said, [this](const json::object& one) {
      const std::optional<OfRoute> of = of_route(one);
      const std::optional<gate::StreamCounts> counts = counts_of(one);
      RouteControl* const route = of && counts ? route_named(of->name) : nullptr;
      if (route != nullptr) route->add_late(of->step, *counts);
    });
  }
  answer_who_waits();
  if (beside_->other->is_gone()) beside_.reset();
}

// --- both serve: the process that only drains

void Engine::drain_beside(std::shared_ptr<OtherProcess> next) {
  asio::post(io_, [this, next = std::move(next)] {
    beside_.emplace(Beside{next});
    follow_the_next_one(kFirstWord);
    schedule_look_at_the_next_one();
  });
}

void Engine::schedule_look_at_the_next_one() {
  timer_.expires_after(kLookBeside);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (error || !beside_) return;
    follow_the_next_one({});
    const TimePoint now = Clock::now();
    if (now - beside_->reported >= kTick) {
      beside_->reported = now;
      tell_what_was_counted();
    }
    if (!beside_->other->is_gone()) schedule_look_at_the_next_one();
  });
}

void Engine::follow_the_next_one(Duration most) {
  for (const json::object& said : beside_->other->heard(most)) {
    for_each_route(said, [this](const json::object& one) {
      const std::optional<OfRoute> of = of_route(one);
      const std::optional<RouteControl::InForce> decided = in_force_of(one);
      if (!of || !decided) return;
      RouteControl* const route = route_named(of->name);
      if (route == nullptr) return;
      const bool is_same = same_route(one) != nullptr;
      // Of another new side only this much holds here: it gets no more than it may.
      if (is_same || decided->weight < route->weight()) route->follow(*decided);
      beside_->steps.erase(of->name);
      if (is_same) beside_->steps[of->name] = of->step;
    });
    if (const json::value* const number = said.if_contains("number")) beside_->other->tell({{"kind", "followed"}, {"number", *number}});
  }
}

/// Of a route that is another one there nothing is told: what failed was something else.
void Engine::tell_what_was_counted() {
  json::array counted;
  for (const auto& route : routes_) {
    const auto step = beside_->steps.find(route->name());
    if (step == beside_->steps.end()) continue;
    const gate::StreamCounts counts = route->take_counts();
    if (!any(counts)) continue;
    json::object one = control::to_json(counts);
    one["name"] = route->name();
    one["step"] = std::int64_t{step->second};
    counted.push_back(std::move(one));
  }
  if (!counted.empty()) beside_->other->tell({{"kind", "counted"}, {"routes", std::move(counted)}});
}

void Engine::tell_the_last() {
  std::promise<void> told;
  asio::post(io_, [this, &told] {
    if (beside_) tell_what_was_counted();
    told.set_value();
  });
  told.get_future().get();
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
