#include "observe/latency_totals.h"

#include <algorithm>
#include <numeric>

namespace tidegate::observe {

void LatencyTotals::add(const LatencyHistogram::View& part) noexcept {
  if (!std::equal(bounds.begin(), bounds.end(), part.bounds().begin(), part.bounds().end())) return;
  for (std::size_t i = 0; i < buckets.size(); ++i) buckets[i] += part.bucket(i);
  sum_seconds += part.sum_seconds();
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
