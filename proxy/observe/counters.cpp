#include "observe/counters.h"

#include <algorithm>

namespace tidegate::observe {

std::vector<double> latency_bounds(std::span<const double> more) {
  std::vector<double> out(kLatencyBounds.begin(), kLatencyBounds.end());
  out.insert(out.end(), more.begin(), more.end());
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::shared_ptr<RouteCounters> make_route_counters(std::shared_ptr<const std::vector<double>> bounds) {
  struct WithBounds {
    explicit WithBounds(std::shared_ptr<const std::vector<double>> of) : bounds(std::move(of)), counters(*bounds) {}
    std::shared_ptr<const std::vector<double>> bounds;
    RouteCounters counters;
  };
  auto whole = std::make_shared<WithBounds>(std::move(bounds));
  return {whole, &whole->counters};
}

}  // namespace tidegate::observe
