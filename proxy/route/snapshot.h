// The immutable set of routes that exchanges see. It is built from the configuration and shared by all workers; only the
// live words inside it change. First match wins.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "base/side.h"
#include "http/head.h"
#include "route/live.h"
#include "route/match.h"
#include "route/policy.h"

namespace tidegate::route {

struct Route {
  RoutePolicy policy;
  std::size_t index = 0;                 ///< place in the snapshot, and of the route's counters
  PerSide<std::size_t> clusters{{0, 0}}; ///< indices of the clusters
  std::unique_ptr<LiveRoute> live = std::make_unique<LiveRoute>();
};

class Snapshot {
 public:
  explicit Snapshot(std::vector<Route> routes) : routes_(std::move(routes)) {}

  const std::vector<Route>& routes() const noexcept { return routes_; }
  /// nullptr when no route matches (404).
  const Route* find(const http::RequestHead& request) const noexcept {
    for (const Route& route : routes_) {
      if (matches(route.policy.match, request)) return &route;
    }
    return nullptr;
  }

 private:
  std::vector<Route> routes_;
};

}  // namespace tidegate::route
