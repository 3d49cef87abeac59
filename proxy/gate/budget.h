// The false-revert budget, spent per unit of time: how much of it a tick may use to begin suspicions. Half is spread
// evenly over the budget period, half is kept for the first minute of up to ten steps per period, because a weight
// change is when regressions show. What the budget buys is in new_detector.h and relative_detector.h. Owned by one
// Gate, on its thread.
//
// The ten steps are counted in a *sliding* period. With fixed periods a schedule that straddles a boundary would get
// twenty reserved minutes within one budget_period_s, and the promise to the operator is about any such stretch of
// time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tidegate::gate {

class Budget {
 public:
  static constexpr double kStepShare = 0.5;          ///< phi: kept for the beginnings of steps
  static constexpr std::size_t kPlannedSteps = 10;   ///< S: steps a period that get their part of it
  static constexpr double kStepFocus = 60.0;         ///< Ts: seconds over which a step's part is spent

  /// @param period_s budget_period_s.
  explicit Budget(double period_s) noexcept : period_s_(period_s) {}

  /// A step begins: it gets its reserved part unless ten steps of the last period already did.
  void step() noexcept;
  /// Time passes. @return the expected number of suspicions that may begin in this tick: b * dt.
  double spend(double dt_s) noexcept;
  /// The even part alone for a tick of `dt_s`: evidence below its logarithm is worth less than a new suspicion.
  double even(double dt_s) const noexcept { return (1.0 - kStepShare) / period_s_ * dt_s; }

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("now_s", self.now_s_), f("focus_left_s", self.focus_left_s_);
    f("granted_at_s", self.granted_at_), f("grants", self.grants_);
  }

 private:
  double period_s_;
  double now_s_ = 0.0;
  double focus_left_s_ = 0.0;
  std::array<double, kPlannedSteps> granted_at_{};  ///< ring of the last grants
  std::uint64_t grants_ = 0;                        ///< ever made
};

}  // namespace tidegate::gate
