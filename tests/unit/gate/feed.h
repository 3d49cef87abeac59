// What the gate's tests share: feeding a gate with ticks until it decides, and reading the rule's parameter names.
#pragma once

#include <cmath>
#include <string_view>

#include "gate/gate.h"

namespace tidegate::gate::test {

/// A gate with its weight and tick length, under the names of the test vectors.
struct Setup {
  Parameters parameters;
  double new_weight = 0.5;
  double tick_s = 0.1;

  /// False for a name that the gate does not have.
  bool set(std::string_view name, double value) {
    if (name == "tick_s") return tick_s = value, true;
    if (name == "new_weight") return new_weight = value, true;
    if (name == "max_error_rate") return parameters.max_error_rate = value, true;
    if (name == "comparison_margin") return parameters.comparison_margin = value, true;
    if (name == "burst_tolerance_s") return parameters.burst_tolerance_s = value, true;
    if (name == "min_dwell_s") return parameters.min_dwell_s = value, true;
    if (name == "stream_share") return parameters.stream_share = value, true;
    return false;
  }
};

/// The defaults, without promotions: most tests are about what happens to new, not about when it is proven.
inline Parameters never_promoting() {
  Parameters parameters;
  parameters.min_dwell_s = 1e9;
  return parameters;
}

/// Feeds the same tick up to `times` times. @return the first ruling that moves something, else the last one.
inline Ruling feed(Gate& gate, const Counts& counts, int times, double dt_s = 0.1) {
  Ruling ruling;
  for (int i = 0; i < times; ++i) {
    ruling = gate.tick(counts, dt_s);
    if (ruling.decision != Decision::Hold) break;
  }
  return ruling;
}

/// Equal to the 6 digits that the vectors are given with; idle (NaN) matches idle.
inline bool same_statistic(double actual, double expected) {
  if (std::isnan(expected)) return actual == Statistics::kIdle;
  return std::fabs(actual - expected) <= 2e-6;
}

}  // namespace tidegate::gate::test
