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

void LatencyHistogram::add_bound(double bound) {
  const Data& before = *data_.load(std::memory_order_relaxed);
  if (std::find(before.bounds.begin(), before.bounds.end(), bound) != before.bounds.end()) return;
  std::vector<double> bounds(before.bounds.begin(), before.bounds.end());
  const auto inserted = bounds.insert(std::upper_bound(bounds.begin(), bounds.end(), bound), bound);
  const auto place = static_cast<std::size_t>(inserted - bounds.begin());
  auto data = std::make_unique<Data>(bounds);
  data->own_bounds = std::move(bounds);
  data->bounds = data->own_bounds;
  for (std::size_t i = 0; i <= before.bounds.size(); ++i) {
    data->at(i < place ? i : i + 1).add(before.at(i).read());
  }
  data->sum_ns.add(before.sum_ns.read());
  put(std::move(data));
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
