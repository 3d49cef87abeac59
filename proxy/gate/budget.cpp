#include "gate/budget.h"

#include <algorithm>

namespace tidegate::gate {
namespace {

/// Ticks add up with rounding; what is left of a focus below this is none.
constexpr double kRounding = 1e-9;

}  // namespace

void Budget::step() noexcept {
  focus_left_s_ = 0.0;
  double& oldest = granted_at_[grants_ % kPlannedSteps];
  if (grants_ >= kPlannedSteps && now_s_ - oldest < period_s_) return;
  oldest = now_s_;
  ++grants_;
  focus_left_s_ = kStepFocus;
}

double Budget::spend(double dt_s) noexcept {
  now_s_ += dt_s;
  double budget = even(dt_s);
  if (focus_left_s_ > kRounding) {
    // Only the part of the tick that lies in the focus: a tick that came minutes late must not be paid for all of them.
    budget += kStepShare / (kPlannedSteps * kStepFocus) * std::min(dt_s, focus_left_s_);
    focus_left_s_ -= dt_s;
  }
  return budget;
}

}  // namespace tidegate::gate
