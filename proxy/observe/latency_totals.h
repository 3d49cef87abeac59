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
  explicit LatencyTotals(std::span<const double> of = kLatencyBounds) : bounds(of), buckets(of.size() + 1) {}

  std::span<const double> bounds;
  std::vector<std::uint64_t> buckets;  ///< not cumulative; the last is +Inf
  double sum_seconds = 0.0;

  /// One that has other bounds, as a worker may have for a moment while a reload changes them, is left out.
  void add(const LatencyHistogram::View& part) noexcept;

  /// Of the buckets that were read, so that it always agrees with them.
  std::uint64_t count() const noexcept;

  /// In seconds, by linear interpolation in the bucket; the last finite bound if it lies above it. Empty without data.
  /// @param q 0..1
  std::optional<double> quantile(double q) const noexcept;
};

}  // namespace tidegate::observe
