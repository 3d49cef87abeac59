// Detector B: does practically everything on new fail? It needs no statistics and does not wait for the burst
// tolerance: a run of ticks in each of which at least `share` failed, long enough in requests and in time. Ticks
// without requests neither break the run nor fire, but their time counts. With for_s = 0 it fires in the first tick
// that has enough requests. Owned by one Gate, on its thread.
#pragma once

#include <optional>

#include "gate/parameters.h"
#include "gate/ruling.h"

namespace tidegate::gate {

class Breaker {
 public:
  explicit Breaker(const BreakerParameters& parameters) : parameters_(parameters) {}

  /// @return true if it fires in this tick.
  bool tick(const Counts& counts, double dt_s) noexcept {
    const double n = static_cast<double>(counts.new_total), x = static_cast<double>(counts.new_failures);
    if (counts.new_total > 0 && x < parameters_.share * n) {
      streak_.reset();
      return false;
    }
    if (!streak_) {
      if (counts.new_total == 0) return false;
      streak_.emplace();
    }
    streak_->counts += counts;
    streak_->seconds += dt_s;
    return counts.new_failures > 0 && streak_->counts.new_total >= parameters_.requests &&
           streak_->seconds >= parameters_.for_s - kRounding;
  }

  /// The run so far; empty when broken.
  const std::optional<Window>& streak() const noexcept { return streak_; }
  void clear() noexcept { streak_.reset(); }

  template <class Self, class F>
  static void fields(Self& self, F&& f) {
    f("streak", self.streak_);
  }

 private:
  static constexpr double kRounding = 1e-9;  ///< ticks add up with rounding

  BreakerParameters parameters_;
  std::optional<Window> streak_;
};

}  // namespace tidegate::gate
