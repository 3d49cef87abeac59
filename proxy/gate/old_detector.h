// Detector O: is old above the threshold too? The lanes of the new detector on old's counts, as a plain bounded CUSUM:
// it cannot cause a revert, it only turns one into "shared degradation", so it needs no budget. Exported, it is the
// placebo of the gate: if it fires on a healthy old, the threshold does not fit the service. Owned by one Gate, on its
// thread.
#pragma once

#include <array>

#include "gate/lanes.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class OldDetector {
 public:
  /// Evidence of 400:1 that old is above the threshold.
  static constexpr double kSuspect = 6.0;

  explicit OldDetector(double theta) : table_(theta) {}

  void tick(const Counts& counts) noexcept;
  double statistic() const noexcept;
  bool suspect() const noexcept { return statistic() >= kSuspect; }

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("evidence", self.evidence_);
  }

 private:
  /// Bounds how long the memory of an incident that is over lasts.
  static constexpr double kMost = 20.0;

  Lanes table_;
  std::array<double, kLanes> evidence_{};
};

}  // namespace tidegate::gate
