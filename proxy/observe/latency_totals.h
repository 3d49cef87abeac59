// A latency histogram folded over workers, and what can be said from it. Estimates are Prometheus' own
// (histogram_quantile), so that `tidegate status` and a dashboard agree. Values of one thread; the counters that are
// added go on counting meanwhile.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "observe/counters.h"

namespace tidegate::observe {

struct LatencyTotals {
  explicit LatencyTotals(std::span<const double> of = kLatencyBounds) : bounds(of.begin(), of.end()), buckets(of.size() + 1) {}

  std::vector<double> bounds;          ///< ascending
  std::vector<std::uint64_t> buckets;  ///< not cumulative; the last is +Inf
  double sum_seconds = 0.0;

  /// Of bounds that are others, as a worker's may be for a moment while a reload adds one, those stay that both have: no count is missing,
  /// or the sum over workers would fall.
  void add(const LatencyHistogram::View& part);

  /// Of the buckets that were read, so that it always agrees with them.
  std::uint64_t count() const noexcept;

  /// In seconds, by linear interpolation in the bucket; the last finite bound if it lies above it. Empty without data.
  /// @param q 0..1
  std::optional<double> quantile(double q) const noexcept;

 private:
  void keep_common(std::span<const double> others);
};

}  // namespace tidegate::observe
