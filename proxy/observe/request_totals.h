// What clients saw of one side, folded over workers: a view of the workers' SideCounters that adds when it is asked.
// Holds no counts. The counters must outlive it; any thread, while the workers count.
#pragma once

#include <cstdint>
#include <vector>

#include "http/head.h"
#include "observe/counters.h"
#include "observe/latency_totals.h"

namespace tidegate::observe {

class RequestTotals {
 public:
  /// @param parts one a worker.
  explicit RequestTotals(std::vector<const SideCounters*> parts) : parts_(std::move(parts)) {}

  /// f(method, status, count) for every count that is not 0.
  template <class F>
  void for_each(F f) const {
    for (std::size_t i = 0; i < http::kMethodCount; ++i) for_each_status(static_cast<http::Method>(i), f);
  }
  std::uint64_t count(http::Method method, std::uint16_t status) const noexcept;
  LatencyTotals latency() const;

 private:
  template <class F>
  void for_each_status(http::Method method, F& f) const {
    if (!has(method)) return;
    for (std::uint16_t status = StatusRow::kLeast; status <= StatusRow::kMost; ++status) {
      if (const std::uint64_t n = count(method, status)) f(method, status, n);
    }
  }
  bool has(http::Method method) const noexcept;

  std::vector<const SideCounters*> parts_;
};

}  // namespace tidegate::observe
