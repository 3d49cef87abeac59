// The part of the engine that goes on with another configuration.
#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "control/engine.h"

namespace tidegate::control {

namespace asio = boost::asio;

namespace {

const upstream::ClusterPolicy* cluster_named(const config::Config& config, const std::string& name) {
  const auto found =
      std::find_if(config.clusters.begin(), config.clusters.end(), [&](const auto& one) { return one.name == name; });
  return found == config.clusters.end() ? nullptr : &*found;
}

/// Requests to one of the sides go somewhere else.
bool sides_differ(const config::Config& before, const config::Route& was, const config::Config& now, const config::Route& is) {
  for (const Side side : {Side::Old, Side::New}) {
    const upstream::ClusterPolicy* const from = cluster_named(before, was.policy.clusters[side]);
    const upstream::ClusterPolicy* const to = cluster_named(now, is.policy.clusters[side]);
    if (from == nullptr || to == nullptr) return true;
    if (from->endpoints != to->endpoints || from->protocol != to->protocol || from->host != to->host || from->tls != to->tls) return true;
  }
  return false;
}

}  // namespace

void Engine::adopt(Reconfiguration next, std::function<void()> done) {
  asio::post(io_, [this, next = std::move(next), done = std::move(done)]() mutable {
    adopt_on_control(std::move(next));
    done();
  });
}

void Engine::publish_everywhere() {
  asio::post(io_, [this] {
    for (const auto& route : routes_) route->publish_to_earlier();
  });
}

/// What a route is at, for the time when the file has it again.
void Engine::remember(const RouteControl& route) {
  std::erase_if(setup_.saved.routes, [&](const store::RouteRecord& one) { return one.route == route.name(); });
  setup_.saved.routes.push_back(route.record());
}

/// The file's own percentage is another one than it was, and is in force.
void Engine::mirror_changed(RouteControl& route, Weight from) {
  route.set_epoch(++epoch_);
  store::Decision made = decision(route, store::Action::Mirror, Command{"file", "the file's own value changed", {}});
  made.from = from.text();
  made.to = route.mirror().text();
  announce(route, made);
  save_protective(route, made, [](const Outcome&) {});
}

void Engine::adopt_on_control(Reconfiguration next) {
  std::vector<std::shared_ptr<RouteControl>> before = std::exchange(routes_, {});
  struct Changed {
    RouteControl* route;
    Weight from;
    std::optional<Weight> mirror{};  // it is the mirror's percentage that changed, and was so before
  };
  std::vector<Changed> changed;
  std::vector<RouteControl*> overtaken;
  for (std::size_t i = 0; i < next.config.routes.size(); ++i) {
    const config::Route& is = next.config.routes[i];
    const auto found = std::find_if(before.begin(), before.end(),
                                    [&](const auto& one) { return one != nullptr && one->name() == is.policy.name; });
    if (found == before.end()) {
      const store::RouteRecord* const saved = saved_of(is.policy.name);
      routes_.push_back(std::make_shared<RouteControl>(is, next.snapshot.routes()[i], next.ledgers[i], next.config.checks, saved));
      routes_.back()->keep(next.keep);
      if (saved != nullptr && !saved->latched && saved->file_weight != is.policy.weight) changed.push_back({routes_.back().get(), saved->weight});
      continue;
    }
    std::shared_ptr<RouteControl> route = std::move(*found);
    const config::Route& was = route->configured();
    const bool other_weight = was.policy.weight != is.policy.weight;
    const Weight mirror = route->mirror();
    const bool weight_is_files = other_weight && route->state() == RouteControl::State::Open;
    const bool mirror_was_set = route->mirror_is_set();
    route->configure({is, next.snapshot.routes()[i], next.ledgers[i], next.config.checks,
                      sides_differ(*config_, was, next.config, is), weight_is_files && is.policy.weight != route->weight(), next.keep});
    // A rearm is being written, with the file's weight of before.
    if (other_weight && !weight_is_files && route->written()) overtaken.push_back(route.get());
    if (weight_is_files) changed.push_back({route.get(), route->weight()});
    // Also where it comes to the same: what was set at run time is over, and must not come back with a restart.
    if (RouteControl::mirror_in(was) != RouteControl::mirror_in(is) && (mirror_was_set || mirror != route->mirror())) {
      changed.push_back({route.get(), route->weight(), mirror});
    }
    routes_.push_back(std::move(route));
  }
  for (const auto& gone : before) {
    if (gone == nullptr) continue;
    remember(*gone);
    if (!setup_.on_notice) continue;
    if (gone->state() == RouteControl::State::Latched) {
      setup_.on_notice("route " + gone->name() + " is gone from the configuration, and with it its latch until it is back: " + gone->latch_reason());
    }
    if (gone->rollout().active()) {
      setup_.on_notice("route " + gone->name() + " is gone from the configuration, and its rollout stands still until it is back");
    }
  }
  config_ = &next.config;
  setup_.ask = std::move(next.ask);
  setup_.samples = std::move(next.samples);
  setup_.copies = std::move(next.copies);
  const std::shared_ptr<const void> kept = std::exchange(setup_.keep, std::move(next.keep));
  for (RouteControl* const route : overtaken) {
    stay_latched(*route, store::Action::Weight, Command{"file", "the file's own value changed", {}}, [](const Outcome&) {});
  }
  for (const Changed& one : changed) {
    if (one.mirror) {
      mirror_changed(*one.route, *one.mirror);
    } else {
      file_changed(*one.route, one.from);
    }
  }
}

}  // namespace tidegate::control
