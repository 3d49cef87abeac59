#include "observe/latency_totals.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tidegate::observe {

void LatencyTotals::add(const LatencyHistogram::View& part) {
  const std::span<const double> finer = part.bounds();
  keep_common(finer);
  std::size_t to = 0;
  for (std::size_t from = 0; from <= finer.size(); ++from) {
    while (to < bounds.size() && (from == finer.size() || finer[from] > bounds[to])) ++to;
    buckets[to] += part.bucket(from);
  }
  sum_seconds += part.sum_seconds();
}

/// A bucket whose bound goes is added to the next one.
void LatencyTotals::keep_common(std::span<const double> others) {
  std::size_t kept = 0;
  std::uint64_t without_bound = 0;
  for (std::size_t i = 0; i < buckets.size(); ++i) {
    without_bound += buckets[i];
    const bool last = i == bounds.size();
    if (!last && !std::binary_search(others.begin(), others.end(), bounds[i])) continue;
    if (!last) bounds[kept] = bounds[i];
    buckets[kept++] = std::exchange(without_bound, 0);
  }
  bounds.resize(kept - 1);
  buckets.resize(kept);
}

std::uint64_t LatencyTotals::count() const noexcept {
  return std::accumulate(buckets.begin(), buckets.end(), std::uint64_t{0});
}

std::optional<double> LatencyTotals::quantile(double q) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return std::nullopt;
  const double rank = q * static_cast<double>(all);
  double below = 0.0;
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    const auto inside = static_cast<double>(buckets[i]);
    if (inside > 0.0 && below + inside >= rank) {
      const double from = i == 0 ? 0.0 : bounds[i - 1];
      return from + (bounds[i] - from) * (rank - below) / inside;
    }
    below += inside;
  }
  return bounds.back();
}

}  // namespace tidegate::observe
