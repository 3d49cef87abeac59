#include "observe/request_totals.h"

#include <algorithm>

namespace tidegate::observe {

std::uint64_t RequestTotals::count(http::Method method, std::uint16_t status) const noexcept {
  std::uint64_t sum = 0;
  for (const SideCounters* part : parts_) {
    if (const StatusRow* row = part->row(method)) sum += row->read(status);
  }
  return sum;
}

LatencyTotals RequestTotals::latency() const {
  LatencyTotals totals(parts_.front()->latency.view().bounds());
  for (const SideCounters* part : parts_) totals.add(part->latency.view());
  return totals;
}

bool RequestTotals::has(http::Method method) const noexcept {
  return std::any_of(parts_.begin(), parts_.end(),
                     [method](const SideCounters* part) { return part->row(method) != nullptr; });
}

}  // namespace tidegate::observe
