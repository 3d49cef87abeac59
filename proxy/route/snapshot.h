// The immutable set of routes that exchanges see. It is built from the configuration and shared by all workers; only the
// live words inside it change. First match wins.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/side.h"
#include "http/head.h"
#include "route/index.h"
#include "route/live.h"
#include "route/policy.h"

namespace tidegate::route {

struct Route {
  RoutePolicy policy;
  std::size_t index = 0;                 ///< place in the snapshot, and of the route's counters
  PerSide<std::size_t> clusters{{0, 0}}; ///< indices of the clusters
  std::shared_ptr<LiveRoute> live = std::make_shared<LiveRoute>();  ///< control keeps it up to date as long as somebody has it
};

class Snapshot {
 public:
  explicit Snapshot(std::vector<Route> routes) : routes_(std::move(routes)), index_(conditions(routes_)) {}
  Snapshot(Snapshot&&) noexcept = default;  // the index refers to the routes: they move as one, and stay where they are
  Snapshot& operator=(Snapshot&&) = delete;

  const std::vector<Route>& routes() const noexcept { return routes_; }
  /// nullptr when no route matches (404).
  const Route* find(const http::RequestHead& request) const noexcept {
    const std::size_t number = index_.find(request);
    return number == RouteIndex::kNone ? nullptr : &routes_[number];
  }

 private:
  static std::vector<const MatchPolicy*> conditions(const std::vector<Route>& routes) {
    std::vector<const MatchPolicy*> out;
    for (const Route& route : routes) out.push_back(&route.policy.match);
    return out;
  }

  std::vector<Route> routes_;
  RouteIndex index_;
};

}  // namespace tidegate::route
