// The promise of `false_revert_budget`, at its hardest: new fails exactly as often as it may, there is no old to blame (100 %),
// so every alarm is a revert, and the weight changes ten times a day, which is when the gate spends half of its budget.
#pragma once

#include <cstdint>
#include <vector>

#include "gate/route_gate.h"
#include "simulate/traffic.h"

namespace tidegate::simulate {

inline constexpr double kDay = 86'400.0;
inline constexpr int kStepsPerDay = 10;

/// Days in which a gate with each of the budgets reverted; all see the same traffic.
struct AtThreshold {
  int days = 0;
  std::vector<int> reverted;  ///< by budget
};

inline AtThreshold days_at_threshold(int days, double rps, const std::vector<double>& budgets, double tick_s, std::uint64_t seed) {
  AtThreshold out{days, std::vector<int>(budgets.size())};
  Traffic traffic(rps, 0.0, tick_s, seed);
  const gate::Parameters defaults;
  const auto ticks = static_cast<std::int64_t>(kDay / tick_s);
  for (int day = 0; day < days; ++day) {
    std::vector<gate::RouteGate> gates;
    std::vector<bool> shut(budgets.size());
    for (const double budget : budgets) {
      gate::Parameters parameters;
      parameters.false_revert_budget = budget;
      gates.emplace_back(parameters, std::nullopt, 1.0);
    }
    for (std::int64_t i = 0; i < ticks; ++i) {
      const gate::StreamCounts counts{traffic.tick(defaults.max_error_rate, 0.0), {}};
      const bool step = i > 0 && i % (ticks / kStepsPerDay) == 0;
      for (std::size_t g = 0; g < gates.size(); ++g) {
        if (shut[g]) continue;
        if (step) gates[g].step(1.0);
        if (gates[g].tick(counts, tick_s).decision != gate::Decision::Revert) continue;
        shut[g] = true;
        ++out.reverted[g];
      }
    }
  }
  return out;
}

}  // namespace tidegate::simulate
