// When something that the gate says every 20 ms is worth a line: in the history (an alarm that leaves the weight as it is)
// and in the log (another reason than before). Values without a clock: time is the length of the tick. One each per route,
// owned by its RouteControl.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "gate/ruling.h"

namespace tidegate::control {

/// How long an alarm has to be gone before the next one is another. Evidence near its threshold comes and goes; that is one
/// trouble and one line.
inline constexpr double kSameAlarmS = 60.0;

/// One alarm, however often the gate repeats it.
class AlarmEpisode {
 public:
  /// @param raised in this tick. @return a new alarm begins.
  bool tick(bool raised, double dt_s) noexcept {
    if (!raised) {
      quiet_s_ += dt_s;
      return false;
    }
    const bool is_new = quiet_s_ >= kSameAlarmS;
    quiet_s_ = 0.0;
    return is_new;
  }
  /// What stands from now on is another alarm: the weight is another.
  void forget() noexcept { quiet_s_ = kSameAlarmS; }

 private:
  double quiet_s_ = kSameAlarmS;
};

/// Which rulings the log tells: those whose reason changed, each reason at most once in a minute.
class RulingNews {
 public:
  RulingNews() { since_told_s_.fill(kSameAlarmS); }

  bool tick(gate::Reason reason, double dt_s) noexcept {
    for (double& since : since_told_s_) since = std::min(since + dt_s, kSameAlarmS);
    double& since = since_told_s_[static_cast<std::size_t>(reason)];
    if (reason == told_ || since < kSameAlarmS) return false;
    told_ = reason;
    since = 0.0;
    return true;
  }

 private:
  gate::Reason told_ = gate::Reason::Observing;
  std::array<double, gate::kReasonCount> since_told_s_{};
};

}  // namespace tidegate::control
